//! `credsh script`: prints the scripts for sourcing, for people who have only the program.

use crate::env::Env;
use crate::error::{Error, Result};
use crate::shell::Script;
use crate::ui;

pub fn run(script: Script, env: &Env) -> Result<u8> {
    let exe = env.exe();
    let path = exe
        .to_str()
        .ok_or_else(|| Error::Value { what: format!("the path {}", exe.display()), reason: "is not UTF-8" })?;
    ui::print(&script.with(path)?)?;
    Ok(0)
}
