//! What the user asked for: a `Request`, fully resolved and without a secret, so that a renewal hours later, in another
//! shell, asks for the very same thing. `resolve` makes it of flags, environment and configuration, and `profile` reads the
//! profiles; asking is up to `source`.

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

/// Where credentials come from, with every parameter. What is not given is not stored, so that a later version's new
/// parameter does not change the ids of older requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// The container credentials endpoint (CloudShell, ECS, EKS).
    Container { uri: String },
    /// A profile without a role of its own: keys, SSO, `credential_process`, web identity. `whose` is a digest of what says
    /// whose credentials it gives: the name stays when somebody puts another account under it.
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
    /// The standard variables. The access key id tells one set of keys from the next.
    Env { access_key_id: String },
    /// AWS managed temporary credentials, from the file that Cloud9 writes and nothing else.
    Cloud9 { file: PathBuf },
    /// `sts:AssumeRole` with the credentials of `base`.
    Role { role: Role, base: Box<Source> },
    /// `sts:GetSessionToken` with the long-term keys of `base`.
    Session { session: Session, base: Box<Source> },
}

/// The parameters of `sts:GetSessionToken`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Seconds, 900 to 129600. credsh's default is an hour, or 12 hours with MFA, as each session then takes a code.
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
    /// `None` makes up a new `YYYYmmddHHMMSS-session` each time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// The MFA device whose code the trust policy requires.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mfa_serial: Option<String>,
    /// The profile that named this role, for the label.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
}

/// A source, and what else decides the answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    pub source: Source,
    /// The region whose STS is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The URL of an STS endpoint other than the default (`AWS_ENDPOINT_URL_STS`, a profile's `endpoint_url`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Which variant of the region's endpoints.
    #[serde(default, skip_serializing_if = "Variant::is_plain")]
    pub variant: Variant,
    /// The machine, if the source is a metadata endpoint: its address is the same on each, and they may share a home, and
    /// so a store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
}

/// The path under which CloudShell serves credentials on loopback. There the port is 1338; any port is accepted, for test
/// doubles.
pub const CLOUDSHELL_PATH: &str = "/latest/meta-data/container/security-credentials";
/// The address in front of a relative URI, which is ECS's.
const ECS: &str = "http://169.254.170.2";

impl Request {
    /// The request for a source without any further settings.
    pub fn of(source: Source) -> Request {
        Request { source, region: None, endpoint: None, variant: Variant::default(), host: None }
    }

    /// A short digest: 16 lower-case hexadecimal digits, safe in a path and in every shell. Equal requests have equal ids;
    /// 64 bits keep a user's few dozen apart.
    pub fn id(&self) -> String {
        // A session with MFA is good in every region, whichever STS gave it; with an id for each, another region would take
        // another code.
        let everywhere = matches!(&self.source, Source::Session { session, .. } if session.mfa_serial.is_some());
        let told =
            if everywhere { &Request { region: None, variant: Variant::default(), ..self.clone() } } else { self };
        // A path that is not UTF-8 has no JSON. Such a request is not stored, but still needs an id of its own.
        digest(&serde_json::to_vec(told).unwrap_or_else(|_| format!("{told:?}").into_bytes()))
    }

    /// The request for the source below this one that takes a code, usually a session with MFA. It has a lease of its own:
    /// its code is asked for once, and until it ends what is on top renews without one.
    pub fn base_with_code(&self) -> Option<Request> {
        let mut bases = std::iter::successors(self.source.base(), |source| source.base());
        let base = bases.find(|source| source.mfa_serial().is_some())?;
        Some(Request { source: base.clone(), ..self.clone() })
    }

    /// Whether asking for this may need a person's answer: an MFA code, or what a profile's `credential_process` asks.
    pub fn may_ask(&self) -> bool {
        let process = |name, files| {
            let profile = config::profile(files, name).ok().flatten().unwrap_or_default();
            profile.contains_key("credential_process") && matches!(static_keys(name, files), Ok(None))
        };
        let process = matches!(self.source.root(), Source::Profile { name, files, .. } if process(name, files));
        process || self.source.mfa_serial().is_some() || self.base_with_code().is_some()
    }

    /// The source's name for prompts and tables: at most 64 of `[A-Za-z0-9 ._:/@+=,-]`, whatever the role is called.
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

    /// The MFA device whose code this source itself takes, not counting its base.
    pub fn mfa_serial(&self) -> Option<&str> {
        match self {
            Source::Role { role, .. } => role.mfa_serial.as_deref(),
            Source::Session { session, .. } => session.mfa_serial.as_deref(),
            _ => None,
        }
    }

    /// The source whose credentials sign the request to this one.
    pub fn base(&self) -> Option<&Source> {
        match self {
            Source::Role { base, .. } | Source::Session { base, .. } => Some(base),
            _ => None,
        }
    }

    /// Whether it asks STS, or its profile may name the one to ask. Metadata endpoints and Cloud9 do not: with a region in
    /// the request, its id would change with every `export AWS_REGION`, and so would the lease.
    pub fn asks_sts(&self) -> bool {
        !matches!(self, Source::Container { .. } | Source::Ec2 | Source::Cloud9 { .. })
    }

    /// The profile whose region and endpoints apply; for a role without one, its source profile.
    pub fn profile(&self) -> Option<&str> {
        match self {
            Source::Profile { name, .. } | Source::Role { role: Role { profile: Some(name), .. }, .. } => Some(name),
            // Cloud9's file gives the region of the environment in its default section.
            Source::Cloud9 { .. } => Some("default"),
            other => other.base()?.profile(),
        }
    }

    /// The source at the bottom of a chain of bases.
    pub fn root(&self) -> &Source {
        self.base().map_or(self, Source::root)
    }
}

/// The first 64 bits of SHA-256, as 16 lower-case hexadecimal digits.
fn digest(written: &[u8]) -> String {
    let digest = Sha256::digest(written);
    format!("{:016x}", digest.iter().take(8).fold(0, |id: u64, byte| id << 8 | u64::from(*byte)))
}

/// Replaces every character that a prompt may not show by `_`, and cuts the label to 64 characters.
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
