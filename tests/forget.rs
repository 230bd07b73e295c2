//! `clear` forgets a lease, even one that is being renewed at that moment; with flags it forgets the lease that they
//! name, not the one whose keys this shell holds.

mod support;

use std::process::Stdio;
use std::thread;
use std::time::Duration;

use support::Sandbox;
use support::endpoint::{Behaviour, Endpoint};

#[test]
fn a_renewal_under_way_brings_nothing_back() {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    sandbox.credsh(&["refresh"]).ok();
    endpoint.behave(Behaviour::Slow(Duration::from_secs(2)));
    let mut renewal = sandbox.command(support::CREDSH);
    let mut renewal = renewal.args(["refresh", "--force"]).stderr(Stdio::null()).spawn().unwrap();
    while endpoint.count() < 2 {
        thread::sleep(Duration::from_millis(20));
    }
    sandbox.credsh(&["clear", "--all"]).ok();
    assert!(renewal.wait().unwrap().success());
    assert_eq!(sandbox.stored(), ["clock"]);
    sandbox.credsh(&["refresh"]).ok();
    assert!(sandbox.stored().len() > 1, "the control: another request is kept");
}

#[test]
fn flags_beside_this_shells_own_keys() {
    let mut sandbox = Sandbox::new();
    let keys = r#"{"Version":1,"AccessKeyId":"ASIADEV","SecretAccessKey":"s","SessionToken":"t","Expiration":"2126-01-01T00:00:00Z"}"#;
    let keys = sandbox.file("keys.json", keys);
    sandbox.file(".aws/config", &format!("[default]\ncredential_process = cat {}\n", keys.display()));
    sandbox.credsh(&["refresh"]).ok();
    let own = sandbox.stored().into_iter().find_map(|name| Some(name.strip_suffix(".json")?.to_owned())).unwrap();
    // The variables that a shell with `init --prefix ''` holds.
    for (name, value) in [
        ("CREDSH_LEASE", &*own),
        ("AWS_ACCESS_KEY_ID", "ASIADEV"),
        ("AWS_SECRET_ACCESS_KEY", "s"),
        ("AWS_SESSION_TOKEN", "t"),
    ] {
        sandbox.set(name, value);
    }
    sandbox.credsh(&["refresh", "--region", "eu-west-1"]).ok();
    sandbox.credsh(&["clear", "--region", "eu-west-1"]).ok();
    let left: Vec<String> =
        sandbox.stored().into_iter().filter_map(|name| Some(name.strip_suffix(".json")?.to_owned())).collect();
    assert_eq!(left, [own]);
}
