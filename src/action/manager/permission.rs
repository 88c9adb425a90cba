//! Whether sudo or polkit lets a login ask a manager for something, and by which rule they would. Both are asked, and
//! neither may ask anybody for a password.

use super::Verb;
use crate::action::doing::last_words;
use crate::action::right::{Need, Right};
use crate::base::{Clean, Clock, Fault};
use crate::sys::child::start_time;
use crate::sys::host::Login;
use crate::sys::program::{Ended, Order, Refusal};
use crate::sys::run::{Ran, Stopped, run};
use core::time::Duration;
use serde_json::Value;

/// What systemd asks polkit for where something is done with a unit.
const UNITS: &str = "org.freedesktop.systemd1.manage-units";
/// What it asks for where it is to read the files of all units again.
const FILES: &str = "org.freedesktop.systemd1.reload-daemon";
/// Either answers within this; a plan that waits for it twice is still in time.
const PATIENCE: Duration = Duration::from_secs(2);
/// What polkit says to a login that is not root and asks for one unit.
const ROOT_ALONE: &str = "pass details";

/// Whether this order goes through sudo.
pub(super) fn is_sudo(order: &Order) -> bool {
    order.program.file_name().is_some_and(|name| name == "sudo")
}

/// Whether sudo would run this order, in which it comes first; `what` names it: "restart a.service". It says so by its
/// exit code, and with `-n` asks nobody for a password.
pub(super) fn of_sudo(order: Order, what: &str, login: &Login, clock: &dyn Clock) -> Right {
    let own: Vec<String> = order.args.iter().filter(|arg| *arg != "-n").cloned().collect();
    let rule = crate::clean!("{} ALL=(root) NOPASSWD: {}", login.user, Clean::text(own.join(" ")));
    let args = ["-n", "-l", "--"].map(str::to_owned).into_iter().chain(own).collect();
    match ask(&Order { args, ..order }, clock) {
        Err(why) => {
            let fault = Fault::new(format!("whether sudo lets this login `{what}` is unknown: {why}"));
            Right::unknown(Need::Sudo(rule), fault)
        }
        Ok(Ran { ended: Ended::Code(0), .. }) => Right::May,
        Ok(_) => {
            let fault = Fault::new(format!("sudo does not let this login `{what}`.")).hint(format!("Its rule: {rule}"));
            Right::without(Need::Sudo(rule), fault)
        }
    }
}

/// What systemd is to do.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wish<'a> {
    /// This with a unit.
    Unit(Verb, &'a str),
    /// Read the files of all units again.
    ReadFiles,
}

impl Wish<'_> {
    /// As `systemctl` is told it.
    pub(super) fn words(self) -> String {
        match self {
            Self::Unit(verb, unit) => format!("{verb} {unit}"),
            Self::ReadFiles => "daemon-reload".to_owned(),
        }
    }

    const fn action(self) -> &'static str {
        match self {
            Self::Unit(..) => UNITS,
            Self::ReadFiles => FILES,
        }
    }

    fn need(self) -> Need {
        match self {
            Self::Unit(verb, unit) => Need::Polkit(Clean::text(unit), verb.word()),
            Self::ReadFiles => Need::PolkitAction(FILES),
        }
    }

    /// What systemd tells polkit beside the action.
    fn details(self) -> Vec<(&'static str, String)> {
        match self {
            Self::Unit(verb, unit) => vec![("unit", unit.to_owned()), ("verb", verb.word().to_owned())],
            Self::ReadFiles => Vec::new(),
        }
    }

    /// The rule that lets this login have it, with where it belongs.
    fn rule(self, login: &Login) -> String {
        let quoted = |text: &str| Value::from(text).to_string();
        let looked_up =
            self.details().into_iter().map(|(name, value)| format!(" && a.lookup(\"{name}\") == {}", quoted(&value)));
        format!(
            "in /etc/polkit-1/rules.d: polkit.addRule(function(a, s) {{ if (a.id == \"{}\"{} && s.user == {}) return \"yes\"; }});",
            self.action(),
            looked_up.collect::<String>(),
            quoted(login.user.as_str())
        )
    }
}

