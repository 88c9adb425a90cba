//! One record: what happened, to what, on whose behalf; its form as one line that is safe to `cat`.

use crate::base::scrub::scrub;
use crate::base::{Clean, Now, Ulid};
use crate::sys::host::{Host, Login};
use crate::sys::secret::hide;
use serde::Serialize;
use serde_json::{Value, json};
use std::io;

/// No text inside a record is longer; the rest is counted.
const TEXT: usize = 4 * 1024;
/// Elements of one list.
const ITEMS: usize = 64;
/// Nesting of foreign values.
const DEPTH: usize = 8;
/// A line is never longer: the end of a file is read to find the last one.
pub(super) const LINE: usize = 64 * 1024;

/// What can be recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// First record of a file.
    Open,
    /// Records were dropped before this one.
    Gap,
    /// The trail was found changed: a new chain was begun.
    Broken,
    /// The wall clock was moved.
    ClockJump,
    /// A console starts.
    SessionStart,
    /// A console ends.
    SessionEnd,
    /// A configuration was loaded: path, digest.
    ConfigLoad,
    /// The console was armed.
    Arm,
    /// The console went back to OBSERVE.
    Disarm,
    /// A prompt was on screen.
    Shown,
    /// A prompt ended with No, and why.
    Refused,
    /// A prompt was answered.
    Accepted,
    /// The runner refused before the first effect.
    ActionRefused,
    /// Everything is durable, the first effect follows.
    Intent,
    /// The operator asked a run to end.
    Stop,
    /// How a run ended.
    Outcome,
    /// A person settled a run whose outcome nobody knew.
    Settled,
    /// An alert from warning up began to fire.
    AlertFiring,
    /// One that fires became more serious.
    AlertWorse,
    /// An alert from warning up is over.
    AlertResolved,
    /// Somebody took an alert.
    AlertAck,
    /// Somebody gave an alert back.
    AlertUnack,
    /// Alerts were muted.
    AlertSilence,
    /// A silence ended, by its time or by a person.
    AlertUnsilence,
    /// Somebody further up was told of an alert.
    AlertEscalate,
    /// A procedure was begun.
    ProcedureBegin,
    /// An item of a procedure changed its state.
    ProcedureItem,
    /// A procedure was interrupted.
    ProcedurePause,
    /// It went on.
    ProcedureResume,
    /// Somebody else went on with it.
    ProcedureTakeover,
    /// It is complete, or was left.
    ProcedureEnd,
    /// Folders of runs that are long over were removed.
    ProcedureDrop,
    /// An incident was opened.
    IncidentOpen,
    /// Somebody wrote a note, of an incident or not.
    IncidentNote,
    /// An incident was closed.
    IncidentClose,
    /// A handover card was made.
    IncidentHandover,
    /// Somebody else leads an incident.
    IncidentOwner,
    /// A follow-up is done.
    IncidentDone,
    /// What a log said around an incident.
    IncidentLog,
}

/// One row per event: its name in the file, and whether it is synced by itself.
pub const EVENTS: &[(Event, &str, bool)] = &[
    (Event::Open, "journal.open", true),
    (Event::Gap, "journal.gap", false),
    (Event::Broken, "journal.broken", true),
    (Event::ClockJump, "clock.jump", false),
    (Event::SessionStart, "session.start", false),
    (Event::SessionEnd, "session.end", false),
    (Event::ConfigLoad, "config.load", true),
    (Event::Arm, "mode.arm", true),
    (Event::Disarm, "mode.disarm", true),
    (Event::Shown, "confirm.shown", false),
    (Event::Refused, "confirm.refused", true),
    (Event::Accepted, "confirm.accepted", true),
    (Event::ActionRefused, "action.refused", true),
    (Event::Intent, "action.intent", true),
    (Event::Stop, "action.stop", true),
    (Event::Outcome, "action.outcome", true),
    (Event::Settled, "action.settled", true),
    (Event::AlertFiring, "alert.firing", false),
    (Event::AlertWorse, "alert.worse", false),
    (Event::AlertResolved, "alert.resolved", false),
    (Event::AlertAck, "alert.ack", false),
    (Event::AlertUnack, "alert.unack", false),
    (Event::AlertSilence, "alert.silence", false),
    (Event::AlertUnsilence, "alert.unsilence", false),
    (Event::AlertEscalate, "alert.escalate", false),
    (Event::ProcedureBegin, "procedure.begin", true),
    (Event::ProcedureItem, "procedure.item", false),
    (Event::ProcedurePause, "procedure.pause", false),
    (Event::ProcedureResume, "procedure.resume", false),
    (Event::ProcedureTakeover, "procedure.takeover", true),
    (Event::ProcedureEnd, "procedure.end", true),
    (Event::ProcedureDrop, "procedure.drop", false),
    (Event::IncidentOpen, "incident.open", true),
    (Event::IncidentNote, "incident.note", false),
    (Event::IncidentClose, "incident.close", true),
    (Event::IncidentHandover, "incident.handover", false),
    (Event::IncidentOwner, "incident.owner", false),
    (Event::IncidentDone, "incident.done", false),
    (Event::IncidentLog, "incident.log", false),
];

