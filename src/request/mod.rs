//! What is meant: a `Request`, fully resolved and without a secret, so that a renewal hours later, in another shell,
//! asks for the very same thing. `resolve` makes it of flags, environment and configuration, of which `profile` reads the
//! profiles; asking is `source`'s.

mod profile;
#[cfg(test)]
mod properties;
mod resolve;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::config::{self, Files, Variant};

pub use profile::{assumes, ca_bundle, is_sso, same_profile, static_keys};
pub use resolve::{checked_region, nothing_found, sts_of};

/// Where credentials come from, with every parameter. What is not given stays out of the stored form, so
/// that a later version's new parameter does not change the ids of older requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// The container credentials endpoint (CloudShell, ECS, EKS).
    Container { uri: String },
    /// A profile without a role of its own: keys, SSO, `credential_process`, web identity. `whose` is a digest of what in it
    /// says whose credentials it gives: the name stays when somebody writes another account under it.
    Profile { name: String, sso: bool, files: Files, whose: String },
    /// `sts:AssumeRoleWithWebIdentity` from the environment's variables.
    WebIdentity {
        token_file: String,
        role_arn: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        session_name: Option<String>,
    },
    /// The instance profile, from the EC2 metadata service.
    Ec2,
    /// The standard variables; the id of the key tells one set from the next.
    Env { access_key_id: String },
    /// AWS managed temporary credentials: the file that Cloud9 writes, and only it.
    Cloud9 { file: PathBuf },
    /// `sts:AssumeRole` with the credentials of `base`.
    Role { role: Role, base: Box<Source> },
    /// `sts:GetSessionToken` with the long-term keys of `base`.
    Session { session: Session, base: Box<Source> },
}

/// The parameters of `sts:GetSessionToken`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Seconds, 900 to 129600; credsh's default is an hour, and 12 hours with MFA, as each takes a code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<u32>,
    /// The MFA device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mfa_serial: Option<String>,
}

/// The parameters of `sts:AssumeRole`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    pub arn: String,
    /// Seconds, 900 to 43200; AWS's default is 3600.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<u32>,
    /// `None` is a new `YYYYmmddHHMMSS-session` each time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// The MFA device whose code the trust policy wants.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mfa_serial: Option<String>,
    /// The profile that named this role, for the label.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
}

/// A source and the surroundings in which it is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    pub source: Source,
    /// The region of the STS endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Another STS endpoint (`AWS_ENDPOINT_URL_STS`, a profile's `endpoint_url`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Which of the region's.
    #[serde(default, skip_serializing_if = "Variant::is_plain")]
    pub variant: Variant,
    /// The machine, where the source is a metadata endpoint: its address is the same on each, and a home may be shared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
}

/// The path under which CloudShell serves credentials on loopback (port 1338 there; any here, for doubles).
pub const CLOUDSHELL_PATH: &str = "/latest/meta-data/container/security-credentials";
/// ECS's address, before a relative URI.
const ECS: &str = "http://169.254.170.2";

impl Request {
    /// A source, asked where nothing more is said.
    pub fn of(source: Source) -> Request {
        Request { source, region: None, endpoint: None, variant: Variant::default(), host: None }
    }

    /// A short digest: 16 lower-case hexadecimal digits, safe in a path and in every shell. Equal requests
    /// have equal ids; 64 bits keep a user's few dozen apart.
    pub fn id(&self) -> String {
        // A session with MFA is good everywhere, whichever STS gave it: in another region it would take another code.
        let everywhere = matches!(&self.source, Source::Session { session, .. } if session.mfa_serial.is_some());
        let told =
            if everywhere { &Request { region: None, variant: Variant::default(), ..self.clone() } } else { self };
        // A path that is no text has no JSON. Nothing that holds one is stored, but it is no other request either.
        digest(&serde_json::to_vec(told).unwrap_or_else(|_| format!("{told:?}").into_bytes()))
    }

    /// The request for what this one stands on that took a code, a session with MFA as a rule. It is a lease of its own: its
    /// code is asked once, and what is on top renews without one until it ends.
    pub fn base_with_code(&self) -> Option<Request> {
        let mut bases = std::iter::successors(self.source.base(), |source| source.base());
        let base = bases.find(|source| source.mfa_serial().is_some())?;
        Some(Request { source: base.clone(), ..self.clone() })
    }

