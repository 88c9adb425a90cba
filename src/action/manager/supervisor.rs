//! A program of a supervisord, through its own socket (XML-RPC): what it says of a program comes as values, never from the
//! text of `supervisorctl`. It has no restart of its own: stop and start go in one request; a runner that is killed meanwhile leaves it stopped.
//! Long because what it is asked, how its answers are judged and what is done rest on the same rows of one daemon.

use super::{Look, Service, Serving, Standing, Verb, log_end, plain_name};
use crate::action::doing::{Doing, LOOK};
use crate::action::kinds::StepError;
use crate::action::plan::SUPERVISORD;
use crate::action::remote;
use crate::base::body::nearest;
use crate::base::{Clean, Clock, Fault, Unit};
use crate::sys::listeners::{self, Holder};
use crate::sys::net::door::{Door, Peer, real, stranger};
use crate::sys::net::http::{Answer, Ask, Site};
use crate::sys::net::talk::Lost;
use crate::sys::net::tls::Tls;
use crate::sys::secret::base64_of;
use crate::sys::xml_rpc::{Call, Row, first_text, request, requests, results, rows};
use core::time::Duration;
use http::Method;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use serde::{Deserialize, Serialize};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// A stop may take as long as the program is given, a start as long as it must stay up; and this more.
const SLACK: Duration = Duration::from_secs(30);
/// No answer is longer, in bytes.
const MOST: usize = 4 << 20;
/// However long a configuration says.
const LONGEST: u64 = 1_800;
/// Bytes of a log that are looked at.
const LOG: &str = "2000";
/// Its number for "not running": to stop such a program is no failure of a restart.
const NOT_RUNNING: i64 = 70;
/// Its number for "runs already".
const ALREADY_STARTED: i64 = 60;
/// What may be sent instead of a reload, which it does not have.
const SIGNALS: [&str; 4] = ["HUP", "USR1", "USR2", "WINCH"];

/// `{ kind = "supervisor", program = "genesis" }`; of a group `"pair:0"`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Supervisor {
    /// The program's name there.
    pub program: String,
    /// Its socket.
    #[serde(default = "socket")]
    pub path: PathBuf,
    /// Its [inet_http_server] on this host instead: `http://127.0.0.1:9001`.
    pub url: Option<String>,
    /// The login that supervisord runs as, where that is neither root nor ours.
    pub owner: Option<String>,
    /// What its socket asks for.
    pub user: Option<String>,
    /// A file with the password for it.
    pub password: Option<InFile>,
    /// The signal that has this program read its configuration again.
    pub reload_signal: Option<String>,
    /// A restart takes up what was changed in the program's section: as `supervisorctl update` does.
    #[serde(default)]
    pub update: bool,
    /// The event listener that acts when this program dies.
    pub listener: Option<String>,
    /// What that one does then.
    pub listener_does: Option<String>,
}

/// `{ file = "/path" }`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InFile {
    file: PathBuf,
}

fn socket() -> PathBuf {
    "/var/run/supervisor.sock".into()
}

/// What it says of all its programs.
struct Seen {
    daemon: u32,
    infos: Vec<Row>,
    configs: Vec<Row>,
}

impl Supervisor {
    /// As sentences name it.
    fn place(&self) -> Clean {
        self.url.as_ref().map_or_else(|| Clean::text(self.path.as_os_str().as_encoded_bytes()), Clean::text)
    }

    fn site(&self) -> Result<Site, Fault> {
        if let Some(url) = &self.url {
            return Site::parse(&format!("{}/RPC2", url.trim_end_matches('/')), Tls::default());
        }
        let door = Door {
            path: self.path.clone(),
            owner: self.owner.clone(),
            missing: "Is supervisord running? Its [unix_http_server] says where its socket is; say path = \"…\".",
            rights: "In its [unix_http_server] let a group of this login in: chown = root:GROUP, chmod = 0770.",
        };
        Site::behind(door, "/RPC2")
    }

