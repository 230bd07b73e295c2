//! A fake AWS STS that records the parameters of each request and answers as told. moto cannot be used for this: it
//! accepts any parameter, and its errors are not shaped like the real STS's.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use super::endpoint::{Behaviour, http_date, now, rfc3339};

/// One request: its form, and which key signed it for which region.
#[derive(Clone, Debug)]
pub struct Call {
    /// In the order received, decoded.
    pub form: Vec<(String, String)>,
    pub authorization: String,
    /// `X-Amz-Security-Token`.
    pub token: Option<String>,
}

impl Call {
    /// A parameter's value, or "" if it was not sent.
    pub fn get(&self, name: &str) -> &str {
        self.form.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    pub fn has(&self, name: &str) -> bool {
        self.form.iter().any(|(known, _)| known == name)
    }

    /// The access key id that signed it, or "" if it is unsigned.
    pub fn signer(&self) -> &str {
        self.scope().next().unwrap_or_default()
    }

    /// The region in the credential scope.
    pub fn region(&self) -> &str {
        self.scope().nth(2).unwrap_or_default()
    }

    fn scope(&self) -> impl Iterator<Item = &str> {
        let scope = self.authorization.split("Credential=").nth(1).unwrap_or_default();
        scope.split(',').next().unwrap_or_default().split('/')
    }
}

/// The last second of the year 9999.
const END: i64 = 253_402_300_799;

#[derive(Default)]
struct State {
    calls: Vec<Call>,
    /// The status and body to send instead of credentials, and how many times (`None`: always).
    fault: Option<(u16, String, Option<u32>)>,
    /// Lifetime in seconds; by default what the request asks for.
    life: Option<i64>,
    number: u32,
    /// Seconds added to the clock in `Date`.
    clock: i64,
    /// Replaces any other answer: see [`Sts::behave`].
    behaviour: Option<Behaviour>,
}

pub struct Sts {
    port: u16,
    state: Arc<Mutex<State>>,
}

impl Sts {
    /// Grants every request, for as long as it asks.
    pub fn start() -> Sts {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().filter_map(Result::ok) {
                let state = Arc::clone(&shared);
                thread::spawn(move || serve(stream, &state));
            }
        });
        Sts { port, state }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Refuses every request, with an error shaped like the real STS's.
    pub fn refuse(&self, status: u16, code: &str, message: &str) {
        self.answer(status, &error(code, message));
    }

    /// Answers every request with this status and body.
    pub fn answer(&self, status: u16, body: &str) {
        self.lock().fault = Some((status, body.into(), None));
    }

    /// Refuses the next `times` requests and grants the rest.
    pub fn refuse_times(&self, times: u32, status: u16, code: &str, message: &str) {
        self.lock().fault = Some((status, error(code, message), Some(times)));
    }

    pub fn yes(&self) {
        self.lock().fault = None;
        self.lock().behaviour = None;
    }

    /// Behaves like a container endpoint that is told so. Only `Answer`, `Close` and `Hang` are supported.
    pub fn behave(&self, behaviour: Behaviour) {
        self.lock().behaviour = Some(behaviour);
    }

    /// Makes credentials live this many seconds, whatever the request asks for.
    pub fn live(&self, life: i64) {
        self.lock().life = Some(life);
    }

    /// Sets the server's clock this many seconds ahead of the machine's.
    pub fn clock(&self, offset: i64) {
        self.lock().clock = offset;
    }

    /// Refuses each request as too old, with a `Date` at the end of the year 9999: the SDK corrects its clock by that,
    /// and cannot represent the result.
    pub fn end_of_time(&self) {
        self.refuse(403, "RequestTimeTooSkewed", "too old");
        self.clock(END);
    }

    pub fn calls(&self) -> Vec<Call> {
        self.lock().calls.clone()
    }

    /// The call, of which there must be exactly one.
    #[track_caller]
    pub fn call(&self) -> Call {
        let calls = self.calls();
        assert_eq!(calls.len(), 1, "{calls:?}");
        calls[0].clone()
    }

