//! moto, a stand-in for AWS that keeps track of callers, roles and sessions, so that the real AWS CLI and boto3 can use
//! what credsh handed out. For tests of what STS is sent, and of its errors, `sts` is the better stand-in.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

pub struct Moto {
    port: u16,
    /// A shell that runs moto, and kills it when this test binary is gone: a `static` is never dropped.
    holder: Child,
}

/// A program of the Python environment that `tests/setup.sh` creates for the tests.
pub fn tool(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/venv/bin").join(name);
    assert!(path.exists(), "{} is missing: run tests/setup.sh", path.display());
    path
}

impl Moto {
    /// The instance that this test binary's tests share: it takes seconds to start, and they do not disturb each other.
    pub fn shared() -> &'static Moto {
        static MOTO: OnceLock<Moto> = OnceLock::new();
        MOTO.get_or_init(Moto::start)
    }

    /// Tries another port if nothing answers: another process may have taken the first before moto could bind it.
    fn start() -> Moto {
        let end = Instant::now() + Duration::from_mins(2);
        loop {
            let moto = Moto::at_a_free_port();
            let patience = Instant::now() + Duration::from_secs(30);
            while Instant::now() < patience {
                if moto.answers() {
                    return moto;
                }
                thread::sleep(Duration::from_millis(100));
            }
            assert!(Instant::now() < end, "moto does not start");
        }
    }

    fn at_a_free_port() -> Moto {
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let script = r#""$@" >/dev/null 2>&1 & pid=$!; read -r _; kill $pid"#;
        let mut holder = Command::new("sh");
        holder.args(["-c", script, "sh"]).arg(tool("moto_server")).args(["-H", "127.0.0.1", "-p", &port.to_string()]);
        Moto { port, holder: holder.stdin(Stdio::piped()).spawn().unwrap() }
    }

    fn answers(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) else { return false };
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let mut answer = [0; 12];
        let asked = stream.write_all(b"GET /moto-api/ HTTP/1.0\r\n\r\n").and_then(|()| stream.read_exact(&mut answer));
        asked.is_ok() && answer.ends_with(b"200")
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        let _ = self.holder.wait();
    }
}
