//! Secrets of logins, read anew at each connect. Files are read on a thread for that: one that hangs stops nobody else.

use crate::base::{Failure, Fault, Mono};
use crate::samplers::blocking::{LOGINS, Worker};
use crate::sys::secret::{Given, Kept, Secret};

/// How one is read: [`Given::secret`], or [`Given::read`] where a text in the profile may be no secret.
pub(crate) type Reader = fn(&Given) -> Result<Secret, Fault>;

/// One owner's reader of secrets. Not `Debug`: it may hold some.
pub(crate) struct Logins(Worker<Result<Vec<Secret>, Fault>>);

impl Logins {
    pub(crate) fn new() -> Self {
        Self(Worker::new(&LOGINS))
    }

    /// Reads all of them, in their order. `place` names their owner in sentences. Cancel-safe.
    pub(crate) async fn read(
        &mut self,
        now: Mono,
        place: &str,
        given: Vec<Given>,
        read: Reader,
    ) -> Result<Vec<Secret>, Failure> {
        let on_disk = given.iter().any(|given| matches!(given, Given::Kept(Kept::File(_))));
        let all = move || given.iter().map(read).collect::<Result<Vec<_>, _>>();
        let read = if on_disk { self.0.run(now, all).await } else { Ok(all()) };
        read.map_err(|stuck| Failure::unreachable(format!("{place}: its password cannot be read: {stuck}.")))?
            .map_err(|fault| Failure::not_permitted(format!("{place}: its password cannot be read: {fault}")))
    }

    /// Reads one password or token.
    pub(crate) async fn secret(&mut self, now: Mono, place: &str, given: &Given) -> Result<Secret, Failure> {
        let mut read = self.read(now, place, vec![given.clone()], Given::secret).await?;
        read.pop().ok_or_else(|| Failure::not_permitted(format!("{place}: its password cannot be read.")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;
    use tokio::sync::Mutex;
    use tokio::time::timeout;

    static DISK: Mutex<()> = Mutex::const_new(());

    fn disk(given: &Given) -> Result<Secret, Fault> {
        let _answered = DISK.blocking_lock();
        given.secret()
    }

    #[tokio::test]
    async fn a_file_that_hangs_is_told_and_holds_no_thread_of_the_runtime() {
        let (kept, mut hung) = (vec![Given::Kept(Kept::File("/x".into()))], Logins::new());
        let hangs = DISK.lock().await;
        let read = hung.read(Mono(0), "x", kept.clone(), disk);
        assert!(timeout(Duration::from_millis(20), read).await.is_err(), "the runtime goes on");
        let told = hung.read(Mono(0) + Duration::from_secs(9), "x", kept, disk).await.err();
        let what = "x: its password cannot be read: the last call has hung for 9.00 s.";
        assert_eq!(told.map(|told| told.what.as_str().to_owned()).as_deref(), Some(what));
        drop(hangs);
    }

    #[tokio::test]
    async fn a_text_is_a_secret_too_where_it_is_a_login() {
        let text = Given::Text("text-of-a-login".to_owned());
        let mut logins = Logins::new();
        let read = logins.secret(Mono(0), "x", &text).await.expect("read");
        assert_eq!(read.reveal(), "text-of-a-login");
        assert_eq!(crate::sys::secret::hide("it said text-of-a-login"), "it said <redacted>");
    }
}
