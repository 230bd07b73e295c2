//! An endpoint that echoes what it was sent: no part of a token is shown, wherever the message is cut short and however
//! the token is spelt. Credentials that come where an error is expected are not shown either.

mod support;

use support::Sandbox;
use support::endpoint::{BASE64, BEARER, Endpoint, TOKEN};
use support::sts::Sts;

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

/// Real tokens are Base64, whose `/` and `=` many JSON writers escape.
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

/// HTML pages, URLs, JSON within a string: tokens spelt like that are not searched for, and nothing of
/// such a message is shown.
#[test]
fn no_token_in_any_other_spelling() {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint).with("AWS_CONTAINER_AUTHORIZATION_TOKEN", BASE64);
    let each = |write: &dyn Fn(char) -> String| BASE64.chars().map(write).collect::<String>();
    let symbols = |write: &dyn Fn(u32) -> String| {
        each(&|c| if c.is_ascii_alphanumeric() { c.to_string() } else { write(c.into()) })
    };
    let named = |c| ["&sol;", "&plus;", "&equals;", "&hyphen;"]["/+=-".find(c).unwrap()].to_owned();
    let written = [
        symbols(&|c| format!("%{c:02X}")),
        symbols(&|c| format!("%{c:02x}")),
        symbols(&|c| format!("%25{c:02X}")),
        symbols(&|c| format!("&#x{c:X};")),
        symbols(&|c| format!("&#X{c:x};")),
        symbols(&|c| format!("&#{c};")),
        symbols(&|c| format!("&amp;#{c};")),
        symbols(&|c| format!("&#{c:07}")),
        symbols(&|c| format!("\\u{c:04x}")),
        symbols(&|c| format!("\\x{c:02x}")),
        symbols(&|c| format!("\\{}", char::from_u32(c).unwrap())),
        each(&|c| if c.is_ascii_alphanumeric() { c.to_string() } else { named(c) }),
        each(&|c| format!("%{:02X}", u32::from(c))),
        each(&|c| format!("&#{};", u32::from(c))),
        BASE64.replace('/', "<wbr>/"),
        BASE64.replace('F', "<b>F</b>"),
        BASE64.replace('+', "\n+"),
    ];
    let json = |text: &str| serde_json::to_string(text).unwrap();
    for token in written {
        let told = format!("it was {token} and more");
        for (status, body) in [
            (403, told.clone()),
            (404, format!("<html><h1>404</h1><p>{told}</p></html>")),
            (403, format!("{{\"message\":{}}}", json(&told))),
            (200, format!("{{\"Code\":\"Failed\",\"Message\":{}}}", json(&told))),
            (200, format!("{{\"AccessKeyId\":\"A\",\"Expiration\":{}}}", json(&told))),
        ] {
            endpoint.answer(status, &body);
            let run = sandbox.credsh(&["export"]);
            assert!(run.stderr.contains(": **\n") && !run.stderr.contains("it was"), "{body}: {run:?}");
        }
    }
    // The control: a message with escapes but no token is shown.
    endpoint.answer(403, "100% of &quot;it&quot; was %2F &#47; <b>not</b> test/F1x+base64");
    let run = sandbox.credsh(&["export"]);
    assert!(run.stderr.contains(": 100% of &quot;it&quot; was %2F &#47; not test/F1x+base64\n"), "{run:?}");
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

/// An endpoint may show a part of what it was sent, or the decoded form.
#[test]
fn nor_a_part_of_what_was_sent() {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint)
        .with("AWS_CONTAINER_AUTHORIZATION_TOKEN", BEARER)
        .with("AWS_CONTAINER_CREDENTIALS_FULL_URI", &format!("{}?sig=qrst%2Buvwx%2Fyz01%3D", endpoint.uri()));
    for told in ["token abcdefghijklmnop", "signature qrst+uvwx/yz01=", "signature qrst%2Buvwx%2Fyz01%3D"] {
        endpoint.answer(403, told);
        let run = sandbox.credsh(&["export", "--no-store"]);
        assert!(!run.stderr.contains("efgh") && !run.stderr.contains("qrst"), "{run:?}");
        assert!(run.stderr.contains("**"), "the control: it came as far as that: {run:?}");
    }
}

/// An answer that has been wrapped into a message.
#[test]
fn nor_credentials_in_a_message() {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    for body in [
        r#"{"message":"it said {\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"BURIED\"}"}"#,
        "error: {'SecretAccessKey': 'BURIED'}",
        "<pre>{&quot;SecretAccessKey&quot;:&quot;BURIED&quot;}</pre>",
        r#"error: "{\"SecretAccessKey\":\"BURIED\"}""#,
        "aws_secret_access_key = BURIED",
    ] {
        endpoint.answer(500, body);
        let run = sandbox.credsh(&["export", "--no-store"]);
        assert!(run.stderr.contains("answered with status 500"), "the control: {run:?}");
        assert!(!run.stderr.contains("BURIED"), "{run:?}");
    }
}

/// If the signature is wrong, the real STS shows the canonical string, which has the session token in it.
#[test]
fn nor_what_sts_was_sent() {
    let (endpoint, sts) = (Endpoint::start(600), Sts::start());
    let role = "arn:aws:iam::123456789012:role/deploy";
    let sandbox = Sandbox::in_cloudshell(&endpoint).with("AWS_ENDPOINT_URL_STS", &sts.url());
    let echo = "x-amz-security-token:test-token-1 signed with test-secret-1";
    sts.refuse(403, "SignatureDoesNotMatch", echo);
    let said = sandbox
        .credsh(&["export", "--role", role])
        .fails(4, &["failed with SignatureDoesNotMatch: x-amz-security-token:** signed with **\n"]);
    assert!(!said.contains("test-token") && !said.contains("test-secret"), "{said}");
    sandbox.credsh(&["whoami"]).fails(
        4,
        &["sts:GetCallerIdentity failed with SignatureDoesNotMatch: x-amz-security-token:** signed with **\n"],
    );
    sts.refuse(403, "test-token-1", "see &amp;#116;est-secret-1");
    sandbox.credsh(&["export", "--role", role]).fails(4, &["failed with **: **\n"]);
    let user = Sandbox::new().with("AWS_ACCESS_KEY_ID", "AKIATEST").with("AWS_SECRET_ACCESS_KEY", "long-term-secret");
    sts.refuse(403, "Odd", "it was long-term-secret");
    user.with("AWS_ENDPOINT_URL_STS", &sts.url()).credsh(&["export"]).fails(4, &["failed with Odd: it was **\n"]);
    let pod = Sandbox::new().with("AWS_ENDPOINT_URL_STS", &sts.url()).with("AWS_ROLE_ARN", role);
    let token = pod.file("jwt", "header.payload.signature\n");
    sts.refuse(403, "Odd", "it was header.payload.signature");
    let run = pod.command(support::CREDSH).arg("export").env("AWS_WEB_IDENTITY_TOKEN_FILE", token).output().unwrap();
    support::Run::of(run).fails(4, &["failed with Odd: it was **\n"]);
}
