//! Whose `$1` a sourced script sees (failings 12 and 13): a role that was given is never dropped silently, and the
//! caller's own parameter is never taken for one. Where a shell does not tell them apart, the script refuses.

mod support;

use support::endpoint::Endpoint;
use support::moto::Moto;
use support::sourced::{ALL, Sourcing, every_sh, everywhere};
use support::sts::Sts;
use support::{Run, Sandbox};

const ARN: &str = "arn:aws:iam::123456789012:role/deploy";
const MINE: &str = "arn:aws:iam::123456789012:role/callers";

/// The outcome of sourcing the script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Came {
    /// The credentials of the environment, without a role.
    Own,
    /// The credentials of this role.
    Role(&'static str),
    /// A refusal that names CREDSH_ROLE, and keeps the old values.
    Refused,
}

fn came(shell: Sourcing, text: &str, parameters: &[&str], role: &str) -> (Came, Run) {
    let (endpoint, sts) = (Endpoint::start(600), Sts::start());
    let sandbox = Sandbox::in_cloudshell(&endpoint)
        .with("AWS_ENDPOINT_URL_STS", &sts.url())
        .with("TEMPORARY_AWS_ACCESS_KEY_ID", "old")
        .with("CREDSH_ROLE", role);
    let end = shell.pick(
        "\ncode=$?\nprintenv TEMPORARY_AWS_ACCESS_KEY_ID >key\nexit $code\n",
        "\nset code $status\nprintenv TEMPORARY_AWS_ACCESS_KEY_ID >key\nexit $code\n",
    );
    let run = shell.run_with(&sandbox, &format!("{text}{end}"), parameters);
    let key = std::fs::read_to_string(sandbox.home().join("key")).unwrap();
    let asked = sts.calls().first().map(|call| call.get("RoleArn").to_owned());
    let came = match (key.trim(), run.status, asked.as_deref()) {
        ("ASIATEST0001", 0, None) => Came::Own,
        ("ASIASTS0001", 0, Some(ARN)) => Came::Role(ARN),
        ("ASIASTS0001", 0, Some(MINE)) => Came::Role(MINE),
        ("old", 1.., None) if run.stdout.is_empty() && run.stderr.contains("CREDSH_ROLE") => Came::Refused,
        other => panic!("{shell:?} {text}: {other:?} {run:?}"),
    };
    (came, run)
}

/// Whether this shell, when it runs a script, tells what was given from the caller's own: bash, zsh and fish always do.
fn tells(shell: Sourcing) -> bool {
    ["bash", "zsh", "fish"].iter().any(|name| shell.is(name))
}

/// What is expected of a shell that tells; of ksh93, which tells if the caller has something else; of dash, which drops
/// what was given; and of the others.
fn expected(shell: Sourcing, telling: Came, ksh93: Came, dash: Came, others: Came) -> Came {
    if tells(shell) {
        telling
    } else if shell.is("ksh93") {
        ksh93
    } else if shell.is("dash") {
        dash
    } else {
        others
    }
}

#[test]
fn whose_argument_it_is() {
    use Came::{Own, Refused};
    let role = Came::Role(ARN);
    let given = format!("SOURCE {ARN}");
    let (inside, passed) = (format!("f() {{ SOURCE; }}; f {MINE}"), format!("f() {{ SOURCE \"$1\"; }}; f {ARN}"));
    let inside_given = format!("f() {{ SOURCE {ARN}; }}; f {MINE}");
    everywhere(|shell| {
        let check = |text: &str, parameters: &[&str], telling, ksh93, dash, others| {
            let wanted = expected(shell, telling, ksh93, dash, others);
            let (came, run) = came(shell, text, parameters, "");
            assert_eq!(came, wanted, "{shell:?} {text} {parameters:?} {run:?}");
        };
        check("SOURCE", &[], Own, Own, Own, Own);
        check(&given, &[], role, role, Refused, Refused);
        check("SOURCE", &[MINE], Own, Refused, Own, Refused);
        check("SOURCE", &["myapp"], Own, Refused, Own, Refused);
        check("SOURCE", &["-q"], Own, Own, Own, Own);
        check(&given, &[MINE], role, role, Refused, Refused);
        check(&given, &[ARN], role, Refused, Refused, Refused);
        if shell.fish() {
            check(&format!("function f; SOURCE; end; f {MINE}"), &[], Own, Own, Own, Own);
            return;
        }
        check(&inside, &[], Own, Refused, Own, Refused);
        check(&inside_given, &[], role, role, Refused, Refused);
        check(&passed, &[], role, Refused, Refused, Refused);
        check(&format!("set -- {MINE}\nSOURCE"), &[], Own, Refused, Own, Refused);
    });
}

