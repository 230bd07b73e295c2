//! The rules of the house, checked against its sources: imports go down only, and some things only one module may do. Also
//! what the project says of itself: which Rust it requires, which network stacks it has, and which tests back SECURITY.md.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// From the top down. Imports within a layer are fine, and `error` is visible to all.
const LAYERS: [&[&str]; 6] = [
    &["main"],
    &["cli", "command"],
    &["renew"],
    &["request", "lease", "store", "source", "shell", "format", "prompt"],
    &["aws", "http", "config", "selectors"],
    &["credentials", "env", "time", "ui", "detach", "redact", "properties"],
];

const ERROR: &str = "error";

fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut found, mut dirs) = (Vec::new(), vec![root.clone()]);
    while let Some(dir) = dirs.pop() {
        for path in fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                dirs.push(path);
            } else {
                found.push((name(path.strip_prefix(&root).unwrap()), fs::read_to_string(&path).unwrap()));
            }
        }
    }
    assert!(found.len() > 20, "the control: {found:?}");
    found
}

/// Such as `command/status.rs`, with slashes on every system.
fn name(path: &Path) -> String {
    path.iter().map(|part| part.to_str().unwrap()).collect::<PathBuf>().to_str().unwrap().replace('\\', "/")
}

/// The top-level module that a file belongs to.
fn module(file: &str) -> &str {
    file.split(['/', '.']).next().unwrap()
}

/// The code without its comments.
fn code(text: &str) -> String {
    let lines = text.lines().map(|line| line.split("//").next().unwrap());
    lines.collect::<Vec<_>>().join("\n")
}

/// Every module that follows `crate::`, alone or in braces.
fn imports(text: &str) -> Vec<String> {
    let text = code(text);
    let mut found = Vec::new();
    for rest in text.split("crate::").skip(1) {
        let names = match rest.strip_prefix('{') {
            Some(list) => list.split('}').next().unwrap().split(',').collect(),
            None => vec![rest],
        };
        let word =
            |name: &str| name.trim().split(|c: char| !(c.is_alphanumeric() || c == '_')).next().unwrap().to_owned();
        found.extend(names.into_iter().map(word).filter(|name| !name.is_empty()));
    }
    found
}

fn layer(module: &str) -> usize {
    let found = LAYERS.iter().position(|layer| layer.contains(&module));
    found.unwrap_or_else(|| panic!("{module} has no place among the layers: give it one, here and in DESIGN.md"))
}

fn upward(file: &str, text: &str) -> Vec<String> {
    let own = module(file);
    let mut edges: Vec<String> = Vec::new();
    for import in imports(text).iter().filter(|import| *import != ERROR) {
        if own == ERROR || layer(import) < layer(own) {
            edges.push(format!("{file} -> {import}"));
        }
    }
    edges
}

#[test]
fn imports_go_down_only() {
    let edges: Vec<String> = sources().iter().flat_map(|(file, text)| upward(file, text)).collect();
    assert!(edges.is_empty(), "{edges:#?}");
}

#[test]
fn the_control_of_the_imports() {
    assert_eq!(upward("store.rs", "use crate::renew::lease;\n"), ["store.rs -> renew"]);
    assert_eq!(
        upward("source/x.rs", "use crate::{cli, env};\nlet a = crate::command::x();"),
        ["source/x.rs -> cli", "source/x.rs -> command"]
    );
    assert_eq!(upward("error.rs", "use crate::env;"), ["error.rs -> env"]);
    assert_eq!(upward("env.rs", "use crate::error::Result; // crate::store\n"), [""; 0]);
    let edges: usize = sources().iter().map(|(_, text)| imports(text).len()).sum();
    assert!(edges > 80, "what is looked at is there: {edges}");
}

/// Every place outside the `allowed` files that contains one of `words`.
fn elsewhere(files: &[(String, String)], words: &[&str], allowed: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for (file, text) in files.iter().filter(|(file, _)| !allowed.contains(&file.as_str())) {
        // The rules do not apply to a file's own tests.
        let text = code(text);
        let text = text.split("#[cfg(test)]\nmod tests").next().unwrap();
        found.extend(words.iter().filter(|word| text.contains(*word)).map(|word| format!("{file}: {word}")));
    }
    found
}

#[test]
fn what_only_one_room_does() {
    let rules: [(&[&str], &[&str]); 6] = [
        (&[" std::env", "(std::env::", "SystemTime::now", "Utc::now"], &["env.rs"]),
        (&["eprint!", "eprintln!", "io::stderr()", "dbg!"], &["ui.rs"]),
        (&["println!(", " print!(", "io::stdout().lock"], &["ui.rs"]),
        (&["process::exit", "ExitCode"], &["main.rs"]),
        (&["unsafe "], &["detach.rs"]),
        (&["/dev/tty"], &["ui.rs"]),
    ];
    let files = sources();
    for (words, allowed) in rules {
        assert_eq!(elsewhere(&files, words, allowed), [""; 0]);
        assert!(!elsewhere(&files, words, &[]).is_empty(), "the control: {allowed:?} does it");
    }
}

