//! Randomness from the kernel: for identities, never for jitter.

use crate::base::{Ulid, Wall};
use rustix::rand::{GetRandomFlags, getrandom};

/// 128 random bits. Where the kernel gives none (it does on every supported host), the address space's own
/// randomness and the clock stand in: identities stay unlikely to meet, and nothing else is built on them.
pub fn bits() -> u128 {
    let mut bytes = [0_u8; 16];
    match getrandom(&mut bytes, GetRandomFlags::empty()) {
        Ok(16) => u128::from_ne_bytes(bytes),
        _ => {
            use core::hash::BuildHasher;
            let state = std::collections::hash_map::RandomState::new();
            u128::from(state.hash_one(1_u8)) << 64 | u128::from(state.hash_one(2_u8))
        }
    }
}

/// A fresh identity made at `at`.
pub fn ulid(at: Wall) -> Ulid {
    Ulid::new(at, bits())
}
