//! A unit that has failed, also without a profile: its journal through `journalctl`, and the action that restarts it.

use crate::action::doing::look;
use crate::app::unit::restarted;
use crate::base::scrub::scrub;
use crate::base::{Body, Clean, Fault};
use crate::config::profile::ActionSpec;
use crate::sys::clock::RealClock;
use crate::sys::program::Order;
use crate::sys::secret::hide;
use std::sync::Arc;

/// Lines that are read.
const LINES: &str = "200";

/// The newest lines of its journal, oldest first, with no secret that is known.
///
/// # Errors
/// What `journalctl` says, or that it is not here.
pub(super) fn journal(unit: &str) -> Result<Vec<Clean>, Fault> {
    let args = ["--no-pager", "--quiet", "--output=short-iso", "--lines", LINES, "--unit", unit];
    let program = "/usr/bin/journalctl".into();
    let said = look(&Order { program, args: args.map(str::to_owned).into(), ..Order::default() }, &RealClock)?;
    let text = String::from_utf8_lossy(&said).into_owned();
    Ok(scrub(&hide(&text)).lines().map(Clean::text).collect())
}

/// The action of this name, if it restarts a unit that no profile names: through the same gate as any other.
pub(super) fn restart(name: &Arc<str>) -> Option<ActionSpec> {
    let unit = restarted(name)?;
    let service = toml::Value::from(unit).to_string();
    let text = format!(
        "verb = \"restart\"\ndanger = \"C2\"\nservice = {{ kind = \"systemd\", unit = {service} }}\nstable_for = \"10s\"\n"
    );
    let body = Body::parse("", &text).ok()?;
    let title = crate::clean!("Restart {unit}");
    Some(ActionSpec { name: Arc::clone(name), kind: "service_restart".to_owned(), title, body })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_unit_is_called_its_restart_names_it_and_no_more() {
        for unit in ["a.service", "a\\x2d\"b.service", "x\", kind = \"y.service"] {
            let spec = restart(&format!("restart:{unit}").into()).expect("an action");
            let mut body = spec.body.clone();
            let mut service = body.take_table("service").expect("reads").expect("a table");
            assert_eq!(service.need::<String>("unit").expect("a text"), unit);
            assert_eq!(service.need::<String>("kind").expect("a text"), "systemd");
        }
        assert!(restart(&"reduce-batch-size".into()).is_none());
    }
}
