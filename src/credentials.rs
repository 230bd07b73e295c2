//! Credentials, and the type that keeps their secrets from being printed. Stops short of where they come
//! from (`source`) and of how long they are good for (`lease`).

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::time::Epoch;

/// More than any AWS token (they run to some 2 KiB; the documented roof is none), less than what makes an
/// `execve` fail: Linux takes 128 KiB for one string of the environment.
const LONGEST: usize = 32 * 1024;

/// A text that cannot be printed: `Debug` is redacted, there is no `Display`, and its memory is wiped.
/// Serializing writes the secret, for the one place that stores it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes a text into custody.
    pub fn new(text: impl Into<String>) -> Self {
        Secret(Zeroizing::new(text.into()))
    }

    /// The secret itself. Each call is a place to look at in a review.
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
    /// `ASIA...` when temporary, `AKIA...` when long-term. Not a secret: it is in every request's header.
    pub access_key_id: String,
    /// The signing key.
    pub secret_access_key: Secret,
    /// Absent only with long-term keys.
    pub session_token: Option<Secret>,
    /// AWS's own word, by AWS's clock; seconds. `None` is unknown, which is not the same as expired.
    pub expiration: Option<Epoch>,
}

impl Credentials {
    /// Refuses what could not be handed to a shell or a program whole: an empty value, a control character,
    /// more than 32 KiB. What passes here can be quoted everywhere.
    ///
    /// # Errors
    /// `Error::Value` names the field; the value is never part of it.
    pub fn checked(self) -> Result<Self> {
        check("AccessKeyId", &self.access_key_id)?;
        check("SecretAccessKey", self.secret_access_key.expose())?;
        self.session_token.as_ref().map_or(Ok(()), |token| check("the session token", token.expose()))?;
        Ok(self)
    }

    /// What of them may not be repeated, where somebody who was sent it says why it will not do. A short text is no secret,
    /// and would be found in any message.
    pub fn secrets(&self) -> Vec<&Secret> {
        let both = std::iter::once(&self.secret_access_key).chain(&self.session_token);
        both.filter(|secret| secret.expose().len() >= 8).collect()
    }

    /// An IAM user's own keys, which do not end: never to be handed out. AWS begins their ids, and no others, with `AKIA`
    /// (IAM User Guide, "Unique identifiers"); a token beside one has been left by another set of keys.
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
        "holds a control character"
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
        assert_eq!(error, "SecretAccessKey holds a control character");
        assert!(sample("a\nb").checked().is_err());
        assert!(sample("").checked().is_err());
        assert!(sample("it's $(fine) \\ `too` ü").checked().is_ok());
    }
}
