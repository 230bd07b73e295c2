//! `credsh export --format`: the text of each format to the letter, and every format read back by the programs it is for:
//! nothing in a value is lost, changed or run.

mod support;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use support::endpoint::Endpoint;
use support::moto::tool;
use support::{Run, Sandbox};

const END: &str = "2099-01-01T00:00:00Z";

/// Text that has a meaning to shells, to parsers of files, or to terminals.
const NASTY: [&str; 38] = [
    "'",
    "\"",
    "`",
    "\\",
    "$",
    "$(touch x)",
    "${HOME}",
    "`touch x`",
    ";touch x;",
    "&",
    "|",
    "<",
    ">",
    "(",
    ")",
    "{",
    "}",
    "[",
    "]",
    "*",
    "?",
    "~",
    "!",
    "!!",
    "#",
    " #",
    "%",
    "%PATH%",
    "^",
    "=",
    ",",
    " ",
    "-",
    "ü",
    "’",
    "日本",
    "\u{a0}",
    "a",
];

/// Values chosen by hand.
const KNOWN: [&str; 17] = [
    "it's",
    "''",
    "'",
    "\\",
    "a\\",
    "\\'",
    "$(touch x)",
    "`touch x`",
    "-n",
    "--",
    " a ",
    "#a",
    "~",
    "=a=",
    "a\\nb\\t\\0101",
    "!!\"!$",
    "\u{a0}a\u{3000}",
];

/// The chosen values, and 60 random ones, which are always the same: a linear congruential generator, after Knuth's MMIX.
fn values() -> Vec<String> {
    let mut state: u64 = 2026;
    let mut roll = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below
    };
    let random = (0..60).map(|_| (0..=roll(9)).map(|_| NASTY[roll(NASTY.len())]).collect());
    KNOWN.iter().map(|text| (*text).to_owned()).chain(random.collect::<Vec<String>>()).collect()
}