    fn ask(&self, body: &str, limit: Duration) -> Result<Answer, Lost> {
        let site = self.site().map_err(Lost::Before)?;
        let holder = self.url.as_ref().map(|_| self.holder(&site)).transpose().map_err(Lost::Before)?;
        let mut headers = vec![(CONTENT_TYPE, HeaderValue::from_static("text/xml"))];
        if let (Some(user), Some(password)) = (&self.user, &self.password) {
            let password = remote::secret(&password.file).map_err(Lost::Before)?;
            let word = base64_of(format!("{user}:{}", password.reveal()).as_bytes());
            let mut login = HeaderValue::from_str(&format!("Basic {word}"))
                .map_err(|_| Lost::Before(Fault::new("this login cannot be sent.")))?;
            login.set_sensitive(true);
            headers.push((AUTHORIZATION, login));
        }
        let asked = Ask { method: Method::POST, headers, body: body.to_owned(), most: MOST };
        let answer = site.ask(asked, limit)?;
        let place = self.place();
        // What it does not answer with 200 it has not done.
        match answer.status {
            200 => Ok(Answer { peer: answer.peer.or(holder), ..answer }),
            401 => Err(Lost::Before(
                Fault::new(format!("{place} asks for a login."))
                    .hint("Say user = \"…\" and password = { file = \"…\" }, as its section has them."),
            )),
            status => Err(Lost::Before(Fault::new(format!("{place} answered with status {status}.")))),
        }
    }

    /// Anybody may listen on a port while supervisord is down: who does is looked at before a password is sent there.
    fn holder(&self, site: &Site) -> Result<Peer, Fault> {
        let place = site.place();
        let port = place.as_str().rsplit(':').next().and_then(|port| port.parse().ok()).unwrap_or(0);
        let seen = listeners::look(port).map_err(|error| Fault::new(format!("who listens at {place}: {error}.")))?;
        if seen.sockets == 0 {
            return Err(Fault::new(format!("nobody listens at {place}.")).hint("Is supervisord running?"));
        }
        let uid = |holder: &Holder| Some(std::fs::metadata(format!("/proc/{}", holder.pid)).ok()?.uid());
        let peers = seen.holders.iter().filter_map(|holder| Some(Peer { pid: holder.pid, uid: uid(holder)? }));
        let peers: Vec<Peer> = peers.collect();
        if let Some(fault) = peers.iter().find_map(|peer| stranger(&place, *peer, self.owner.as_deref())) {
            return Err(fault);
        }
        let first = peers.first().copied();
        first.ok_or_else(|| Fault::new(format!("who listens at {place} cannot be seen by this login.")))
    }

    fn list(&self, method: &str) -> Result<(u32, Vec<Row>), Fault> {
        let answer = self.ask(&request((method, &[])), LOOK).map_err(Lost::fault)?;
        let rows = rows(&answer.body).map_err(|what| Fault::new(format!("{} {what}.", self.place())))?;
        Ok((answer.peer.map_or(0, |peer| peer.pid), rows))
    }

    fn see(&self) -> Result<Seen, Fault> {
        let (daemon, infos) = self.list("supervisor.getAllProcessInfo")?;
        let (_, configs) = self.list("supervisor.getAllConfigInfo")?;
        Ok(Seen { daemon, infos, configs })
    }