impl Event {
    /// Its name in the file.
    pub fn name(self) -> &'static str {
        EVENTS.iter().find(|(event, ..)| *event == self).map_or("", |(_, name, _)| name)
    }

    /// Whether it is on disk before the next one is written.
    pub fn durable(self) -> bool {
        EVENTS.iter().find(|(event, ..)| *event == self).is_none_or(|(.., durable)| *durable)
    }
}

/// Who writes: the same for all records of one process.
#[derive(Clone, Debug)]
pub struct Session {
    /// This host.
    pub host: Host,
    /// On whose behalf.
    pub login: Login,
    /// This session's id.
    pub id: Ulid,
    /// This process.
    pub pid: u32,
}

/// What is recorded. Texts are scrubbed on the way to the file.
#[derive(Clone, Debug)]
pub struct Record {
    /// What happened.
    pub event: Event,
    /// Support level of the action.
    pub support: Option<String>,
    /// Action and version.
    pub act: Option<String>,
    /// The plan.
    pub plan: Option<Ulid>,
    /// Its digest.
    pub plan_sha: Option<String>,
    /// Targets by identity.
    pub target: Value,
    /// Exact commands or diff.
    pub args: Vec<String>,
    /// How it was confirmed.
    pub confirm: Value,
    /// The result.
    pub res: Value,
    /// It is synced by itself although others of its event are not.
    pub synced: bool,
}

impl Record {
    /// A record with nothing but its event.
    pub const fn new(event: Event) -> Self {
        Self {
            event,
            support: None,
            act: None,
            plan: None,
            plan_sha: None,
            target: Value::Null,
            args: Vec::new(),
            confirm: Value::Null,
            res: Value::Null,
            synced: false,
        }
    }

    /// Whether it is on disk before the next one is written.
    pub fn durable(&self) -> bool {
        self.synced || self.event.durable()
    }

    /// The same with a result.
    #[must_use]
    pub fn res(mut self, res: Value) -> Self {
        self.res = res;
        self
    }

    /// The line up to `,"hash"`, without the closing brace; keys in the order of safety.md 4.6.
    pub(super) fn body(&self, session: &Session, at: Now, seq: u64, prev: &str) -> String {
        let line = self.line(session, at, seq, prev);
        if line.len() < LINE - 256 {
            return line;
        }
        let cut = Value::String(format!("<{} bytes>", line.len()));
        let short = Self { target: Value::Null, args: Vec::new(), confirm: Value::Null, res: cut, ..self.clone() };
        short.line(session, at, seq, prev)
    }

    fn line(&self, session: &Session, at: Now, seq: u64, prev: &str) -> String {
        let login = &session.login;
        let line = Line {
            origin: Origin {
                v: 1,
                seq,
                ts: at.wall.rfc3339(),
                boot: &session.host.boot_id,
                bt_ns: at.mono.0,
                host: &session.host.machine_id,
                sess: session.id,
                pid: session.pid,
                who: Who {
                    login_uid: login.login_uid,
                    login: &login.login,
                    uid: login.uid,
                    sudo_uid: login.sudo_uid,
                    tty: login.tty.as_ref(),
                    ssh: login.ssh.as_ref(),
                },
            },
            support: self.support.as_deref(),
            ev: self.event.name(),
            act: self.act.as_deref().map(tame_text),
            plan: self.plan,
            plan_sha: self.plan_sha.as_deref(),
            target: tame(&self.target, DEPTH),
            args: self.args.iter().take(ITEMS).map(|arg| tame_text(arg)).collect(),
            confirm: tame(&self.confirm, DEPTH),
            res: tame(&self.res, DEPTH),
            prev,
        };
        let mut out = ascii(&line);
        out.pop();
        out
    }
}

