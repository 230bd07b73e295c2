//! `credsh profile`: what it writes into `~/.aws/config`, what it leaves unchanged, and that programs can use the result.

mod support;

use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown, symlink};
use std::path::PathBuf;

use support::endpoint::{Endpoint, Rotation};
use support::moto::{Moto, tool};
use support::{CREDSH, Run, Sandbox};

const ROLE: &str = "--role=arn:aws:iam::123456789012:role/deploy";

fn read(path: &PathBuf) -> String {
    String::from_utf8(std::fs::read(path).unwrap()).unwrap()
}

fn section(name: &str, flags: &str) -> String {
    format!("[profile {name}]\ncredential_process = {CREDSH} export --format=process {flags}\n")
}

#[test]
fn a_new_file() {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let config = sandbox.home().join(".aws/config");
    let run = sandbox.credsh(&["profile", "add", "ci", ROLE, "--duration", "15m"]);
    assert_eq!((run.status, run.stdout.as_str()), (0, ""));
    assert_eq!(
        run.stderr,
        format!(
            "credsh: wrote profile ci to {}; it takes its credentials from role:deploy, assumed with cloudshell\nhint: use it with `AWS_PROFILE=ci` or `aws --profile ci`\n",
            config.display()
        )
    );
    assert_eq!(read(&config), section("ci", &format!("--source=container {ROLE} --duration=900")));
    assert_eq!(std::fs::metadata(&config).unwrap().mode() & 0o777, 0o600);
    assert_eq!(std::fs::metadata(config.parent().unwrap()).unwrap().mode() & 0o777, 0o700);
    assert_eq!(endpoint.count(), 0, "nobody is asked");
    assert_eq!(sandbox.credsh(&["profile", "list"]).ok(), "ci\n");
    sandbox.credsh(&["profile", "remove", "ci"]).ok();
    assert_eq!(read(&config), "");
}

#[test]
fn everything_else_is_as_it_was() {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let new = section("ci", "--source=container");
    for text in [
        "[default]\nregion = x\n",
        "# first\n\n[default]\r\nregion = x\r\n  # indented\r\n\r\n",
        "; only a comment\n",
        "[profile a]\nk = v\n\n\n\n[profile b]\ns3 =\n  max = 1\n\n# last, ü",
        "[profile cii]\nk = v\n[sso-session ci]\nsso_region = x\n[services ci]\ns3 =\n  k = v\n\n",
        "not a config at all",
    ] {
        let config = sandbox.file(".aws/config", text);
        sandbox.credsh(&["profile", "add", "ci"]).ok();
        let with = read(&config);
        let gap = if text.ends_with('\n') { "\n" } else { "\n\n" };
        assert_eq!(with, format!("{text}{gap}{new}"));
        sandbox.credsh(&["profile", "remove", "ci"]).ok();
        assert_eq!(read(&config).strip_prefix(text).map(str::trim), Some(""), "{text:?}");
        assert!(!text.ends_with('\n') || read(&config) == text, "to the byte, unless the last line had no end");
    }
    // In the middle of the file, between its neighbours' comments.
    let (before, after) = ("[default]\r\nregion = x\r\n\r\n# mine\n", "\n# about b\r\n[profile b]\r\nk = v");
    let config = sandbox.file(".aws/config", &format!("{before}{new}{after}"));
    sandbox.credsh(&["profile", "add", "ci", "--force", ROLE]).ok();
    assert_eq!(read(&config), format!("{before}{}{after}", section("ci", &format!("--source=container {ROLE}"))));
    sandbox.credsh(&["profile", "remove", "ci"]).ok();
    assert_eq!(read(&config), format!("{before}{after}"));
    let beside: Vec<_> = std::fs::read_dir(sandbox.home().join(".aws")).unwrap().collect();
    assert_eq!(beside.len(), 1, "no temporary file is left: {beside:?}");
}

