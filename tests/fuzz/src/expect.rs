//! What must hold of everything credsh accepts, and of everything it says. What an input means is up to each target.

use std::sync::LazyLock;

use crate::credentials::{Credentials, Secret};
use crate::env::Env;
use crate::lease::{Lease, State};
use crate::prompt;
use crate::shell::Shell;
use crate::time::NEVER;

/// Planted where an input has its secrets. Even the part of it below must not show in a message.
pub const SECRET: &str = "PLANTED-secret-0123456789";
pub const PART: &str = "PLANTED-";

/// Used for nothing but its time zone.
static ENV: LazyLock<Env> = LazyLock::new(Env::of_process);

/// A message that is fit for a terminal: short, all characters printable, and without `secret`.
pub fn is_fit_to_say(message: &str, secret: &str) {
    assert!(!message.contains(char::is_control), "{message:?} would be obeyed");
    assert!(message.chars().count() < 800, "{message:?} is too long");
    assert!(!message.contains(secret), "{message:?} holds a secret");
}

/// Credentials from a source are either fit for a shell, or refused with the name of the field and nothing of its value.
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
                ["is empty", "is longer than 32 KiB", "contains a control character"],
            );
            let known = what.iter().any(|what| why.iter().any(|why| error.to_string() == format!("{what} {why}")));
            assert!(known, "{error}");
            None
        }
    }
}

/// A lease that credsh may hold: it survives being written and read back, its times are in order, and each shell gets all
/// of it as words and nothing as code.
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
    // Before `earliest` the clock must have been set back, which is urgent again.
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

/// Splits one line of code as the shell would, or panics: bare words are lower-case letters and `_`, and everything else
/// is in single quotes. Written from the shells' manuals, and not from the code that quotes.
fn words(line: &str, shell: Shell) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    let mut chars = line.strip_suffix('\n').expect("one line").chars();
    while let Some(c) = chars.next() {
        let word = words.last_mut().expect("there is one");
        match (c, quoted, shell) {
            ('\'', _, _) => quoted = !quoted,
            // Within single quotes fish reads `\\` and `\'` as escapes, and any other backslash as itself.
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
