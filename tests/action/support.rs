//! What the tests share: a clock that stands still, a session, a plan.

use std::time::Duration;
use watchkeeper::action::plan::{Danger, Plan, Support, Undo, What, Where};
use watchkeeper::base::{Clock, Mono, Now, Ulid, Wall};
use watchkeeper::journal::Session;
use watchkeeper::sys::host::{Host, Login};

/// A moment that does not pass.
pub struct Fixed;

impl Clock for Fixed {
    fn now(&self) -> Now {
        Now { mono: Mono(1_000_000_000), wall: Wall(1_795_230_767_000_000_000) }
    }
}

pub fn at(milliseconds: u64) -> Mono {
    Mono::default() + Duration::from_millis(milliseconds)
}

pub fn login() -> Login {
    Login {
        login_uid: Some(1000),
        login: "oncall".into(),
        uid: rustix::process::geteuid().as_raw(),
        user: "root".into(),
        sudo_uid: None,
        tty: Some("pts/3".into()),
        ssh: None,
    }
}

pub fn host() -> Host {
    Host { name: "gpu-07".into(), machine_id: "3f9c41ab".into(), boot_id: "b007".into() }
}

pub fn session() -> Session {
    Session { host: host(), login: login(), id: Ulid(7), pid: std::process::id() }
}

/// A plan that touches nothing, at the given danger.
pub fn plan(danger: Danger) -> Plan {
    Plan {
        id: Ulid::new(Wall(1_795_230_767_000_000_000), 42),
        made: Fixed.now(),
        what: What {
            action: "reduce-batch-size".into(),
            kind: "config_set@1".into(),
            title: "Reduce batch size".into(),
            verb: "reduce".into(),
            target: "gpu-07/production.toml".into(),
            lines: vec!["/etc/x/production.toml".into(), "performance.batch_size   1024 → 512".into()],
            work: serde_json::Value::Null,
        },
        danger,
        raised: Vec::new(),
        support: Support::L1,
        place: Where { host: host(), environment: "PROD".into() },
        who: login(),
        hits: vec!["1 file, 1 unit".into()],
        undo: Undo::How("put the backup back".into()),
        based_on: Vec::new(),
        targets: Vec::new(),
        judging: None,
    }
}
