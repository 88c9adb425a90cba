//! Why an action is not offered, where a list says so in a word.

use crate::base::Fault;

/// Why there is no plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It was done a moment ago.
    CoolingDown(Fault),
    /// Something is not as it must be, or unknown.
    Precondition(Fault),
}

impl Refused {
    /// The whole reason.
    pub fn fault(self) -> Fault {
        let (Self::CoolingDown(fault) | Self::Precondition(fault)) = self;
        fault
    }
}
