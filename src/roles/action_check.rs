//! What can be said of a profile's actions before anybody asks for one: what is wrong with their tables, which metrics that
//! they look at never come, and which units this host does not know.

use crate::action::form::managers;
use crate::action::manager::{Manager, Service as _};
use crate::action::prepare::{Any, Context, Depth, check};
use crate::action::queries::written;
use crate::base::body::misspelt;
use crate::base::{Body, Clean, Fault, Place, Ulid, Unit};
use crate::config::{Profile, SamplerSpec, Trust};
use crate::rules::Book;
use crate::rules::book::INTERVAL;
use crate::rules::expr::Expr;
use crate::rules::lint::{self, Found, Known};
use crate::store::Store;
use crate::sys::clock::RealClock;
use crate::sys::host::{Host, Login};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::LazyLock;

/// What is wrong with the tables of actions by themselves: nothing of what they name is looked at.
pub(super) fn faults(profile: &Profile) -> Vec<Fault> {
    profile.actions.iter().filter_map(|spec| judge(profile, &spec.kind, &spec.body)).collect()
}

/// The first thing that is wrong with the table of an action of this kind.
pub(super) fn judge(profile: &Profile, kind: &str, body: &Body) -> Option<Fault> {
    // Whose and where it is is no matter of a table.
    static HERE: LazyLock<(Host, Login)> = LazyLock::new(|| (Host::current(), Login::current()));
    let (host, login) = &*HERE;
    let context = Context {
        host,
        login,
        environment: &profile.environment,
        profile: &profile.name,
        readings: &Any,
        earlier: &[],
        state: Path::new("/"),
        given: &[],
        id: Ulid(0),
        clock: &RealClock,
        depth: Depth::Table,
    };
    check(kind, body, &context)
}

/// Metrics in the queries of actions that no sampler makes: what is proven by one is never proven.
pub(super) fn absent(profile: &Profile, book: &Book, store: &Store) -> Vec<Found> {
    let known = Known::new(Some(store), book.policy(), INTERVAL, book.rules().map(|(_, rule, _)| rule));
    let mut all = Vec::new();
    for spec in &profile.actions {
        for (key, query) in written(&spec.body) {
            let Ok(expr) = Expr::parse(&query) else { continue };
            let mut found = lint::metric(&Clean::text(&*spec.name), &expr, Unit::default(), &known);
            found.retain(Found::is_absence);
            for found in &mut found {
                found.fault.at = spec.body.fault_at(key, "").at;
            }
            all.extend(found);
        }
    }
    all
}

/// Units of actions that systemd does not know here, or, once, why it was not asked. No fault: the profile may be for
/// another host. Programs that a profile names are not run where others may write to it.
pub(super) fn unknown_here(profile: &Profile) -> Vec<Fault> {
    if matches!(profile.trust, Trust::DisplayOnly(_)) {
        return Vec::new();
    }
    let sampled: Vec<String> = profile.samplers.iter().flat_map(sampled_units).collect();
    let mut notes: Vec<Fault> = Vec::new();
    let mut asked = BTreeSet::new();
    for spec in &profile.actions {
        for (key, manager) in managers(&spec.body) {
            let Manager::Systemd(unit) = manager else { continue };
            // What is no name at all is a fault of its own, and nobody is asked for it.
            if unit.check().is_err() || !asked.insert(unit.unit.clone()) {
                continue;
            }
            let at = place_of_unit(&spec.body, key);
            let unknown = unit.is_unknown(&RealClock);
            let what = match &unknown {
                Ok(false) => continue,
                Ok(true) => Clean::text(format!("the unit `{}` is unknown here.", unit.unit)),
                Err(fault) => unit.absent().map_or_else(
                    || fault.what.clone(),
                    |why| Clean::text(format!("{why}, so nobody was asked for the units of actions.")),
                ),
            };
            let fault = |what: Clean| Fault { at: at.clone(), ..Fault::new(what) };
            let meant = near_unit(&unit.unit, &sampled).map(|near| format!("Did you mean `{near}`?"));
            let elsewhere = "Nothing is wrong where this profile is for another host.";
            if !notes.iter().any(|note| note.what == what) {
                let hint = meant.as_deref().filter(|_| unknown.is_ok()).unwrap_or(elsewhere);
                notes.push(fault(what).hint(hint));
            }
            if let Some(meant) = meant.filter(|_| unknown.is_err()) {
                notes.push(fault(Clean::text(format!("no sampler watches `{}`.", unit.unit))).hint(meant));
            }
        }
    }
    notes
}

