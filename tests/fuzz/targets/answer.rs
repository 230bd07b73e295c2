//! The body of the container endpoint's answer, any bytes: it yields credentials, or a message that is fit for a terminal.
#![no_main]

use credsh_fuzz::credentials::Secret;
use credsh_fuzz::expect::{PART, SECRET, is_fit_to_say, is_sound, is_taken_or_refused};
use credsh_fuzz::lease::Lease;
use credsh_fuzz::request::{Request, Source};
use credsh_fuzz::source::answer;
use credsh_fuzz::time::NEVER;
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value};

/// The endpoint's own token, which its answer may echo.
const TOKEN: &str = "the-token-of-the-endpoint";

fuzz_target!(|body: &[u8]| {
    let token = Secret::new(TOKEN);
    is_fit_to_say(&answer::message(body, &[&token]), TOKEN);
    match answer::credentials(body, &[&token]) {
        Err(reason) => is_fit_to_say(&reason, TOKEN),
        Ok(credentials) => {
            let expiration = credentials.expiration.expect("the endpoint always tells");
            assert!((0..NEVER).contains(&expiration));
            if let Some(credentials) = is_taken_or_refused(credentials) {
                let request = Request::of(Source::Container { uri: String::new() });
                for (life, skew) in [(1, 0), (600, 0), (43_200, -1200), (43_200, 10_000_000_000)] {
                    is_sound(&Lease::new(
                        request.clone(),
                        credentials.clone(),
                        (expiration - life - skew).max(0),
                        skew,
                    ));
                }
            }
        }
    }
    if let Ok(Value::Object(object)) = serde_json::from_slice(body) {
        nothing_of_a_secret_is_said(object);
    }
});

/// Tries the same answer with a secret planted in it, whole and cut off at places all over it.
fn nothing_of_a_secret_is_said(mut object: Map<String, Value>) {
    let is_secret =
        |name: &str| ["SecretAccessKey", "Token", "SessionToken"].iter().any(|known| known.eq_ignore_ascii_case(name));
    let others: Map<_, _> =
        object.iter().filter(|(name, _)| !is_secret(name)).map(|(n, v)| (n.clone(), v.clone())).collect();
    if serde_json::to_string(&others).expect("was read").contains(PART) {
        return;
    }
    for (_, value) in object.iter_mut().filter(|(name, _)| is_secret(name)) {
        *value = SECRET.into();
    }
    let whole = serde_json::to_vec(&object).expect("was read");
    let ends = (0..whole.len()).step_by(whole.len() / 8 + 1).chain([whole.len()]);
    for end in ends {
        let part = &whole[..end];
        is_fit_to_say(&answer::message(part, &[]), PART);
        is_fit_to_say(&answer::message(&[b"<p>500: ", part].concat(), &[]), PART);
        if let Err(reason) = answer::credentials(part, &[]) {
            is_fit_to_say(&reason, PART);
        }
    }
}
