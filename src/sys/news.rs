//! That there is something to look at before its turn: told by any thread, waited for by one task.

use tokio::sync::Notify;

/// Told once, however often it was, until it is waited for.
#[derive(Debug, Default)]
pub struct News(Notify);

impl News {
    /// There is something.
    pub fn tell(&self) {
        self.0.notify_one();
    }

    /// Waits until there is; at once where it was told since the last time. Cancel-safe.
    pub async fn wait(&self) {
        self.0.notified().await;
    }
}