    /// The calls of one action.
    pub fn of(&self, action: &str) -> Vec<Call> {
        self.calls().into_iter().filter(|call| call.get("Action") == action).collect()
    }
}

fn error(code: &str, message: &str) -> String {
    format!(
        "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error><RequestId>0</RequestId></ErrorResponse>"
    )
}

fn serve(mut stream: TcpStream, state: &Mutex<State>) -> Option<()> {
    stream.set_read_timeout(Some(Duration::from_secs(30))).ok()?;
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut headers: Vec<(String, String)> = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        match line.trim_end() {
            "" => break,
            line => {
                headers
                    .extend(line.split_once(':').map(|(name, value)| (name.to_lowercase(), value.trim().to_owned())));
            }
        }
    }
    let header = |name: &str| headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    let mut body = vec![0; header("content-length")?.parse().ok()?];
    reader.read_exact(&mut body).ok()?;
    let form = String::from_utf8(body).ok()?;
    let form = form
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (decode(name), decode(value)))
        .collect();
    let call = Call {
        form,
        authorization: header("authorization").unwrap_or_default(),
        token: header("x-amz-security-token"),
    };
    let behaviour = state.lock().unwrap().behaviour.clone();
    let (status, headers, body) = match behaviour {
        None => {
            let (status, body) = answer(&mut state.lock().unwrap(), call);
            (status, "Content-Type: text/xml\r\n".into(), body)
        }
        Some(Behaviour::Answer { status, headers, body }) => (status, headers, body),
        Some(Behaviour::Close) => return Some(()),
        Some(Behaviour::Hang(time)) => {
            stream.set_read_timeout(Some(time)).ok()?;
            let _ = stream.read(&mut [0]);
            return Some(());
        }
        Some(other) => panic!("STS does not do this: {other:?}"),
    };
    let date = http_date((now() + state.lock().unwrap().clock).min(END));
    let head = format!(
        "HTTP/1.1 {status} X\r\nDate: {date}\r\nContent-Length: {}\r\nConnection: close\r\n{headers}\r\n",
        body.len()
    );
    stream.write_all(format!("{head}{body}").as_bytes()).ok()
}

fn answer(state: &mut State, call: Call) -> (u16, String) {
    let action = call.get("Action").to_owned();
    let asked = call.get("DurationSeconds").parse().unwrap_or(3600);
    state.calls.push(call);
    if let Some((status, body, times)) = state.fault.clone() {
        match times {
            None => return (status, body),
            Some(0) => {}
            Some(left) => {
                state.fault = Some((status, body.clone(), Some(left - 1)));
                return (status, body);
            }
        }
    }
    if action == "GetCallerIdentity" {
        let who = "<Arn>arn:aws:sts::123456789012:assumed-role/deploy/me</Arn><UserId>AROATEST:me</UserId><Account>123456789012</Account>";
        return (
            200,
            format!(
                "<{action}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><{action}Result>{who}</{action}Result></{action}Response>"
            ),
        );
    }
    state.number += 1;
    let (number, end) = (state.number, rfc3339(now() + state.life.unwrap_or(asked)));
    (200, credentials(&action, &format!("ASIASTS{number:04}"), &format!("sts-secret-{number}"), number, &end))
}

/// The answer that grants `action`.
pub fn credentials(action: &str, key: &str, secret: &str, number: u32, end: &str) -> String {
    format!(
        "<{action}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><{action}Result><Credentials><AccessKeyId>{key}</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey><SessionToken>sts-token-{number}</SessionToken><Expiration>{end}</Expiration></Credentials></{action}Result><ResponseMetadata><RequestId>0</RequestId></ResponseMetadata></{action}Response>"
    )
}

/// `application/x-www-form-urlencoded`.
fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next().unwrap(), rest.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            other => other,
        });
    }
    String::from_utf8(bytes).unwrap()
}