/// Where the name of a unit stands, else where its service does.
fn place_of_unit(body: &Body, key: &str) -> Option<Place> {
    let service = body.clone().take_table(key).ok().flatten();
    let service = if key == "reopen" { service?.take_table("reload").ok().flatten() } else { service };
    service.map_or_else(|| body.fault_at(key, ""), |service| service.fault_at("unit", "")).at
}

/// The units that a sampler watches by name.
fn sampled_units(spec: &SamplerSpec) -> Vec<String> {
    let units = (spec.kind == "systemd").then(|| spec.body.clone().take("units").ok().flatten());
    units.flatten().unwrap_or_default()
}

/// The unit that was probably meant. Names of one length that differ by a letter are often both meant: `a1` and `a2`.
fn near_unit<'a>(unit: &str, known: &'a [String]) -> Option<&'a str> {
    let names: Vec<&str> =
        known.iter().map(String::as_str).filter(|name| *name == unit || name.len() != unit.len()).collect();
    misspelt(unit, &names).filter(|near| *near != unit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::roles::setup::{known_kinds, setup};
    use crate::store::Limits;
    use std::os::unix::fs::PermissionsExt as _;

    fn read(text: &str) -> Profile {
        Profile::parse("t", "p.toml", text, &known_kinds()).expect("parses")
    }

    #[test]
    fn what_a_plan_would_refuse_by_the_table_alone_is_told_with_its_place() {
        for (kind, rows, said) in [
            ("command", "argv = [\"relative\"]", "5:8: the program is not named by its whole path"),
            ("command", "argv = [\"/bin/true\", \"{x}\"]", "5:8: `{x}` is no parameter of this action"),
            ("command", "argv = [\"/bin/true\"]\npreview = [\"true\"]", "6:11: the program is not named by its whole"),
            ("command", "argv = [\"/bin/true\", \"--token\", \"x9\"]", "5:8: argument 2 looks like a secret"),
            (
                "service_restart",
                "service = { kind = \"systemd\", unit = \"bad name\" }",
                "5:11: `bad name` is no unit name",
            ),
            (
                "service_stop",
                "service = { kind = \"systemd\", unit = \"web\" }",
                "5:11: `web` has no suffix. Write `web.service`",
            ),
            (
                "config_set",
                "file = \"x.toml\"\nset = [{ key = \"a\", to = 1 }]",
                "5:8: `x.toml` is not an absolute path",
            ),
            (
                "config_set",
                "file = \"/x\"\nset = [{ key = \"a\", to = 1 }]",
                "5:8: the name of /x does not say its format",
            ),
            ("config_set", "file = \"/x.toml\"\nset = [{ key = \"a\", to = \"{b}\" }]", "6:7: `{b}` is no parameter"),
            (
                "config_set",
                "file = \"/x.env\"\nset = [{ key = \"api_key\", to = \"v\" }]",
                "6:7: `api_key` looks like a secret",
            ),
            ("lmdb_backup", "path = \"/x\"\nto = \"backups\"", "6:6: `backups` is not an absolute path"),
            (
                "process_signal",
                "pid_file = \"/x\"\nprogram = \"y\"\nsignal = \"KILLL\"",
                "7:10: `KILLL` is not sent from here",
            ),
            ("file_set_aside", "path = \"/srv/a/b\"\nbelow = \"/srv/c\"", "5:8: /srv/a/b is not below /srv/c"),
            ("http_call", "method = \"PUT\"\nurl = \"nowhere\"", "6:7: "),
            (
                "service_restart",
                "service = { kind = \"systemd\", unit = \"a.service\" }\nhealth = { url = \"http://127.0.0.1/\", status = [999] }",
                "6:48: 999 is no final status of HTTP",
            ),
            ("command", "argv = [\"/bin/true\"]\ntraffic = \"rate(\"", "6:11: `rate(` is no PromQL: "),
        ] {
            let text = format!("[actions.a]\nkind = \"{kind}\"\nverb = \"perform\"\ndanger = \"C3\"\n{rows}\n");
            let faults: Vec<String> = faults(&read(&text)).iter().map(Fault::to_string).collect();
            assert!(matches!(&faults[..], [one] if one.contains(&format!("p.toml:{said}"))), "{rows}: {faults:#?}");
        }
    }

    #[test]
    fn what_an_action_is_proven_by_must_come_from_somewhere() {
        let text = "[samplers.h]\nkind = \"host\"\n[actions.a]\nkind = \"command\"\nverb = \"perform\"\ndanger = \"C2\"\n\
             argv = [\"/bin/true\"]\nverify = [{ label = \"load\", query = \"nowhere_made\", expect = \"falls\" }]\n\
             verify_samplers = [\"h\"]\ntraffic = \"node_load1\"\n";
        let (profile, mut store) = (read(text), Store::new(Limits::default()));
        let built = setup(&profile, "h".into(), &mut store);
        assert!(built.faults.is_empty(), "{:?}", built.faults);
        let found: Vec<String> = absent(&profile, &built.book, &store).iter().map(Found::to_string).collect();
        assert_eq!(found, ["p.toml:8:10: WK007 `a`: no sampler here makes `nowhere_made`."]);
    }

    #[test]
    fn a_unit_that_is_unknown_here_or_cannot_be_asked_for_is_noted_where_it_stands() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("systemctl");
        let script = "#!/bin/sh\nfor unit; do :; done\n\
                      case $unit in dead*) echo no bus >&2; exit 1;; known*) echo LoadState=loaded;; *) echo LoadState=not-found;; esac\n";
        std::fs::write(&program, script).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let mut text = "[samplers.s]\nkind = \"systemd\"\nunits = [\"orders.service\", \"known.service\"]\n".to_owned();
        for (name, unit) in [("a", "known"), ("b", "ordrs"), ("c", "other"), ("d", "other"), ("e", "dead")] {
            let service = format!("{{ kind = \"systemd\", unit = \"{unit}.service\", systemctl = [{program:?}] }}");
            let action = format!("[actions.{name}]\nkind = \"service_restart\"\nverb = \"restart\"\ndanger = \"C2\"\n");
            text = format!("{text}{action}service = {service}\n");
        }
        let notes: Vec<String> = unknown_here(&read(&text)).iter().map(Fault::to_string).collect();
        let dead = format!(
            "p.toml:28:38: the unit `dead.service` cannot be looked at: {} ended with exit code 1: no bus.",
            program.display()
        );
        let elsewhere = "Nothing is wrong where this profile is for another host.";
        assert_eq!(
            notes,
            [
                "p.toml:13:38: the unit `ordrs.service` is unknown here. Did you mean `orders.service`?".to_owned(),
                format!("p.toml:18:38: the unit `other.service` is unknown here. {elsewhere}"),
                format!("{dead} {elsewhere}"),
            ]
        );
    }

    #[test]
    fn without_systemd_that_is_said_once_and_what_is_misspelt_all_the_same() {
        let mut text = "[samplers.s]\nkind = \"systemd\"\nunits = [\"orders.service\"]\n".to_owned();
        for unit in ["orders", "ordrs"] {
            text = format!(
                "{text}[actions.{unit}]\nkind = \"service_restart\"\nverb = \"restart\"\ndanger = \"C2\"\n\
                 service = {{ kind = \"systemd\", unit = \"{unit}.service\" }}\n"
            );
        }
        let Some(why) = crate::sys::logind::absent(Path::new("/")) else { return };
        let notes: Vec<String> = unknown_here(&read(&text)).iter().map(Fault::to_string).collect();
        let why = format!("{why}, so nobody was asked for the units of actions.");
        assert_eq!(
            notes,
            [
                format!("p.toml:8:38: {why} Nothing is wrong where this profile is for another host."),
                "p.toml:13:38: no sampler watches `ordrs.service`. Did you mean `orders.service`?".to_owned(),
            ]
        );
    }
}