    /// The one program that is meant.
    fn find<'a>(&self, infos: &'a [Row], name: &str) -> Result<&'a Row, Fault> {
        let (group, program) = name.split_once(':').unwrap_or((name, name));
        if let Some(row) = infos.iter().find(|row| (text(row, "group"), text(row, "name")) == (group, program)) {
            return Ok(row);
        }
        let mates: Vec<String> = infos.iter().filter(|row| text(row, "group") == group).map(whole).collect();
        if name == group && !mates.is_empty() {
            let (count, mates) = (mates.len(), Clean::text(mates.join(", ")));
            let what = format!("`{group}` is a group of {count} programs, not one.");
            return Err(Fault::new(what).hint(format!("Name one of them: {mates}.")));
        }
        let known: Vec<String> = infos.iter().map(whole).collect();
        let hint = nearest(name, known.iter().map(String::as_str));
        let what = format!("supervisord at {} has no program `{name}`.", self.place());
        Err(Fault::new(what).unknown(name).hint(hint))
    }

    /// The event listener that was declared: what it would do, whether that can be risked now.
    fn listener(&self, seen: &Seen, look: &mut Look) {
        let Some(name) = &self.listener else { return };
        let row = match self.find(&seen.infos, name) {
            Ok(row) => row,
            Err(fault) => {
                look.obstacle.get_or_insert(fault.hint("`listener` names the event listener of this program."));
                return;
            }
        };
        let stands = described(row);
        let does = self.listener_does.as_deref().unwrap_or("acts");
        let program = &self.program;
        look.identity.insert(format!("listener {name}"), stands.to_string());
        look.hits.push(crate::clean!("its event listener {name} is {stands}"));
        look.raise.push(crate::clean!("if {program} dies or does not come up, its event listener {name} {does}"));
        if matches!(state(row), STARTING | BACKOFF | STOPPING | UNKNOWN) {
            let what = format!("its event listener {name} is {stands}: what it will do is not certain.");
            let fault = Fault::new(what).hint("Look at it first; wait until it is RUNNING, or stop it.");
            look.obstacle.get_or_insert(fault);
        }
    }

    /// Has it read its configuration again. That alone changes no program; one that cannot be read is left as it was.
    fn read_again(&self) -> Result<(), StepError> {
        let unread = |what: String| StepError::Failed(Fault::new(format!("{} {what}.", self.place())));
        let answer = self.ask(&requests(&[("supervisor.reloadConfig", &[])]), LOOK).map_err(remote::lost)?;
        match results(&answer.body).map_err(unread)?.into_iter().next() {
            Some(Ok(())) => Ok(()),
            Some(Err(refused)) => Err(unread(format!("cannot read its configuration: {}", refused.words))),
            None => Err(unread("said nothing of its configuration".to_owned())),
        }
    }

    /// How the log of the program ends: what it complained of, else what it printed.
    fn log_end(&self) -> Option<Clean> {
        ["supervisor.tailProcessStderrLog", "supervisor.tailProcessStdoutLog"].iter().find_map(|method| {
            let asked = request((method, &[&self.program, "0", LOG]));
            let answer = self.ask(&asked, LOOK).ok()?;
            log_end(first_text(&answer.body).ok()?.as_bytes())
        })
    }

    /// What else a restart brings into force.
    fn others(&self, verb: Verb) -> Vec<Clean> {
        let takes_up = self.update && verb == Verb::Restart;
        let what = crate::clean!("whatever else was changed in the section of {} is taken up too", self.program);
        takes_up.then_some(what).into_iter().collect()
    }

    /// How long a call may take: as the program's own configuration says.
    fn patience(&self) -> Duration {
        let configs = self.list("supervisor.getAllConfigInfo").map(|(_, rows)| rows).unwrap_or_default();
        let mine = self.find(&configs, &self.program).ok();
        let seconds = |name: &str| mine.map_or(0, |row| text(row, name).parse::<u64>().unwrap_or(0).min(LONGEST));
        SLACK + Duration::from_secs(seconds("stopwaitsecs") + seconds("startsecs"))
    }
}

const STOPPED: i64 = 0;
const STARTING: i64 = 10;
const RUNNING: i64 = 20;
const BACKOFF: i64 = 30;
const STOPPING: i64 = 40;
const EXITED: i64 = 100;
const FATAL: i64 = 200;
const UNKNOWN: i64 = 1_000;

fn text<'a>(row: &'a Row, name: &str) -> &'a str {
    row.get(name).map_or("", String::as_str)
}

/// As everybody would write it: `pair:0`, or `good` alone where the group has the same name.
fn whole(row: &Row) -> String {
    match (text(row, "group"), text(row, "name")) {
        (group, name) if group == name => name.to_owned(),
        (group, name) => format!("{group}:{name}"),
    }
}