#[test]
fn nested_sourcing_passes_nothing_on() {
    every_sh(|shell| {
        // A file that is sourced with a role of its own, and sources the script.
        let nested = format!(": SOURCE\ncat >nested <<X\n. ./publish_temporary_credentials.sh\nX\n. ./nested {MINE}");
        let wanted = expected(shell, Came::Own, Came::Refused, Came::Own, Came::Refused);
        assert_eq!(came(shell, &nested, &[], "").0, wanted, "{shell:?}");
    });
}

/// Once they have been asked for, bash keeps the caller's own parameters in the place where it keeps what was given.
#[test]
fn bash_is_not_misled_by_a_parameter_that_is_the_scripts_path() {
    const PATH: &str = "./publish_temporary_credentials.sh";
    for shell in &ALL[..2] {
        for asked in ["", ": \"${BASH_ARGV[0]}\"\n"] {
            for (text, parameters, wanted) in [
                (". \"$2\" \"$1\"", &[ARN, PATH][..], Came::Role(ARN)),
                (&format!(". \"$1\" {ARN}"), &[PATH], Came::Role(ARN)),
                (". \"$2\"", &[MINE, PATH], Came::Own),
                (". \"$1\"", &[PATH], Came::Own),
                (". \"$1\"", &[PATH, MINE], Came::Own),
                (&format!("f() {{ . \"$2\" \"$1\"; }}; f {ARN} {PATH}"), &[PATH], Came::Role(ARN)),
                (&format!("f() {{ . {PATH}; }}; f {MINE}"), &[PATH], Came::Own),
            ] {
                let (came, run) = came(*shell, &format!("{asked}{text}"), parameters, "");
                assert_eq!(came, wanted, "{shell:?} {text} {parameters:?}: {run:?}");
            }
        }
    }
}

/// Evaluated text has no parameters of its own, but sees those of whoever evaluates it.
#[test]
fn evaluated_text_takes_nobodys_parameters() {
    let eval = "eval \"$(credsh script sh)\"";
    every_sh(|shell| {
        let (unseen, none) = (shell.is("dash"), &[][..]);
        for (text, parameters, any) in [
            (eval, none, false),
            (eval, &[MINE], true),
            (&format!("f() {{ {eval}; }}; f"), &[MINE], false),
            (&format!("f() {{ {eval}; }}; f {MINE}"), none, true),
        ] {
            // ksh93 takes a function's parameters for what was given, where it looks for that.
            if shell.is("ksh93") && text.starts_with('f') {
                continue;
            }
            let wanted = if any || unseen { Came::Refused } else { Came::Own };
            let (came, run) = came(shell, text, parameters, "");
            assert_eq!(came, wanted, "{shell:?} {text} {parameters:?}: {run:?}");
        }
    });
}

#[test]
fn credsh_role_says_it_in_every_shell() {
    let given = format!("SOURCE {ARN}");
    everywhere(|shell| {
        assert_eq!(came(shell, "SOURCE", &[], ARN).0, Came::Role(ARN), "{shell:?}");
        assert_eq!(came(shell, "SOURCE", &["myapp"], ARN).0, Came::Role(ARN), "{shell:?}");
        assert_eq!(came(shell, "SOURCE", &["myapp"], "none").0, Came::Own, "{shell:?}");
        // An argument wins where it is known to be one, and is never overruled where that is uncertain. dash, which drops
        // it, goes by CREDSH_ROLE.
        let wanted = expected(shell, Came::Role(ARN), Came::Role(ARN), Came::Role(MINE), Came::Refused);
        assert_eq!(came(shell, &given, &[], MINE).0, wanted, "{shell:?}");
    });
}

