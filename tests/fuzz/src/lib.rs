//! credsh's own modules, from their own files: the program is no library, and need not become one to be fuzzed. Without
//! its commands, its store and its network, whose crates would take minutes to build anew with the fuzzer's eyes in them.
#![allow(dead_code, reason = "the commands use the rest")]

#[path = "../../../src/config/mod.rs"]
pub mod config;
#[path = "../../../src/credentials.rs"]
pub mod credentials;
#[path = "../../../src/env.rs"]
pub mod env;
#[path = "../../../src/error.rs"]
pub mod error;
#[path = "../../../src/lease.rs"]
pub mod lease;
#[path = "../../../src/prompt.rs"]
pub mod prompt;
#[path = "../../../src/redact.rs"]
pub mod redact;
#[path = "../../../src/request/mod.rs"]
pub mod request;
#[path = "../../../src/selectors.rs"]
pub mod selectors;
#[path = "../../../src/shell/mod.rs"]
pub mod shell;
#[path = "../../../src/time.rs"]
pub mod time;
#[path = "../../../src/ui.rs"]
pub mod ui;

/// The part of `source` that reads.
#[path = "../../../src/source"]
pub mod source {
    pub mod answer;
    pub mod cloud9;
}

pub mod expect;
