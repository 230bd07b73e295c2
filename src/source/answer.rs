//! What a metadata endpoint or a process says, as text: credentials, or why there are none. Pure; asking is up to
//! `container`, `ec2` and `process`.
//!
//! Whatever is repeated of it is fit for a terminal. It holds neither what is `hidden`, the tokens that an endpoint may
//! echo, nor anything from where an answer has its secrets.

use serde_json::{Map, Value};

use crate::credentials::{Credentials, Secret};
use crate::{redact, time, ui};

/// The credentials in an answer, under any of the names and spellings that SDKs accept; or what is wrong with it. `Type`
/// and `LastUpdated` are ignored: CloudShell sends the one empty and the other as 1970.
pub fn credentials(body: &[u8], hidden: &[&Secret]) -> Result<Credentials, String> {
    let Ok(Value::Object(object)) = serde_json::from_slice(body) else {
        return Err("the answer is not a JSON object".into());
    };
    let text = |names: &[&str]| match field(&object, names) {
        None | Some(Value::Null) => Err(format!("{} is missing", names[0])),
        Some(Value::String(text)) => Ok(text.as_str()),
        Some(_) => Err(format!("{} is not a string", names[0])),
    };
    match text(&["Code"]) {
        Err(reason) if reason.ends_with("missing") => {}
        Ok("Success") => {}
        Ok(code) => {
            let message = text(&["Message"]).unwrap_or("no message");
            return Err(format!("its Code is {}: {}", redact::told(code, hidden), redact::told(message, hidden)));
        }
        Err(reason) => return Err(reason),
    }
    let expiration = text(&["Expiration", "ExpiresAt"])?;
    let expiration = time::parse_rfc3339(expiration)
        .ok_or_else(|| format!("Expiration is not a time: {}", redact::told(expiration, hidden)))?;
    Ok(Credentials {
        access_key_id: text(&["AccessKeyId"])?.into(),
        secret_access_key: Secret::new(text(&["SecretAccessKey"])?),
        session_token: Some(Secret::new(text(&["Token", "SessionToken"])?)),
        expiration: Some(expiration),
    })
}

/// The credentials that a `credential_process` printed (AWS SDKs and Tools Reference, "Process credential provider"), with
/// names in any case, as in the SDKs; or what is wrong, without quoting any of it, as a secret may be anywhere in it.
pub fn of_process(printed: &[u8]) -> Result<Credentials, String> {
    let Ok(Value::Object(object)) = serde_json::from_slice(printed) else {
        return Err("did not print exactly one JSON object".into());
    };
    if field(&object, &["Version"]).and_then(Value::as_i64) != Some(1) {
        return Err("printed an object whose Version is not 1".into());
    }
    let text = |name: &str| match field(&object, &[name]) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str())),
        Some(_) => Err(format!("printed an object whose {name} is not a string")),
    };
    let needed = |name: &str| text(name)?.ok_or_else(|| format!("printed an object without {name}"));
    let end = |text| time::parse_far_rfc3339(text).ok_or("printed an object whose Expiration is not a time");
    Ok(Credentials {
        access_key_id: needed("AccessKeyId")?.into(),
        secret_access_key: Secret::new(needed("SecretAccessKey")?),
        session_token: text("SessionToken")?.filter(|token| !token.is_empty()).map(Secret::new),
        expiration: text("Expiration")?.map(end).transpose()?,
    })
}

/// The message in the body of an error: `code` and `message` of a JSON object, else the text. Other JSON is not quoted,
/// complete or not, as it may be the credentials themselves, sent with a wrong status.
pub fn message(body: &[u8], hidden: &[&Secret]) -> String {
    let text = match serde_json::from_slice(body) {
        Ok(Value::Object(object)) => {
            let parts: Vec<&str> =
                ["code", "message"].iter().filter_map(|name| field(&object, &[name])?.as_str()).collect();
            return redact::told(&parts.join(": "), hidden);
        }
        Ok(Value::String(text)) => text,
        _ if matches!(body.trim_ascii_start().first(), Some(b'{' | b'[')) => return String::new(),
        _ => String::from_utf8_lossy(body).into_owned(),
    };
    // From here on it may be part of a credentials answer, with its secrets further back.
    let starts_object = |(at, _): &(usize, &str)| text[at + 1..].trim_start().starts_with('"');
    let text = &text[..text.match_indices('{').find(starts_object).map_or(text.len(), |(at, _)| at)];
    // CloudShell's 503 is an HTML page; the message is what is left without the tags.
    let text: String = redact::without(text, hidden).chars().take(4096).collect();
    ui::clean(&redact::without_tags(&text))
}

