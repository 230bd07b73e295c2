//! Foreign text that a shell could take for code, and a prompt for an escape: in the credentials, in what an endpoint
//! says, in the names of profiles and roles. It goes through `init`, the prompt, renewals and messages, in each shell.
//! Quoting as such is tested in `formats` (export) and `script`.

mod support;

use std::path::PathBuf;

use support::Sandbox;
use support::endpoint::{Behaviour, Endpoint, Rotation};
use support::pty::{Session, Shell};
use support::sts::Sts;

in_every_shell! {
    the_control_unquoted_it_runs
    credentials_are_only_values
    what_an_endpoint_says_is_only_shown
    names_of_profiles_and_roles
    names_that_aws_would_not_give
    what_is_stored_breaks_no_prompt
}

/// Evaluated in one shell or another, most of these create the file `ran`; the others are prompt escapes.
const TEXTS: [&str; 12] = [
    "x$(touch ran)",
    "x`touch ran`",
    "';touch ran;'",
    "\";touch ran;\"",
    "\\';touch ran;\\'",
    "x;touch ran;#",
    "x(touch ran)",
    "a[$(touch ran)]",
    "${(e):-$(touch ran)}",
    "%n%F{red}%(!.a.b)%{%D{}%}",
    "\\u\\h\\w\\$ \\[\\e[31m\\] !! ~ * {a,b}",
    "'\"\\ $HOME ${x:=y} %s%n $((a[$(touch ran)])) ü",
];

fn ran(sandbox: &Sandbox) -> PathBuf {
    sandbox.home().join("ran")
}

