//! What a profile declares about a service beyond its manager's word: a program that must find its configuration good
//! before it is touched, and, once it runs, the port that it must listen on and the answer that it must give.

use super::{Kin, Manager, looks_secret};
use crate::action::cannot::{self, CannotCheck};
use crate::action::doing::{LOOK, quoted};
use crate::action::kinds::Proof;
use crate::action::plan::Precondition;
use crate::action::prepare::duration;
use crate::action::remote;
use crate::base::scrub::scrub;
use crate::base::{Body, Clean, Clock, Fault};
use crate::sys::aside::slow;
use crate::sys::held::Held;
use crate::sys::listeners::{self, Holder, Listening};
use crate::sys::net::http::{Answer, Ask, Site};
use crate::sys::net::talk::Lost;
use crate::sys::net::tls::Tls;
use crate::sys::program::{Ended, Order, Refusal};
use crate::sys::run::{Ran, Stopped, run};
use crate::sys::secret::hide;
use core::time::Duration;
use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Keys of a table that declare them.
pub const KEYS: &[&str] = &["validate", cannot::KEY, "reads_as_toml", "port", "health"];
/// Lines of a validator that are shown.
const LINES: usize = 8;
/// The service must be well within this time, when the profile does not say.
const WITHIN: Duration = Duration::from_secs(30);
/// Of an answer so many bytes are taken.
const MOST: usize = 256 * 1024;
/// One answer may take this long.
const ANSWER: Duration = Duration::from_secs(5);
/// Clocks of the kernel and of systemd may differ by this.
const TOLERANCE: Duration = Duration::from_millis(50);

/// All that is declared; by default nothing.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Checks {
    validate: Vec<String>,
    /// What of its answer means that it cannot say.
    #[serde(default)]
    cannot_check: CannotCheck,
    /// A file that must at least have the form of TOML; where it has and the program cannot check, that is enough.
    #[serde(default)]
    reads_as_toml: Option<PathBuf>,
    port: Option<u16>,
    health: Option<Health>,
}

/// An answer that must come.
#[derive(Debug, Serialize, Deserialize)]
struct Health {
    url: String,
    /// Empty: any from 200 to 299.
    status: Vec<u16>,
    json: Vec<Field>,
    within: Duration,
    /// The file of the key it asks with: read each time, never shown.
    #[serde(default)]
    bearer: Option<PathBuf>,
    /// For `https`.
    #[serde(default)]
    tls: Tls,
}

/// A field of an answer in JSON, by its pointer (RFC 6901), and what it must be.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Field {
    pointer: String,
    equals: Value,
}

/// What a validator says that finds no fault.
enum Judged {
    Passes,
    /// It cannot say, and why.
    Cannot(String),
}

/// A file that reads as TOML: its name. What does not is told with line and column.
fn has_form(path: &Path) -> Result<Clean, Fault> {
    let name = Clean::text(path.as_os_str().as_encoded_bytes());
    let held = Held::open(path)?;
    let text = core::str::from_utf8(held.bytes()).map_err(|_| Fault::new(format!("{name} is no text.")))?;
    Body::parse(name.as_str(), text)
        .map(|_| name)
        .map_err(|fault| fault.hint("Mend the configuration first: the service would not come up with it."))
}

impl Checks {
    /// Takes [`KEYS`] out of an action's table.
    ///
    /// # Errors
    /// What is declared wrongly.
    pub fn take(body: &mut Body) -> Result<Self, Fault> {
        let table = body.clone();
        let validate: Vec<String> = body.take("validate")?.unwrap_or_default();
        if validate.first().is_some_and(|program| !program.starts_with('/')) {
            return Err(table.fault_at("validate", "the program is not named by its whole path."));
        }
        let cannot_check = CannotCheck::take(body)?;
        let reads_as_toml: Option<PathBuf> = body.take("reads_as_toml")?;
        let port: Option<u16> = body.take("port")?;
        if port == Some(0) {
            return Err(table.fault_at("port", "nobody listens on port 0."));
        }
        let health = body.take_table("health")?.map(Health::take).transpose()?;
        Ok(Self { validate, cannot_check, reads_as_toml, port, health })
    }

