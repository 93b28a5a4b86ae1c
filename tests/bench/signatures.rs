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

/// CPU time of one signature while this many threads sign. Two that share a core's units, or its power, slow each
/// other down, and a server with many clients signs on all of them.
pub fn micros_among(algorithm: Algorithm, threads: usize) -> f64 {
    let all = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(|| micros(algorithm))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    all.iter().sum::<f64>() / all.len() as f64
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