fn state(row: &Row) -> i64 {
    text(row, "state").parse().unwrap_or(UNKNOWN)
}

/// State and process, and why it is down: `FATAL, can't find command '/x'`.
fn described(row: &Row) -> Clean {
    let mut words = vec![Clean::text(text(row, "statename"))];
    match text(row, "pid") {
        "" | "0" => {}
        pid => words.push(crate::clean!("process {}", Clean::text(pid))),
    }
    if matches!(state(row), BACKOFF | EXITED | FATAL) {
        match text(row, "exitstatus") {
            "-1" => words.push(Clean::from("ended by a signal")),
            status if state(row) == EXITED => words.push(crate::clean!("exit code {}", Clean::text(status))),
            _ => {}
        }
        words.extend(Some(text(row, "spawnerr")).filter(|why| !why.is_empty()).map(Clean::text));
    }
    let words: Vec<&str> = words.iter().map(Clean::as_str).collect();
    Clean::text(words.join(", "))
}

impl Service for Supervisor {
    fn unit(&self) -> &str {
        &self.program
    }

    fn address(&self) -> String {
        match &self.url {
            Some(url) => format!("supervisor {}", url.trim_end_matches('/')),
            None => format!("supervisor {}", real(&self.path).display()),
        }
    }

    fn check(&self) -> Result<(), Fault> {
        for name in [Some(&self.program), self.listener.as_ref()].into_iter().flatten() {
            plain_name(name, "")?;
            let doubled = name.split_once(':').filter(|(group, program)| group == program || program.is_empty());
            if let Some((group, _)) = doubled {
                return Err(Fault::new(format!("`{name}` is not how a program is named here."))
                    .hint(format!("Write `{group}`.")));
            }
        }
        if self.update && self.program.contains(':') {
            return Err(Fault::new("`update` takes up a whole group: name a program that is its own.")
                .hint("Update a group by hand: supervisorctl update GROUP."));
        }
        if self.listener.as_ref() == Some(&self.program) {
            return Err(Fault::new("`listener` names the program itself."));
        }
        if !self.path.is_absolute() {
            return Err(Fault::new(format!("{} is not an absolute path.", self.path.display())));
        }
        if self.url.is_some() && (self.path != socket() || !self.site()?.is_here()) {
            return Err(Fault::new("`url` is where supervisord listens on this host, and instead of `path`.")
                .hint("Such as url = \"http://127.0.0.1:9001\"; a supervisord elsewhere is acted on there."));
        }
        if self.user.is_some() != self.password.is_some() {
            return Err(Fault::new("a login needs both `user` and `password`."));
        }
        match &self.reload_signal {
            Some(signal) if !SIGNALS.contains(&signal.as_str()) => {
                let what = format!("`{}` is no signal for a reload.", Clean::text(signal));
                Err(Fault::new(what).hint(format!("Known here: {}.", SIGNALS.join(", "))))
            }
            _ => Ok(()),
        }
    }

    fn look(&self, verb: Verb, _: &dyn Clock) -> Result<Look, Fault> {
        let seen = self.see()?;
        let row = self.find(&seen.infos, &self.program)?;
        let config = self.find(&seen.configs, &self.program).ok();
        let (state, mut said) = (state(row), described(row));
        let standing = match state {
            RUNNING => Standing::Running,
            STARTING | BACKOFF | STOPPING => Standing::Changing,
            STOPPED => Standing::Stopped,
            EXITED if text(row, "exitstatus") == "0" => Standing::Stopped,
            _ => Standing::Failed,
        };
        if standing == Standing::Failed || state == BACKOFF {
            said = self.log_end().map_or(said.clone(), |end| crate::clean!("{said}; {end}"));
        }
        let serving = (standing == Standing::Running).then(|| Serving {
            pid: text(row, "pid").parse().unwrap_or(0),
            id: format!("since {}", text(row, "start")),
        });
        let command = config.map_or("", |config| text(config, "command")).to_owned();
        let identity = [
            (SUPERVISORD, format!("process {}", seen.daemon)),
            ("state", text(row, "statename").to_owned()),
            ("command", command),
        ];
        let mut look = Look {
            standing,
            serving,
            identity: identity.map(|(name, value)| (name.to_owned(), value)).into(),
            hits: [hits(verb, row, config), self.others(verb)].concat(),
            raise: Vec::new(),
            obstacle: obstacle(self, verb, state, &said),
            doubt: None,
            said,
        };
        if verb != Verb::ResetFailed {
            self.listener(&seen, &mut look);
        }
        Ok(look)
    }

