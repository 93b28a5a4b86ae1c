//! The only place that draws chance. A test may hand in a sequence that repeats itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::digest;
use data_encoding::BASE64URL_NOPAD;

use super::clock::Moment;
use super::secret::Secret;

/// Draws unpredictable bytes: the operating system's, or a test's repeatable sequence.
#[derive(Clone, Debug, Default)]
pub enum Random {
    #[default]
    System,
    Sequence(Arc<AtomicU64>),
}

impl Random {
    /// A sequence that depends on `seed` alone. For tests only: it is predictable.
    pub fn sequence(seed: u64) -> Self {
        Self::Sequence(Arc::new(AtomicU64::new(seed << 32)))
    }

    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    pub fn fill(&self, bytes: &mut [u8]) {
        match self {
            // A machine without entropy cannot serve logins; there is nothing to fall back to.
            #[allow(clippy::expect_used)]
            Self::System => aws_lc_rs::rand::fill(bytes).expect("the operating system gives no randomness"),
            Self::Sequence(counter) => {
                for chunk in bytes.chunks_mut(32) {
                    let count = counter.fetch_add(1, Ordering::SeqCst);
                    let block = digest::digest(&digest::SHA256, &count.to_be_bytes());
                    chunk.copy_from_slice(&block.as_ref()[..chunk.len()]);
                }
            }
        }
    }

    /// 256 bits as 43 base64url characters: a code, a state, a nonce, a cookie.
    pub fn token(&self) -> Secret {
        Secret::new(BASE64URL_NOPAD.encode(&self.bytes::<32>()))
    }

    /// A UUID version 7 (RFC 9562, section 5.7): sorts by the moment it was made.
    pub fn uuid_v7(&self, now: Moment) -> u128 {
        let millis = u64::try_from(now.millis()).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(millis, &self.bytes::<10>()).into_uuid().as_u128()
    }
}