#[test]
fn an_empty_role_is_no_way_to_more() {
    let endpoint = Endpoint::start(600);
    for shell in ALL.into_iter().filter(|shell| tells(*shell)) {
        let run = shell.run(&Sandbox::in_cloudshell(&endpoint), "SOURCE \"$ROLE\"");
        assert_eq!(run.stdout, "", "{shell:?}: {run:?}");
        assert!(run.status != 0 && run.stderr.contains("not a role ARN"), "{shell:?}: {run:?}");
        let run = shell.run(&Sandbox::in_cloudshell(&endpoint), &format!("SOURCE {ARN} {ARN}"));
        assert!(run.status == 2 && run.stderr.contains("[-q] [ROLE_ARN]"), "{shell:?}: {run:?}");
    }
}

/// The text of `dash -c` is examined as well. What only looks like an argument is none.
#[test]
fn dash_refuses_what_it_can_see_dropped() {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    std::fs::copy(support::sourced::script(false), sandbox.home().join("publish_temporary_credentials.sh")).unwrap();
    let dash = |text: &str| Run::of(sandbox.command("dash").args(["-c", text]).output().unwrap());
    let source = ". ./publish_temporary_credentials.sh";
    for dropped in
        [&format!("{source} {ARN}"), &format!(":;{source} \"$ROLE\""), ". \"./publish_temporary_credentials.sh\" -q"]
    {
        assert!(dash(dropped).fails(2, &["CREDSH_ROLE", "drops the arguments of `.`"]).contains("none"));
    }
    for fine in [
        source,
        &format!("{source}; : x"),
        &format!(".  {}", &source[2..]),
        &format!("{source} 2>/dev/null"),
        &format!("{source} >/dev/null 2>&1"),
        &format!("{source} && : x"),
        &format!("( {source} )"),
        &format!("if {source} ; then :; fi"),
        &format!(": see publish_temporary_credentials.sh ARN\n{source}"),
    ] {
        assert_eq!(dash(fine).status, 0, "{fine}");
    }
}

/// The script is sourced under another name, behind a redirection, by words that only the shell can expand, or from a
/// file that cannot be examined: if a role may have been dropped, this is never taken for a call without one.
#[test]
fn dash_refuses_what_may_be_dropped() {
    const P: &str = "./publish_temporary_credentials.sh";
    let (endpoint, sts) = (Endpoint::start(600), Sts::start());
    let sandbox = Sandbox::in_cloudshell(&endpoint).with("AWS_ENDPOINT_URL_STS", &sts.url());
    std::fs::copy(support::sourced::script(false), sandbox.home().join(P)).unwrap();
    std::fs::copy(support::sourced::script(false), sandbox.home().join("publish.sh")).unwrap();
    sandbox.file("inner", &format!("x=1\n. {P} {ARN}\n"));
    sandbox.file("outer", "  . ./inner\n");
    sandbox.file("unknown", ". \"$V\" \"$1\"\n");
    for dropped in [
        format!(". P >/dev/null {ARN}"),
        format!(". P > /dev/null {ARN}"),
        format!(". P 2>/dev/null \"{ARN}\""),
        format!(". P </dev/null {ARN}"),
        format!(". P 2>&1 {ARN}"),
        format!(". P >&- {ARN}"),
        format!(". P > \"/dev/null\" 2>&1 {ARN}"),
        format!(". P >\"$(echo file;)\" {ARN}"),
        format!(". >/dev/null P {ARN}"),
        format!(">/dev/null . P {ARN}"),
        format!("> /dev/null . P {ARN}"),
        ". P 2 >/dev/null".into(),
        format!("# usage: . P\nV=P\n. \"$V\" {ARN}"),
        format!("if false; then . P; fi\nV=P\n. \"$V\" {ARN}"),
        format!("if false; then . P; fi\nN=publish_temporary_credentials.sh\nset -- {ARN}; . ./$N \"$1\""),
        format!("if false; then . P; fi\n. \"${{V:-P}}\" {ARN}"),
        format!("if false; then . P; fi\n. ${{V:-P}} {ARN}"),
        format!("if false; then . P; fi\n. $(echo P) {ARN}"),
        format!("if false; then . P; fi\n. `echo P` {ARN}"),
        format!("if false; then . P; fi\n. \\\nP {ARN}"),
        format!("if false; then . P; fi\n: ; '.' P {ARN}"),
        format!("if false; then . P; fi\n. P \\\n{ARN}"),
        format!("if false; then . P; fi\ncommand . ./pub* {ARN}"),
        format!("if false; then . P; fi\nX=1 . ./publish.sh {ARN}"),
        format!("alias p='. P'\np {ARN}"),
        format!("alias p=\". P \"\np {ARN}"),
        format!("D='. P'\n$D {ARN}"),
        format!("if false; then . P; fi\neval \". ./pub\"'lish.sh' {ARN}"),
        "if false; then . P; fi; . ./inner".into(),
        "if false; then . P; fi; . ./outer".into(),
        format!("if false; then . P; fi; V=P; set -- {ARN}; . ./unknown"),
        format!("if false; then . P; fi; echo '. P {ARN}' | . /dev/stdin"),
        format!(". \"$(dirname \"$0\")/publish_temporary_credentials.sh\" {ARN}"),
    ] {
        let text = format!("{}\n", dropped.replace('P', P));
        for run in [
            sandbox.command("dash").args(["-c", &text]).output().unwrap(),
            sandbox.command("dash").arg(sandbox.file("caller", &text)).output().unwrap(),
        ] {
            let run = Run::of(run);
            let said = text.contains("2>") || run.stderr.contains("CREDSH_ROLE");
            assert!(run.status == 2 && !run.stdout.contains("ASIA") && said, "{text}: {run:?}");
        }
        assert_eq!((endpoint.count(), sts.calls().len()), (0, 0), "{text}: nobody is asked");
    }
}

