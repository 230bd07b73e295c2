//! Sections of a config file as text: found, put in and taken out, with every other byte as it was. Pure.

use std::ops::Range;

/// Where the section of profile `name` is: from its header to the next, or to the end. The blank lines and comments
/// before the next header belong to that.
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

/// What every reader takes for a profile's name. (The Rust SDK silently leaves out a section with another.)
pub fn is_name(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.@+/:-".contains(&b))
}

/// The section of a profile that runs `command` for its credentials; `None` if a config file cannot hold that: the Rust
/// SDK cuts a value off at ` #` and ` ;`, in quotes or not.
pub fn process(name: &str, command: &str) -> Option<String> {
    let mut behind_space = true;
    let comment = |c: char| std::mem::replace(&mut behind_space, c.is_whitespace()) && matches!(c, '#' | ';');
    let whole = command.trim() == command && !command.contains(char::is_control) && !command.chars().any(comment);
    (whole && is_name(name)).then(|| format!("[profile {name}]\ncredential_process = {command}\n"))
}

/// The text with `section` in place of profile `name`'s, or at its end.
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

/// The profiles' names, in order.
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

/// White space within a line, to the SDK's parser.
const BLANK: [char; 2] = [' ', '\t'];

/// The name in `[profile NAME]` or `[default]`; `""` for a section of another kind, which ends a profile all the same.
fn header(line: &str) -> Option<&str> {
    // Up to the last bracket that is not in a comment, as to the SDK.
    let inside = line.strip_prefix('[')?.split(['#', ';']).next()?;
    let inside = inside.rsplit_once(']').map_or(inside, |(inside, _)| inside).trim_matches(BLANK);
    // Blanks divide it; the SDK then takes other white space off both halves.
    Some(match inside.split_once(BLANK) {
        // botocore takes the name in quotes for the same.
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