#[test]
fn links_and_modes_are_kept() {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let target = sandbox.file("dotfiles/aws", "[default]\n");
    std::fs::set_permissions(&target, PermissionsExt::from_mode(0o640)).unwrap();
    std::fs::create_dir(sandbox.home().join(".aws")).unwrap();
    let link = sandbox.home().join(".aws/config");
    let middle = sandbox.home().join(".aws/middle");
    symlink("middle", &link).unwrap();
    symlink("../dotfiles/aws", &middle).unwrap();
    sandbox.credsh(&["profile", "add", "ci"]).ok();
    assert!([&link, &middle].iter().all(|link| std::fs::symlink_metadata(link).unwrap().is_symlink()));
    assert!(read(&target).contains("[profile ci]"));
    assert_eq!(std::fs::metadata(&target).unwrap().mode() & 0o777, 0o640);
    // A link to a file that does not exist yet.
    std::fs::remove_file(&link).unwrap();
    symlink("../dotfiles/aws", &link).unwrap();
    std::fs::remove_file(&target).unwrap();
    sandbox.credsh(&["profile", "add", "ci"]).ok();
    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink() && read(&target).contains("[profile ci]"));
    // Another file, named by the variable.
    let sandbox = sandbox.with("AWS_CONFIG_FILE", "/dev/null/config");
    sandbox.credsh(&["profile", "add", "ci"]).fails(1, &["credsh: cannot ", "/dev/null"]);
    let other = sandbox.home().join("new/dir/config");
    let sandbox = sandbox.with("AWS_CONFIG_FILE", other.to_str().unwrap());
    sandbox.credsh(&["profile", "add", "ci"]).ok();
    assert!(read(&other).contains("[profile ci]"));
}

/// It must not wait for the writer of a pipe, nor replace a device: `AWS_CONFIG_FILE=/dev/null` is common.
#[test]
fn what_is_no_file_is_left_alone() {
    let endpoint = Endpoint::start(600);
    let mut sandbox = Sandbox::in_cloudshell(&endpoint);
    let home = sandbox.home();
    let make = |words: &[&str]| sandbox.command(words[0]).args(&words[1..]).status().unwrap().success();
    let mut odd = vec!["pipe", "directory"];
    assert!(make(&["mkfifo", "pipe"]) && make(&["mkdir", "directory"]));
    // A device in this directory, which nothing else uses.
    if rustix::process::geteuid().is_root() && make(&["mknod", "null", "c", "1", "3"]) {
        odd.insert(0, "null");
    }
    for name in odd {
        let link = home.join(format!("link-{name}"));
        symlink(home.join(name), &link).unwrap();
        for place in [home.join(name), link] {
            sandbox.set("AWS_CONFIG_FILE", place.to_str().unwrap());
            let before = std::fs::metadata(&place).unwrap();
            for words in [&["add", "ci"][..], &["remove", "ci"], &["list"]] {
                let mut command = sandbox.command("timeout");
                let run = Run::of(command.args(["15", CREDSH, "profile"]).args(words).output().unwrap());
                let hint = "hint: set AWS_CONFIG_FILE to one, or unset it";
                let what = format!("credsh: the AWS config file {}", place.display());
                assert_eq!(run.fails(1, &[]), format!("{what}: not a regular file\n{hint}\n"), "{words:?}");
            }
            let after = std::fs::metadata(&place).unwrap();
            assert_eq!((before.ino(), before.file_type()), (after.ino(), after.file_type()));
            assert!(name != "null" || after.file_type().is_char_device());
        }
    }
}

/// As when root adds a profile to a user's file.
#[test]
fn the_owner_is_kept() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let config = sandbox.file(".aws/config", "[default]\n");
    std::fs::set_permissions(&config, PermissionsExt::from_mode(0o640)).unwrap();
    chown(&config, Some(65534), Some(65533)).unwrap();
    let owner = || {
        let meta = std::fs::metadata(&config).unwrap();
        (meta.uid(), meta.gid(), meta.mode() & 0o777)
    };
    for words in [["add", "ci"], ["remove", "ci"]] {
        let before = std::fs::metadata(&config).unwrap().ino();
        sandbox.credsh(&["profile", words[0], words[1]]).ok();
        assert_eq!(owner(), (65534, 65533, 0o640));
        assert_ne!(std::fs::metadata(&config).unwrap().ino(), before, "the control: it is another file");
    }
}

#[test]
fn a_file_that_is_mounted_by_itself_is_not_written_into() {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let config = sandbox.file(".aws/config", "[default]\n");
    sandbox.file("host", "[default]\nregion = x\n");
    let unshare = if rustix::process::geteuid().is_root() { "unshare -m" } else { "unshare -rm" };
    let script = format!(
        "exec {unshare} sh -ec 'mount --bind host .aws/config; \"$0\" profile list; exec \"$0\" profile add ci' \"$0\""
    );
    let run = Run::of(sandbox.command("sh").args(["-c", &script, CREDSH]).output().unwrap());
    let hint = "hint: mount its directory instead, or set AWS_CONFIG_FILE to another file";
    let reason = "is itself a mount point, so it cannot be replaced";
    let text = format!("credsh: the AWS config file {}: {reason}\n{hint}\n", config.display());
    assert_eq!(run.fails(1, &[]), text);
    assert_eq!(read(&sandbox.home().join("host")), "[default]\nregion = x\n");
    assert_eq!(read(&config), "[default]\n");
    let beside: Vec<_> = std::fs::read_dir(sandbox.home().join(".aws")).unwrap().collect();
    assert_eq!(beside.len(), 1, "no temporary file is left: {beside:?}");
}

