//! `init --prefix ''`: the hook owns the standard AWS_* names. Its own output is never taken for a source, and the
//! profile that it sets aside still is one.

mod support;

use support::Sandbox;
use support::pty::{Session, Shell};

in_every_shell! {
    own_keys_are_no_source_once_the_store_is_gone
    the_profile_set_aside_is_a_roles_base
    the_profiles_come_back
}

/// A sandbox with a profile `dev`, whose credentials anyone can read.
fn configured() -> Sandbox {
    let sandbox = Sandbox::new();
    let keys = r#"{"Version":1,"AccessKeyId":"ASIADEV","SecretAccessKey":"s","SessionToken":"t","Expiration":"2126-01-01T00:00:00Z"}"#;
    let keys = sandbox.file("keys.json", keys);
    sandbox.file(".aws/config", &format!("[profile dev]\ncredential_process = cat {}\n", keys.display()));
    sandbox
}

fn start(shell: Shell, sandbox: &Sandbox) -> Session {
    let mut session = shell.rc().init("--prefix ''").start(sandbox);
    session.run("credsh refresh");
    assert_eq!(session.var("AWS_ACCESS_KEY_ID"), "ASIADEV", "{}", session.text());
    assert_eq!(session.run("printenv AWS_PROFILE AWS_DEFAULT_PROFILE"), "");
    session
}

fn own_keys_are_no_source_once_the_store_is_gone(shell: Shell) {
    let sandbox = configured().with("AWS_PROFILE", "dev");
    let mut session = start(shell, &sandbox);
    for command in ["credsh refresh", "credsh export --prefix X"] {
        std::fs::remove_dir_all(sandbox.store()).unwrap();
        session.run(command);
        assert!(session.run("credsh status").contains("profile:dev"), "{}", session.text());
    }
    assert_eq!(session.var("CREDSH_SOURCE"), "profile:dev");
    // Keys that the user sets over them are not the shell's own any more.
    session.run(shell.pick("export AWS_ACCESS_KEY_ID=ASIAOTHER", "set -gx AWS_ACCESS_KEY_ID ASIAOTHER"));
    session.run("credsh refresh --source env");
    assert_eq!(session.var("CREDSH_SOURCE"), "env");
}

fn the_profile_set_aside_is_a_roles_base(shell: Shell) {
    let sandbox = configured().with("AWS_PROFILE", "dev").with("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1");
    let mut session = start(shell, &sandbox);
    let said = session.run("credsh refresh --role arn:aws:iam::123456789012:role/deploy");
    assert!(said.contains("cannot reach AWS STS"), "it was asked, with the profile's: {said}");
}

fn the_profiles_come_back(shell: Shell) {
    for (name, end) in [
        ("AWS_PROFILE", "credsh clear"),
        ("AWS_DEFAULT_PROFILE", "credsh clear"),
        ("AWS_DEFAULT_PROFILE", "credsh_off"),
    ] {
        let sandbox = configured().with(name, "dev");
        let mut session = start(shell, &sandbox);
        session.run(end);
        assert_eq!(session.var(name), "dev", "{end}");
    }
    if shell == Shell::Fish {
        let sandbox = configured();
        let mut session = shell.rc().before("set -Ux AWS_PROFILE dev").init("--prefix ''").start(&sandbox);
        session.run("credsh refresh");
        assert_eq!(session.var("AWS_ACCESS_KEY_ID"), "ASIADEV");
        assert_eq!(session.run("set -q -U AWS_PROFILE; echo $status"), "0", "a universal variable is every shell's");
    }
}