/// Whether polkit lets us have that of systemd (pkcheck(1)). Of a single unit polkit may tell nobody but root; then it is
/// asked whether the login may do it with every unit: its no leaves open what a rule for this one says.
pub(super) fn of_polkit(pkcheck: &Order, wish: Wish<'_>, login: &Login, clock: &dyn Clock) -> Right {
    let pid = rustix::process::getpid().as_raw_nonzero().get().unsigned_abs();
    let start = start_time(pid).map_or_else(String::new, |start| format!(",{start},{}", rustix::process::getuid()));
    let subject = format!("{pid}{start}");
    let asked = |details: Vec<(&str, String)>| {
        let own = ["--action-id", wish.action(), "--process", subject.as_str()].map(str::to_owned);
        let details = details.into_iter().flat_map(|(name, value)| ["--detail".to_owned(), name.to_owned(), value]);
        let args = pkcheck.args.iter().cloned().chain(own).chain(details).collect();
        ask(&Order { args, ..pkcheck.clone() }, clock)
    };
    let (what, rule, need) = (wish.words(), wish.rule(login), wish.need());
    let without = |why: String| Right::without(need.clone(), Fault::new(why).hint(format!("Its rule, {rule}")));
    let unknown = |why: Fault| {
        let fault = Fault::new(format!("whether polkit lets this login `{what}` is unknown: {why}"));
        Right::unknown(need.clone(), fault.hint(format!("A rule that does, {rule}")))
    };
    let ran = match asked(wish.details()) {
        Err(why) => return unknown(why),
        Ok(ran) => ran,
    };
    match ran.ended {
        Ended::Code(0) => Right::May,
        Ended::Code(1) => without(format!("polkit does not let this login `{what}`.")),
        Ended::Code(2 | 3) => {
            without(format!("polkit wants a password of this login to `{what}`, and nobody is asked."))
        }
        Ended::Code(127) if String::from_utf8_lossy(&ran.stderr.bytes()).contains(ROOT_ALONE) => {
            match asked(Vec::new()).map(|ran| ran.ended) {
                Ok(Ended::Code(0)) => Right::May,
                Ok(_) => unknown(Fault::new("it tells only root of a single unit, and not every one is allowed.")),
                Err(why) => unknown(why),
            }
        }
        ended => unknown(Fault::new(format!("pkcheck ended with {ended}{}.", last_words(&ran)))),
    }
}

/// How it ended, where it did.
fn ask(order: &Order, clock: &dyn Clock) -> Result<Ran, Fault> {
    let name = Clean::text(order.program.as_os_str().as_encoded_bytes());
    let ran = run(order, PATIENCE, clock).map_err(|stopped| match stopped {
        Stopped::Refused(Refusal::Forbidden(fault) | Refusal::Impossible(fault)) => fault,
        Stopped::Unkillable(left) => Fault::new(format!("{name} hangs as process {}.", left.pid)),
    })?;
    if ran.timed_out {
        return Err(Fault::new(format!("{name} did not answer within {} s.", PATIENCE.as_secs())));
    }
    Ok(ran)
}

#[cfg(test)]
mod tests {
    use super::super::{Service, Systemd};
    use super::*;
    use crate::sys::clock::RealClock;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    /// A login that is not root.
    fn oncall() -> Login {
        Login { login: "oncall".into(), uid: 1_000, user: "oncall".into(), ..Login::current() }
    }

    /// What is known with a pkcheck that says this, and which questions it was asked, each on a line.
    fn with(says: &str) -> (Right, String) {
        let dir = tempfile::tempdir().expect("a folder");
        let (program, asked) = (dir.path().join("pkcheck"), dir.path().join("asked"));
        fs::write(&program, format!("#!/bin/sh\necho \"$@\" >> {}\n{says}\n", asked.display())).expect("writes");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("may run");
        (through(&program, &oncall()), fs::read_to_string(asked).unwrap_or_default())
    }

    fn through(program: &Path, login: &Login) -> Right {
        let table = format!("unit = \"a.service\"\npkcheck = [\"{}\", \"--own\"]", program.display());
        toml::from_str::<Systemd>(&table).expect("a unit").right(Verb::Restart, login, &RealClock)
    }

    #[test]
    fn polkit_is_asked_for_the_unit_and_the_verb_and_its_exit_code_is_the_answer() {
        let (right, asked) = with("exit 0");
        assert_eq!(right, Right::May);
        let (pid, user) = (std::process::id(), rustix::process::getuid());
        let start = start_time(pid).expect("we live");
        let question = format!(
            "--own --action-id {UNITS} --process {pid},{start},{user} --detail unit a.service --detail verb restart\n"
        );
        assert_eq!(asked, question, "once, and never with leave to ask somebody for a password");
        for (code, said) in [
            (1, "does not let this login `restart a.service`."),
            (2, "wants a password of this login"),
            (3, "wants a password of this login"),
        ] {
            let lack = with(&format!("exit {code}")).0.lacks().expect("lacks it");
            assert_eq!(lack.need, Need::Polkit("a.service".into(), "restart"));
            let fault = lack.fault.to_string();
            assert!(fault.starts_with("polkit ") && fault.contains(said), "{fault}");
            let rule = "polkit.addRule(function(a, s) { if (a.id == \"org.freedesktop.systemd1.manage-units\" && a.lookup(\"unit\") == \"a.service\" && a.lookup(\"verb\") == \"restart\" && s.user == \"oncall\") return \"yes\"; });";
            assert!(fault.ends_with(rule), "{fault}");
        }
    }