/// A value as one line of JSON that is safe to `cat`: everything outside 0x20–0x7E is escaped.
pub fn ascii(value: &impl Serialize) -> String {
    let mut out = Vec::with_capacity(1_024);
    let mut to = serde_json::Serializer::with_formatter(&mut out, Ascii);
    // Writing plain data to a vector cannot fail.
    let _infallible = value.serialize(&mut to);
    String::from_utf8(out).unwrap_or_default()
}

#[derive(Serialize)]
struct Who<'a> {
    login_uid: Option<u32>,
    login: &'a Clean,
    uid: u32,
    sudo_uid: Option<u32>,
    tty: Option<&'a Clean>,
    ssh: Option<&'a Clean>,
}

/// Which record, when, and by whom.
#[derive(Serialize)]
struct Origin<'a> {
    v: u8,
    seq: u64,
    ts: String,
    boot: &'a Clean,
    bt_ns: u64,
    host: &'a Clean,
    sess: Ulid,
    pid: u32,
    who: Who<'a>,
}

#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    origin: Origin<'a>,
    support: Option<&'a str>,
    ev: &'static str,
    act: Option<String>,
    plan: Option<Ulid>,
    plan_sha: Option<&'a str>,
    target: Value,
    args: Vec<String>,
    confirm: Value,
    res: Value,
    prev: &'a str,
}

fn tame_text(text: &str) -> String {
    let mut text = scrub(&hide(text));
    if text.len() > TEXT {
        let mut end = TEXT;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let rest = text.len() - end;
        text.truncate(end);
        return format!("{text}<+{rest} bytes>");
    }
    text
}

/// Scrubbed, and bounded in every direction.
fn tame(value: &Value, depth: usize) -> Value {
    match value {
        Value::String(text) => Value::String(tame_text(text)),
        Value::Array(_) | Value::Object(_) if depth == 0 => Value::String("<deeper>".to_owned()),
        Value::Array(rows) => rows.iter().take(ITEMS).map(|row| tame(row, depth - 1)).collect(),
        Value::Object(fields) => {
            fields.iter().take(ITEMS).map(|(key, value)| (tame_text(key), named(key, tame(value, depth - 1)))).collect()
        }
        plain => plain.clone(),
    }
}

/// A text under a telling name is a secret whatever its shape, and so is one that is nothing else: of it only the name is
/// recorded (safety.md 4.6). What is hidden inside of a text is marked there.
fn named(key: &str, value: Value) -> Value {
    match value {
        Value::String(text) if text == "<redacted>" || scrub(&format!("{key}={text}")) != format!("{key}={text}") => {
            json!({ "redacted": tame_text(key) })
        }
        other => other,
    }
}

/// Everything outside 0x20–0x7E as `\uXXXX`.
struct Ascii;

