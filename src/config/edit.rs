//! Edits sections of a config file as text: finds, puts in and takes out, with every other byte as it was. Pure; the file
//! itself is `command::profile`'s.

use std::ops::Range;

/// Where the section of profile `name` is: from its header to the next one, or to the end. Blank lines and comments right
/// before the next header belong to the next section.
pub fn section(text: &str, name: &str) -> Option<Range<usize>> {
    let mut start = None;
    let mut end = text.len();
    for (at, line) in lines(text) {
        match (header(line), start) {
            (Some(found), None) if found == name => start = Some(at),
            (Some(_), Some(_)) => {
                end = at;
                break;
            }
            _ => {}
        }
    }
    let start = start?;
    let tail: usize = text[start..end]
        .split_inclusive('\n')
        .rev()
        .take_while(|line| line.trim().is_empty() || line.starts_with(['#', ';']))
        .map(str::len)
        .sum();
    Some(start..end - tail)
}

/// Whether every reader accepts this as a profile's name. (The Rust SDK silently skips a section with any other.)
pub fn is_name(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.@+/:-".contains(&b))
}

/// A section for a profile that gets its credentials from `command`; `None` if a config file cannot hold that: the Rust SDK
/// cuts a value off at ` #` and ` ;`, in quotes or not.
pub fn process(name: &str, command: &str) -> Option<String> {
    let mut behind_space = true;
    let comment = |c: char| std::mem::replace(&mut behind_space, c.is_whitespace()) && matches!(c, '#' | ';');
    let whole = command.trim() == command && !command.contains(char::is_control) && !command.chars().any(comment);
    (whole && is_name(name)).then(|| format!("[profile {name}]\ncredential_process = {command}\n"))
}

/// The lines of profile `name` to keep when a section from [`process`] replaces it: those that do not say where credentials
/// come from, and whose key is not in `also`, each with the indented lines that continue it.
pub fn kept(text: &str, name: &str, also: &[&str]) -> String {
    let lines = section(text, name).map_or("", |range| &text[range]).split_inclusive('\n').skip(1);
    // An indented line right below the header continues nothing, and would continue the last line of the new section.
    let mut left_out = true;
    let keep = |line: &&str| {
        if line.trim().is_empty() || line.starts_with(['#', ';']) {
            return true;
        }
        if !line.starts_with(char::is_whitespace) {
            // botocore also accepts a colon between key and value.
            let key = line.split(['=', ':']).next().unwrap_or_default().trim().to_ascii_lowercase();
            left_out = OF_CREDENTIALS.iter().any(|known| key.starts_with(known)) || also.contains(&&*key);
        }
        !left_out
    };
    lines.filter(keep).collect()
}

/// How the keys begin that say where a profile's credentials come from, or belong to them.
const OF_CREDENTIALS: [&str; 15] = [
    "aws_access_key_id",
    "aws_account_id",
    "aws_secret_access_key",
    "aws_security_token",
    "aws_session_token",
    "credential_process",
    "credential_source",
    "duration_seconds",
    "external_id",
    "login_session",
    "mfa_serial",
    "role_",
    "source_profile",
    "sso_",
    "web_identity_token_file",
];

/// The text with `section_text` in place of profile `name`'s section, or at its end if there is none.
pub fn put(text: &str, name: &str, section_text: &str) -> String {
    if let Some(range) = section(text, name) {
        return format!("{}{section_text}{}", &text[..range.start], &text[range.end..]);
    }
    let gap = match text {
        "" => "",
        text if text.ends_with('\n') => "\n",
        _ => "\n\n",
    };
    format!("{text}{gap}{section_text}")
}

/// The text without profile `name`'s section, and without the blank line that set it apart.
pub fn take(text: &str, name: &str) -> String {
    let Some(range) = section(text, name) else { return text.to_owned() };
    let (before, after) = (&text[..range.start], &text[range.end..]);
    let before = if after.is_empty() {
        before.strip_suffix("\n\n").map_or(before, |_| &before[..before.len() - 1])
    } else {
        before
    };
    let after =
        if before.is_empty() || before.ends_with("\n\n") { after.strip_prefix('\n').unwrap_or(after) } else { after };
    format!("{before}{after}")
}

/// The names of the profiles, in the order of the text; `""` for sections of other kinds.
pub fn names(text: &str) -> Vec<String> {
    lines(text).filter_map(|(_, line)| header(line)).map(str::to_owned).collect()
}

fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split_inclusive('\n').scan(0, |at, line| {
        let start = *at;
        *at += line.len();
        Some((start, line))
    })
}

/// What the SDK's parser counts as white space within a line.
const BLANK: [char; 2] = [' ', '\t'];

