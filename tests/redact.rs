//! An endpoint that echoes what it was sent: not even a part of a token is shown, wherever a message is cut short and
//! however it is written. Nor are credentials that come where an error is expected.

mod support;

use support::Sandbox;
use support::endpoint::{Endpoint, TOKEN};

#[test]
fn no_part_of_the_token_where_a_message_is_cut_short() {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    for before in 280..300 {
        let told = format!("{} {TOKEN} and more", "x".repeat(before));
        for (status, body) in [
            (403, told.clone()),
            (403, format!("{{\"message\":\"{told}\"}}")),
            (200, format!("{{\"Code\":\"Failed\",\"Message\":\"{told}\"}}")),
        ] {
            endpoint.answer(status, &body);
            let run = sandbox.credsh(&["export"]);
            assert!(run.stderr.contains(&"x".repeat(before)), "the control: {run:?}");
            assert!(!run.stderr.contains(&TOKEN[..4]), "{run:?}");
        }
    }
}

/// Real tokens are Base64, whose `/` and `=` many writers of JSON escape.
#[test]
fn no_token_however_json_writes_it() {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let escaped = TOKEN.replace('-', "\\u002d");
    for (status, body) in [
        (403, format!("{{\"message\":\"it was {escaped}\"}}")),
        (200, format!("{{\"Code\":\"it was {escaped}\"}}")),
        (200, format!("{{\"Code\":\"Failed\",\"Message\":\"it was {escaped}\"}}")),
        (200, format!("{{\"AccessKeyId\":\"A\",\"Expiration\":\"it was {escaped}\"}}")),
    ] {
        endpoint.answer(status, &body);
        let run = sandbox.credsh(&["export"]);
        assert!(run.stderr.contains("it was **"), "{run:?}");
        assert!(!run.stderr.contains(TOKEN), "{run:?}");
    }
}

#[test]
fn nor_the_token_that_was_put() {
    let endpoint = Endpoint::start(600);
    let mut sandbox = Sandbox::in_cloudshell(&endpoint);
    sandbox.unset("AWS_CONTAINER_AUTHORIZATION_TOKEN");
    for status in [403, 503] {
        endpoint.answer(status, "it was session-token-of-put");
        let before = endpoint.requests().len();
        let run = sandbox.credsh(&["export"]);
        assert!(run.stderr.contains("it was **\n"), "{run:?}");
        let asked = endpoint.requests().split_off(before);
        let put = asked.iter().filter(|request| request.method == "PUT").count();
        assert!(put == 1 && (status != 503 || asked.len() > 2), "one for all tries: {asked:?}");
    }
}

#[test]
fn nor_credentials_under_another_status() {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let whole = r#"{"AccessKeyId":"ASIAX","SecretAccessKey":"a-secret","Token":"a-token"}"#;
    for body in [whole, &whole[..40], &format!(" [{whole}]"), &format!("{whole} {whole}")] {
        endpoint.answer(404, body);
        let message = "credsh: the container endpoint (cloudshell) answered with status 404\n";
        assert_eq!(sandbox.credsh(&["export"]).fails(4, &[]), message);
    }
    endpoint.answer(404, "no {such} thing");
    sandbox.credsh(&["export"]).fails(4, &["status 404: no {such} thing\n"]);
}