    #[test]
    fn reading_the_files_of_units_again_is_a_right_of_its_own() {
        let dir = tempfile::tempdir().expect("a folder");
        let (program, asked) = (dir.path().join("pkcheck"), dir.path().join("asked"));
        fs::write(&program, format!("#!/bin/sh\necho \"$@\" >> {}\nexit 1\n", asked.display())).expect("writes");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("may run");
        let unit: Systemd =
            toml::from_str(&format!("unit = \"a.service\"\npkcheck = [\"{}\"]", program.display())).expect("a unit");
        let lack = unit.right_to_read_files(&oncall(), &RealClock).lacks().expect("lacks it");
        assert_eq!(lack.need, Need::PolkitAction(FILES));
        let fault = lack.fault.to_string();
        assert!(fault.starts_with("polkit does not let this login `daemon-reload`."), "{fault}");
        let rule = "polkit.addRule(function(a, s) { if (a.id == \"org.freedesktop.systemd1.reload-daemon\" && s.user == \"oncall\") return \"yes\"; });";
        assert!(fault.ends_with(rule), "{fault}");
        let question = fs::read_to_string(asked).expect("asked");
        assert!(question.starts_with(&format!("--action-id {FILES} --process ")), "{question}");
        assert!(!question.contains("--detail"), "nothing that only root may ask: {question}");
        assert_eq!(unit.right_to_read_files(&Login { uid: 0, ..oncall() }, &RealClock), Right::May);
    }

    #[test]
    fn where_polkit_does_not_answer_nobody_says_that_the_login_may() {
        let unknown = |right: Right, why: &str| match right {
            Right::Unknown(lack) => {
                let fault = lack.fault.to_string();
                assert!(
                    fault.starts_with("whether polkit lets this login `restart a.service` is unknown: "),
                    "{fault}"
                );
                assert!(fault.contains(why) && fault.contains("s.user == \"oncall\""), "{fault}");
            }
            other => panic!("{why}: {other:?}"),
        };
        unknown(with("echo 'Error getting authority: no such file' >&2; exit 127").0, "Error getting authority");
        unknown(with("exit 126").0, "exit code 126");
        unknown(with("kill -9 $$").0, "SIGKILL");
        unknown(with("exec sleep 1000").0, "did not answer within 2 s");
        unknown(through(Path::new("/nonexistent/pkcheck"), &oncall()), "/nonexistent/pkcheck");
    }

    #[test]
    fn a_login_that_polkit_tells_nothing_of_one_unit_may_where_it_may_with_every_unit() {
        let refused =
            "Only trusted callers (e.g. uid 0 or an action owner) can use CheckAuthorization() and pass details";
        let says = |every: u8| {
            with(&format!("case \"$*\" in *--detail*) echo '{refused}' >&2; exit 127;; esac; exit {every}"))
        };
        let (right, asked) = says(0);
        assert_eq!((right, asked.lines().count()), (Right::May, 2));
        for code in [1, 2, 127] {
            // A rule for this unit alone may still let it.
            let (right, _) = says(code);
            assert!(
                matches!(&right, Right::Unknown(lack) if lack.fault.to_string().contains("tells only root")),
                "{right:?}"
            );
        }
    }

    #[test]
    fn root_and_a_login_at_its_own_manager_ask_nobody() {
        let nobody = Path::new("/nonexistent/pkcheck");
        assert_eq!(through(nobody, &Login { uid: 0, ..oncall() }), Right::May);
        let own = "unit = \"a.service\"\nuser = true\npkcheck = [\"/nonexistent/pkcheck\"]";
        let own: Systemd = toml::from_str(own).expect("a unit");
        assert_eq!(own.right(Verb::Restart, &oncall(), &RealClock), Right::May);
        let wrong: Systemd = toml::from_str("unit = \"a.service\"\npkcheck = [\"pkcheck\"]").expect("a unit");
        assert!(
            wrong.check().is_err_and(|fault| fault.to_string().contains("`pkcheck` must begin with an absolute path"))
        );
    }
}