    /// What they add under WHAT: first the program, then what must come true.
    pub fn lines(&self) -> (Option<Clean>, Vec<Clean>) {
        let first = (!self.validate.is_empty()).then(|| crate::clean!("first  {}", quoted(&self.validate)));
        let port = self.port.map(|port| crate::clean!("then   it must listen on port {port}"));
        let health = self.health.as_ref().map(|health| crate::clean!("then   {}", health.line()));
        (first, port.into_iter().chain(health).collect())
    }

    /// Whether something must hold of the run that serves afterwards.
    pub fn within_the_run(&self) -> bool {
        self.port.is_some() || self.health.is_some()
    }

    /// For how long they may need after the effect.
    pub fn within(&self) -> Duration {
        self.health.as_ref().map_or(Duration::ZERO, |health| health.within)
    }

    /// Runs the validator, read-only by its nature, and reads the file: what the plan rests on.
    ///
    /// Where it cannot check and no form is looked at either, that is said, and why the prompt is heavier.
    ///
    /// # Errors
    /// It finds fault, with its words.
    pub fn validated(&self, clock: &dyn Clock) -> Result<(Option<Precondition>, Option<Clean>), Fault> {
        let holds = |label: Clean, value: Clean| Some(Precondition { label, value, age: Duration::ZERO, metric: None });
        let form = self.reads_as_toml.as_deref().map(has_form).transpose()?;
        let name = quoted(&self.validate);
        match (self.judged(clock)?, form) {
            (None, form) => Ok((form.and_then(|file| holds(file, Clean::from("reads as TOML"))), None)),
            (Some(Judged::Passes), _) => Ok((holds(name, Clean::from("passes")), None)),
            (Some(Judged::Cannot(why)), Some(file)) => {
                let value = crate::clean!("cannot check ({}); {file} reads as TOML", why.trim_end_matches('.'));
                Ok((holds(name, value), None))
            }
            (Some(Judged::Cannot(why)), None) => {
                let raised = Clean::from("the validator cannot check the configuration");
                Ok((holds(name, crate::clean!("cannot check: {}", why.trim_end_matches('.'))), Some(raised)))
            }
        }
    }

    /// What the validator says; nothing where there is none.
    fn judged(&self, clock: &dyn Clock) -> Result<Option<Judged>, Fault> {
        let mut words = self.validate.iter().cloned();
        let Some(program) = words.next() else { return Ok(None) };
        let cannot = |why: String| Ok(Some(Judged::Cannot(why)));
        let order = Order { program: program.into(), args: words.collect(), ..Order::default() };
        // To judge a configuration is work, and no look: it takes what it may take when the plan is made.
        let ran = match slow(LOOK, || run(&order, LOOK, clock)) {
            Ok(ran) => ran,
            Err(Stopped::Refused(Refusal::Forbidden(fault) | Refusal::Impossible(fault))) => {
                return cannot(fault.to_string());
            }
            Err(Stopped::Unkillable(left)) => return cannot(format!("it hangs as process {}.", left.pid)),
        };
        if ran.timed_out {
            return cannot(format!("no end within {} s.", LOOK.as_secs()));
        }
        if let Some(how) = self.cannot_check.of(&ran) {
            return cannot(format!("{how}: {}", said(&ran)));
        }
        match ran.ended {
            Ended::Code(0) => Ok(Some(Judged::Passes)),
            ended => Err(Fault::new(format!("`{}` does not pass ({ended}): {}", quoted(&self.validate), said(&ran)))
                .hint("Mend the configuration first: the service would not come up with it.")),
        }
    }

    /// Whether all that is declared holds, once the manager says that the service runs.
    pub fn proof(&self, proof: Proof, manager: &Manager, clock: &dyn Clock) -> Proof {
        let Proof::Holds(mut id, mut said) = proof else { return proof };
        if let Some(port) = self.port {
            match owned(port, manager, clock) {
                Ok((holder, told)) => {
                    id = format!("{id} port {holder}");
                    said = said.join("; ", &told);
                }
                Err(other) => return other,
            }
        }
        if let Some(health) = &self.health {
            // An answer may take its time, wherever it is waited for.
            match slow(ANSWER, || health.look()) {
                Ok(told) => said = said.join("; ", &told),
                Err(why) => return Proof::NotYet(crate::clean!("{said}; {why}")),
            }
        }
        Proof::Holds(id, said)
    }
}