impl serde_json::ser::Formatter for Ascii {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, to: &mut W, fragment: &str) -> io::Result<()> {
        for c in fragment.chars() {
            if matches!(c, ' '..='~') {
                to.write_all(&[u8::try_from(c).unwrap_or(b'?')])?;
            } else {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    write!(to, "\\u{unit:04x}")?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::base::{Mono, Wall};
    use crate::sys::secret::{Secret, forms_of};
    use proptest::prelude::*;

    pub(in super::super) fn session() -> Session {
        let host = Host { name: "gpu-07".into(), machine_id: "3f9c41ab".into(), boot_id: "b007".into(), ssh_key: None };
        let login = Login {
            login_uid: Some(1000),
            login: "oncall".into(),
            uid: 0,
            user: "root".into(),
            sudo_uid: Some(1000),
            tty: Some("pts/3".into()),
            ssh: Some("10.0.0.5:50222".into()),
        };
        Session { host, login, id: Ulid(7), pid: 9 }
    }

    #[test]
    fn a_line_has_the_keys_of_the_format_in_their_order() {
        let at = Now { mono: Mono(123), wall: Wall(1_795_230_767_123_456_789) };
        let body = Record::new(Event::Intent).body(&session(), at, 4, "00");
        let keys = [
            "v", "seq", "ts", "boot", "bt_ns", "host", "sess", "pid", "who", "support", "ev", "act", "plan",
            "plan_sha", "target", "args", "confirm", "res", "prev",
        ];
        let value: Value = serde_json::from_str(&format!("{body}}}")).unwrap();
        assert_eq!(value.as_object().unwrap().keys().collect::<Vec<_>>(), keys);
        assert!(
            body.starts_with(r#"{"v":1,"seq":4,"ts":"2026-11-21T03:12:47.123456Z","boot":"b007","bt_ns":123"#),
            "{body}"
        );
        assert!(body.ends_with(r#","res":null,"prev":"00""#), "{body}");
        assert_eq!(value["who"]["ssh"], "10.0.0.5:50222");
    }

    #[test]
    fn secrets_do_not_reach_the_line_in_any_field() {
        let mut record =
            Record::new(Event::Outcome).res(serde_json::json!({"password": "hunter2", "say": ["token=hunter2"]}));
        record.args = vec!["http://u:hunter2@db/".into()];
        record.target = serde_json::json!({"api_key": "hunter2"});
        let body = record.body(&session(), Now::default(), 1, "00");
        assert!(!body.contains("hunter2"), "{body}");
        // A value is recorded by its name alone; inside of a text its place is marked.
        assert!(body.contains(r#""res":{"password":{"redacted":"password"},"say":["token=<redacted>"]}"#), "{body}");
        assert!(body.contains(r#""target":{"api_key":{"redacted":"api_key"}}"#), "{body}");
        assert!(body.contains(r#""args":["http://<redacted>@db/"]"#), "{body}");
    }

    #[test]
    fn a_value_that_is_a_secret_that_was_read_is_recorded_by_its_name_whatever_that_is() {
        drop(Secret::new("plain-words-of-a-canary".to_owned()));
        let res = serde_json::json!({ "line": "plain-words-of-a-canary", "said": "it was plain-words-of-a-canary" });
        let body = Record::new(Event::Outcome).res(res).body(&session(), Now::default(), 1, "00");
        assert!(body.contains(r#""res":{"line":{"redacted":"line"},"said":"it was <redacted>"}"#), "{body}");
    }

    #[test]
    fn each_event_has_one_row_and_one_name() {
        let mut names: Vec<&str> = EVENTS.iter().map(|(_, name, _)| *name).collect();
        names.dedup();
        assert_eq!(names.len(), EVENTS.len());
        assert!(Event::Intent.durable() && !Event::Shown.durable());
    }

    proptest! {
        #[test]
        fn whatever_goes_in_a_line_is_plain_ascii_and_bounded(text in any::<String>(), n in 0_usize..200) {
            let mut record = Record::new(Event::Outcome).res(Value::String(text.clone().repeat(n)));
            record.args = vec![text.clone(); n];
            record.act = Some(text.clone());
            let body = record.body(&session(), Now::default(), 1, "00");
            prop_assert!(body.bytes().all(|byte| matches!(byte, 0x20..=0x7E)));
            let is_json = serde_json::from_str::<Value>(&format!("{body}}}")).is_ok();
            prop_assert!(is_json);
            prop_assert!(body.len() < LINE);
        }
    }

    #[test]
    fn no_form_of_a_secret_that_was_read_reaches_a_record() {
        for n in 0..30 {
            let canary = format!("journal-canary/{n}+\"ä\"");
            drop(Secret::new(canary.clone()));
            for form in forms_of(&canary) {
                let value = serde_json::json!({ "a": [form.clone()], form.clone(): { "b": format!("x{form}y") } });
                let told = tame(&value, DEPTH).to_string() + &tame_text(&format!("--key={form}"));
                assert!(!told.contains(&form) && told.contains("<redacted>"), "{form}: {told}");
            }
        }
    }
}
