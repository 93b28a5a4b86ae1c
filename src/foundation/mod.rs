//! Pure ground that every room stands on: time, chance, names, secrets. It knows nothing of the rest.

pub mod clock;
pub mod domain_name;
pub mod email;
pub mod id;
pub mod page;
pub mod public_suffix;
pub mod random;
pub mod secret;
pub mod shared;
pub mod text;
