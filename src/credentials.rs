//! Credentials, and the type that keeps their secrets from being printed. Where they come from is up to `source`, and how
//! long they last is up to `lease`.

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::time::Epoch;

/// The longest value accepted, in bytes: more than any AWS token (some 2 KiB; AWS documents no limit), and less than what
/// makes `execve` fail (Linux allows 128 KiB for one string of the environment).
const LONGEST: usize = 32 * 1024;

/// A text that cannot be printed: `Debug` is redacted, there is no `Display`, and the memory is wiped on drop. Serializing
/// does write the secret, for the one place that stores it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes ownership of a secret text.
    pub fn new(text: impl Into<String>) -> Self {
        Secret(Zeroizing::new(text.into()))
    }

    /// The secret itself. Every call of this is a place to check in a review.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(**)")
    }
}

/// One set of credentials as a source gave it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credentials {
    /// `ASIA...` when temporary, `AKIA...` when long-term. Not a secret: every signed request sends it in a header.
    pub access_key_id: String,
    /// The secret that requests are signed with.
    pub secret_access_key: Secret,
    /// Absent only with long-term keys.
    pub session_token: Option<Secret>,
    /// When they end, as AWS said and by its clock; epoch seconds. `None` is unknown, which is not the same as expired.
    pub expiration: Option<Epoch>,
}

impl Credentials {
    /// Refuses values that a shell or a program could not be given unchanged: an empty one, one with a control character,
    /// one longer than 32 KiB. Whatever passes can be quoted for every shell.
    ///
    /// # Errors
    /// `Error::Value`, which names the field and never contains its value.
    pub fn checked(self) -> Result<Self> {
        check("AccessKeyId", &self.access_key_id)?;
        check("SecretAccessKey", self.secret_access_key.expose())?;
        self.session_token.as_ref().map_or(Ok(()), |token| check("the session token", token.expose()))?;
        Ok(self)
    }

    /// The values to redact where somebody who was sent these credentials explains why they were refused. Values under 8
    /// bytes are left out: they are no real secret, and would match parts of any message.
    pub fn secrets(&self) -> Vec<&Secret> {
        let both = std::iter::once(&self.secret_access_key).chain(&self.session_token);
        both.filter(|secret| secret.expose().len() >= 8).collect()
    }

    /// Whether these are an IAM user's own keys, which never expire and so are never handed out. Only their ids begin with
    /// `AKIA` (IAM User Guide, "Unique identifiers"); a token beside such an id is left over from another set of keys.
    pub fn long_term(&self) -> bool {
        self.session_token.is_none() || self.access_key_id.starts_with("AKIA")
    }
}

fn check(what: &str, value: &str) -> Result<()> {
    let reason = if value.is_empty() {
        "is empty"
    } else if value.len() > LONGEST {
        "is longer than 32 KiB"
    } else if value.chars().any(char::is_control) {
        "contains a control character"
    } else {
        return Ok(());
    };
    Err(Error::Value { what: what.into(), reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(secret: &str) -> Credentials {
        Credentials {
            access_key_id: "ASIAEXAMPLE".into(),
            secret_access_key: Secret::new(secret),
            session_token: Some(Secret::new("token")),
            expiration: None,
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let shown = format!("{:?}", sample("hunter2"));
        assert!(shown.contains("ASIAEXAMPLE"), "the control: Debug does print");
        assert!(!shown.contains("hunter2") && !shown.contains("token\""), "{shown}");
    }

    #[test]
    fn control_characters_are_refused_and_not_repeated() {
        let error = sample("good\u{1b}[31mbad").checked().unwrap_err().to_string();
        assert_eq!(error, "SecretAccessKey contains a control character");
        assert!(sample("a\nb").checked().is_err());
        assert!(sample("").checked().is_err());
        assert!(sample("it's $(fine) \\ `too` ü").checked().is_ok());
    }
}
