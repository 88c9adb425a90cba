//! One talk from beginning to end: a thread with a small runtime, given up at its deadline whatever hangs in it.

use crate::base::Fault;
use crate::sys::aside::{heard, within};
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;

/// What hangs in the system itself (a name service) is waited for so much longer.
const GRACE: Duration = Duration::from_secs(1);

/// Why a talk gave nothing.
#[derive(Debug)]
pub enum Lost {
    /// Before anything was sent that asks for an effect: it certainly had none.
    Before(Fault),
    /// After it: the effect may be there.
    After(Fault),
}

impl Lost {
    /// Why, where nothing was asked that has an effect.
    pub fn fault(self) -> Fault {
        let (Self::Before(fault) | Self::After(fault)) = self;
        fault
    }
}

/// Whether what asks for an effect may have left this host.
#[derive(Clone, Debug, Default)]
pub struct Sent(Arc<AtomicBool>);

impl Sent {
    /// From here on it may have: said just before it is given to the connection.
    pub fn mark(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    fn lost(&self, fault: Fault) -> Lost {
        if self.0.load(Ordering::SeqCst) { Lost::After(fault) } else { Lost::Before(fault) }
    }
}

/// Talks with `place` for at most `limit`, on a thread of its own; the caller waits.
///
/// # Errors
/// What the talk said went wrong, or that its time was over.
pub(crate) fn talk<T: Send + 'static>(
    place: &str,
    limit: Duration,
    words: impl AsyncFnOnce(Sent) -> Result<T, Fault> + Send + 'static,
) -> Result<T, Lost> {
    let limit = within(limit);
    heard();
    let sent = Sent::default();
    let (tell, told) = sync_channel(1);
    let theirs = sent.clone();
    let thread = thread::Builder::new().name("talk".to_owned()).spawn(move || {
        let _nobody_waits = tell.send(alone(limit, words, theirs));
    });
    let late = || Fault::new(format!("{place} did not answer within {} s.", limit.as_secs_f32()));
    if let Err(error) = thread {
        return Err(Lost::Before(Fault::new(format!("no thread can be had to talk with {place}: {error}."))));
    }
    let answer = told.recv_timeout(limit + GRACE);
    heard();
    match answer {
        Ok(Some(Ok(answer))) => Ok(answer),
        Ok(Some(Err(fault))) => Err(sent.lost(fault)),
        Ok(None) | Err(RecvTimeoutError::Timeout) => Err(sent.lost(late())),
        Err(RecvTimeoutError::Disconnected) => Err(sent.lost(Fault::new(format!("the talk with {place} broke off.")))),
    }
}

/// `None` when its time was over.
fn alone<T>(
    limit: Duration,
    words: impl AsyncFnOnce(Sent) -> Result<T, Fault>,
    sent: Sent,
) -> Option<Result<T, Fault>> {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return Some(Err(Fault::new(format!("no connection can be made: {error}.")))),
    };
    let done = runtime.block_on(async { tokio::time::timeout(limit, words(sent)).await.ok() });
    // A name lookup that hangs is left behind.
    runtime.shutdown_background();
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_millis(30);

    #[test]
    fn a_talk_that_is_given_up_says_whether_it_had_asked() {
        let never = |mark: bool| {
            talk("x:1", SOON, async move |sent| {
                if mark {
                    sent.mark();
                }
                core::future::pending::<Result<(), Fault>>().await
            })
        };
        let said = |lost: Lost| lost.fault().to_string();
        assert!(matches!(never(false), Err(Lost::Before(_))));
        let after = never(true).expect_err("too late");
        assert!(matches!(after, Lost::After(_)));
        assert_eq!(said(after), "x:1 did not answer within 0.03 s.");
    }

    #[test]
    fn its_answer_and_its_own_words_come_back() {
        assert_eq!(talk("x", SOON, async |_| Ok(7)).ok(), Some(7));
        let broken = talk::<()>("x", SOON, async |sent| {
            sent.mark();
            Err(Fault::new("it hung up."))
        });
        assert!(matches!(broken, Err(Lost::After(fault)) if fault.to_string() == "it hung up."));
        let broken = talk::<()>("x", SOON, async |_| Err(Fault::new("refused.")));
        assert!(matches!(broken, Err(Lost::Before(_))));
    }
}
