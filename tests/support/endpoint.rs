//! A container credentials endpoint of our own, as nothing real exists to test against: settable life, rotation and
//! faults, and a record of every request.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What the endpoint wants in `Authorization`.
pub const TOKEN: &str = "test-authorization-token";
/// Another that it takes, with all that a real one may have in it.
pub const BASE64: &str = "test/F1x+base64=to-ken==";
/// One with its scheme.
pub const BEARER: &str = "Bearer abcdefghijklmnop";
pub const PATH: &str = "/latest/meta-data/container/security-credentials";
/// Where it is EKS's, with the same tokens.
pub const EKS: &str = "/v1/credentials";

/// What it does with a request that has the right path and token.
#[derive(Clone, Debug)]
pub enum Behaviour {
    /// Credentials.
    Good,
    /// This status and body, with these further header lines.
    Answer { status: u16, headers: String, body: String },
    /// These bytes, then close: whatever HTTP they are.
    Raw(Vec<u8>),
    /// Close without a word.
    Close,
    /// Say nothing for this long, then close.
    Hang(Duration),
    /// Credentials, this long after the request.
    Slow(Duration),
    /// Credentials, as soon as it is told to behave otherwise.
    Held,
    /// Credentials, a byte each `Duration`.
    Trickle(Duration),
}

/// When new credentials are made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rotation {
    /// In the second half of their life, like CloudShell's.
    HalfLife,
    /// With every request.
    Always,
    /// Never: the same Expiration for ever.
    Never,
}

#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub path: String,
    /// Lower-case names.
    pub headers: Vec<(String, String)>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

struct State {
    behaviour: Behaviour,
    rotation: Rotation,
    life: i64,
    number: u32,
    ends: i64,
    /// Added to the clock in `Date` and Expiration.
    clock: i64,
    /// Replaces fields of a good answer: name, JSON text.
    fields: Vec<(String, String)>,
    /// Whether it gives a token to who asks for one.
    puts: bool,
    requests: Vec<Request>,
}

pub struct Endpoint {
    port: u16,
    state: Arc<Mutex<State>>,
}

impl Endpoint {
    /// Good credentials that live `life` seconds.
    pub fn start(life: i64) -> Endpoint {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = State {
            behaviour: Behaviour::Good,
            rotation: Rotation::HalfLife,
            life,
            number: 0,
            ends: 0,
            clock: 0,
            fields: Vec::new(),
            puts: true,
            requests: Vec::new(),
        };
        let state = Arc::new(Mutex::new(state));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().filter_map(Result::ok) {
                let state = Arc::clone(&shared);
                thread::spawn(move || serve(stream, &state));
            }
        });
        Endpoint { port, state }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// As CloudShell spells it.
    pub fn uri(&self) -> String {
        format!("http://localhost:{}{PATH}", self.port)
    }

    pub fn behave(&self, behaviour: Behaviour) {
        self.lock().behaviour = behaviour;
    }

    pub fn answer(&self, status: u16, body: &str) {
        self.behave(Behaviour::Answer { status, headers: String::new(), body: body.into() });
    }

    pub fn rotate(&self, rotation: Rotation) {
        self.lock().rotation = rotation;
    }

    /// From the next rotation on.
    pub fn live(&self, life: i64) {
        self.lock().life = life;
    }

    /// Makes the next request rotate.
    pub fn expire(&self) {
        self.lock().ends = 0;
    }

    /// Sets the server's clock apart from the machine's.
    pub fn clock(&self, offset: i64) {
        self.lock().clock = offset;
    }

    /// Replaces (or adds) one field of good answers: its JSON text, or "" to leave it out.
    pub fn field(&self, name: &str, json: &str) {
        let fields = &mut self.lock().fields;
        fields.retain(|(known, _)| known != name);
        fields.push((name.into(), json.into()));
    }

    /// Knows nothing of the dialect with PUT from now on.
    pub fn without_put(&self) {
        self.lock().puts = false;
    }

    /// The access key id it served last.
    pub fn key(&self) -> String {
        key(self.lock().number)
    }

    pub fn requests(&self) -> Vec<Request> {
        self.lock().requests.clone()
    }

    /// How many requests for credentials it has had.
    pub fn count(&self) -> usize {
        self.lock().requests.iter().filter(|request| request.method == "GET").count()
    }
}

fn key(number: u32) -> String {
    format!("ASIATEST{number:04}")
}

pub fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().try_into().unwrap()
}

