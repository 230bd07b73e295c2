//! Foreign messages without secrets: an endpoint, a proxy or a process may echo what it was sent, or the credentials that
//! it gives, escaped in many ways. Which texts and which secrets these are is up to the caller.

use crate::credentials::Secret;
use crate::ui;

/// Foreign text for a message, without the secrets in `hidden`. They are taken out before the text is cut short, as half a
/// token would not be found; and it must come after JSON is parsed, which can spell a token in many ways.
pub fn told(text: &str, hidden: &[&Secret]) -> String {
    ui::clean(&without(text, hidden))
}

/// Foreign text with every plain occurrence of a secret replaced by `**`. HTML pages and echoed URLs escape characters, and
/// put tags in between. If a secret shows only when that is undone, the whole text becomes `**`: to find where such a token
/// begins and ends would take knowing every escape.
pub fn without(text: &str, hidden: &[&Secret]) -> String {
    let hidden = hidden.iter().filter(|secret| !secret.expose().is_empty());
    let text = hidden.clone().fold(text.to_owned(), |text, secret| text.replace(secret.expose(), "**"));
    let tokens: Vec<String> = hidden.flat_map(|secret| readings(secret.expose())).collect();
    // A credentials answer that was wrapped into a message, given away by its field's name, is not shown either.
    let held = |text: &String| {
        tokens.iter().any(|token| !token.is_empty() && text.contains(token))
            || text.to_ascii_lowercase().contains("secretaccesskey")
    };
    if readings(&text).iter().any(held) { "**".into() } else { text }
}

/// The characters of a text that no escaping changes.
fn letters(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).collect()
}

/// Escapes: how each begins, the base of its number, and its greatest number of digits.
const ESCAPES: [(&str, u32, usize); 6] =
    [("%", 16, 2), ("\\u", 16, 4), ("\\x", 16, 2), ("&#x", 16, 6), ("&#X", 16, 6), ("&#", 10, 7)];
/// Escapes may be nested; nobody nests them deeper.
const DEPTH: usize = 4;

/// The letters and digits of a text as it is and after each round of unescaping, each with its tags and without.
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
            // A named entity. Which one does not matter, as none stands for an ASCII letter or digit. The search for its
            // `;` ends with the name, or a body of nothing but `&` would be scanned to its end from each of them.
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

    /// If each escape were searched for to the end of the text, this would take many minutes.
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
