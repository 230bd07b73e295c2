//! The flags that say which credentials are meant, shared by every command that takes them, and the patterns that AWS
//! documents for their values, so that a typo is found here and not by a server. What they mean is up to `request`.

use clap::{Args, ValueEnum};

// Which credentials are meant.
#[derive(Args, Clone, Debug, Default, PartialEq)]
#[command(next_help_heading = "Which credentials")]
pub struct Selectors {
    /// Where to take them from, instead of the container endpoint or the SDK's default chain
    #[arg(long, value_enum, value_name = "KIND")]
    pub source: Option<SourceKind>,
    /// A profile of ~/.aws/config or ~/.aws/credentials
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// Assume this role with them
    #[arg(long, value_name = "ARN", value_parser = role_arn)]
    pub role: Option<String>,
    /// How long the role's credentials last: 900, 15m, 1h; 15 min to 12 h, at most 1 h with role chaining
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub duration: Option<u32>,
    /// The role session's name in CloudTrail [default: YYYYmmddHHMMSS-session]
    #[arg(long, value_name = "NAME", requires = "role", value_parser = session_name)]
    pub session_name: Option<String>,
    /// The external ID that the role's trust policy requires
    #[arg(long, value_name = "ID", requires = "role", value_parser = external_id)]
    pub external_id: Option<String>,
    /// The MFA device, as a serial number or ARN; its code is asked for on the terminal, never by the hook
    #[arg(long, value_name = "SERIAL", value_parser = mfa_serial)]
    pub mfa_serial: Option<String>,
    /// The region whose STS endpoint to use
    #[arg(long, value_name = "REGION", value_parser = region)]
    pub region: Option<String>,
}

impl Selectors {
    /// Whether no flag was given, so that the shell's own lease is meant.
    pub fn is_empty(&self) -> bool {
        self.words().is_empty()
    }

    /// The flags as words of a command line, for the hook to repeat.
    pub fn words(&self) -> Vec<String> {
        let kind = self.source.and_then(|kind| Some(kind.to_possible_value()?.get_name().to_owned()));
        let duration = self.duration.map(|seconds| seconds.to_string());
        let flags = [
            ("--source", &kind),
            ("--profile", &self.profile),
            ("--role", &self.role),
            ("--duration", &duration),
            ("--session-name", &self.session_name),
            ("--external-id", &self.external_id),
            ("--mfa-serial", &self.mfa_serial),
            ("--region", &self.region),
        ];
        flags.iter().filter_map(|(flag, value)| value.as_ref().map(|value| format!("{flag}={value}"))).collect()
    }
}

/// The values of `--source`; clap shows the variants' comments as help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SourceKind {
    /// The container endpoint: CloudShell, ECS, EKS Pod Identity
    Container,
    /// A profile, whichever way it gives credentials
    Profile,
    /// A profile's IAM Identity Center session
    Sso,
    /// The AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN variables
    WebIdentity,
    /// A profile's credential_process
    Process,
    /// The credentials file that Cloud9 manages
    Cloud9,
    /// The EC2 instance profile
    Ec2,
    /// The AWS_ACCESS_KEY_ID variable and its companions
    Env,
}

/// Checks `--role` against the pattern of a role's ARN.
///
/// # Errors
/// The message for the person.
pub fn role_arn(text: &str) -> Result<String, String> {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let account = |id: &str| id.len() == 12 && id.bytes().all(|b| b.is_ascii_digit());
    match parts[..] {
        ["arn", partition, "iam", "", id, role]
            if partition.starts_with("aws")
                && account(id)
                && role.len() > 5
                && role.starts_with("role/")
                && plain(text)
                && text.len() <= 2048 =>
        {
            Ok(text.into())
        }
        _ => Err("not a role ARN such as arn:aws:iam::123456789012:role/NAME".into()),
    }
}

fn plain(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_graphic())
}

/// Reads `--duration`, in seconds: STS takes 900 to 43200 for a role.
fn duration(text: &str) -> Result<u32, String> {
    match seconds(text) {
        Some(seconds @ 900..=43200) => Ok(seconds),
        Some(_) => Err("AWS accepts 15 minutes (900) to 12 hours (43200)".into()),
        None => Err("expected seconds, or a number with m or h, as in 15m or 1h".into()),
    }
}

/// Reads seconds, or a number with `s`, `m`, `min` or `h`; `None` for anything else.
pub fn seconds(text: &str) -> Option<u32> {
    let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let factor = match unit {
        "" | "s" => 1,
        "m" | "min" => 60,
        "h" => 3600,
        _ => return None,
    };
    digits.parse::<u32>().ok()?.checked_mul(factor)
}

/// AWS's pattern: `[\w+=,.@-]{2,64}`.
fn session_name(text: &str) -> Result<String, String> {
    let ok =
        (2..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b));
    if ok { Ok(text.into()) } else { Err("AWS accepts 2 to 64 letters, digits and _+=,.@-".into()) }
}

/// AWS's pattern: `[\w+=,.@:\/-]{2,1224}`.
fn external_id(text: &str) -> Result<String, String> {
    let ok = (2..=1224).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_+=,.@:/-".contains(&b));
    if ok { Ok(text.into()) } else { Err("AWS accepts 2 to 1224 letters, digits and _+=,.@:/-".into()) }
}

/// AWS's pattern: `[\w+=/:,.@-]{9,256}`.
fn mfa_serial(text: &str) -> Result<String, String> {
    let ok =
        (9..=256).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_+=/:,.@-".contains(&b));
    if ok { Ok(text.into()) } else { Err("AWS accepts a serial number or an ARN of 9 to 256 characters".into()) }
}

/// Checks a region's name, which becomes part of a host name.
pub fn region(text: &str) -> Result<String, String> {
    let ok = (1..=63).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if ok { Ok(text.into()) } else { Err("not a region name such as eu-central-1".into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(duration("900"), Ok(900));
        assert_eq!(duration("15m"), Ok(900));
        assert_eq!(duration("12h"), Ok(43200));
        for bad in ["", "h", "1d", "14m", "13h", "-1h", "99999999h", "1.5h"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn role_arns() {
        for good in ["arn:aws:iam::123456789012:role/deploy", "arn:aws-cn:iam::123456789012:role/path/to/deploy"] {
            assert_eq!(role_arn(good).as_deref(), Ok(good));
        }
        for bad in [
            "deploy",
            "arn:aws:iam::123456789012:user/me",
            "arn:aws:iam::12345:role/x",
            "arn:aws:iam::123456789012:role/",
            "arn:aws:iam::123456789012:role/a b",
        ] {
            assert!(role_arn(bad).is_err(), "{bad}");
        }
    }
}
