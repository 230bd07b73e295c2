//! `credsh profile`: profiles in `~/.aws/config` whose `credential_process` is credsh. They hand credentials to programs
//! with an SDK, which then renew by themselves. In Cloud9 they are the way to another profile without a change to the
//! credentials file, which would turn the managed credentials off.

use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, fchown};
use std::path::{Path, PathBuf};

use crate::cli::{Profile, ProfileAdd, ProfileRemove};
use crate::config::{self, edit};
use crate::env::{self, Env};
use crate::error::{Error, Result};
use crate::request::{Request, Role, Source};
use crate::selectors::{Selectors, SourceKind};
use crate::shell::Grammar;
use crate::ui;

pub fn run(args: &Profile, env: &Env) -> Result<u8> {
    match args {
        Profile::Add(args) => add(args, env),
        Profile::List { all } => list(*all, env),
        Profile::Remove(args) => remove(args, env),
    }
}

fn add(args: &ProfileAdd, env: &Env) -> Result<u8> {
    // First, as resolving the selectors reads that file too, and reading a FIFO would wait for its writer.
    let path = path(env)?;
    // Selectors that lead nowhere should fail now, and not when a program asks.
    let source = Request::resolve(&args.selectors, env)?.source;
    let selectors = pinned(&args.selectors, &source);
    if selectors.profile.as_ref() == Some(&args.name) {
        return Err(Error::Flag {
            flag: "--profile",
            reason: "a profile cannot take its credentials from itself".into(),
        });
    }
    let exe = env.exe();
    let mut words = vec![exe.to_string_lossy().into_owned(), "export".into(), "--format=process".into()];
    words.extend(selectors.words());
    let words = words.iter().map(|word| bare(word)).collect::<Result<Vec<_>>>()?;
    let text = read(&path)?;
    let files = config::Files { config: None, ..config::Files::of(env) };
    if let (Some(keys), Some(_)) = (&files.credentials, config::keys(&files, &args.name)?) {
        return Err(taken(&args.name, keys, "has keys of its own, which programs use first", "choose another name"));
    }
    let section = edit::process(&args.name, &words.join(" ")).ok_or_else(|| Error::Config {
        what: format!("a profile that runs {}", ui::clean(&exe.to_string_lossy())),
        reason: "cannot be written: an AWS SDK treats what follows ` #` or ` ;` as a comment".into(),
        hint: Some("move credsh, or put a link to it, where the path has neither".into()),
    })?;
    let there = edit::section(&text, &args.name);
    if there.is_some() && !args.force {
        return Err(taken(&args.name, &path, "already exists", "pass --force to replace it"));
    }
    let region = args.selectors.region.as_ref().map(|region| format!("region = {region}\n"));
    // The replaced profile's credentials go; its region and output settings and the like stay.
    let kept = edit::kept(&text, &args.name, if region.is_some() { &["region"] } else { &[] });
    let section = format!("{section}{}{kept}", region.unwrap_or_default());
    write(&path, &edit::put(&text, &args.name, &section))?;
    let over = source.base().filter(|_| args.selectors.role.is_some());
    let over = over.map(|base| format!(", assumed with {}", base.label())).unwrap_or_default();
    ui::say(format_args!(
        "wrote profile {} to {}; it takes its credentials from {}{over}",
        args.name,
        path.display(),
        source.label()
    ));
    ui::hint(&format!("use it with `AWS_PROFILE={0}` or `aws --profile {0}`", args.name));
    Ok(0)
}

/// The selectors with a source that is named. Otherwise the program's own AWS_PROFILE would decide, which is this very
/// profile, so that credsh would ask itself; or the lease of the shell that it runs in.
fn pinned(typed: &Selectors, source: &Source) -> Selectors {
    let mut selectors = typed.clone();
    if typed.source.is_some() || typed.profile.is_some() {
        return selectors;
    }
    match source {
        Source::Container { .. } => selectors.source = Some(SourceKind::Container),
        Source::WebIdentity { .. } => selectors.source = Some(SourceKind::WebIdentity),
        Source::Ec2 => selectors.source = Some(SourceKind::Ec2),
        Source::Env { .. } => selectors.source = Some(SourceKind::Env),
        Source::Cloud9 { .. } => selectors.source = Some(SourceKind::Cloud9),
        Source::Profile { name, .. } | Source::Role { role: Role { profile: Some(name), .. }, .. } => {
            selectors.profile = Some(name.clone());
        }
        Source::Role { base, .. } | Source::Session { base, .. } => return pinned(typed, base),
    }
    selectors
}

