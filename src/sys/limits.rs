//! Limits that we set on ourselves.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// No core dump: it would hold secrets and every screen.
pub fn no_core_dumps() {
    // An old limit that cannot be changed is the administrator's wish.
    let _kept = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
}

/// Bounds of our own address space, in bytes: soft and hard.
pub fn address_space([soft, hard]: [u64; 2]) {
    let _kept = setrlimit(Resource::As, lowered(&getrlimit(Resource::As), [soft, hard]));
}

/// Whoever has a smaller one keeps it: root could raise it.
fn lowered(now: &Rlimit, [soft, hard]: [u64; 2]) -> Rlimit {
    let least = |now: Option<u64>, wanted: u64| Some(now.map_or(wanted, |now| now.min(wanted)));
    Rlimit { current: least(now.current, soft), maximum: least(now.maximum, hard) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_never_raised() {
        let wanted = [10, 20];
        for (now, then) in [
            ([None, None], [10, 20]),
            ([Some(5), None], [5, 20]),
            ([Some(5), Some(8)], [5, 8]),
            ([Some(15), Some(30)], [10, 20]),
        ] {
            let [current, maximum] = now;
            let set = lowered(&Rlimit { current, maximum }, wanted);
            assert_eq!([set.current, set.maximum], then.map(Some), "{now:?}");
        }
    }
}