fn json(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

fn the_control_unquoted_it_runs(shell: Shell) {
    let sandbox = Sandbox::new();
    let mut session = shell.rc().unhooked().start(&sandbox);
    let mut evaluated = Vec::new();
    for text in TEXTS {
        for line in [format!("echo {text}"), format!("echo '{text}'"), format!("echo \"{text}\"")] {
            sandbox.file("line", &format!("{line}\n"));
            session.run("source ~/line 2>/dev/null");
            if ran(&sandbox).exists() {
                std::fs::remove_file(ran(&sandbox)).unwrap();
                evaluated.push(text);
            }
        }
    }
    evaluated.dedup();
    assert!(evaluated.len() > 5, "{evaluated:?}");
}

fn credentials_are_only_values(shell: Shell) {
    let endpoint = Endpoint::start(600);
    endpoint.rotate(Rotation::Always);
    let sandbox = Sandbox::in_cloudshell(&endpoint).with("CREDSH_WAIT", "20");
    let mut session = shell.start(&sandbox);
    session.key();
    for text in TEXTS {
        for name in ["AccessKeyId", "SecretAccessKey", "Token"] {
            endpoint.field(name, &json(text));
        }
        // With a later expiration, or they would not count as new.
        endpoint.live(i64::try_from(700 + endpoint.count()).unwrap());
        assert!(session.run("credsh refresh --force").contains("renewed"), "{}", session.text());
        // In a file and not typed, as the history would expand `!!`.
        sandbox.file("text", text);
        for name in ["ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN"] {
            let same = session
                .run(&format!("printenv TEMPORARY_AWS_{name} | tr -d '\\n' | cmp - text; echo {}", shell.status()));
            assert_eq!(same, "0", "{text} as {name}");
        }
        session.enter();
        assert!(session.prompt().starts_with("[cloudshell 1") && session.at_prompt(), "{text}: {}", session.prompt());
        assert!(!ran(&sandbox).exists(), "{text}");
    }
    // A new shell, which adopts them from the store.
    let mut session = shell.start(&sandbox);
    session.run("true");
    assert!(!ran(&sandbox).exists());
}

fn what_an_endpoint_says_is_only_shown(shell: Shell) {
    let sts = Sts::start();
    for text in TEXTS {
        let endpoint = Endpoint::start(6);
        endpoint.rotate(Rotation::Never);
        let sandbox =
            Sandbox::in_cloudshell(&endpoint).with("AWS_ENDPOINT_URL_STS", &sts.url()).with("CREDSH_WAIT", "20");
        let mut session = shell.start(&sandbox);
        session.key();
        endpoint.behave(Behaviour::Answer {
            status: 403,
            headers: String::new(),
            body: format!("{{\"message\":{}}}", json(&format!("FROM {text}"))),
        });
        // Once by the program, and once by the shell, about a background renewal: repeating that one would not help.
        session.run("credsh refresh --force");
        session.until("what the shell says", |session| {
            session.enter();
            session.text().matches(&format!("FROM {text}")).count() > 1
        });
        assert!(!ran(&sandbox).exists(), "{text}");
        assert!(session.at_prompt(), "{}", session.text());
    }
}

fn names_of_profiles_and_roles(shell: Shell) {
    let (endpoint, sts) = (Endpoint::start(600), Sts::start());
    let sandbox = Sandbox::in_cloudshell(&endpoint).with("AWS_ENDPOINT_URL_STS", &sts.url()).with("CREDSH_WAIT", "20");
    for text in TEXTS {
        let role = format!("arn:aws:iam::123456789012:role/{}", text.replace(' ', "${IFS}").replace('ü', ""));
        let keys = "aws_access_key_id = AKIAUSER\naws_secret_access_key = s\n";
        sandbox.file(".aws/config", &format!("[profile {text}]\n{keys}"));
        sandbox.file("name", text);
        sandbox.file("role", &role);
        let from = |file: &str| shell.pick(format!("\"$(cat ~/{file})\""), format!("(cat ~/{file})"));
        let refused = shell.init(&format!("--profile {}", from("name")));
        let mut session = shell
            .rc()
            .before(&refused)
            .init(&format!("--source container --session-name me --role {}", from("role")))
            .start(&sandbox);
        let shown = |session: &mut support::pty::Session, label: &str| {
            session.enter();
            let prompt = session.prompt();
            let inner = prompt.strip_prefix(label).and_then(|rest| rest.strip_suffix("m] $ "));
            let fine = |c: char| c.is_ascii_alphanumeric() || " ._:/@+=,-".contains(c);
            assert!(inner.is_some_and(|inner| inner.chars().all(fine)), "{text}: {prompt}: {}", session.text());
        };
        assert!(session.key().starts_with("ASIASTS"), "{text}: {}", session.text());
        assert_eq!(sts.calls().last().unwrap().get("RoleArn"), role, "to the letter");
        shown(&mut session, "[role:");
        session.run(&format!("credsh refresh --profile {}", from("name")));
        // Of names with such characters, AWS's parser accepts none that says more than the first profile's.
        sandbox.file(
            ".aws/config",
            &format!(
                "[profile p%n%F:%D]\n{keys}[profile role]\nsource_profile = p%n%F:%D\nrole_arn = {role}\nrole_session_name = {text}\nexternal_id = {text}\n"
            ),
        );
        session.run("credsh refresh --profile role");
        assert_eq!(sts.calls().last().unwrap().get("ExternalId"), text, "to the letter: {}", session.text());
        shown(&mut session, "[profile:role ");
        session.run("credsh refresh --profile p%n%F:%D");
        shown(&mut session, "[profile:p_n_F:_D ");
        session.run(&format!("credsh refresh --no-store --source container --role {}", from("role")));
        shown(&mut session, "[role:");
        session.run("credsh status; credsh prompt; credsh doctor; credsh clear");
        assert!(!ran(&sandbox).exists(), "{text}");
    }
}

/// The names of a session, a role and a profile: from the environment, as a CI runner passes them on, and as arguments;
/// also with control characters, or 10 kB long. A session's name reaches STS to the letter; the others get nowhere.
fn names_that_aws_would_not_give(shell: Shell) {
    let sts = Sts::start();
    let long = "long ".repeat(2000);
    let controls = ["a\nb;touch ran\n\n", "a\r\u{7}b", "\u{1b}]0;owned\u{7}\u{1b}[31mred\u{9b}2J\u{8}", &long];
    for text in TEXTS.into_iter().chain(controls) {
        let mut sandbox = Sandbox::new()
            .with("AWS_ENDPOINT_URL_STS", &sts.url())
            .with("CREDSH_WAIT", "20")
            .with("AWS_REGION", "eu-1");
        let token = sandbox.file("token", "web-identity-token");
        sandbox.set("AWS_WEB_IDENTITY_TOKEN_FILE", token.to_str().unwrap());
        sandbox.set("AWS_ROLE_ARN", &format!("arn:aws:iam::123456789012:role/{text}"));
        sandbox.set("AWS_ROLE_SESSION_NAME", text);
        sandbox.file("name", text);
        sandbox.file("role", &format!("arn:aws:iam::123456789012:role/{text}"));
        sandbox.file(".aws/config", "[profile other]\ncredential_process = false\n");
        let mut session = shell.rc().init("--source web-identity").start(&sandbox);
        let first = session.key();
        assert!(first.starts_with("ASIASTS"), "{text:?}: {}", session.text());
        assert_eq!(sts.calls().last().unwrap().get("RoleSessionName"), text, "to the letter");
        let from =
            |file: &str| shell.pick(format!("\"$(cat ~/{file})\""), format!("(cat ~/{file} | string collect -N)"));
        let calls = sts.calls().len();
        let print = sandbox.file("script", &sandbox.credsh(&["script", shell.pick("sh", "fish")]).ok());
        for line in [
            format!("credsh refresh --profile {}", from("name")),
            format!("credsh export --profile {}", from("name")),
            format!("credsh refresh --source web-identity --session-name {}", from("name")),
            format!("credsh refresh --profile other --role {}", from("name")),
            format!("credsh refresh --profile other --session-name me --role {}", from("role")),
            format!("credsh profile add {} --role arn:aws:iam::123456789012:role/x", from("name")),
            format!("credsh init {} --profile {}", shell.name(), from("name")),
            format!("source {} {}", print.display(), from("name")),
            format!("credsh {}", from("name")),
            format!("AWS_WEB_IDENTITY_TOKEN_FILE={} credsh refresh --source web-identity", from("name")),
        ] {
            let shown = session.run(&format!("{line} >out"));
            assert!(shown.starts_with("credsh: ") || line.contains(" init "), "{text:?}: {line}: {shown}");
            assert!(shown.len() < 1500 || line.contains("TOKEN_FILE"), "{line}: {shown}");
        }
        assert_eq!(sts.calls().len(), calls, "{text:?}");
        assert_eq!(session.key(), first, "and the shell keeps what it had");
        session.enter();
        assert!(
            session.prompt().starts_with("[web-identity ") && session.at_prompt(),
            "{text:?}: {}",
            session.prompt()
        );
        assert!(!ran(&sandbox).exists(), "{text:?}");
        let obeyed =
            |session: &Session| ["\u{1b}]0;owned", "\u{1b}[31mred"].iter().any(|code| session.raw().contains(code));
        assert!(!obeyed(&session), "{text:?}: {:?}", session.raw());
        // A new shell, which adopts it from the store.
        let mut session = shell.rc().init("--source web-identity").start(&sandbox);
        assert_eq!(session.key(), first);
        session.run("credsh status; credsh prompt; credsh doctor; credsh clear");
        assert!(!ran(&sandbox).exists() && !obeyed(&session), "{text:?}: {:?}", session.raw());
    }
}

/// No prompt shows, as it is, what someone with the user's rights has put into the shell's environment.
fn what_is_stored_breaks_no_prompt(shell: Shell) {
    let endpoint = Endpoint::start(600);
    for text in TEXTS {
        let sandbox = Sandbox::in_cloudshell(&endpoint)
            .with("CREDSH_PROMPT", text)
            .with("CREDSH_SOURCE", text)
            .with("CREDSH_LEASE", text)
            .with("TEMPORARY_AWS_CREDENTIAL_EXPIRATION", text)
            .with("CREDSH_WAIT", text);
        let mut session = shell.start(&sandbox);
        let prompt = session.prompt();
        assert!(prompt == "$ " || prompt.starts_with("[cloudshell "), "{text}: {prompt}");
        session.key();
        session.enter();
        assert!(session.prompt().starts_with("[cloudshell "), "{text}: {}", session.text());
        assert!(!ran(&sandbox).exists(), "{text}");
    }
}
