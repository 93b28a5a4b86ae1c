//! Ports that are given out once, to what listens a moment later.

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::ops::Range;
use std::path::Path;

/// Below those that a system gives to whoever connects somewhere: between the question and the use of a port nobody
/// comes by it unasked.
const PORTS: Range<u32> = 12_000..32_000;
/// Tests that begin together look in different places.
const APART: u32 = 7_919;

/// A port that nobody uses, for UDP and for TCP, and that no other test gets for as long as this one runs.
pub fn free_port() -> u16 {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/.state/ports");
    std::fs::create_dir_all(&folder).expect("a folder that can be written");
    let first = std::process::id().wrapping_mul(APART);
    let ports = (0..PORTS.end - PORTS.start)
        .map(|more| PORTS.start + first.wrapping_add(more) % (PORTS.end - PORTS.start));
    for port in ports.filter_map(|port| u16::try_from(port).ok()) {
        let lock = File::create(folder.join(port.to_string())).expect("a file that can be written");
        if lock.try_lock().is_ok() && is_free(port) {
            // The lock ends with the process.
            std::mem::forget(lock);
            return port;
        }
    }
    panic!("every port from {} to {} is used", PORTS.start, PORTS.end)
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
        && UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}
