//! Limits that we set on ourselves.

use rustix::process::{Resource, Rlimit, setrlimit};

/// No core dump: it would hold secrets and every screen.
pub fn no_core_dumps() {
    // An old limit that cannot be changed is the administrator's wish.
    let _kept = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
}

/// Bounds of our own address space, in bytes: soft and hard.
pub fn address_space([soft, hard]: [u64; 2]) {
    // Whoever has a smaller one keeps it.
    let _kept = setrlimit(Resource::As, Rlimit { current: Some(soft), maximum: Some(hard) });
}
