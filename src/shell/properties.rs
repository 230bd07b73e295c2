//! Property tests of quoting, against the shells themselves: a shell that reads a quoted value has that value, and has run
//! nothing. Hundreds of values for each start of a shell.

use std::collections::HashMap;
use std::fmt::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::credentials::Credentials;
use crate::format::{self, Format};
use crate::properties::for_all;

/// Text that means something to some shell, each piece enough for a mistake to show in the result.
const PIECES: &[&str] = &[
    "'",
    "''",
    "\"",
    "`",
    "\\",
    "\\\\",
    "\\'",
    "$",
    "$$",
    "$HOME",
    "${HOME}",
    "$(echo x)",
    "`echo x`",
    "$((1+1))",
    "$'a'",
    "$\"a\"",
    "!",
    "!!",
    "!$",
    "^a^b",
    "*",
    "?",
    "[a]",
    "{a,b}",
    "~",
    "~/",
    "~root",
    "#",
    " #",
    " ",
    "  ",
    "-",
    "--",
    "-n",
    "=",
    "=ls",
    "a=b",
    "%",
    "%s",
    "%d",
    "&",
    "&&",
    "|",
    ";",
    "<",
    ">",
    "(",
    ")",
    "<(a)",
    "\\n",
    "\\0",
    "\\x41",
    "\\u0041",
    "\\c",
    "@",
    "+",
    ",",
    ":",
    "’",
    "‘",
    "“",
    "ü",
    "é",
    "e\u{301}",
    "日本",
    "𝄞",
    "\u{a0}",
    "\u{3000}",
    "\u{200b}",
    "\u{202e}",
    "\u{feff}",
    "\u{fdd0}",
    "\u{f600}",
    "\u{f8ff}",
    "\u{fffd}",
    "\u{ffff}",
    "\u{10ffff}",
    "a",
    "Z",
    "0",
];

fn hostile() -> impl Strategy<Value = String> {
    let any = any::<char>().prop_filter("controls are refused", |c| !c.is_control()).prop_map(String::from);
    let piece = prop_oneof![8 => select(PIECES).prop_map(str::to_owned), 1 => any, 1 => "[ -~]{1,3}"];
    vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

/// A shell, how it is given a script, and its grammar. `before` begins the script, and defines `put`, which sets `W0`,
/// `W1`, ... to its argument, one at each call.
struct Reader {
    program: &'static [&'static str],
    grammar: Grammar,
    before: &'static str,
    /// Whether it reads the script from stdin, as if typed, instead of from a file.
    typed: bool,
}

const POSIX: &str = "n=0\nput() { eval \"W$n=\\$1\"; export W$n; n=$((n+1)); }\n";

const READERS: &[Reader] = &[
    posix(&["bash"]),
    posix(&["bash", "--posix", "-eu", "-O", "extglob", "-O", "xpg_echo"]),
    Reader {
        before: "set -o history -o histexpand\nn=0\nput() { eval \"W$n=\\$1\"; export W$n; n=$((n+1)); }\n",
        typed: true,
        ..posix(&["bash", "--norc", "--noprofile", "-i"])
    },
    posix(&["zsh", "-f"]),
    posix(&["zsh", "-f", "-o", "rcquotes", "-o", "extendedglob", "-o", "shwordsplit", "-o", "magicequalsubst"]),
    Reader { typed: true, ..posix(&["zsh", "-f", "-i", "-o", "banghist"]) },
    posix(&["zsh", "--emulate", "sh"]),
    posix(&["dash"]),
    posix(&["ksh93"]),
    posix(&["mksh"]),
    posix(&["yash"]),
    posix(&["busybox", "ash"]),
    Reader {
        program: &["fish", "--no-config"],
        grammar: Grammar::Fish,
        before: "set n 0\nfunction put; set -gx W$n $argv[1]; set -g n (math $n + 1); end\n",
        typed: false,
    },
    Reader {
        program: &["elvish", "-norc"],
        grammar: Grammar::Elvish,
        before: "var n = 0\nfn put {|w| set-env W$n $w; set n = (+ $n 1) }\n",
        typed: false,
    },
];

const fn posix(program: &'static [&'static str]) -> Reader {
    Reader { program, grammar: Grammar::Posix, before: POSIX, typed: false }
}