    fn line(&self, verb: Verb) -> Clean {
        let Self { program, reload_signal, .. } = self;
        let what = match verb {
            Verb::Restart if self.update => {
                "reloadConfig; stopProcessGroup, removeProcessGroup, addProcessGroup, startProcess".to_owned()
            }
            Verb::Restart => "stopProcess, then startProcess".to_owned(),
            Verb::Start => "startProcess".to_owned(),
            Verb::Stop => "stopProcess".to_owned(),
            Verb::Reload => format!("signalProcess {}", reload_signal.as_deref().unwrap_or_default()),
            Verb::ResetFailed => verb.to_string(),
        };
        crate::clean!("{verb} {program}  ({what}) through supervisord at {}", self.place())
    }

    fn apply(&self, verb: Verb, _: &Doing<'_>) -> Result<Clean, StepError> {
        let name = [self.program.as_str()];
        let signal = [self.program.as_str(), self.reload_signal.as_deref().unwrap_or_default()];
        let stop: Call<'_> = ("supervisor.stopProcess", &name);
        let start: Call<'_> = ("supervisor.startProcess", &name);
        let reload: Call<'_> = ("supervisor.signalProcess", &signal);
        let calls = match verb {
            Verb::Restart if self.update => {
                self.read_again()?;
                vec![
                    ("supervisor.stopProcessGroup", &name as &[&str]),
                    ("supervisor.removeProcessGroup", &name),
                    ("supervisor.addProcessGroup", &name),
                    start,
                ]
            }
            Verb::Restart => vec![stop, start],
            Verb::Start => vec![start],
            Verb::Stop => vec![stop],
            Verb::Reload => vec![reload],
            Verb::ResetFailed => Vec::new(),
        };
        let limit = self.patience();
        let answer = self.ask(&requests(&calls), limit).map_err(remote::lost)?;
        let unknown = |what: String| StepError::Unknown(Fault::new(format!("{} {what}.", self.place())));
        let came = results(&answer.body).map_err(unknown)?;
        if came.len() != calls.len() {
            return Err(unknown(format!("answered {} of {} calls", came.len(), calls.len())));
        }
        let said_no = calls.iter().zip(&came).find_map(|((method, _), came)| match came {
            Err(refused) if verb == Verb::Restart && *method == stop.0 && refused.code == NOT_RUNNING => None,
            // Once it is added again it starts by itself.
            Err(refused) if self.update && *method == start.0 && refused.code == ALREADY_STARTED => None,
            Err(refused) => Some(Fault::new(format!("`{verb} {}` was not done: {}.", self.program, refused.words))),
            Ok(()) => None,
        });
        match said_no {
            Some(fault) => Err(StepError::Failed(fault)),
            None => Ok(crate::clean!("supervisord has done `{verb} {}`", self.program)),
        }
    }
}

