//! What must hold of everything that was taken, and of everything that is said.

use std::sync::LazyLock;

use crate::credentials::{Credentials, Secret};
use crate::env::Env;
use crate::lease::{Lease, State};
use crate::prompt;
use crate::shell::Shell;
use crate::time::NEVER;

/// Stands where an input has its secrets. Even a part of it in a message is too much.
pub const SECRET: &str = "PLANTED-secret-0123456789";
/// That part.
pub const PART: &str = "PLANTED-";

/// Only its time zone is of any use here.
static ENV: LazyLock<Env> = LazyLock::new(Env::of_process);

/// A message for a terminal: short, of printable characters, and without `secret`.
pub fn is_fit_to_say(message: &str, secret: &str) {
    assert!(!message.contains(char::is_control), "{message:?} would be obeyed");
    assert!(message.chars().count() < 800, "{message:?} is too long");
    assert!(!message.contains(secret), "{message:?} holds a secret");
}

/// Credentials that a source gave are refused, with a field's name and nothing of its value, or are fit for a shell.
pub fn is_taken_or_refused(credentials: Credentials) -> Option<Credentials> {
    let [id, secret] = [credentials.access_key_id.clone(), credentials.secret_access_key.expose().to_owned()];
    let token = credentials.session_token.as_ref().map(|token| token.expose().to_owned());
    let values = [Some(&id), Some(&secret), token.as_ref()];
    let fine = |value: &String| !value.is_empty() && !value.contains(char::is_control) && value.len() <= 32 * 1024;
    let all_fine = values.into_iter().flatten().all(fine);
    match credentials.checked() {
        Ok(credentials) => {
            assert!(all_fine, "taken: {values:?}");
            Some(credentials)
        }
        Err(error) => {
            assert!(!all_fine, "{error}: {values:?}");
            let (what, why) = (
                ["AccessKeyId", "SecretAccessKey", "the session token"],
                ["is empty", "is longer than 32 KiB", "holds a control character"],
            );
            let known = what.iter().any(|what| why.iter().any(|why| error.to_string() == format!("{what} {why}")));
            assert!(known, "{error}");
            None
        }
    }
}

/// A lease that is held: what is written of it is read again, its times are in order, and every shell gets all of it as
/// words and nothing as code.
pub fn is_sound(lease: &Lease) {
    let written = serde_json::to_vec(lease).expect("a lease that was read or made can be written");
    assert_eq!(Lease::read(&written, &lease.request.id()).as_ref(), Some(lease));
    assert_eq!(Lease::read(&written, "0123456789abcdef"), None, "under another request's name");

    let marks = [lease.window(), lease.mandatory(), lease.expires, NEVER];
    assert!(lease.window() >= 0 && marks.is_sorted(), "{marks:?}");
    assert!(lease.due <= lease.window().max(lease.asked + 72), "{lease:?}");
    let urgency = |now| match lease.state(now) {
        State::Fresh => 0,
        State::Window => 1,
        State::Mandatory => 2,
        State::Expired => 3,
    };
    let mut around: Vec<_> = marks.iter().flat_map(|mark| [mark - 1, *mark, mark + 1]).collect();
    // Below its earliest the clock was set back, and that is urgent.
    around.retain(|time| *time >= lease.earliest());
    around.sort_unstable();
    assert!(around.into_iter().map(urgency).is_sorted(), "{lease:?}");

    let credentials = &lease.credentials;
    let expected = [
        lease.request.id(),
        lease.request.label(),
        credentials.access_key_id.clone(),
        credentials.secret_access_key.expose().to_owned(),
        credentials.session_token.as_ref().map(Secret::expose).unwrap_or_default().to_owned(),
        credentials.expiration.map(crate::time::format_rfc3339).unwrap_or_default(),
        lease.expires.to_string(),
        lease.window().to_string(),
        lease.mandatory().to_string(),
        lease.due.to_string(),
        lease.note.clone().filter(|_| lease.hopeless).unwrap_or_default(),
        prompt::clock(lease),
        ENV.zone(),
        lease.earliest().to_string(),
    ];
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        let code = shell.adopt(lease, &ENV).expect("every value is fit for a shell");
        let words = words(code.expose(), shell);
        let (function, words) = words.split_first().expect("there is one");
        assert_eq!(function, "__credsh_adopt");
        assert_eq!(words, expected);
    }
    let shown = lease.request.label();
    assert!(shown.chars().all(|c| c.is_ascii_alphanumeric() || " ._:/@+=,-".contains(c)), "{shown}");
}

/// One line of code as a shell reads it, or a panic: bare words are letters and `_`, and everything else is in single
/// quotes. Written from the shells' manuals, and not from what quotes.
fn words(line: &str, shell: Shell) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    let mut chars = line.strip_suffix('\n').expect("one line").chars();
    while let Some(c) = chars.next() {
        let word = words.last_mut().expect("there is one");
        match (c, quoted, shell) {
            ('\'', _, _) => quoted = !quoted,
            // fish takes `\\` and `\'` in its single quotes, and any other backslash there for itself.
            ('\\', true, Shell::Fish) => match chars.clone().next() {
                Some(next @ ('\\' | '\'')) => {
                    word.push(next);
                    chars.next();
                }
                _ => word.push(c),
            },
            ('\n', ..) => panic!("two lines"),
            (_, true, _) => word.push(c),
            ('\\', false, _) => {
                let next = chars.next();
                assert_eq!(next, Some('\''), "all that is quoted by a backslash");
                word.push('\'');
            }
            (' ', false, _) => words.push(String::new()),
            ('a'..='z' | '_', false, _) => word.push(c),
            (_, false, _) => panic!("{c:?} is not quoted"),
        }
    }
    assert!(!quoted, "a quote is open");
    words
}