#[test]
fn what_is_refused_changes_nothing() {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let text = "[profile mine]\nregion = x\n[profile \"quoted\"]\nregion = y\n[profile other]\ncredential_process = other export --format=process\n[profile hand]\ncredential_process = credsh export --format json --profile process\n[default]\nregion = x\n";
    let config = sandbox.file(".aws/config", text);
    sandbox.file(".aws/credentials", "[keys]\naws_access_key_id = AKIAKEYS\naws_secret_access_key = s\n");
    let place = config.display();
    for name in ["mine", "quoted", "default"] {
        let text = sandbox.credsh(&["profile", "add", name]).fails(1, &[]);
        let wanted = format!("credsh: profile {name} in {place}: already exists\nhint: pass --force to replace it\n");
        assert_eq!(text, wanted);
    }
    // Their keys would take precedence over what credsh puts there.
    for flags in [&["--force"][..], &[]] {
        let run = sandbox.credsh(&[&["profile", "add", "keys"], flags].concat());
        run.fails(
            1,
            &["/.aws/credentials: has keys of its own, which programs use first\nhint: choose another name\n"],
        );
    }
    for name in ["mine", "other", "hand"] {
        let text = sandbox.credsh(&["profile", "remove", name]).fails(1, &[]);
        let hint = "hint: pass --force to remove it anyway\n";
        assert_eq!(text, format!("credsh: profile {name} in {place}: was not made by credsh\n{hint}"));
    }
    sandbox
        .credsh(&["profile", "remove", "none"])
        .fails(1, &["does not exist\nhint: `credsh profile list` lists the names\n"]);
    for bad in ["a b", "a]", "", "a\nb", "'a'", "a[b", "a=b", "a,b"] {
        sandbox
            .credsh(&["profile", "add", bad])
            .fails(2, &["a profile name may contain only letters, digits and _.@+/:-, at most 128 of them"]);
    }
    let link = sandbox.file("tools #1/credsh", "");
    std::fs::remove_file(&link).unwrap();
    symlink(CREDSH, &link).unwrap();
    let run = Run::of(sandbox.command(&link).args(["profile", "add", "ci"]).output().unwrap());
    run.fails(
        1,
        &["an AWS SDK treats what follows ` #` or ` ;` as a comment\nhint: move credsh, or put a link to it, where"],
    );
    sandbox.credsh(&["profile", "add", "ci", "--profile", "none"]).fails(1, &["profile none"]);
    sandbox.credsh(&["profile", "add", "mine", "--profile", "mine", "--force"]).fails(2, &["from itself"]);
    sandbox.credsh(&["profile", "add", "new", "--role", "deploy"]).fails(2, &["not a role ARN"]);
    assert_eq!(sandbox.credsh(&["profile", "list"]).ok(), "");
    assert_eq!(read(&config), text);
    sandbox.credsh(&["profile", "remove", "mine", "--force"]).ok();
    assert_eq!(read(&config), text.split_once("x\n").unwrap().1);
    std::fs::write(&config, b"[default]\nregion = caf\xe9\n").unwrap();
    sandbox.credsh(&["profile", "add", "ci"]).fails(1, &["config"]);
    assert_eq!(std::fs::read(&config).unwrap(), b"[default]\nregion = caf\xe9\n");
}