/// The name in `[profile NAME]` or `[default]`; `""` for any other section, which ends a profile all the same.
fn header(line: &str) -> Option<&str> {
    // The header ends at the last bracket outside a comment, as in the SDK.
    let inside = line.strip_prefix('[')?.split(['#', ';']).next()?;
    let inside = inside.rsplit_once(']').map_or(inside, |(inside, _)| inside).trim_matches(BLANK);
    // Kind and name are divided at a blank; the SDK then trims other white space off both halves.
    Some(match inside.split_once(BLANK) {
        // botocore takes a name in quotes for the name itself.
        Some((kind, name)) if kind.trim() == "profile" => name.trim().trim_matches(['"', '\'']),
        None if inside.trim() == "default" => "default",
        _ => "",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW: &str = "[profile new]\ncredential_process = credsh export\n";

    #[test]
    fn what_was_put_in_comes_out_again() {
        for text in [
            "",
            "[default]\nregion = x\n",
            "[default]\r\nregion = x\r\n\r\n",
            "# only a comment\n",
            "[profile a]\nk = v\n\n[profile b]\n\n",
        ] {
            let with = put(text, "new", NEW);
            assert!(with.starts_with(text) && with.ends_with(NEW), "{with:?}");
            assert_eq!(take(&with, "new"), text);
        }
        assert_eq!(put("[default]", "new", NEW), format!("[default]\n\n{NEW}"), "a last line without an end gets one");
    }

    #[test]
    fn what_is_not_about_credentials_is_kept() {
        let text = "[profile a] # mine\n  odd\nRegion = x\nrole_arn = r\nsource_profile = b\n# about s3\ns3 =\n  max = 1\n\n  min = 0\nSSO_session=s\ncredential_process = p\n  more\noutput: text\r\n\n# about b\n[profile b]\nregion = y\n";
        assert_eq!(kept(text, "a", &[]), "Region = x\n# about s3\ns3 =\n  max = 1\n\n  min = 0\noutput: text\r\n");
        assert_eq!(kept(text, "a", &["region", "s3"]), "# about s3\n\noutput: text\r\n");
        assert_eq!([kept(text, "c", &[]), kept("[profile c]", "c", &[])], [""; 2]);
    }

    /// The SDK's parser reads the profile before and after.
    #[test]
    fn a_replaced_profile_has_its_other_keys_and_no_other_credentials() {
        use std::collections::BTreeMap;

        use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
        use proptest::sample::subsequence;

        const KEPT: [&str; 4] = ["region", "output", "s3.max", "cli_pager"];
        const LINES: [&str; 12] = [
            "region = x",
            "output=text",
            "s3 =\n  max = 1",
            "cli_pager =",
            "credential_process = other\n  more",
            "role_arn = r",
            "source_profile = b",
            "sso_account_id = 1",
            "aws_access_key_id = k\naws_secret_access_key = s",
            "# a comment",
            "",
            "login_session = l",
        ];
        let read = |text: &str| {
            let files = EnvConfigFiles::builder().with_contents(EnvConfigFileKind::Config, text).build();
            let profile = crate::config::sections(&files).unwrap().get_profile("new").cloned().unwrap();
            let all = KEPT.into_iter().chain(crate::config::GIVE_CREDENTIALS).map(|key| key.replace('.', "::"));
            all.filter_map(|key| Some((key.clone(), profile.get(&key)?.to_owned()))).collect::<BTreeMap<_, _>>()
        };
        let cases = subsequence(LINES.to_vec(), 0..=LINES.len());
        crate::properties::for_all(300, &proptest::strategy::Strategy::prop_shuffle(cases), |lines| {
            let text = format!("[profile new]\n{}\n[profile b]\nregion = y\n", lines.join("\n"));
            let with = put(&text, "new", &format!("{NEW}{}", kept(&text, "new", &[])));
            let mut wanted = read(&text);
            wanted.retain(|key, _| !crate::config::GIVE_CREDENTIALS.contains(&key.as_str()));
            wanted.insert("credential_process".into(), "credsh export".into());
            assert_eq!(read(&with), wanted, "{with}");
            assert!(with.ends_with("[profile b]\nregion = y\n"), "{with}");
        });
    }

    #[test]
    fn what_a_reader_would_cut_off_is_not_written() {
        assert_eq!(process("new", "credsh export").as_deref(), Some(NEW));
        assert!(process("new", "'/opt/a#1;b/credsh' export").is_some(), "the control");
        for command in ["'/opt/a #1/credsh' export", "'/opt/a ;b/credsh' export", "#a", "a\nb", " a"] {
            assert_eq!(process("new", command), None, "{command:?}");
        }
        assert_eq!([process("a=b", "credsh"), process("a,b", "credsh"), process("", "credsh")], [None, None, None]);
    }

    #[test]
    fn a_section_ends_where_the_next_ones_comment_begins() {
        let text = "[ profile  a ] # mine\nk = v\n  nested = 1\n\n# about b\n[profile b]\nk = w\n";
        assert_eq!(&text[section(text, "a").unwrap()], "[ profile  a ] # mine\nk = v\n  nested = 1\n");
        assert_eq!(put(text, "a", "[profile a]\nx = y\n"), "[profile a]\nx = y\n\n# about b\n[profile b]\nk = w\n");
        assert!(section("[profile 'a']\n", "a").is_some() && section("[profile \"a\"]\n", "a").is_some());
        assert_eq!(section(text, "c"), None);
        assert_eq!(names(text), ["a", "b"]);
    }

    #[test]
    fn white_space_of_a_header_is_the_sdks() {
        assert_eq!(
            names("[profile\u{c} b]\n[profile\u{c}b]\n[\tdefault\u{c}]\n[profile \u{c}c ]\n"),
            ["b", "", "default", "c"]
        );
    }

    #[test]
    fn only_a_header_is_a_header() {
        let text = "[profile a]\nk = [profile b]\n[sso-session b]\n[services b]\n";
        assert_eq!(section(text, "b"), None);
        assert_eq!(&text[section(text, "a").unwrap()], "[profile a]\nk = [profile b]\n");
        assert_eq!(section("[profile a] b]\n[default]; c]\n", "a"), None);
        assert_eq!(names("[profile a] b]\n[default]; c]\n[profile d]#]\n"), ["a] b", "default", "d"]);
    }
}