impl Health {
    fn take(mut body: Body) -> Result<Self, Fault> {
        let table = body.clone();
        let url: String = body.need("url")?;
        let tls = remote::tls(&mut body)?;
        let site = Site::parse(&url, tls.clone()).map_err(|fault| table.fault_at("url", fault.to_string()))?;
        if site.is_named() {
            let hint = "Say which, such as 127.0.0.1:8080 or localhost; of a certificate the name is `server_name`.";
            return Err(table.fault_at("url", "`url` names no address, and names are not looked up.").hint(hint));
        }
        if looks_secret(&url) {
            return Err(table.fault_at("url", "the URL looks as if it held a secret, and would be shown."));
        }
        let status: Vec<u16> = body.take("status")?.unwrap_or_default();
        if let Some(bad) = status.iter().find(|status| !(200..600).contains(*status)) {
            return Err(table.fault_at("status", format!("{bad} is no final status of HTTP.")));
        }
        let json: Vec<Field> = body.take("json")?.unwrap_or_default();
        if json.iter().any(|field| !field.pointer.starts_with('/')) {
            return Err(table.fault_at("json", "a pointer begins with /, such as \"/status\"."));
        }
        let within: Option<String> = body.take("within")?;
        let within = within.map_or(Ok(WITHIN), |text| duration(&text, &table))?;
        let bearer = remote::kept(&mut body, "bearer")?;
        body.done(&[&["url", "status", "json", "within", "bearer"], remote::TLS].concat())?;
        Ok(Self { url, status, json, within, bearer, tls })
    }

    fn line(&self) -> String {
        let status = self.status.iter().map(u16::to_string).collect::<Vec<_>>().join(" or ");
        let status = if status.is_empty() { "2xx".to_owned() } else { status };
        let fields =
            self.json.iter().map(|field| format!(", {} = {}", field.pointer, field.equals)).collect::<String>();
        format!("GET {} must answer {status}{fields} within {} s", self.url, self.within.as_secs())
    }

    /// Asks once.
    fn look(&self) -> Result<Clean, Clean> {
        let headers = self.bearer.as_deref().map(remote::bearer).transpose();
        let answer = headers.and_then(|headers| {
            let headers = headers.into_iter().collect();
            let ask = Ask { method: Method::GET, headers, body: String::new(), most: MOST };
            Site::parse(&self.url, self.tls.clone())?.ask(ask, ANSWER).map_err(Lost::fault)
        });
        let answer =
            answer.map_err(|fault| crate::clean!("{}: {}", self.url, fault.what.as_str().trim_end_matches('.')))?;
        self.judge(&answer)
    }

    fn judge(&self, answer: &Answer) -> Result<Clean, Clean> {
        let (url, status) = (&self.url, answer.status);
        let good = if self.status.is_empty() { (200..300).contains(&status) } else { self.status.contains(&status) };
        if !good {
            return Err(crate::clean!("{url} answers {status}"));
        }
        let value: Value = match serde_json::from_slice(&answer.body) {
            Ok(value) => value,
            Err(_) if self.json.is_empty() => return Ok(crate::clean!("{url} answers {status}")),
            Err(_) => return Err(crate::clean!("{url} answers {status}, but no JSON")),
        };
        for field in &self.json {
            match value.pointer(&field.pointer) {
                Some(found) if *found == field.equals => {}
                found => {
                    let found = found.map_or_else(|| "nothing".to_owned(), Value::to_string);
                    let found: String = scrub(&hide(&found)).chars().take(80).collect();
                    let found = Clean::text(found);
                    return Err(crate::clean!("{url}: {} is {found}, not {}", field.pointer, field.equals));
                }
            }
        }
        Ok(crate::clean!("{url} answers {status} as expected"))
    }
}

/// Whether the port is held by a process of the service as it runs now: which one, and in words.
fn owned(port: u16, manager: &Manager, clock: &dyn Clock) -> Result<(u32, Clean), Proof> {
    let unit = manager.service().unit();
    let unseen = |why: String| Proof::Unseen(crate::clean!("whose port {port} is cannot be seen: {why}"));
    let kin = manager.service().kin(clock).map_err(|fault| unseen(fault.to_string()))?;
    let seen = listeners::look(port).map_err(|error| unseen(format!("{error}.")))?;
    whose(port, unit, &kin, &seen)
}