/// Only where its credentials come from is replaced.
#[test]
fn what_else_a_replaced_profile_says_stays() {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let text = "[profile ci]\nregion = eu-west-1\nrole_arn = arn:aws:iam::123456789012:role/old\nsource_profile = b\noutput = text\ns3 =\n  max_queue_size = 10\n\n[profile b]\nk = v\n";
    let config = sandbox.file(".aws/config", text);
    let run = sandbox.credsh(&["profile", "add", "ci", "--force"]);
    assert!(run.stderr.contains("; it takes its credentials from cloudshell\n"), "{run:?}");
    let new = section("ci", "--source=container");
    let rest = "output = text\ns3 =\n  max_queue_size = 10\n";
    let after = "\n[profile b]\nk = v\n";
    assert_eq!(read(&config), format!("{new}region = eu-west-1\n{rest}{after}"));
    let add = ["profile", "add", "ci", "--force", "--region", "us-east-1"];
    sandbox.credsh(&add).ok();
    let new = section("ci", "--source=container --region=us-east-1");
    assert_eq!(read(&config), format!("{new}region = us-east-1\n{rest}{after}"));
    // A program sees one profile, in that region.
    sandbox.credsh(&["profile", "add", "new", "--region", "us-east-2"]).ok();
    let program = "import botocore.session as b
for name in 'ci', 'new':
    s = b.Session(profile=name)
    print(s.get_config_variable('region'), s.get_scoped_config().get('output'), s.get_credentials().method)";
    let out = Run::of(sandbox.command(tool("python")).args(["-c", program]).output().unwrap()).ok();
    assert_eq!(out, "us-east-1 text custom-process\nus-east-2 None custom-process\n");
}

#[test]
fn a_profile_written_by_hand_is_credshs_too() {
    let sandbox = Sandbox::new();
    let config = sandbox.file(
        ".aws/config",
        "[profile hand]\ncredential_process = credsh export  --format process --profile dev\n[profile made]\ncredential_process = /x/credsh export --format=process\n[profile no]\ncredential_process = credsh export --format json\n",
    );
    assert_eq!(sandbox.credsh(&["profile", "list"]).ok(), "hand\nmade\n");
    sandbox.credsh(&["profile", "remove", "hand"]).ok();
    assert!(read(&config).starts_with("[profile made]\n"));
}

/// The source is settled when the profile is added. A program that uses the profile has AWS_PROFILE set to it, so a
/// credsh that looked for its source then would ask itself.
#[test]
fn the_source_is_written_down() {
    let sandbox = Sandbox::new();
    let written = |sandbox: &Sandbox, flags: &[&str]| {
        sandbox.credsh(&[&["profile", "add", "ci", "--force"], flags].concat()).ok();
        let text = read(&sandbox.home().join(".aws/config"));
        text.rsplit_once("--format=process ").unwrap().1.trim_end().to_owned()
    };
    let keys = "aws_access_key_id = AKIADEV\naws_secret_access_key = s\n";
    sandbox.file(".aws/credentials", &format!("[default]\n{keys}[dev]\n{keys}"));
    sandbox.file(".aws/config", "[profile up]\nrole_arn = arn:aws:iam::123456789012:role/up\nsource_profile = dev\n");
    assert_eq!(written(&sandbox, &[]), "--profile=default");
    assert_eq!(written(&sandbox, &[ROLE]), format!("--profile=default {ROLE}"));
    assert_eq!(written(&sandbox, &["--profile", "dev", ROLE]), format!("--profile=dev {ROLE}"));
    let sandbox = sandbox.with("AWS_PROFILE", "up");
    assert_eq!(written(&sandbox, &[ROLE]), format!("--profile=up {ROLE}"));
    sandbox.credsh(&["profile", "add", "up", "--force"]).fails(2, &["from itself"]);
    let sandbox = sandbox.with("AWS_ACCESS_KEY_ID", "AKIAENV").with("AWS_SECRET_ACCESS_KEY", "s");
    assert_eq!(written(&sandbox, &[]), "--source=env");
}