#[test]
fn only_commands_print_what_was_asked_for() {
    let found = elsewhere(&sources(), &["ui::print("], &[]);
    let others: Vec<&String> = found.iter().filter(|place| !place.starts_with("command/")).collect();
    assert!(!found.is_empty() && others.is_empty(), "{others:?}");
}

/// What is wrong with the network crates in a Cargo.lock: there must be one reqwest over hyper and one rustls on
/// ring, and no other stack. `deny.toml` has the same and more, but cargo-deny takes minutes to install, and
/// this runs with every test.
fn second_stacks(lock: &str) -> Vec<String> {
    const ONE: [&str; 9] =
        ["reqwest", "hyper", "hyper-util", "http", "http-body", "rustls", "rustls-webpki", "tokio-rustls", "ring"];
    const NONE: [&str; 16] = [
        "native-tls",
        "openssl",
        "openssl-sys",
        "aws-lc-rs",
        "aws-lc-sys",
        "boring",
        "boring-sys",
        "mbedtls",
        "s2n-tls",
        "h2",
        "quinn",
        "ureq",
        "isahc",
        "curl",
        "curl-sys",
        "attohttpc",
    ];
    let count = |name: &str| lock.lines().filter(|line| *line == format!("name = \"{name}\"")).count();
    let odd = ONE.iter().filter(|name| count(name) != 1).chain(NONE.iter().filter(|name| count(name) != 0));
    odd.map(|name| format!("{name}: {}", count(name))).collect()
}

#[test]
fn one_http_stack_and_one_tls_stack() {
    let lock = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock")).unwrap();
    assert_eq!(second_stacks(&lock), [""; 0]);
    let more =
        format!("{lock}\n[[package]]\nname = \"hyper\"\nversion = \"0.14.1\"\n[[package]]\nname = \"aws-lc-rs\"\n");
    assert_eq!(second_stacks(&more), ["hyper: 2", "aws-lc-rs: 1"], "the control");
    assert_eq!(second_stacks(&lock.replace("name = \"ring\"", "")), ["ring: 0"], "the control");
}

/// The newest Rust that any of the crates built for this platform requires.
fn demanded() -> (u32, u32, u32) {
    let run = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let version = run("rustc", &["-vV"]);
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let metadata =
        run(env!("CARGO"), &["metadata", "--format-version=1", "--locked", "--offline", "--filter-platform", host]);
    let metadata: serde_json::Value = serde_json::from_str(&metadata).unwrap();
    let packages = metadata["packages"].as_array().unwrap().iter().filter(|package| package["name"] != "credsh");
    packages.filter_map(|package| package["rust_version"].as_str()).map(parsed).max().unwrap()
}

fn parsed(version: &str) -> (u32, u32, u32) {
    let mut parts = version.split('.').map(|part| part.parse().unwrap());
    (parts.next().unwrap(), parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

/// The promise must be one that the dependencies let the project keep.
#[test]
fn the_rust_it_states_is_no_older_than_its_dependencies_demand() {
    let (stated, demanded) = (parsed(env!("CARGO_PKG_RUST_VERSION")), demanded());
    assert!(demanded <= stated && demanded > (1, 80, 0), "{demanded:?}, {stated:?}");
    assert!(include_str!("../README.md").contains(concat!("Rust ", env!("CARGO_PKG_RUST_VERSION"), " or later")));
}

/// The tests that a text names, in the form `tests/cli.rs: this_and_that, another`.
fn named_tests(line: &str) -> Vec<(String, String)> {
    let names = line.split('`').filter_map(|part| part.strip_prefix("tests/")?.split_once(".rs: "));
    names
        .flat_map(|(file, names)| names.split(", ").map(move |name| (format!("tests/{file}.rs"), name.to_owned())))
        .collect()
}

#[test]
fn each_line_of_the_threat_model_names_a_test_that_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("SECURITY.md")).unwrap();
    let model = text.split("## What they can and cannot do").nth(1).unwrap().split("\n## ").next().unwrap();
    // An item may continue on the following lines.
    let items: Vec<String> =
        model.split("\n- ").skip(1).map(|item| item.split("\n\n").next().unwrap().replace("\n  ", " ")).collect();
    assert!(items.len() > 20, "the control: {items:?}");
    for item in items {
        let tests = named_tests(&item);
        assert!(!tests.is_empty(), "{item}");
        for (file, name) in tests {
            let code = fs::read_to_string(root.join(&file)).unwrap_or_else(|error| panic!("{file}: {error}"));
            assert!(code.contains(&format!("fn {name}(")), "no {name} in {file}");
        }
    }
}