fn field<'a>(object: &'a Map<String, Value>, names: &[&str]) -> Option<&'a Value> {
    names.iter().find_map(|name| object.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"Type":"","LastUpdated":"1970-01-01T00:00:00Z","AccessKeyId":"ASIA1","SecretAccessKey":"s","Token":"t","Expiration":"2024-10-10T08:44:18Z","Code":"Success"}"#;

    #[test]
    fn answers_as_they_are_in_the_wild() {
        let good = credentials(GOOD.as_bytes(), &[]).unwrap();
        assert_eq!((good.access_key_id.as_str(), good.expiration), ("ASIA1", Some(1_728_549_858)));
        let other = credentials(
            br#"{"accesskeyid":"A","secretaccesskey":"s","sessiontoken":"t","expiresat":"2024-10-10T08:44:18Z"}"#,
            &[],
        )
        .unwrap();
        assert_eq!(other.session_token.unwrap().expose(), "t");
    }

    #[test]
    fn each_broken_answer_has_words_of_its_own() {
        let cases = [
            (GOOD.replace("\"Expiration\"", "\"x\""), "Expiration is missing"),
            (GOOD.replace("2024-10-10T08:44:18Z", "soon"), "Expiration is not a time: soon"),
            (
                GOOD.replace("2024-10-10T08:44:18Z", "2024-10-10T08:44:18"),
                "Expiration is not a time: 2024-10-10T08:44:18",
            ),
            (GOOD.replace("\"ASIA1\"", "null"), "AccessKeyId is missing"),
            (GOOD.replace("\"s\"", "7"), "SecretAccessKey is not a string"),
            (GOOD.replace("Success", "Failed"), "its Code is Failed: no message"),
            ("<html>".into(), "the answer is not a JSON object"),
            (String::new(), "the answer is not a JSON object"),
            ("[".repeat(100_000), "the answer is not a JSON object"),
        ];
        for (body, reason) in cases {
            assert_eq!(credentials(body.as_bytes(), &[]).unwrap_err(), reason);
        }
    }

    #[test]
    fn error_bodies() {
        assert_eq!(message(br#"{"code":"BadThing","message":"nope"}"#, &[]), "BadThing: nope");
        assert_eq!(message(b"<html><h1>503</h1>\n<p>try later</p></html>", &[]), "503 try later");
        assert_eq!(message(b"\x1b[2Jplain\n", &[]), "[2Jplain");
    }

    #[test]
    fn the_token_is_not_repeated_however_it_is_spelled() {
        let token = Secret::new("to/ken");
        for body in
            [r#"{"message":"no: to/ken"}"#, r#"{"message":"no: to\/ken"}"#, r#""no: to\/ken""#, "no: <b>to/ken</b>"]
        {
            assert_eq!(message(body.as_bytes(), &[&token]), "no: **");
        }
        let refused = credentials(br#"{"Code":"No","Message":"no: to\u002fken"}"#, &[&token]);
        assert_eq!(refused.unwrap_err(), "its Code is No: no: **");
    }

    #[test]
    fn half_an_answer_is_not_repeated() {
        for whole in [GOOD.to_owned(), format!("error 500: {GOOD}"), format!("<p>{GOOD}</p>"), format!("[{GOOD}]")] {
            let half = &whole[..whole.find("\"Token").unwrap()];
            assert!(half.contains("\"s\""), "the control: a secret is in it");
            assert!(!message(half.as_bytes(), &[]).contains('"'), "{half}");
        }
    }
}
