//! `credsh template`: a CloudFormation template for a role to assume.

use crate::error::Result;
use crate::ui;

pub fn run() -> Result<u8> {
    ui::print(include_str!("template.yaml"))?;
    Ok(0)
}
