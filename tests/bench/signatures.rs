//! What one signature costs by itself, on one core.

use std::time::Duration;

use behalf::protocol::jose::Algorithm;
use behalf::protocol::jose::SigningKey;

use super::{machine, table};

/// As long as the signing input of an ID token.
const MESSAGE: [u8; 512] = [b'x'; 512];
const SPAN: Duration = Duration::from_millis(500);

pub fn measure() {
    table::heading("Signatures of aws-lc-rs on one core, by CPU time");
    for algorithm in [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA] {
        let micros = micros(algorithm);
        let rate = format!("{:.0} per second", 1e6 / micros);
        table::line(algorithm.name(), &format!("{micros:.1} µs"), &rate);
    }
}

/// CPU time of one signature.
pub fn micros(algorithm: Algorithm) -> f64 {
    let key = SigningKey::generate(algorithm, "key").unwrap();
    let sign = || drop(std::hint::black_box(key.sign_jws("JWT", &MESSAGE).unwrap()));
    (0..50).for_each(|_| sign());
    let (started, mut made) = (machine::own_cpu(), 0_u32);
    while machine::own_cpu() - started < SPAN {
        (0..50).for_each(|_| sign());
        made += 50;
    }
    (machine::own_cpu() - started).as_secs_f64() * 1e6 / f64::from(made)
}