/// Such a profile is written by hand, or over another one. It is refused, as the processes would call each other
/// until the machine gives up.
#[test]
fn a_profile_that_asks_itself_is_told_so() {
    let json = r#"{"Version":1,"AccessKeyId":"ASIAOTHER","SecretAccessKey":"s","SessionToken":"t","Expiration":"2099-01-01T00:00:00Z"}"#;
    let run = format!("credential_process = {CREDSH} export --format process");
    for (config, flags, variable) in [
        (format!("[default]\n{run}\n"), "", None),
        (format!("[profile loop]\n{run}\n"), "", Some("loop")),
        (format!("[profile loop]\n{run} --profile loop\n"), "--profile loop", None),
        (format!("[profile loop]\n{run} --no-store --profile loop\n"), "--no-store --profile loop", None),
        (format!("[profile loop]\n{run} --profile b\n[profile b]\n{run} --profile loop\n"), "--profile loop", None),
        (format!("[profile loop]\n{run}\n"), "--profile loop --role arn:aws:iam::123456789012:role/x", Some("loop")),
    ] {
        let mut sandbox = Sandbox::new();
        sandbox.file(".aws/config", &config);
        if let Some(name) = variable {
            sandbox.set("AWS_PROFILE", name);
        }
        let name = if config.starts_with("[default]") { "default" } else { "loop" };
        // Within half the time that credsh waits for an answer.
        let mut command = sandbox.command("timeout");
        let words = flags.split(' ').filter(|word| !word.is_empty());
        let text = Run::of(command.args(["15", CREDSH, "export"]).args(words).output().unwrap()).fails(1, &[]);
        assert!(
            text.starts_with(&format!(
                "credsh: profile {name} gave no credentials: its credential_process exited with status 1: "
            )),
            "{text}"
        );
        let end = format!(
            "credsh: profile {name}: takes its credentials from credsh, which would take them from this profile\nhint: give the credsh in its credential_process a --source, or another --profile\n"
        );
        assert!(text.ends_with(&end), "{config}: {text}");
    }
    // A profile whose credsh is given another source does not ask itself.
    for (flag, ends) in [("--profile other", 0), ("--source web-identity", 1)] {
        let sandbox = Sandbox::new().with("AWS_PROFILE", "p");
        let file = sandbox.file("json", json);
        sandbox.file(
            ".aws/config",
            &format!(
                "[profile p]\ncredential_process = {CREDSH} export --format process {flag}\n[profile other]\ncredential_process = cat {}\n",
                file.display()
            ),
        );
        let run = sandbox.credsh(&["export"]);
        assert_eq!(run.status.min(1), ends, "{flag}: {run:?}");
        assert!(!run.stderr.contains("takes its credentials from credsh"), "{flag}: {run:?}");
    }
    // Nor does one that takes its credentials from a profile of the same name in another file.
    let sandbox = Sandbox::new();
    let file = sandbox.file("json", json);
    sandbox.file("other", &format!("[profile p]\ncredential_process = cat {}\n", file.display()));
    sandbox.file(
        ".aws/config",
        &format!(
            "[profile p]\ncredential_process = AWS_CONFIG_FILE=other {CREDSH} export --format process --profile p\n"
        ),
    );
    assert!(sandbox.credsh(&["export", "--profile", "p"]).ok().contains("ASIAOTHER"));
}

fn aws(sandbox: &Sandbox, words: &[&str]) -> String {
    let who = ["sts", "get-caller-identity", "--query", "Arn", "--output", "text"];
    Run::of(sandbox.command(tool("aws")).args(words).args(who).output().unwrap()).ok().trim().to_owned()
}

#[test]
fn the_aws_cli_uses_it() {
    let sandbox =
        Sandbox::new().with("AWS_ENDPOINT_URL", &Moto::shared().url()).with("AWS_DEFAULT_REGION", "us-east-1");
    let credentials = sandbox.file(
        ".aws/credentials",
        "[default]\naws_access_key_id = ASIADEFAULT\naws_secret_access_key = s\naws_session_token = t\n",
    );
    let before = read(&credentials);
    // A path that has to be quoted.
    let dir = sandbox.home().join("it's a place");
    std::fs::create_dir(&dir).unwrap();
    let exe = dir.join("credsh");
    symlink(CREDSH, &exe).unwrap();
    let add = ["profile", "add", "ci", ROLE, "--session-name", "me"];
    Run::of(sandbox.command(&exe).args(add).output().unwrap()).ok();
    let who = "arn:aws:sts::123456789012:assumed-role/deploy/me";
    assert_eq!(aws(&sandbox, &["--profile", "ci"]), who);
    let sandbox = sandbox.with("AWS_PROFILE", "ci");
    assert_eq!(aws(&sandbox, &[]), who);
    assert!(sandbox.credsh(&["whoami"]).ok().contains(who), "and so does credsh itself");
    assert_eq!(read(&credentials), before);
}

/// boto3 asks again when its credentials are nearly over, which with lives this short is always.
#[test]
fn boto3_renews_through_it() {
    let endpoint = Endpoint::start(8);
    endpoint.rotate(Rotation::HalfLife);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    sandbox.credsh(&["profile", "add", "ci"]).ok();
    let program = "import boto3, time
c = boto3.Session(profile_name='ci').get_credentials()
first = c.get_frozen_credentials().access_key
while c.get_frozen_credentials().access_key == first: time.sleep(0.2)
print(first, c.get_frozen_credentials().access_key != first, type(c).__name__)";
    let out = Run::of(sandbox.command(tool("python")).args(["-c", program]).output().unwrap()).ok();
    assert_eq!(out, "ASIATEST0001 True RefreshableCredentials\n");
}
