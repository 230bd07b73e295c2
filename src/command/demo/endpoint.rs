//! The demo's fake CloudShell endpoint: one path, one token, and credentials that live 20 s and, like CloudShell's, rotate
//! when they are asked for in the second half of their life. With as much of STS as is likely to be typed there.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::env::Env;
use crate::request::CLOUDSHELL_PATH;
use crate::time::{Epoch, format_rfc3339};

/// How long the credentials live, in seconds.
pub const LIFE: Epoch = 20;

/// A listening endpoint; its thread ends with the process.
pub struct Endpoint {
    pub port: u16,
    pub token: String,
}

/// The credentials being served: their number, and when they end in epoch seconds.
type Current = (u32, Epoch);

impl Endpoint {
    /// Listens on a free port of the loopback interface.
    pub fn start(env: Env) -> io::Result<Endpoint> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let port = listener.local_addr()?.port();
        let token = format!("demo-{:x}", env.random().to_bits());
        let (expected, current) = (token.clone(), Arc::new(Mutex::new((0, 0))));
        thread::spawn(move || {
            for stream in listener.incoming().filter_map(Result::ok) {
                let (env, expected, current) = (env.clone(), expected.clone(), Arc::clone(&current));
                thread::spawn(move || serve(&stream, &expected, &current, env.now()));
            }
        });
        Ok(Endpoint { port, token })
    }
}

fn serve(stream: &TcpStream, expected: &str, current: &Mutex<Current>, now: Epoch) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut reader = BufReader::new(stream);
    let lines = reader.by_ref().lines().map_while(Result::ok);
    let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let first = head.first().map_or("", String::as_str);
    let headers = || head.iter().filter_map(|line| line.split_once(": "));
    let header = |wanted: &str| headers().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value);
    if first.starts_with("POST / ") {
        let length = header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        let mut form = String::new();
        reader.take(length).read_to_string(&mut form)?;
        let said = if form.contains("Action=AssumeRole&") { assumed(now) } else { IDENTITY.into() };
        return answer(stream, "200 OK", "text/xml", &said);
    }
    let wanted = first.starts_with(&format!("GET {CLOUDSHELL_PATH} "));
    let allowed = header("authorization") == Some(expected);
    let (status, body) = match (wanted, allowed) {
        (false, _) => ("404 Not Found", json!({ "code": "NotFound", "message": "no such path" })),
        (_, false) => ("403 Forbidden", json!({ "code": "Forbidden", "message": "wrong token" })),
        _ => ("200 OK", credentials(current, now)),
    };
    answer(stream, status, "application/json", &body.to_string())
}

/// STS's answer to every call but AssumeRole: who the demo's keys belong to.
const IDENTITY: &str = "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
    <Arn>arn:aws:sts::123456789012:assumed-role/demo/credsh</Arn><UserId>AROADEMO:credsh</UserId>\
    <Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>";

/// STS's answer to AssumeRole for any role: new credentials each time, as from STS, and as short-lived as the others.
fn assumed(now: Epoch) -> String {
    format!(
        "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult><Credentials>\
        <AccessKeyId>ASIADEMOROLE{now}</AccessKeyId><SecretAccessKey>demo-secret-role</SecretAccessKey>\
        <SessionToken>demo-token-role</SessionToken><Expiration>{}</Expiration>\
        </Credentials></AssumeRoleResult></AssumeRoleResponse>",
        format_rfc3339(now + LIFE)
    )
}

fn answer(mut stream: &TcpStream, status: &str, kind: &str, body: &str) -> io::Result<()> {
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}

fn credentials(current: &Mutex<Current>, now: Epoch) -> serde_json::Value {
    let mut current = current.lock().unwrap_or_else(PoisonError::into_inner);
    if current.1 - now <= LIFE / 2 {
        *current = (current.0 + 1, now + LIFE);
    }
    let (number, ends) = *current;
    json!({
        "Type": "", "Code": "Success", "LastUpdated": "1970-01-01T00:00:00Z", "Expiration": format_rfc3339(ends),
        "AccessKeyId": format!("ASIADEMO{number:04}"), "SecretAccessKey": format!("demo-secret-{number}"), "Token": format!("demo-token-{number}"),
    })
}