/// What else a script has in it, beside a source command without an argument, is no obstacle.
#[test]
fn dash_goes_on_where_nothing_was_dropped() {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    std::fs::copy(support::sourced::script(false), sandbox.home().join("publish_temporary_credentials.sh")).unwrap();
    sandbox.file("lib.sh", "# . \"$V\"\nfind . -name x >/dev/null\nf() { :; }\n");
    for beside in [
        "",
        "# usage: . ./publish_temporary_credentials.sh ARN",
        ". ./lib.sh\n. './lib.sh'; . \"$(dirname \"$0\")/lib.sh\"",
        ". ./lib.sh >/dev/null x y",
        "if [ -e /nowhere/x ]; then . /nowhere/x; fi",
        "cd . && ls . >/dev/null; find . -name \"$HOME\" >/dev/null; tar cf - . | cat >/dev/null",
        "echo Done. Now \"what. Then\" >/dev/null",
        "V=publish_temporary_credentials.sh",
    ] {
        for source in [
            ". ./publish_temporary_credentials.sh",
            ". \"./publish_temporary_credentials.sh\" 2>/dev/null >&1",
            ". \"$(dirname \"$0\")/publish_temporary_credentials.sh\"",
            ". \"$(dirname -- \"$0\")\"/publish_temporary_credentials.sh || exit",
            ". \"${0%/*}/publish_temporary_credentials.sh\" # and so on",
            "\tif ! . ./publish_temporary_credentials.sh >> /dev/stdout; then exit 1; fi",
        ] {
            let caller = sandbox.file("caller", &format!("#!/bin/sh\n{beside}\n{source}\n"));
            let run = Run::of(sandbox.command("dash").arg(caller).arg("arn:mine").output().unwrap());
            assert!(run.status == 0 && run.stdout.contains("ASIATEST"), "{beside}\n{source}\n{run:?}");
        }
    }
}

