//! credsh's own modules, included from their files: the program is not a library, and need not become one to be
//! fuzzed. The commands, the store and the network are left out, as their crates would take minutes to build with the
//! fuzzer's instrumentation.
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

/// Only the parts of `source` that parse.
#[path = "../../../src/source"]
pub mod source {
    pub mod answer;
    pub mod cloud9;
}

pub mod expect;