fn list(all: bool, env: &Env) -> Result<u8> {
    let names = if all {
        config::names(&config::Files::of(env))?
    } else {
        let text = read(&path(env)?)?;
        edit::names(&text).into_iter().filter(|name| ours(&text, name)).collect()
    };
    // The SDK and `remove` do not accept other names; and bash expands completed words once more.
    let names = names.into_iter().filter(|name| edit::is_name(name));
    ui::print(&names.map(|name| name + "\n").collect::<String>())?;
    Ok(0)
}

fn remove(args: &ProfileRemove, env: &Env) -> Result<u8> {
    let path = path(env)?;
    let text = read(&path)?;
    if edit::section(&text, &args.name).is_none() {
        return Err(taken(&args.name, &path, "does not exist", "`credsh profile list` lists the names"));
    }
    if !ours(&text, &args.name) && !args.force {
        return Err(taken(&args.name, &path, "was not made by credsh", "pass --force to remove it anyway"));
    }
    write(&path, &edit::take(&text, &args.name))?;
    ui::say(format_args!("removed profile {} from {}", args.name, path.display()));
    Ok(0)
}

/// Whether a profile's section runs credsh.
fn ours(text: &str, name: &str) -> bool {
    let lines = edit::section(text, name).map_or("", |range| &text[range]);
    let process = |words: &[&str]| {
        words.contains(&"--format=process") || words.windows(2).any(|two| two == ["--format", "process"])
    };
    lines.lines().any(|line| {
        line.trim_start().starts_with("credential_process")
            && line.contains("credsh")
            // In either spelling, as it may have been written by hand.
            && process(&line.split_whitespace().collect::<Vec<_>>())
    })
}

/// Quotes a word of a `credential_process` if needed: the AWS CLI splits it like a POSIX shell, and the Rust SDK runs one.
fn bare(word: &str) -> Result<String> {
    let plain = word.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._-=:,@+".contains(&b));
    if plain { Ok(word.into()) } else { Grammar::Posix.quote(word) }
}

fn taken(name: &str, path: &Path, reason: &str, hint: &str) -> Error {
    Error::Config {
        what: format!("profile {name} in {}", path.display()),
        reason: reason.into(),
        hint: Some(hint.into()),
    }
}

fn path(env: &Env) -> Result<PathBuf> {
    let path = config::Files::of(env).config.ok_or_else(|| Error::Config {
        what: "cannot locate the AWS config file".into(),
        reason: format!("neither {} nor HOME is set", env::CONFIG_FILE),
        hint: None,
    })?;
    // AWS_CONFIG_FILE=/dev/null means that there is none. As root, the new file would replace the device, for the whole
    // machine.
    if fs::metadata(&path).is_ok_and(|there| !there.is_file()) {
        return Err(Error::Config {
            what: format!("the AWS config file {}", path.display()),
            reason: "not a regular file".into(),
            hint: Some(format!("set {} to one, or unset it", env::CONFIG_FILE)),
        });
    }
    // Behind a link, as dotfile managers make them, the file is replaced and not the link; also if it does not exist yet.
    let there = fs::canonicalize(&path);
    Ok(there.or_else(|_| fs::read_link(&path).map(|target| path.with_file_name(target))).unwrap_or(path))
}

fn read(path: &Path) -> Result<String> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(String::new()),
        other => other.map_err(Error::io("read", path)),
    }
}

/// Writes the file whole or not at all, with the mode and owner it had; 0600 if it is new, as the AWS CLI does.
///
/// # Errors
/// Also if the file itself is a mount point, as in some development containers: nothing can replace that. Writing into it,
/// as `aws configure set` does, leaves half a file if the disk is full or the process is killed; and it is the host's, with
/// all its other profiles.
fn write(path: &Path, text: &str) -> Result<()> {
    let error = || Error::io("write", path);
    let dir = path.parent().unwrap_or(Path::new("/"));
    if !dir.exists() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(error())?;
    }
    let mut file = tempfile::Builder::new().prefix(".credsh-").tempfile_in(dir).map_err(error())?;
    if let Ok(meta) = fs::metadata(path) {
        // Otherwise the file would belong to root once sudo adds a profile for a user. Owner and group are set one by one,
        // as far as permitted: who is not root may still set a group that they are in.
        let _ = fchown(file.as_file(), Some(meta.uid()), None);
        let _ = fchown(file.as_file(), None, Some(meta.gid()));
        file.as_file().set_permissions(meta.permissions()).map_err(error())?;
    }
    file.write_all(text.as_bytes()).and_then(|()| file.as_file().sync_all()).map_err(error())?;
    file.persist(path).map_err(|failed| match failed.error.kind() {
        ErrorKind::ResourceBusy => Error::Config {
            what: format!("the AWS config file {}", path.display()),
            reason: "is itself a mount point, so it cannot be replaced".into(),
            hint: Some(format!("mount its directory instead, or set {} to another file", env::CONFIG_FILE)),
        },
        _ => error()(failed.error),
    })?;
    Ok(())
}