/// What it takes: how long it has run, how long a stop and a start may last, how often a start is tried.
fn hits(verb: Verb, row: &Row, config: Option<&Row>) -> Vec<Clean> {
    let mut hits = Vec::new();
    let number = |row: &Row, name: &str| text(row, name).parse::<f64>().ok();
    if let (RUNNING, Some(now), Some(start)) = (state(row), number(row, "now"), number(row, "start")) {
        hits.push(crate::clean!("it has run for {}", Unit::Seconds.show((now - start).max(0.0))));
    }
    let Some(config) = config else { return hits };
    let said = |name: &str| Clean::text(text(config, name));
    if matches!(verb, Verb::Restart | Verb::Stop) {
        hits.push(crate::clean!("it is given {} s to end, then it is killed", said("stopwaitsecs")));
    }
    if verb == Verb::Restart {
        hits.push(Clean::from("supervisord has no restart: if the runner is killed between, it stays stopped"));
    }
    if matches!(verb, Verb::Restart | Verb::Start) {
        let (seconds, tries) = (said("startsecs"), said("startretries"));
        hits.push(crate::clean!(
            "it counts as started after {seconds} s; if it ends before, {tries} more tries follow"
        ));
    }
    hits
}

/// Why this cannot be asked of the program.
fn obstacle(of: &Supervisor, verb: Verb, state: i64, said: &Clean) -> Option<Fault> {
    let program = &of.program;
    let fault = |what: &str, hint: &str| Some(Fault::new(format!("{program} {what}.")).hint(hint));
    let is = format!("is {said}");
    match (verb, state) {
        (Verb::ResetFailed, _) => {
            fault("has no failed state to clear: supervisord keeps none", "Look at why it failed, then start it.")
        }
        (Verb::Reload, _) if of.reload_signal.is_none() => fault(
            "cannot reload: supervisord has no such thing",
            "Where the program rereads at a signal say reload_signal = \"HUP\"; else restart it.",
        ),
        (Verb::Reload, state) if state != RUNNING => fault(&is, "Only a running program rereads."),
        (_, UNKNOWN) => fault(&is, "That is a fault of supervisord: look at its log."),
        (Verb::Restart | Verb::Start, BACKOFF) => fault(
            &format!("{is}: it ends too soon, and supervisord is about to start it again by itself"),
            "Look at its log for why; then stop it, and start it.",
        ),
        (Verb::Restart | Verb::Start, STARTING) | (_, STOPPING) => {
            fault(&format!("{is}: it is on its way already"), "Wait for it.")
        }
        (Verb::Start, RUNNING) => fault(&format!("{is}: there is nothing to start"), "To start it anew, restart it."),
        (Verb::Stop, STOPPED | EXITED | FATAL) => {
            fault(&format!("{is}: there is nothing to stop"), "Nothing needs to be done.")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(table: &str) -> Supervisor {
        toml::from_str(table).unwrap()
    }

    #[test]
    fn names_that_could_say_more_are_refused() {
        for name in ["", "-x", "a b", "a\\nb", "../x", "pair:*", "a:a", "a:", "wеb"] {
            assert!(program(&format!("program = \"{name}\"")).check().is_err(), "{name:?}");
        }
        for table in
            ["listener = \"*\"", "listener = \"x\"", "path = \"s\"", "user = \"joe\"", "reload_signal = \"KILL\""]
        {
            assert!(program(&format!("program = \"x\"\n{table}")).check().is_err(), "{table}");
        }
        for name in ["genesis", "pair:0", "a_b.c-d"] {
            assert!(program(&format!("program = \"{name}\"")).check().is_ok(), "{name}");
        }
    }

    #[test]
    fn a_group_of_several_is_not_taken_for_a_program() {
        let row =
            |group: &str, name: &str| [("group", group), ("name", name)].map(|(k, v)| (k.into(), v.into())).into();
        let rows: Vec<Row> = vec![row("pair", "0"), row("pair", "1"), row("good", "good")];
        let find =
            |name: &str| program("program = \"x\"").find(&rows, name).map(whole).map_err(|fault| fault.to_string());
        assert_eq!(find("good").as_deref(), Ok("good"));
        assert_eq!(find("pair:1").as_deref(), Ok("pair:1"));
        let said = find("pair").unwrap_err();
        assert!(said.contains("`pair` is a group of 2 programs") && said.contains("pair:0, pair:1"), "{said}");
        assert!(find("god").unwrap_err().contains("Did you mean `good`?"));
    }
}