fn json(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

/// Exports each value as `V<number>_AWS_SECRET_ACCESS_KEY`, and returns the texts; `None` where the format refused it.
fn exported(sandbox: &Sandbox, endpoint: &Endpoint, format: &str, values: &[String]) -> Vec<Option<String>> {
    let one = |(number, value): (usize, &String)| {
        endpoint.field("SecretAccessKey", &json(value));
        let prefix = format!("--prefix=V{number}_");
        // These have field names of their own, which take no prefix.
        let prefix = (!["process", "json", "ini"].contains(&format)).then_some(prefix.as_str());
        let words = ["export", "--no-store", "--format", format].into_iter().chain(prefix);
        let run = sandbox.credsh(&words.collect::<Vec<_>>());
        if run.status == 0 { Some(run.ok()) } else { run.fails(1, &["credsh: ", " hold"]).is_empty().then(String::new) }
    };
    values.iter().enumerate().map(one).collect()
}

/// The environment of the programs that `shell` starts after running `line`.
fn left_by(sandbox: &Sandbox, shell: &[&str], line: &str) -> HashMap<String, String> {
    let run = Run::of(sandbox.command(shell[0]).args(&shell[1..]).arg(line).output().unwrap());
    assert_eq!(run.stderr, "", "{shell:?}");
    let out = run.ok();
    let pairs = out.split_terminator('\0').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[track_caller]
fn intact(sandbox: &Sandbox, who: &str, values: &[String], seen: &HashMap<String, String>) {
    for (number, value) in values.iter().enumerate() {
        let name = format!("V{number}_AWS_SECRET_ACCESS_KEY");
        assert_eq!(seen.get(&name), Some(value), "{who}, {name}");
    }
    assert!(!sandbox.home().join("x").exists(), "{who} ran what a value holds");
}

/// Has each shell read the texts of one format, and checks every value.
fn round_trip(format: &str, shells: &[&[&str]], lines: &[&str]) {
    let endpoint = Endpoint::start(600);
    let (sandbox, values) = (Sandbox::in_cloudshell(&endpoint), values());
    let texts = exported(&sandbox, &endpoint, format, &values);
    for (number, text) in texts.iter().enumerate() {
        sandbox.file(&format!("vars/{number}"), text.as_ref().expect("nothing is refused"));
    }
    sandbox.file("all", &texts.into_iter().flatten().collect::<String>());
    for (shell, line) in shells.iter().flat_map(|shell| lines.iter().map(move |line| (shell, line))) {
        intact(&sandbox, &format!("{shell:?} {line}"), &values, &left_by(&sandbox, shell, line));
    }
}

#[test]
fn env_in_every_posix_shell() {
    let shells: [&[&str]; 12] = [
        &["bash", "-c"],
        &["bash", "--posix", "-euc"],
        &["bash", "-O", "extglob", "-O", "xpg_echo", "-c"],
        &["zsh", "-fc"],
        &["zsh", "-f", "-o", "rcquotes", "-o", "extendedglob", "-o", "shwordsplit", "-c"],
        &["zsh", "--emulate", "sh", "-fc"],
        &["dash", "-c"],
        &["ksh93", "-c"],
        &["mksh", "-c"],
        &["yash", "-c"],
        &["busybox", "sh", "-c"],
        &["busybox", "ash", "-euc"],
    ];
    round_trip("env", &shells, &["eval \"$(cat all)\"; env -0", ". ./all; env -0"]);
    round_trip("env-no-export", &shells, &["set -a; eval \"$(cat all)\"; env -0"]);
}

#[test]
fn env_without_export_is_for_the_shell_alone() {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let line =
        "eval \"$(credsh export --format env-no-export)\"; echo $AWS_ACCESS_KEY_ID; ! printenv AWS_ACCESS_KEY_ID";
    let run = Run::of(sandbox.command("dash").args(["-ec", line]).output().unwrap());
    assert_eq!(run.ok(), "ASIATEST0001\n");
}

#[test]
fn fish_in_fish() {
    let lines = ["source all; env -0", "cat all | source; env -0", "eval (cat all | string collect); env -0"];
    round_trip("fish", &[&["fish", "-c"]], &lines);
}

#[test]
fn elvish_in_elvish() {
    round_trip("elvish", &[&["elvish", "-norc", "-c"]], &["eval (slurp <all); env -0"]);
}

#[test]
fn nu_in_nu() {
    let nu = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/npm/nu");
    assert!(nu.exists(), "{} is missing: run tests/setup.sh", nu.display());
    let line = "for file in (ls vars) { open --raw $file.name | from json | load-env }; ^env -0";
    round_trip("nu", &[&[nu.to_str().unwrap(), "--no-config-file", "-c"]], &[line]);
}

/// Python stands for `jq` and every SDK.
#[test]
fn json_in_python() {
    for format in ["json", "process"] {
        let endpoint = Endpoint::start(600);
        let (sandbox, values) = (Sandbox::in_cloudshell(&endpoint), values());
        let texts: String = exported(&sandbox, &endpoint, format, &values).into_iter().flatten().collect();
        sandbox.file("all", &texts);
        let program = "import json
text, at, decoder = open('all', encoding='utf-8').read(), 0, json.JSONDecoder()
while at < len(text):
    one, at = decoder.raw_decode(text, at)
    at += 1
    print(one['SecretAccessKey'], end='\\0')";
        let out = Run::of(sandbox.command("python3").args(["-c", program]).output().unwrap()).ok();
        assert_eq!(out.split_terminator('\0').collect::<Vec<_>>(), values);
    }
}

/// botocore's parser is also the AWS CLI's. A value that it would cut short or change is refused.
#[test]
fn ini_in_botocore() {
    let endpoint = Endpoint::start(600);
    let (sandbox, values) = (Sandbox::in_cloudshell(&endpoint), values());
    let texts = exported(&sandbox, &endpoint, "ini", &values);
    let kept: BTreeMap<usize, &String> =
        values.iter().enumerate().filter(|(number, _)| texts[*number].is_some()).collect();
    for number in kept.keys() {
        sandbox.file(&format!("vars/{number}"), texts[*number].as_ref().unwrap());
    }
    let program = "import botocore.configloader as c, json, os
print(json.dumps({n: c.raw_config_parse('vars/' + n)['credsh']['aws_secret_access_key'] for n in os.listdir('vars')}))";
    let out = Run::of(sandbox.command(tool("python")).args(["-c", program]).output().unwrap()).ok();
    let seen: BTreeMap<usize, String> = serde_json::from_str(&out).unwrap();
    assert_eq!(seen.iter().map(|(number, value)| (*number, value)).collect::<BTreeMap<_, _>>(), kept);
    assert!(kept.len() > 10, "the control: {} were taken", kept.len());
    for (number, value) in values.iter().enumerate() {
        let breaks = value.contains(|c: char| c.is_whitespace() || c == '#' || c == ';');
        assert_eq!(texts[number].is_none(), breaks, "{value:?}");
    }
}

#[test]
fn every_shape_to_the_letter() {
    let endpoint = Endpoint::start(600);
    endpoint.field("Expiration", &json(END));
    endpoint.field("SecretAccessKey", &json("it's"));
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let lines = |line: &dyn Fn(&str, &str) -> String, secret: &str| {
        [
            ("AWS_ACCESS_KEY_ID", "ASIATEST0001"),
            ("AWS_SECRET_ACCESS_KEY", secret),
            ("AWS_SESSION_TOKEN", "test-token-1"),
            ("AWS_CREDENTIAL_EXPIRATION", END),
        ]
        .map(|(name, value)| line(name, value) + "\n")
        .concat()
    };
    let process = format!(
        "{{\n  \"Version\": 1,\n  \"AccessKeyId\": \"ASIATEST0001\",\n  \"SecretAccessKey\": \"it's\",\n  \"SessionToken\": \"test-token-1\",\n  \"Expiration\": \"{END}\"\n}}\n"
    );
    let nu = format!(
        "{{\n  \"AWS_ACCESS_KEY_ID\": \"ASIATEST0001\",\n  \"AWS_CREDENTIAL_EXPIRATION\": \"{END}\",\n  \"AWS_SECRET_ACCESS_KEY\": \"it's\",\n  \"AWS_SESSION_TOKEN\": \"test-token-1\"\n}}\n"
    );
    let shapes = [
        ("env", lines(&|name, value| format!("export {name}='{value}'"), r"it'\''s")),
        ("env-no-export", lines(&|name, value| format!("{name}='{value}'"), r"it'\''s")),
        ("fish", lines(&|name, value| format!("set -gx {name} '{value}'"), r"it\'s")),
        ("elvish", lines(&|name, value| format!("set-env {name} '{value}'"), "it''s")),
        ("powershell", lines(&|name, value| format!("$Env:{name}='{value}'"), "it''s")),
        ("windows-cmd", lines(&|name, value| format!("set \"{name}={value}\""), "it's")),
        ("env-file", lines(&|name, value| format!("{name}={value}"), "it's")),
        ("process", process.clone()),
        ("json", process),
        ("nu", nu),
        (
            "ini",
            "[credsh]\naws_access_key_id = ASIATEST0001\naws_secret_access_key = it's\naws_session_token = test-token-1\n"
                .into(),
        ),
    ];
    for (format, text) in shapes {
        assert_eq!(sandbox.credsh(&["export", "--format", format]).ok(), text, "{format}");
        let run = sandbox.credsh(&["export", "--prefix", "TEMPORARY_", "--format", format]);
        if ["process", "json", "ini"].contains(&format) {
            run.fails(2, &["credsh: --prefix: does not apply to this --format"]);
        } else {
            assert_eq!(run.ok(), text.replace("AWS_", "TEMPORARY_AWS_"), "{format}");
        }
    }
    assert_eq!(endpoint.count(), 1, "all from one lease");
}

/// Even a format that could represent them: a terminal would obey them.
#[test]
fn control_characters_are_refused_by_every_format() {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let formats = sandbox.credsh(&["export", "--format", "?"]).fails(2, &["hint: one of "]);
    let formats = formats.lines().find_map(|line| line.strip_prefix("hint: one of ")).unwrap().to_owned();
    let formats: Vec<&str> = formats.split(", ").collect();
    assert_eq!(formats.len(), 11, "{formats:?}");
    for bad in ["a\nb", "a\rb", "a\u{1b}[31mb", "a\u{0}b", "a\tb", "a\u{7f}b", "a\u{9b}b"] {
        for field in ["SecretAccessKey", "Token", "AccessKeyId"] {
            endpoint.field(field, &json(bad));
            for format in &formats {
                let text =
                    sandbox.credsh(&["export", "--format", format]).fails(5, &[" contains a control character\n"]);
                assert!(!text.replace('\n', "").contains(char::is_control) && !text.contains("[31m"), "{text:?}");
            }
            endpoint.field(field, &json("good"));
        }
    }
    sandbox.credsh(&["export"]).ok();
}

#[test]
fn cmd_refuses_what_it_would_expand() {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    for (value, taken) in [("a\"b", false), ("%PATH%", false), ("a!b", false), ("a^b", false), ("a&b|c <d> é", true)] {
        endpoint.field("SecretAccessKey", &json(value));
        let run = sandbox.credsh(&["export", "--no-store", "--format", "windows-cmd"]);
        if taken {
            assert!(run.ok().contains(&format!("set \"AWS_SECRET_ACCESS_KEY={value}\"\n")));
        } else {
            run.fails(1, &["credsh: a value for cmd.exe contains one of \" % ! ^\n"]);
        }
    }
}