/// The same, on what was seen.
fn whose(port: u16, unit: &str, kin: &Kin, seen: &Listening) -> Result<(u32, Clean), Proof> {
    if seen.sockets == 0 {
        return Err(Proof::NotYet(crate::clean!("{unit} runs, but nobody listens on port {port}")));
    }
    let ours: Vec<&Holder> = seen.holders.iter().filter(|holder| kin.has(holder)).collect();
    let (old, new): (Vec<&Holder>, Vec<&Holder>) = ours.into_iter().partition(|holder| kin.is_older(holder));
    match (new.first(), old.first(), seen.holders.first()) {
        (Some(new), _, _) => Ok((new.pid, crate::clean!("port {port} is its own"))),
        (None, Some(old), _) => Err(Proof::NotYet(crate::clean!(
            "port {port} is still held by process {} ({}) of the run before",
            old.pid,
            old.name
        ))),
        (None, None, Some(_) | None) if seen.hidden => Err(Proof::Unseen(crate::clean!(
            "whose port {port} is cannot be seen: this login may not look at every process."
        ))),
        (None, None, Some(other)) => Err(Proof::NotYet(crate::clean!(
            "port {port} is held by process {} ({}), which is not of {unit}",
            other.pid,
            other.name
        ))),
        (None, None, None) => {
            Err(Proof::NotYet(crate::clean!("port {port} is held by none of the processes of this host")))
        }
    }
}

impl Kin {
    /// Whether a process is one of the service: in its control group, or its main process or below it.
    fn has(&self, holder: &Holder) -> bool {
        let main = self.pid.is_some_and(|pid| holder.pid == pid || holder.above.contains(&pid));
        match &self.group {
            None => main,
            Some(group) => is_among(&holder.groups, group, self.pid),
        }
    }

    /// A variable that its first process was started with, as the kernel has it; `None` where that cannot be seen.
    pub fn variable(&self, name: &str) -> Option<String> {
        listeners::variable(self.first()?, name)
    }

    fn first(&self) -> Option<u32> {
        let group = self.group.as_ref()?;
        listeners::oldest(|groups| is_among(groups, group, self.pid))
    }

    /// Whether it has run since before this run of the service.
    fn is_older(&self, holder: &Holder) -> bool {
        self.since.is_some_and(|since| holder.started + TOLERANCE < since)
    }
}

/// Whether one of these groups is that of the service. Where our view of them begins above the manager's, its main process
/// tells what comes before.
fn is_among(groups: &[String], group: &str, main: Option<u32>) -> bool {
    let outer = main.map(listeners::groups).unwrap_or_default();
    let before = outer.iter().find_map(|outer| outer.strip_suffix(group));
    groups.iter().any(|found| is_in(found, group, before))
}

