//! An endpoint that echoes its token: not even a part of it is shown, wherever a message is cut short.

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