/// If the source command was typed, or names the script by another name, an argument may have been dropped without a sign.
#[test]
fn dash_refuses_where_it_cannot_see() {
    let (endpoint, sts) = (Endpoint::start(600), Sts::start());
    let mut sandbox = Sandbox::in_cloudshell(&endpoint).with("AWS_ENDPOINT_URL_STS", &sts.url());
    std::fs::copy(support::sourced::script(false), sandbox.home().join("publish_temporary_credentials.sh")).unwrap();
    let path = sandbox.home().join("publish_temporary_credentials.sh");
    let copy = sandbox.home().join("publish.sh");
    std::fs::copy(path, copy).unwrap();
    let source = ". ./publish_temporary_credentials.sh";
    let typed = |sandbox: &Sandbox, flags: &str, line: &str| {
        let input = std::fs::File::open(sandbox.file("typed", &format!("{line}\n"))).unwrap();
        Run::of(sandbox.command("dash").arg(flags).stdin(input).output().unwrap())
    };
    for flags in ["-i", "-s"] {
        for line in [source, &format!("{source} {ARN}"), &format!(". ./publish.sh {ARN}")] {
            let run = typed(&sandbox, flags, line);
            assert_eq!(run.stdout.replace("$ ", ""), "", "{flags} {line}: {run:?}");
            assert!(
                run.stderr.contains("cannot tell whether a role was among them") && run.stderr.contains("CREDSH_ROLE"),
                "{line}: {run:?}"
            );
        }
    }
    let renamed = format!("f() {{ . ./publish.sh \"$1\"; }}; f {ARN}");
    Run::of(sandbox.command("dash").args(["-c", &renamed]).output().unwrap())
        .fails(2, &["cannot tell whether a role was among them"]);
    assert_eq!((endpoint.count(), sts.calls().len()), (0, 0), "nobody was asked");
    for (role, key) in [("none", "ASIATEST0001"), (ARN, "ASIASTS0001")] {
        sandbox.set("CREDSH_ROLE", role);
        let run = typed(&sandbox, "-i", &format!("{source}; printenv TEMPORARY_AWS_ACCESS_KEY_ID"));
        assert!(run.stdout.contains(&format!("\n{key}\n")), "{role}: {run:?}");
    }
}

/// An interactive mksh keeps the last word of the command.
#[test]
fn mksh_tells_where_somebody_types() {
    for (line, key) in [
        ("SOURCE", "ASIATEST0001"),
        (&format!("SOURCE {ARN}"), "ASIASTS0001"),
        (&format!("set -- {MINE}; SOURCE"), "ASIATEST0001"),
    ] {
        let (endpoint, sts) = (Endpoint::start(600), Sts::start());
        let sandbox = Sandbox::in_cloudshell(&endpoint).with("AWS_ENDPOINT_URL_STS", &sts.url());
        std::fs::copy(support::sourced::script(false), sandbox.home().join("publish_temporary_credentials.sh"))
            .unwrap();
        let text = format!(
            "{}\nprintenv TEMPORARY_AWS_ACCESS_KEY_ID\nexit\n",
            line.replace("SOURCE", ". ./publish_temporary_credentials.sh")
        );
        let input = std::fs::File::open(sandbox.file("typed", &text)).unwrap();
        let run = Run::of(sandbox.command("mksh").arg("-i").stdin(input).output().unwrap());
        assert!(run.stdout.trim_end().ends_with(key), "{line}: {run:?}");
    }
}

/// Ctrl-C under a trace leaves the script's note about the trace behind. A role must not be taken from that.
#[test]
fn a_leftover_is_not_believed() {
    every_sh(|shell| {
        let stale = "__credsh_was='x credsh:./publish_temporary_credentials.sh'";
        let wanted = expected(shell, Came::Role(ARN), Came::Role(ARN), Came::Refused, Came::Refused);
        let (came, run) = came(shell, &format!("{stale}\nSOURCE {ARN}"), &[], "");
        assert!(came == wanted, "{shell:?}: {run:?}");
    });
}

/// The JSON for a role has the AWS CLI's shape, and what was published works: the AWS CLI asks moto who it is.
#[test]
fn a_roles_credentials_in_the_shape_of_the_aws_cli() {
    let moto = Moto::shared();
    let sandbox = Sandbox::new()
        .with("AWS_ENDPOINT_URL_STS", &moto.url())
        .with("AWS_ACCESS_KEY_ID", "AKIAUSER")
        .with("AWS_SECRET_ACCESS_KEY", "long-term")
        .with("AWS_DEFAULT_REGION", "eu-central-1");
    let out = ALL[0].run(&sandbox, &format!("SOURCE {ARN}\n")).ok();
    let (json, lines) = out.split_once("\n\n").unwrap();
    let json: serde_json::Value = serde_json::from_str(json).unwrap();
    let names: Vec<&String> = json["Credentials"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["AccessKeyId", "Expiration", "SecretAccessKey", "SessionToken"]);
    let aws = support::moto::tool("aws");
    let who = format!("{lines}\n{} sts get-caller-identity --query Arn --output text", aws.display());
    let arn = Run::of(sandbox.command("sh").args(["-c", &who]).output().unwrap()).ok();
    assert!(arn.contains(":assumed-role/deploy/"), "{arn}");
}