/// Whether a group is this one or below it, after what comes before it; anything where that is not known.
fn is_in(found: &str, group: &str, before: Option<&str>) -> bool {
    let rest = match before {
        Some(before) => found.strip_prefix(before).and_then(|rest| rest.strip_prefix(group)),
        None => found.split_once(group).map(|(_, rest)| rest),
    };
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Its last lines, one after the other.
fn said(ran: &Ran) -> String {
    let all = [ran.stderr.bytes(), ran.stdout.bytes()].concat();
    let text = String::from_utf8_lossy(&all).into_owned();
    let text = scrub(&hide(&text));
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    if lines.is_empty() {
        return "it says nothing.".to_owned();
    }
    let from = lines.len().saturating_sub(LINES);
    lines.get(from..).unwrap_or_default().join(" / ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(pid: u32, group: &str, started: u64) -> Holder {
        let started = Duration::from_secs(started);
        Holder { pid, name: "web".into(), started, groups: vec!["/".to_owned(), group.to_owned()], above: vec![] }
    }

    fn judged(holders: Vec<Holder>, hidden: bool) -> Result<(u32, Clean), Proof> {
        let kin =
            Kin { pid: None, group: Some("/system.slice/a.service".into()), since: Some(Duration::from_secs(100)) };
        whose(80, "a.service", &kin, &Listening { sockets: 1, holders, hidden })
    }

    #[test]
    fn a_port_counts_only_when_a_process_of_this_run_of_the_unit_holds_it() {
        let not = |holders, hidden| match judged(holders, hidden) {
            Err(Proof::NotYet(why)) => why.to_string(),
            other => panic!("{other:?}"),
        };
        let group = "/system.slice/a.service";
        assert_eq!(judged(vec![holder(7, group, 100)], true).unwrap().0, 7);
        assert_eq!(
            judged(vec![holder(1, "/init.scope", 0), holder(7, &format!("{group}/sub"), 100)], false).unwrap().0,
            7
        );
        let old = not(vec![holder(6, group, 90)], false);
        assert_eq!(old, "port 80 is still held by process 6 (web) of the run before");
        for other in ["/system.slice/b.service", "/system.slice/a.service2", "/system.slice"] {
            let why = not(vec![holder(8, other, 100)], false);
            assert_eq!(why, "port 80 is held by process 8 (web), which is not of a.service", "{other}");
        }
        assert!(matches!(judged(vec![], true), Err(Proof::Unseen(_))), "a login that may not look does not know");
    }

    #[test]
    fn what_comes_before_a_group_must_be_what_comes_before_its_main_process() {
        let group = "/system.slice/a.service";
        assert!(is_in("/system.slice/a.service", group, Some("")));
        assert!(!is_in("/docker/x/system.slice/a.service", group, Some("")), "another manager's");
        assert!(is_in("/lab/system.slice/a.service/b", group, Some("/lab")));
        assert!(is_in("/lab/system.slice/a.service", group, None));
    }

    #[test]
    fn without_groups_the_main_process_and_those_below_it_count() {
        let kin = Kin { pid: Some(50), group: None, since: None };
        let below = Holder { above: vec![51, 50, 1], ..holder(52, "/", 0) };
        assert!(kin.has(&holder(50, "/", 0)) && kin.has(&below) && !kin.has(&holder(51, "/", 0)));
    }

    fn checks(text: &str) -> Result<Checks, String> {
        let mut body = Body::parse("p.toml", text).map_err(|fault| fault.to_string())?;
        let checks = Checks::take(&mut body).map_err(|fault| fault.to_string())?;
        body.done(&[]).map(|()| checks).map_err(|fault| fault.to_string())
    }

    #[test]
    fn an_answer_is_good_by_its_status_and_its_fields() {
        let table =
            "health = { url = \"http://127.0.0.1:8/h\", json = [{ pointer = \"/status\", equals = \"healthy\" }] }";
        let health = checks(table).unwrap().health.unwrap();
        let judge = |status, body: &str| match health.judge(&Answer { status, body: body.into(), ..Answer::default() })
        {
            Ok(said) | Err(said) => said.to_string().replace("http://127.0.0.1:8/h", "it"),
        };
        assert_eq!(judge(200, "{\"status\":\"healthy\",\"n\":1}"), "it answers 200 as expected");
        assert_eq!(judge(503, "{\"status\":\"healthy\"}"), "it answers 503");
        assert_eq!(judge(200, "{\"status\":\"sick\"}"), "it: /status is \"sick\", not \"healthy\"");
        assert_eq!(judge(200, "{}"), "it: /status is nothing, not \"healthy\"");
        assert_eq!(judge(200, "<html>"), "it answers 200, but no JSON");
        let plain = checks("health = { url = \"http://127.0.0.1:8/h\", status = [204] }").unwrap().health.unwrap();
        assert!(plain.judge(&Answer { status: 204, ..Answer::default() }).is_ok());
        assert!(plain.judge(&Answer { status: 200, ..Answer::default() }).is_err());
    }

    #[test]
    fn what_is_declared_wrongly_is_refused() {
        for (text, why) in [
            ("validate = [\"nginx\", \"-t\"]", "not named by its whole path"),
            ("port = 0", "nobody listens on port 0"),
            ("port = 70000", "p.toml:1:8"),
            ("health = { url = \"http://db/\" }", "names no address"),
            ("health = { status = [200] }", "`url` is missing here"),
            ("health = { url = \"http://127.0.0.1\", stauts = [200] }", "stauts"),
            ("health = { url = \"http://127.0.0.1\", within = \"0s\" }", "is no duration"),
            ("health = { url = \"http://127.0.0.1\", json = [{ pointer = \"status\", equals = 1 }] }", "begins with /"),
        ] {
            let said = checks(text).err().unwrap_or_default();
            assert!(said.contains(why), "{text}: {said}");
        }
    }
}
