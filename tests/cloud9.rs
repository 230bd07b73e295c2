//! Cloud9's managed credentials: recognized, read, read again once they change, and never written to.

mod support;

use std::fs::{File, FileTimes, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use support::endpoint::{Endpoint, rfc3339};
use support::sts::Sts;
use support::{CREDSH, Sandbox};

/// The file as Cloud9 writes it; only `id` differs from one update to the next.
fn text(id: &str) -> String {
    format!(
        "# Do not modify this file, if this file is modified it will not be updated. If the file is deleted, it will be recreated on Tue Dec 24 2019 05:45:03 GMT+0000 (UTC).\n# {} #\n\n[default]\naws_access_key_id={id}\naws_secret_access_key=c9-secret\naws_session_token=c9-token\nregion=ap-northeast-1\n",
        "0f".repeat(32)
    )
}

const IDE: &str = "open the Cloud9 IDE as the environment's owner, and check Preferences > AWS Settings > Credentials";

fn set_age(path: &PathBuf, seconds: u64) {
    let time = SystemTime::now() - Duration::from_secs(seconds);
    File::options().write(true).open(path).unwrap().set_times(FileTimes::new().set_modified(time)).unwrap();
}

fn sandbox() -> (Sandbox, PathBuf) {
    let sandbox = Sandbox::new();
    let file = sandbox.file(".aws/credentials", &text("ASIAC9ONE"));
    (sandbox, file)
}

fn leases(sandbox: &Sandbox) -> Vec<Value> {
    let all: Value = serde_json::from_str(&sandbox.credsh(&["status", "--json"]).ok()).unwrap();
    all["leases"].as_array().unwrap().clone()
}

#[test]
fn it_is_known_by_its_two_lines() {
    let (mut sandbox, file) = sandbox();
    let out = sandbox.credsh(&["export"]).ok();
    assert!(out.contains("'ASIAC9ONE'") && out.contains("'c9-secret'") && out.contains("'c9-token'"), "{out}");
    assert_eq!(leases(&sandbox)[0]["source"], "cloud9");
    sandbox.credsh(&["export", "--source", "cloud9"]).ok();
    assert_eq!(leases(&sandbox).len(), 1, "the same lease, named or not");
    // With another header it is a file of the user's own, where keys with a token are a profile.
    std::fs::write(&file, text("ASIAC9TWO").replacen("# Do not", "# Do", 1)).unwrap();
    sandbox.credsh(&["clear", "--all"]).ok();
    sandbox.credsh(&["export"]).ok();
    assert_eq!(leases(&sandbox)[0]["source"], "profile:default");
    sandbox.credsh(&["export", "--source", "cloud9"]).fails(3, &["does not begin with Cloud9's two lines"]);
    // It may be elsewhere, where its variable says.
    let other = sandbox.file("elsewhere", &text("ASIAELSEWHERE"));
    sandbox.set("AWS_SHARED_CREDENTIALS_FILE", other.to_str().unwrap());
    assert!(sandbox.credsh(&["export"]).ok().contains("ASIAELSEWHERE"));
    // Cloud9's environment variables alone are no source.
    let empty = Sandbox::new().with("C9_PROJECT", "x").with("C9_PID", "y");
    empty.credsh(&["export"]).fails(3, &["no credentials source was found"]);
}

/// Credentials in the environment were put there on purpose, so they come before the file; in a container the
/// endpoint comes before both.
#[test]
fn what_comes_before_it() {
    let (mut sandbox, _) = sandbox();
    sandbox.set("AWS_ACCESS_KEY_ID", "ASIAENV");
    sandbox.set("AWS_SECRET_ACCESS_KEY", "s");
    sandbox.set("AWS_SESSION_TOKEN", "t");
    assert!(sandbox.credsh(&["export"]).ok().contains("'ASIAENV'"));
    assert!(sandbox.credsh(&["export", "--source", "cloud9"]).ok().contains("'ASIAC9ONE'"));
    let endpoint = Endpoint::start(600);
    sandbox.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", &endpoint.uri());
    sandbox.set("AWS_CONTAINER_AUTHORIZATION_TOKEN", support::endpoint::TOKEN);
    assert!(sandbox.credsh(&["export"]).ok().contains("'ASIATEST0001'"));
}

#[test]
fn they_end_15_minutes_after_the_file_was_written() {
    let (sandbox, file) = sandbox();
    set_age(&file, 100);
    let end = rfc3339(std::fs::metadata(&file).unwrap().mtime() + 15 * 60);
    assert!(sandbox.credsh(&["export"]).ok().ends_with(&format!("EXPIRATION='{end}'\n")));
    assert_eq!(leases(&sandbox)[0]["expiration"], Value::from(end.clone()));
    let table = sandbox.credsh(&["status"]).ok();
    assert!(table.contains("cloud9 ") && table.contains(&end) && !table.contains("IDE"), "{table}");
    set_age(&file, 7 * 60 + 5);
    let table = sandbox.credsh(&["status"]).ok();
    let late = "\n    Cloud9 has not updated the credentials for 7 min: open the IDE as the environment's owner\n";
    assert!(table.contains(late), "{table}");
    set_age(&file, 16 * 60);
    sandbox.credsh(&["clear", "--all"]).ok();
    sandbox.credsh(&["export"]).fails(5, &["Cloud9 gave no usable credentials: they expired at ", IDE]);
}

/// What doctor says is wrong with the file.
fn wrong(sandbox: &Sandbox) -> String {
    let told = sandbox.credsh(&["doctor"]).stdout;
    let finding = told.split("WRONG ").find(|finding| finding.contains(".aws/credentials "));
    finding.unwrap_or_default().split("\nok ").next().unwrap().trim_end().to_owned()
}

#[test]
fn doctor_says_why_it_is_late() {
    let (sandbox, file) = sandbox();
    let name = file.display();
    assert_eq!(wrong(&sandbox), "", "the control");
    set_age(&file, 20 * 60 + 5);
    let late = format!("Cloud9 has not updated {name} for 20 min\n      why: ");
    assert_eq!(wrong(&sandbox), format!("{late}its credentials expire 15 min after they were written; {IDE}"));
    // What `aws configure --profile c9_work` makes of it.
    std::fs::write(&file, text("ASIAC9ONE") + "[c9_work]\naws_access_key_id = AKIAC9\naws_secret_access_key = s\n")
        .unwrap();
    let why = "it has sections besides [default] (c9_work), and Cloud9 turns managed credentials off once anyone else writes to its file: move these sections to ~/.aws/config, then turn managed credentials on again in Preferences > AWS Settings > Credentials";
    assert_eq!(wrong(&sandbox), format!("{name} has been changed since Cloud9 wrote it\n      why: {why}"));
    set_age(&file, 20 * 60 + 5);
    assert_eq!(wrong(&sandbox), format!("{late}{why}"));
    sandbox.credsh(&["export", "--no-store"]).fails(5, &["they expired at ", IDE]);
}

#[test]
fn a_new_file_is_read_at_once() {
    let (sandbox, file) = sandbox();
    set_age(&file, 200);
    sandbox.credsh(&["export"]).ok();
    // The control: while the file is unchanged so is the lease, however often it is read.
    let received = leases(&sandbox)[0]["received"].clone();
    sandbox.credsh(&["export"]).ok();
    assert_eq!(leases(&sandbox)[0]["received"], received);
    // A new file is taken at once, even if it was written in the same second as the lease, or by a clock that is behind.
    for (command, id, age) in
        [("export", "ASIAC9TWO", 100), ("refresh", "ASIAC9THREE", 50), ("whoami", "ASIAC9FOUR", 10)]
    {
        std::fs::write(&file, text(id)).unwrap();
        set_age(&file, age);
        sandbox.credsh(&[command]);
        assert_eq!(leases(&sandbox)[0]["access_key_id"], id, "{command}");
    }
    // Turning them off in Cloud9's preferences removes the file: then there is no such source, and none is made up.
    std::fs::remove_file(&file).unwrap();
    sandbox.credsh(&["export", "--source", "cloud9"]).fails(3, &["does not begin with Cloud9's two lines"]);
}

fn unchanged(before: &Metadata, after: &Metadata) {
    let all = |meta: &Metadata| {
        (meta.ino(), meta.mtime_nsec(), meta.mtime(), meta.ctime(), meta.ctime_nsec(), meta.mode(), meta.size())
    };
    assert_eq!(all(before), all(after));
}

#[test]
fn the_file_is_only_ever_read() {
    let (sandbox, file) = sandbox();
    let sts = Sts::start();
    let sandbox = sandbox.with("AWS_ENDPOINT_URL_STS", &sts.url());
    let (meta, bytes) = (std::fs::metadata(&file).unwrap(), std::fs::read(&file).unwrap());
    let role = "--role=arn:aws:iam::123456789012:role/deploy";
    let commands: [&[&str]; 14] = [
        &["export"],
        &["refresh", "--force"],
        &["refresh", role],
        &["export", "--no-store", "--format", "process"],
        &["status"],
        &["prompt"],
        &["exec", "--", "true"],
        &["whoami"],
        &["doctor"],
        &["init", "bash"],
        &["profile", "add", "ci", role],
        &["profile", "list"],
        &["profile", "remove", "ci"],
        &["clear", "--all"],
    ];
    let trace = sandbox.home().join("trace");
    let mut opened = 0;
    for args in commands {
        let mut strace = sandbox.command("strace");
        strace.args(["-f", "-y", "-e", "trace=file,desc", "-o"]).arg(&trace).arg(CREDSH).args(args);
        strace.output().unwrap();
        let text = std::fs::read_to_string(&trace).unwrap();
        for line in text.lines().filter(|line| line.contains(".aws/credentials")) {
            let call = line.split_whitespace().nth(1).unwrap_or_default().split('(').next().unwrap_or_default();
            let reads = [
                "read",
                "close",
                "fstat",
                "stat",
                "lstat",
                "statx",
                "newfstatat",
                "access",
                "readlink",
                "lseek",
                "fcntl",
                "getdents64",
            ];
            let only_opened = call == "openat" && line.contains("O_RDONLY") && !line.contains("O_CREAT");
            opened += usize::from(only_opened);
            assert!(reads.contains(&call) || only_opened, "{args:?}: {line}");
        }
        unchanged(&meta, &std::fs::metadata(&file).unwrap());
    }
    assert!(opened > 5, "the control: strace sees it opened");
    assert_eq!(std::fs::read(&file).unwrap(), bytes);
    let beside: Vec<_> =
        std::fs::read_dir(file.parent().unwrap()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(beside.len(), 2, "the file, and the config that `profile add` made: {beside:?}");
}

#[test]
fn what_they_block_is_explained() {
    let (sandbox, _) = sandbox();
    let sts = Sts::start();
    sts.refuse(403, "InvalidClientTokenId", "The security token included in the request is invalid");
    let sandbox = sandbox.with("AWS_ENDPOINT_URL_STS", &sts.url());
    let role = ["--role", "arn:aws:iam::123456789012:role/deploy"];
    let words = [
        "failed with InvalidClientTokenId",
        "hint: Cloud9's managed temporary credentials block this action",
        "they allow only GetCallerIdentity and DecodeAuthorizationMessage",
        "no role can be assumed",
        "attach an instance profile to the environment and use `--source ec2`",
        "name another profile with --profile",
        "~/.aws/config",
    ];
    sandbox.credsh(&["export", role[0], role[1]]).fails(4, &words);
    assert_eq!((sts.call().signer(), sts.call().region()), ("ASIAC9ONE", "ap-northeast-1"), "the file's region");
    sandbox.credsh(&["whoami"]).fails(4, &words);
    // The control: the same error code is not explained like this for other credentials.
    sandbox.file(".aws/config", "[profile dev]\naws_access_key_id = AKIADEV\naws_secret_access_key = s\n");
    let text = sandbox.credsh(&["export", "--profile", "dev", role[0], role[1]]).fails(4, &["InvalidClientTokenId"]);
    assert!(!text.contains("Cloud9"), "{text}");
    assert!(sandbox.credsh(&["export"]).ok().contains("ASIAC9ONE"), "they themselves are handed out");
}
