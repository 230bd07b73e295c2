use crate::cli::Demo; use crate::env::Env; use crate::error::Result;
pub fn run(_: &Demo, _: &Env) -> Result<u8> { Ok(0) }
