//! How the other threads wake the event loop: one bell, rung at once for keys, softly for data.
//! A soft ring wakes a sleeping loop only once until it looks; a burst of samples costs one wake-up.

use core::time::Duration;
use std::sync::{Condvar, Mutex, PoisonError};

#[derive(Debug, Default)]
struct State {
    rung: bool,
    data_waits: bool,
}

/// Shared between the loop and whoever has something for it. Holds no message: mailboxes do.
#[derive(Debug, Default)]
pub struct Bell {
    state: Mutex<State>,
    wake: Condvar,
}

impl Bell {
    /// Wakes the loop at once: a key, a signal, a hang-up, an outcome.
    pub fn ring(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).rung = true;
        self.wake.notify_one();
    }

    /// Data has come: wakes the loop unless it already knows that data waits.
    pub fn data(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !state.data_waits {
            state.data_waits = true;
            self.wake.notify_one();
        }
    }

    /// Sleeps until rung, until data comes (unless `data_known`: the loop has already planned a frame for it),
    /// or until `limit` has passed. Clears what it saw.
    pub fn wait(&self, limit: Duration, data_known: bool) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut state, _) = self
            .wake
            .wait_timeout_while(state, limit, |state| !state.rung && (data_known || !state.data_waits))
            .unwrap_or_else(PoisonError::into_inner);
        state.rung = false;
        if !data_known {
            state.data_waits = false;
        }
    }

    /// The loop has drained every mailbox: the next data may wake it again.
    pub fn drained(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).data_waits = false;
    }
}
