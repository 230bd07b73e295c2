//! The EC2 metadata service, and everything it may be feared to answer: to the request for a token, for the list of roles, and
//! for the credentials. `trust.rs` has who else may see them.

mod support;

use support::Sandbox;
use support::endpoint::{Behaviour, Endpoint, PUT, ROLES, SESSION};

/// As if another request could be sent: there is no `Connection: close`.
#[test]
fn connections_that_are_closed_unannounced() {
    let endpoint = Endpoint::start(600);
    let raw = |body: &str| {
        let ttl = "X-aws-ec2-metadata-token-ttl-seconds: 21600";
        Behaviour::Last(format!("HTTP/1.1 200 OK\r\n{ttl}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into())
    };
    endpoint.behave_at(PUT, raw(SESSION));
    endpoint.behave_at(ROLES, raw("instance-role"));
    Sandbox::on_ec2(&endpoint).credsh(&["export"]).ok();
    assert_eq!(endpoint.requests().len(), 3, "none had to be sent again");
}
