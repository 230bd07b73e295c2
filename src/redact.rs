//! What another has said, without the secrets that it was sent or may give: an endpoint, a proxy or a process may echo them,
//! in many spellings.

use crate::credentials::Secret;
use crate::ui;

/// Foreign words for a message. A token is taken out before they are cut short: half a token would not be found; and after
/// JSON is read, in which it can be spelled in many ways.
pub fn told(text: &str, hidden: &[&Secret]) -> String {
    ui::clean(&without(text, hidden))
}

/// Pages of HTML and echoed URLs have spellings of their own, and tags in between. What has a token in one of those is not
/// shown at all: to find where it begins and ends would be to know them all.
pub fn without(text: &str, hidden: &[&Secret]) -> String {
    let hidden = hidden.iter().filter(|secret| !secret.expose().is_empty());
    let text = hidden.clone().fold(text.to_owned(), |text, secret| text.replace(secret.expose(), "**"));
    let tokens: Vec<String> = hidden.flat_map(|secret| readings(secret.expose())).collect();
    // Nor is an answer that was wrapped into a message.
    let held = |text: &String| {
        tokens.iter().any(|token| !token.is_empty() && text.contains(token))
            || text.to_ascii_lowercase().contains("secretaccesskey")
    };
    if readings(&text).iter().any(held) { "**".into() } else { text }
}

/// All of a text that no spelling changes.
fn letters(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).collect()
}

/// How an escape begins, its number's base and greatest number of digits.
const ESCAPES: [(&str, u32, usize); 6] =
    [("%", 16, 2), ("\\u", 16, 4), ("\\x", 16, 2), ("&#x", 16, 6), ("&#X", 16, 6), ("&#", 10, 7)];
/// Escapes within escapes, as deep as anybody writes them.
const DEPTH: usize = 4;

/// The letters of a text as it is and after each round of unescaping, with its tags and without.
fn readings(text: &str) -> Vec<String> {
    let rounds = std::iter::successors(Some(text.to_owned()), |text| Some(unescaped(text)));
    rounds.take(1 + DEPTH).flat_map(|text| [letters(&text), letters(&without_tags(&text))]).collect()
}

fn unescaped(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let read = ESCAPES.iter().find_map(|(prefix, base, most)| {
            let number = rest.strip_prefix(prefix)?;
            let digits = number.chars().take(*most).take_while(|digit| digit.is_digit(*base)).count();
            let c = u32::from_str_radix(number.get(..digits)?, *base).ok().and_then(char::from_u32)?;
            Some((c, &number[digits..]))
        });
        let read = read.or_else(|| {
            // Which one does not matter: none stands for a letter or a digit. Looked for no further than a name goes: else a
            // body of nothing but these would be read again from each to its end.
            let name = rest.strip_prefix('&')?.trim_start_matches(|c: char| c.is_ascii_alphabetic());
            Some(('&', name.strip_prefix(';')?))
        });
        let (c, after) = read.unwrap_or((c, &rest[c.len_utf8()..]));
        plain.push(c);
        rest = after;
    }
    plain
}

pub fn without_tags(text: &str) -> String {
    let mut inside = false;
    let mut shown = String::new();
    for c in text.chars() {
        match c {
            '<' => inside = true,
            '>' => (inside, shown) = (false, shown + " "),
            _ if !inside => shown.push(c),
            _ => {}
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Read from each escape to the end of the text it would take many minutes.
    #[test]
    fn a_long_text_is_read_once() {
        let token = Secret::new("to/ken");
        let text = "&".repeat(1_000_000);
        assert_eq!(told(&text, &[&token]), ui::clean(&text));
        assert_eq!(told(&(text + "&#116;o/ken"), &[&token]), "**", "the control: it is read to the end");
    }

    #[test]
    fn no_token_is_no_part_of_every_text() {
        assert_eq!(told("a text", &[&Secret::new("")]), "a text");
    }
}
