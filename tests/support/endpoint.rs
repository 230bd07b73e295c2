//! A fake container credentials endpoint, as there is no real one to test against: lifetime, rotation and faults can be
//! set, and every request is recorded. It is also an EC2 metadata service (IMDSv2) with one role.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The token that the endpoint requires in `Authorization`.
pub const TOKEN: &str = "test-authorization-token";
/// Another token that it accepts, with every kind of character that a real one may contain.
pub const BASE64: &str = "test/F1x+base64=to-ken==";
/// A third, which includes the scheme.
pub const BEARER: &str = "Bearer abcdefghijklmnop";
pub const PATH: &str = "/latest/meta-data/container/security-credentials";
/// The path on EKS, with the same tokens.
pub const EKS: &str = "/v1/credentials";
/// Where clients PUT for a session token: the only way on EC2, and an alternative on CloudShell.
pub const PUT: &str = "/latest/api/token";
/// EC2's list of roles, and the prefix of the path of each role's credentials.
pub const ROLES: &str = "/latest/meta-data/iam/security-credentials/";
/// The session token that a PUT yields.
pub const SESSION: &str = "session-token-of-put";

/// How it answers a request with the right path and token.
#[derive(Clone, Debug)]
pub enum Behaviour {
    /// Sends credentials.
    Good,
    /// Sends this status and body, with these additional header lines.
    Answer { status: u16, headers: String, body: String },
    /// Sends this status once, and credentials from then on.
    Once(u16),
    /// Sends these bytes, whether they are HTTP or not, and closes.
    Raw(Vec<u8>),
    /// Sends these bytes on a connection that seems reusable (no `Connection: close`), but closes it when
    /// the next request arrives.
    Last(Vec<u8>),
    /// Closes without sending anything.
    Close,
    /// Sends nothing for this long, then closes.
    Hang(Duration),
    /// Sends credentials, this long after the request.
    Slow(Duration),
    /// Sends credentials, but only once it is told to behave in another way.
    Held,
    /// Sends credentials, one byte per `Duration`.
    Trickle(Duration),
}

/// When it issues new credentials.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rotation {
    /// In the second half of their life, as CloudShell does.
    HalfLife,
    /// With every request.
    Always,
    /// Never: the Expiration stays the same.
    Never,
}

#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub path: String,
    /// The names are in lower case.
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
    /// Seconds added to the clock in `Date` and Expiration.
    clock: i64,
    /// Fields that replace those of a good answer: name, JSON text.
    fields: Vec<(String, String)>,
    /// The behaviour at these paths, which takes precedence over `behaviour`.
    at: Vec<(&'static str, Behaviour)>,
    requests: Vec<Request>,
}

pub struct Endpoint {
    port: u16,
    state: Arc<Mutex<State>>,
}

impl Endpoint {
    /// Sends good credentials that live `life` seconds.
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
            at: Vec::new(),
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

    /// The endpoint's URI, spelt as in CloudShell.
    pub fn uri(&self) -> String {
        format!("http://localhost:{}{PATH}", self.port)
    }

    pub fn behave(&self, behaviour: Behaviour) {
        self.lock().behaviour = behaviour;
    }

    /// Sets the behaviour at [`PUT`] or [`ROLES`] only; by default both answer well.
    pub fn behave_at(&self, path: &'static str, behaviour: Behaviour) {
        let at = &mut self.lock().at;
        at.retain(|(known, _)| *known != path);
        at.push((path, behaviour));
    }

    pub fn answer(&self, status: u16, body: &str) {
        self.behave(Behaviour::Answer { status, headers: String::new(), body: body.into() });
    }

    pub fn rotate(&self, rotation: Rotation) {
        self.lock().rotation = rotation;
    }

    /// Sets the life in seconds, from the next rotation on.
    pub fn live(&self, life: i64) {
        self.lock().life = life;
    }

    /// Makes the next request rotate.
    pub fn expire(&self) {
        self.lock().ends = 0;
    }

    /// Sets the endpoint's clock this many seconds ahead of the machine's.
    pub fn clock(&self, offset: i64) {
        self.lock().clock = offset;
    }

    /// Replaces or adds one field of good answers; `json` is its JSON text, or "" to leave the field out.
    pub fn field(&self, name: &str, json: &str) {
        let fields = &mut self.lock().fields;
        fields.retain(|(known, _)| known != name);
        fields.push((name.into(), json.into()));
    }

    /// From now on answers each PUT with 404, as an endpoint without that dialect does.
    pub fn without_put(&self) {
        self.behave_at(PUT, Behaviour::Answer { status: 404, headers: String::new(), body: String::new() });
    }

    /// The access key id that it served last.
    pub fn key(&self) -> String {
        key(self.lock().number)
    }

    pub fn requests(&self) -> Vec<Request> {
        self.lock().requests.clone()
    }

    /// How many requests for credentials it has received.
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

/// An HTTP `Date`. Nobody compares the name of the day, but it has to be one.
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
    let (behaviour, date) = {
        let mut state = state.lock().unwrap();
        state.requests.push(request.clone());
        let at = state.at.iter().find(|(path, _)| *path == request.path).map(|(_, behaviour)| behaviour.clone());
        let good =
            |body: &str, headers: &str| Behaviour::Answer { status: 200, headers: headers.into(), body: body.into() };
        let behaviour = match request.path.as_str() {
            PUT => at.unwrap_or_else(|| good(SESSION, "X-aws-ec2-metadata-token-ttl-seconds: 21600\r\n")),
            ROLES => at.unwrap_or_else(|| good("instance-role", "")),
            _ => state.behaviour.clone(),
        };
        if let Behaviour::Once(_) = behaviour {
            state.behaviour = Behaviour::Good;
        }
        (behaviour, http_date(now() + state.clock))
    };
    let mut answer = |status: u16, headers: &str, body: &str| {
        let head = format!(
            "HTTP/1.1 {status} X\r\nDate: {date}\r\nContent-Length: {}\r\nConnection: close\r\n{headers}\r\n",
            body.len()
        );
        stream.write_all(format!("{head}{body}").as_bytes()).ok()
    };
    let put = request.method == "PUT" && request.path == PUT;
    let known =
        request.path.split('?').next().is_some_and(|path| [PATH, EKS].contains(&path) || path.starts_with(ROLES));
    if !put && !known {
        return answer(404, "", r#"{"code":"NotFound","message":"no such path"}"#);
    }
    let allowed = put
        || request.header("authorization").is_some_and(|token| [TOKEN, BASE64, BEARER].contains(&token))
        || request.header("x-aws-ec2-metadata-token") == Some(SESSION);
    if !allowed {
        return answer(403, "", r#"{"message":"Forbidden"}"#);
    }
    match behaviour {
        Behaviour::Good => answer(200, "Content-Type: application/json\r\n", &credentials(state)),
        Behaviour::Answer { status, headers, body } => answer(status, &headers, &body),
        Behaviour::Once(status) => answer(status, "", ""),
        Behaviour::Raw(bytes) => stream.write_all(&bytes).ok(),
        Behaviour::Last(bytes) => {
            stream.write_all(&bytes).ok()?;
            let _ = stream.read(&mut [0]);
            Some(())
        }
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
