//! A real DNS server on loopback: Debian's `dnsmasq`.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, ChildStderr, Command, Stdio};

use super::ports::free_port;

/// Longest character string inside a TXT record (RFC 1035, section 3.3).
const STRING: usize = 255;

/// A running server; it ends when this is dropped.
pub struct DnsZone {
    pub port: u16,
    server: Server,
}

impl DnsZone {
    /// Knows these TXT records and says NXDOMAIN to every other name. A value may not hold a comma; one of
    /// more than 255 bytes becomes several strings of one record.
    pub fn with_txt(records: &[(&str, &str)]) -> Self {
        Self::with(&arguments(records))
    }

    /// Knows nothing and says REFUSED.
    pub fn refusing() -> Self {
        Self::with(&[])
    }

    /// With further arguments of `dnsmasq`.
    pub fn with(arguments: &[String]) -> Self {
        let port = free_port();
        let server = Server::start(port, arguments).expect("dnsmasq does not start: is it installed?");
        Self { port, server }
    }

    /// Forgets all records for these, on the same port.
    pub fn restart_with_txt(&mut self, records: &[(&str, &str)]) {
        self.server.stop();
        self.server = Server::start(self.port, &arguments(records)).expect("the port is still free");
    }

    /// Starts again with these arguments of `dnsmasq`, on the same port.
    pub fn restart_with(&mut self, arguments: &[String]) {
        self.server.stop();
        self.server = Server::start(self.port, arguments).expect("the port is still free");
    }

    /// From now on says REFUSED, on the same port.
    pub fn restart_refusing(&mut self) {
        self.server.stop();
        self.server = Server::start(self.port, &[]).expect("the port is still free");
    }

    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }
}

/// The argument by which a name server of a name is known.
pub fn nameserver(name: &str, server: &str) -> String {
    let mut wire = String::new();
    for label in server.split('.') {
        wire += &format!("{:02x}", label.len());
        wire.extend(label.bytes().map(|byte| format!("{byte:02x}")));
    }
    format!("--dns-rr={name},2,{wire}00")
}

/// The arguments for these TXT records.
pub fn arguments(records: &[(&str, &str)]) -> Vec<String> {
    let mut arguments = vec!["--local=/#/".to_owned()];
    for (name, value) in records {
        assert!(!value.contains(','), "a comma would split the record");
        let strings: Vec<_> = value.as_bytes().chunks(STRING).map(String::from_utf8_lossy).collect();
        arguments.push(format!("--txt-record={name},{}", strings.join(",")));
    }
    arguments
}

struct Server {
    child: Child,
    /// Kept open, so that the server can go on writing.
    _log: BufReader<ChildStderr>,
}

impl Server {
    /// Waits until the server says that it has started; `None` if it ends before.
    fn start(port: u16, arguments: &[String]) -> Option<Self> {
        let mut child = ["dnsmasq", "/usr/sbin/dnsmasq"].into_iter().find_map(|program| {
            let mut command = Command::new(program);
            command.args(["--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts"]);
            command.args(["--listen-address=127.0.0.1", "--bind-interfaces", "--pid-file=", "--user=root"]);
            command.args(["--cache-size=0", "--log-facility=-", &format!("--port={port}")]);
            command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
            command.spawn().ok()
        })?;
        let log = BufReader::new(child.stderr.take()?);
        let mut server = Self { child, _log: log };
        let mut line = String::new();
        while server._log.read_line(&mut line).is_ok_and(|read| read > 0) {
            if line.contains("started") {
                return Some(server);
            }
            line.clear();
        }
        None
    }

    fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}
