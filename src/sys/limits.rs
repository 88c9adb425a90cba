//! Limits that we set on ourselves.

use rustix::process::{Resource, Rlimit, setrlimit};

/// No core dump: it would hold secrets and every screen.
pub fn no_core_dumps() {
    // An old limit that cannot be changed is the administrator's wish.
    let _kept = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
}
