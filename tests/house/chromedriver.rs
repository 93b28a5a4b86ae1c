//! One chromedriver for all browsers of a test process. It ends when the last of them is closed.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

static RUNNING: Mutex<Weak<Chromedriver>> = Mutex::new(Weak::new());

/// The process between us and the browsers.
pub struct Chromedriver {
    process: Mutex<Child>,
    port: u16,
}

impl Chromedriver {
    /// The one that runs, or a new one on a free port.
    pub fn shared() -> Arc<Self> {
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        running.upgrade().unwrap_or_else(|| {
            let started = Arc::new(Self::start());
            *running = Arc::downgrade(&started);
            started
        })
    }

    /// The port that it is given may be taken in the other family of addresses, and then it ends at once.
    fn start() -> Self {
        (0..5).find_map(|_| Self::try_start()).expect("chromedriver ended before it was ready, five times")
    }

    fn try_start() -> Option<Self> {
        let mut process = Command::new("chromedriver")
            .args(["--port=0", "--log-level=SEVERE"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("chromedriver cannot be started: {error}; run `tests/run`"));
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let Some(port) = lines.by_ref().find_map(|line| announced_port(&line.ok()?)) else {
            process.wait().unwrap();
            return None;
        };
        // It must be able to go on writing.
        std::thread::spawn(move || lines.for_each(drop));
        Some(Self { process: Mutex::new(process), port })
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Closes a browser and waits for it: plain blocking HTTP, so that it works while a test panics.
    pub fn close(&self, session: &str) -> std::io::Result<()> {
        let mut line = TcpStream::connect(("127.0.0.1", self.port))?;
        line.set_read_timeout(Some(Duration::from_secs(10)))?;
        write!(line, "DELETE /session/{session} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")?;
        // The answer comes once the browser has ended; the driver then leaves the line open.
        line.read(&mut [0; 1024]).map(drop)
    }
}

impl Drop for Chromedriver {
    fn drop(&mut self) {
        let process = self.process.get_mut().unwrap_or_else(PoisonError::into_inner);
        let _ = process.kill();
        let _ = process.wait();
    }
}

/// "ChromeDriver was started successfully on port 12345."
fn announced_port(line: &str) -> Option<u16> {
    line.split_once("successfully on port ")?.1.trim_end_matches('.').parse().ok()
}