/// RFC 3339 in UTC (days-to-civil after Howard Hinnant's `civil_from_days`).
pub fn rfc3339(time: i64) -> String {
    let (days, seconds) = (time.div_euclid(86400), time.rem_euclid(86400));
    let z = days + 719_468;
    let (era, doe) = (z.div_euclid(146_097), z.rem_euclid(146_097));
    let yoe = (doe - doe / 1460 + doe / 36524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let (day, month) = (doy - (153 * mp + 2) / 5 + 1, if mp < 10 { mp + 3 } else { mp - 9 });
    let year = yoe + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// An HTTP `Date`; the name of the day is not looked at by anybody, but must be one.
pub fn http_date(time: i64) -> String {
    let text = rfc3339(time);
    let month = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        [text[5..7].parse::<usize>().unwrap() - 1];
    let weekday = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
        [usize::try_from(time.div_euclid(86400).rem_euclid(7)).unwrap()];
    format!("{weekday}, {} {month} {} {} GMT", &text[8..10], &text[0..4], &text[11..19])
}

fn serve(mut stream: TcpStream, state: &Mutex<State>) -> Option<()> {
    stream.set_read_timeout(Some(Duration::from_secs(30))).ok()?;
    let mut lines =
        BufReader::new(stream.try_clone().ok()?).lines().map_while(Result::ok).take_while(|line| !line.is_empty());
    let first = lines.next()?;
    let mut words = first.split(' ').map(str::to_owned);
    let (method, path) = (words.next()?, words.next()?);
    let headers = lines
        .filter_map(|line| line.split_once(':').map(|(name, value)| (name.to_lowercase(), value.trim().to_owned())));
    let request = Request { method, path, headers: headers.collect() };
    let (behaviour, puts, date) = {
        let mut state = state.lock().unwrap();
        state.requests.push(request.clone());
        (state.behaviour.clone(), state.puts, http_date(now() + state.clock))
    };
    let mut answer = |status: u16, headers: &str, body: &str| {
        let head = format!(
            "HTTP/1.1 {status} X\r\nDate: {date}\r\nContent-Length: {}\r\nConnection: close\r\n{headers}\r\n",
            body.len()
        );
        stream.write_all(format!("{head}{body}").as_bytes()).ok()
    };
    if puts && request.method == "PUT" && request.path == "/latest/api/token" {
        return answer(200, "", "session-token-of-put");
    }
    if !request.path.split('?').next().is_some_and(|path| [PATH, EKS].contains(&path)) {
        return answer(404, "", r#"{"code":"NotFound","message":"no such path"}"#);
    }
    let allowed = request.header("authorization").is_some_and(|token| [TOKEN, BASE64, BEARER].contains(&token))
        || request.header("x-aws-ec2-metadata-token") == Some("session-token-of-put");
    if !allowed {
        return answer(403, "", r#"{"message":"Forbidden"}"#);
    }
    match behaviour {
        Behaviour::Good => answer(200, "Content-Type: application/json\r\n", &credentials(state)),
        Behaviour::Answer { status, headers, body } => answer(status, &headers, &body),
        Behaviour::Raw(bytes) => stream.write_all(&bytes).ok(),
        Behaviour::Close => Some(()),
        Behaviour::Hang(time) => {
            stream.set_read_timeout(Some(time)).ok()?;
            let _ = stream.read(&mut [0]);
            Some(())
        }
        Behaviour::Slow(time) => {
            thread::sleep(time);
            answer(200, "", &credentials(state))
        }
        Behaviour::Held => {
            while matches!(state.lock().unwrap().behaviour, Behaviour::Held) {
                thread::sleep(Duration::from_millis(20));
            }
            answer(200, "", &credentials(state))
        }
        Behaviour::Trickle(pause) => {
            let body = credentials(state);
            stream.write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes()).ok()?;
            for byte in body.bytes() {
                stream.write_all(&[byte]).ok()?;
                thread::sleep(pause);
            }
            Some(())
        }
    }
}

fn credentials(state: &Mutex<State>) -> String {
    let mut state = state.lock().unwrap();
    let now = now() + state.clock;
    let left = state.ends - now;
    let first = state.number == 0;
    if first || state.rotation == Rotation::Always || (state.rotation == Rotation::HalfLife && left <= state.life / 2) {
        state.number += 1;
        state.ends = now + state.life;
    }
    let number = state.number;
    let mut fields: Vec<(String, String)> = [
        ("Type", r#""""#.to_owned()),
        ("AccessKeyId", format!("\"{}\"", key(number))),
        ("SecretAccessKey", format!("\"test-secret-{number}\"")),
        ("Token", format!("\"test-token-{number}\"")),
        ("Expiration", format!("\"{}\"", rfc3339(state.ends))),
        ("LastUpdated", r#""1970-01-01T00:00:00Z""#.to_owned()),
        ("Code", r#""Success""#.to_owned()),
    ]
    .map(|(name, json)| (name.to_owned(), json))
    .to_vec();
    for (name, json) in &state.fields {
        fields.retain(|(known, _)| known != name);
        if !json.is_empty() {
            fields.push((name.clone(), json.clone()));
        }
    }
    let body: Vec<String> = fields.iter().map(|(name, json)| format!("\"{name}\":{json}")).collect();
    format!("{{{}}}", body.join(","))
}