    /// Whether to ask for it may take an answer from a person: a code, or what a profile's `credential_process` wants to know.
    pub fn may_ask(&self) -> bool {
        let process = |name, files| {
            let profile = config::profile(files, name).ok().flatten().unwrap_or_default();
            profile.contains_key("credential_process") && matches!(static_keys(name, files), Ok(None))
        };
        let process = matches!(self.source.root(), Source::Profile { name, files, .. } if process(name, files));
        process || self.source.mfa_serial().is_some() || self.base_with_code().is_some()
    }

    /// The source's name for prompt and table: only `[A-Za-z0-9 ._:/@+=,-]`, whatever the role is called.
    pub fn label(&self) -> String {
        self.source.label()
    }
}

impl Source {
    /// See [`Request::label`].
    pub fn label(&self) -> String {
        let label = match self {
            Source::Container { uri } if is_cloudshell(uri) => "cloudshell".into(),
            Source::Container { uri } if uri.strip_prefix(ECS).is_some_and(|path| path.starts_with('/')) => {
                "ecs".into()
            }
            Source::Container { uri } if uri.contains("//169.254.170.23/") || uri.contains("[fd00:ec2::23]") => {
                "eks".into()
            }
            Source::Container { .. } => "container".into(),
            Source::Profile { name, sso: true, .. } => format!("sso:{name}"),
            Source::Profile { name, .. } => format!("profile:{name}"),
            Source::WebIdentity { .. } => "web-identity".into(),
            Source::Ec2 => "ec2".into(),
            Source::Cloud9 { .. } => "cloud9".into(),
            Source::Env { .. } => "env".into(),
            Source::Role { role: Role { profile: Some(name), .. }, .. } => format!("profile:{name}"),
            Source::Role { role, .. } => format!("role:{}", role.arn.rsplit('/').next().unwrap_or_default()),
            Source::Session { base, .. } => base.label(),
        };
        safe(&label)
    }

    /// The MFA device whose code is needed to ask for this very source, its base left aside.
    pub fn mfa_serial(&self) -> Option<&str> {
        match self {
            Source::Role { role, .. } => role.mfa_serial.as_deref(),
            Source::Session { session, .. } => session.mfa_serial.as_deref(),
            _ => None,
        }
    }

    /// What it is asked with.
    pub fn base(&self) -> Option<&Source> {
        match self {
            Source::Role { base, .. } | Source::Session { base, .. } => Some(base),
            _ => None,
        }
    }

    /// Whether it asks AWS STS, or says which one is to be asked. What is of a metadata endpoint or of Cloud9 does not: its
    /// request's id would change with every `export AWS_REGION`, and with it the lease.
    pub fn asks_sts(&self) -> bool {
        !matches!(self, Source::Container { .. } | Source::Ec2 | Source::Cloud9 { .. })
    }

    /// The profile whose region and endpoints go with it; a role's is its source profile.
    pub fn profile(&self) -> Option<&str> {
        match self {
            Source::Profile { name, .. } | Source::Role { role: Role { profile: Some(name), .. }, .. } => Some(name),
            // The file names the environment's own region in its default section.
            Source::Cloud9 { .. } => Some("default"),
            other => other.base()?.profile(),
        }
    }

    /// What all of it begins with.
    pub fn root(&self) -> &Source {
        self.base().map_or(self, Source::root)
    }
}

/// 16 lower-case hexadecimal digits.
fn digest(written: &[u8]) -> String {
    let digest = Sha256::digest(written);
    format!("{:016x}", digest.iter().take(8).fold(0, |id: u64, byte| id << 8 | u64::from(*byte)))
}

/// Keeps what a prompt may show; the rest becomes `_`. At most 64 characters.
fn safe(label: &str) -> String {
    let keep = |c: char| if c.is_ascii_alphanumeric() || " ._:/@+=,-".contains(c) { c } else { '_' };
    label.chars().take(64).map(keep).collect()
}

fn is_cloudshell(uri: &str) -> bool {
    let rest = uri.strip_prefix("http://").unwrap_or_default();
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let loopback =
        ["localhost", "127.0.0.1", "[::1]"].iter().any(|name| host == *name || host.starts_with(&format!("{name}:")));
    loopback && path == CLOUDSHELL_PATH
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_container_endpoints_tell_where_one_is() {
        for (uri, label) in [
            ("http://localhost:1338/latest/meta-data/container/security-credentials", "cloudshell"),
            ("http://169.254.170.2/v2/credentials/0", "ecs"),
            ("http://169.254.170.23/v1/credentials", "eks"),
            ("http://[fd00:ec2::23]/v1/credentials", "eks"),
            ("http://127.0.0.1:80/", "container"),
        ] {
            assert_eq!(Source::Container { uri: uri.into() }.label(), label, "{uri}");
        }
    }
}
