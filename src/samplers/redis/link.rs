//! The connection of the `redis` sampler, and what a refusal of the server means.

use crate::base::{Clean, Failure};
use redis::aio::MultiplexedConnection;
use redis::{Cmd, FromRedisValue, RedisError};
use tokio::task::JoinHandle;

/// A connection; closed when it is dropped.
pub(crate) struct Link {
    pub(crate) connection: MultiplexedConnection,
    pub(crate) driver: JoinHandle<()>,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Link {
    pub(crate) async fn ask<T: FromRedisValue>(&mut self, command: &Cmd) -> Result<T, RedisError> {
        command.query_async(&mut self.connection).await
    }
}

/// True for what the server refused, as against a connection that failed.
pub(crate) fn refused(error: &RedisError) -> bool {
    !error.is_connection_dropped() && !error.is_io_error() && error.code().is_some()
}

/// The sentence for an error that the server answered. `user` is who the profile names, if it does.
pub(crate) fn refusal(place: &Clean, user: Option<&str>, code: &str, detail: &str) -> Failure {
    let said = detail.to_ascii_lowercase();
    let wrong = || {
        let user = user.map_or_else(String::new, |user| format!(" (user {})", Clean::text(user)));
        let what = format!("the login that the profile gives is refused{user}. Mend `user`, `password`.");
        Failure::not_permitted(format!("{place}: {what}"))
    };
    match code {
        "NOAUTH" => Failure::not_permitted(format!("{place} wants a password. Give `password` in the profile.")),
        "WRONGPASS" => wrong(),
        "NOPERM" => Failure::not_permitted(format!(
            "{place} does not let this user ask for INFO. Its rights want `+info +slowlog|len +llen +xlen +xinfo`."
        )),
        "LOADING" => Failure::answered(format!("{place} is loading its data and answers nothing else yet.")),
        "MASTERDOWN" => Failure::answered(format!("{place} is a replica whose link to its master is down.")),
        "DENIED" => Failure::not_permitted(format!("{place} is in protected mode: it answers its own host only.")),
        "ERR" if said.contains("max number of clients") => {
            Failure::answered(format!("{place} takes no more clients: its limit (maxclients) is reached."))
        }
        "ERR" if said.contains("without any password configured") || said.contains("no password is set") => {
            Failure::not_permitted(format!("{place} has no password, but the profile gives one. Take it out."))
        }
        "ERR" if said.contains("invalid password") => wrong(),
        "ERR" if said.contains("db index is out of range") => {
            Failure::answered(format!("{place} has no database of this number. Mend the end of `url`."))
        }
        _ => Failure::answered(format!("{place} answered: {} {}.", Clean::text(code), Clean::text(detail))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_has_its_sentence() {
        let place = Clean::from("h:1");
        for (code, detail, said, not_permitted) in [
            ("NOAUTH", "Authentication required.", "wants a password", true),
            (
                "WRONGPASS",
                "invalid username-password pair",
                "login that the profile gives is refused (user joe).",
                true,
            ),
            ("ERR", "invalid password", "login that the profile gives is refused", true),
            ("NOPERM", "this user has no permissions", "does not let this user", true),
            ("DENIED", "Redis is running in protected mode", "protected mode", true),
            ("ERR", "AUTH <password> called without any password configured", "has no password", true),
            ("LOADING", "Redis is loading the dataset in memory", "is loading its data", false),
            ("MASTERDOWN", "Link with MASTER is down", "link to its master is down", false),
            ("ERR", "max number of clients reached", "takes no more clients", false),
            ("ERR", "DB index is out of range", "no database of this number", false),
            ("BUSY", "Redis is busy running a script.", "answered: BUSY Redis is busy", false),
        ] {
            let failure = refusal(&place, Some("joe"), code, detail);
            let what = failure.what.as_str();
            assert!(what.starts_with("h:1") && what.contains(said) && what.ends_with('.'), "{what}");
            assert_eq!((failure.not_permitted, failure.answered), (not_permitted, !not_permitted), "{what}");
        }
    }
}
