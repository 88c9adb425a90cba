//! The one notifier: a webhook that is told of every alert that begins, worsens or ends (`[notify]` of a profile).
//! `webhook` reads the table and its secrets, `body` makes the JSON, `sender` delivers it beside the loop.
//!
//! Contract: [`Notifier::send`] never waits. One request is in flight; alerts that wait are bounded, the newest word
//! of each is kept, and what is dropped is counted. What failed is tried again with growing pauses, within limits.
//! How it went is always known: [`Notifier::news`]. No secret reaches a sentence, the log or the journal.

mod body;
mod sender;
#[cfg(test)]
mod tests;
mod webhook;

pub use body::{Origin, Template};
pub use sender::Notifier;
pub use webhook::{Hook, Webhook};
