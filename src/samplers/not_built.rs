//! A kind that this program was built without: a profile that names it is told so, and that it is no slip of a finger.

use super::{Kind, Sampler};
use crate::base::{Body, Fault};
use core::time::Duration;

/// Stands in for a kind whose cargo feature, of the same name, is off.
pub(super) struct NotBuilt(pub(super) &'static str);

impl Kind for NotBuilt {
    fn name(&self) -> &'static str {
        self.0
    }

    fn about(&self) -> &'static str {
        "not built into this program"
    }

    fn every(&self) -> Duration {
        Duration::from_secs(5)
    }

    fn build(&self, body: &Body) -> Result<Box<dyn Sampler>, Fault> {
        let name = self.0;
        let fault = body.fault(format!("the sampler kind `{name}` was not built into this program."));
        Err(fault.hint(format!("Build it with `--features {name}`.")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_that_names_it_is_told_so() {
        let body = Body::parse("p.toml", "url = \"redis://localhost\"").expect("parses");
        let fault = NotBuilt("redis").build(&body).err().map(|fault| fault.to_string());
        let said = "p.toml:1:1: the sampler kind `redis` was not built into this program. \
                    Build it with `--features redis`.";
        assert_eq!(fault.as_deref(), Some(said));
    }
}
