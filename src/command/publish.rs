//! `credsh publish`: what the scripts to source run. It prints code for their shell that exports the credentials, hands the
//! lease to the hook if there is one, and prints what the original script printed; or nothing, if any of it fails.

use crate::cli::{Given, Publish};
use crate::env::{self, Env};
use crate::error::{Error, Result};
use crate::lease::Lease;
use crate::renew::{self, Outcome, Terms, When};
use crate::request::Request;
use crate::selectors::{self, Selectors};
use crate::shell::{Grammar, Shell};
use crate::{format, prompt, ui};

/// The prefix of the exported names; the lines that are printed have the standard names.
const PREFIX: &str = "TEMPORARY_";
const REGION: &str = "AWS_DEFAULT_REGION";

/// Publishes; `hooked` is the shell with a hook that will evaluate stdout.
pub fn run(args: &Publish, hooked: Option<Shell>, env: &Env) -> Result<u8> {
    let Asked { role, quiet } = asked(args)?;
    let selectors = Selectors { role, ..Selectors::default() };
    let store = super::store(false, env)?;
    // Not this shell's lease: whoever sources the script again without a role wants the surroundings' own credentials
    // again.
    let request = Request::resolve(&selectors, env)?;
    let terms = Terms { when: When::Now, person: true, queue: true, deadline: super::PATIENCE };
    let Outcome { lease, failure, .. } = renew::lease(&request, store.as_ref(), env, &terms)?;
    if let Some(failure) = failure {
        ui::error(&failure);
        ui::say("nothing was published: the variables are as they were");
        return Ok(failure.kind().status());
    }
    let mut commands = publish(args.print.grammar(), hooked, &lease, env)?;
    if !quiet {
        commands.extend(args.print.lines(text(&lease, selectors.role.is_some(), env)?.lines())?);
    }
    // Joined by `&&`, so that nothing is printed after a variable that could not be set.
    ui::print(&format!("{}\n", commands.join(" && ")))?;
    let segment = prompt::segment(&lease, env.now());
    if args.given == Given::Run {
        ui::say(format_args!("printed, but not published: {segment}"));
        ui::hint("to set this shell's variables, source the script: `source ./publish_temporary_credentials.sh`");
    } else {
        ui::say(format_args!("published: {segment}"));
    }
    Ok(0)
}

/// What was asked for, as far as that can be known.
struct Asked {
    role: Option<String>,
    quiet: bool,
}

/// Never takes the caller's own parameters for the script's, and never drops one that may have been meant for it.
fn asked(args: &Publish) -> Result<Asked> {
    let refuse = |reason: &str| Err(Error::Flag { flag: "the arguments", reason: reason.into() });
    let variable = Some(&args.role).filter(|role| !role.is_empty());
    let quiet = !args.quiet.is_empty();
    let is_quiet = |word: &String| word == "-q";
    let (flags, words): (Vec<&String>, Vec<&String>) = args.words.iter().partition(|word| is_quiet(word));
    let mut asked = Asked { role: variable.cloned().filter(|role| role != "none"), quiet };
    match args.given {
        Given::None => {}
        Given::Dropped if variable.is_none() => {
            return refuse(
                "this shell drops the arguments of `.`: set CREDSH_ROLE to the role's ARN or to none, and CREDSH_QUIET=1 for -q",
            );
        }
        Given::Unseen if variable.is_none() => {
            return refuse(
                "this shell drops the arguments of `.`, so credsh cannot tell whether a role was among them: set CREDSH_ROLE to its ARN or to none, and CREDSH_QUIET=1 for -q",
            );
        }
        Given::Dropped | Given::Unseen => {}
        // A -q of the caller's does no harm. Any other word might have been an argument.
        Given::Unknown if words.is_empty() => asked.quiet |= !flags.is_empty(),
        Given::Unknown
            if variable.is_none() || words.iter().any(|word| word.starts_with("arn:") && Some(*word) != variable) =>
        {
            return refuse(
                "this shell does not reveal whether they were given or are its own positional parameters: set CREDSH_ROLE to the role's ARN or to none",
            );
        }
        Given::Unknown => {}
        Given::Own | Given::Run => {
            asked.quiet |= !flags.is_empty();
            match words.as_slice() {
                [] => {}
                [role] => asked.role = Some((*role).clone()),
                _ => return refuse("there are too many; expected at most [-q] [ROLE_ARN]"),
            }
        }
    }
    if let Some(Err(reason)) = asked.role.as_deref().map(selectors::role_arn) {
        return Err(Error::Flag { flag: "the role", reason });
    }
    Ok(asked)
}

/// What the original script printed: the credentials as their source gives them, a blank line, and lines to paste
/// elsewhere.
fn text(lease: &Lease, role: bool, env: &Env) -> Result<String> {
    let answer = format::answer(&lease.credentials, role)?;
    let mut lines = String::new();
    for (name, value) in format::variables(&lease.credentials) {
        if name != env::EXPIRATION {
            lines += &Grammar::Posix.set(name, value.expose(), true)?;
        }
    }
    let region = env.get(REGION).or_else(|| env.first(&env::REGION)).or(lease.request.region.as_deref());
    if let Some(region) = region {
        lines += &Grammar::Posix.set(REGION, region, true)?;
    }
    Ok(format!("{}\n{lines}", answer.expose()))
}

/// The commands that export the variables and, in a hooked shell, adopt the lease, which is then renewed like any other.
fn publish(grammar: Grammar, hooked: Option<Shell>, lease: &Lease, env: &Env) -> Result<Vec<String>> {
    let variables = format::variables(&lease.credentials).into_iter();
    let mut commands = variables
        .map(|(name, value)| grammar.set(&format!("{PREFIX}{name}"), value.expose(), true))
        .collect::<Result<Vec<_>>>()?;
    if let Some(shell) = hooked {
        commands.push(shell.adopt(lease, env)?.expose().to_owned());
    }
    Ok(commands.iter().map(|command| command.trim_end().to_owned()).collect())
}