/// Has the shell read each value once as a variable's and once as an argument; returns the variables that a program then
/// sees.
fn read_by(reader: &Reader, values: &[String]) -> HashMap<String, String> {
    let mut script = String::from(reader.before);
    for (number, value) in values.iter().enumerate() {
        script += &reader.grammar.set(&format!("V{number}"), value, true).unwrap();
        writeln!(script, "put {}", reader.grammar.quote(value).unwrap()).unwrap();
    }
    script += "env -0\n";
    run(reader.program, &script, reader.typed)
}

fn run(program: &[&str], script: &str, typed: bool) -> HashMap<String, String> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("script");
    std::fs::write(&file, script).unwrap();
    let mut command = Command::new(which::which(program[0]).unwrap());
    command.args(&program[1..]).env_clear().envs([
        ("PATH", "/usr/local/bin:/usr/bin:/bin"),
        ("LANG", "C.UTF-8"),
        ("TERM", "dumb"),
    ]);
    command.env("HOME", dir.path()).current_dir(dir.path()).stdin(Stdio::null());
    if typed {
        command.stdin(std::fs::File::open(&file).unwrap())
    } else {
        command.arg(&file)
    };
    let out = command.output().unwrap();
    let told = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success() && (typed || told.is_empty()), "{program:?}: {told}");
    let pairs = String::from_utf8(out.stdout).unwrap();
    let pairs = pairs.split_terminator('\0').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// One case has 250 values on average, so that a single start of a shell tests that many.
fn for_all_values(read: impl Fn(&[String]) -> HashMap<String, String>, names: &[&str], who: &str) {
    for_all(2, &vec(hostile(), 0..500), |values| {
        let seen = read(&values);
        for (number, value) in values.iter().enumerate() {
            for name in names {
                assert_eq!(seen.get(&format!("{name}{number}")), Some(value), "{who}, {name}");
            }
        }
    });
}

#[test]
fn every_shell_reads_what_was_quoted_for_it() {
    for reader in READERS {
        for_all_values(|values| read_by(reader, values), &["V", "W"], &format!("{:?}", reader.program));
    }
}

/// Shows that these two interactive shells do expand `!`, which the test above would otherwise not prove.
#[test]
fn the_control_of_the_typed_lines() {
    for reader in READERS.iter().filter(|reader| reader.typed) {
        let seen = run(reader.program, &format!("{}true b\nexport V0=\"!!\"\nenv -0\n", reader.before), true);
        assert_eq!(seen.get("V0").map(String::as_str), Some("true b"), "{:?}", reader.program);
    }
}

#[test]
fn nu_reads_the_record_that_was_made_for_it() {
    let nu = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/npm/nu");
    assert!(nu.exists(), "{} is missing: run tests/setup.sh", nu.display());
    let read = |values: &[String]| {
        let record = |(number, value): (usize, &String)| {
            let (access_key_id, secret_access_key) = ("ASIA".into(), Secret::new(&**value));
            let one = Credentials { access_key_id, secret_access_key, session_token: None, expiration: None };
            let record = format::render(Format::Nu, &one, "").unwrap();
            format!(
                "r#######'{}'####### | from json | get AWS_SECRET_ACCESS_KEY | $env.V{number} = $in\n",
                record.expose()
            )
        };
        let lines: String = values.iter().enumerate().map(record).collect();
        run(&[nu.to_str().unwrap(), "--no-config-file"], &(lines + "^env -0\n"), false)
    };
    for_all_values(read, &["V"], "nu");
}

#[test]
fn no_grammar_takes_a_control_character() {
    let grammars = [Grammar::Posix, Grammar::Fish, Grammar::Elvish, Grammar::PowerShell, Grammar::Cmd];
    let control = prop_oneof![0..0x20_u32, 0x7f..0xa0_u32].prop_map(|code| char::from_u32(code).unwrap());
    for_all(1000, &(hostile(), control, hostile()), |(before, control, after)| {
        for grammar in grammars {
            let error = grammar.quote(&format!("{before}{control}{after}")).unwrap_err().to_string();
            assert!(!error.contains(char::is_control), "{error:?}");
        }
    });
}
