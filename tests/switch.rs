//! A role, assumed with the container endpoint's credentials, in real shells and against moto's STS: the exported values
//! are those of the role, as the AWS CLI sees them.

mod support;

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use support::Sandbox;
use support::endpoint::Endpoint;
use support::pty::Shell;

in_every_shell! { refresh_to_a_role_and_the_aws_cli_is_that_role }

fn refresh_to_a_role_and_the_aws_cli_is_that_role(shell: Shell) {
    let (endpoint, moto) = (Endpoint::start(600), Moto::start());
    let sandbox = Sandbox::in_cloudshell(&endpoint)
        .with("AWS_ENDPOINT_URL_STS", &moto.url())
        .with("AWS_DEFAULT_REGION", "eu-west-1");
    let mut session = shell.start(&sandbox);
    assert_eq!(session.key(), "ASIATEST0001");
    let arn = "arn:aws:iam::123456789012:role/deploy";
    let said = session.run(&format!("credsh refresh --role {arn} --session-name tested"));
    assert!(said.starts_with("credsh: renewed: role:deploy "), "{said}");
    assert!(session.prompt().starts_with("[role:deploy "), "{}", session.prompt());
    assert_eq!(session.var("CREDSH_SOURCE"), "role:deploy");
    assert!(!session.key().starts_with("ASIATEST"));
    let prefixed = "AWS_ACCESS_KEY_ID=$TEMPORARY_AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY=$TEMPORARY_AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN=$TEMPORARY_AWS_SESSION_TOKEN";
    let aws = venv("aws");
    sandbox.file("who", &format!("env {prefixed} {aws} sts get-caller-identity --query Arn --output text\n"));
    assert_eq!(session.run("sh ~/who"), "arn:aws:sts::123456789012:assumed-role/deploy/tested");
    // Back to the container's own, and to the role again: each lease is its own.
    let (container, role) = (endpoint.count(), session.key());
    session.run("credsh refresh --source container");
    assert_eq!(session.key(), "ASIATEST0001");
    assert!(session.prompt().starts_with("[cloudshell "), "{}", session.prompt());
    session.run(&format!("credsh refresh --role {arn} --session-name tested"));
    assert_eq!(session.key(), role, "it was still fresh");
    assert_eq!(endpoint.count(), container, "and nobody was asked");
}

/// moto's server on a port of its own. Ended when dropped.
struct Moto {
    server: Child,
    port: u16,
}

impl Moto {
    fn start() -> Moto {
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let mut command = Command::new(venv("moto_server"));
        command
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let moto = Moto { server: command.spawn().expect("tests/setup.sh has installed moto"), port };
        let end = Instant::now() + Duration::from_secs(60);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < end, "moto_server does not answer");
            thread::sleep(Duration::from_millis(100));
        }
        moto
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// A program of the tests' Python.
fn venv(program: &str) -> String {
    format!("{}/target/venv/bin/{program}", env!("CARGO_MANIFEST_DIR"))
}
