//! Keys that the `redis` sampler is asked for by name: lists, streams with their groups, counts of a pattern.

use crate::base::{Clean, Observation, Point};
use crate::clean;
use crate::samplers::redis::link::{Link, refused};
use crate::samplers::redis::text::id_time;
use redis::{FromRedisValue, RedisError, Value, cmd};

/// Keys that one `SCAN` looks at, and how often it is asked in one sample for all patterns together.
const SCAN_COUNT: usize = 500;
const SCANS: usize = 10;
/// The code of an answer to a user who may not ask that, or not of that key.
const NOT_ITS: &str = "NOPERM";
/// Groups of one stream that are told of.
const GROUPS: usize = 50;

/// What is asked for by name, in one database.
pub(crate) struct Keys {
    lists: Vec<String>,
    streams: Vec<String>,
    patterns: Vec<Count>,
    db: String,
    /// The pattern that is scanned next, and how many scans this sample still has.
    turn: usize,
    left: usize,
}

impl Keys {
    pub(crate) fn new(db: i64, lists: Vec<String>, streams: Vec<String>, patterns: Vec<String>) -> Self {
        let patterns = patterns.into_iter().map(Count::new).collect();
        Self { lists, streams, patterns, db: format!("db{db}"), turn: 0, left: 0 }
    }

    /// Looks at each; `clock` is the server's.
    pub(crate) async fn look(
        &mut self,
        link: &mut Link,
        seen: &mut Observation,
        clock: Option<f64>,
    ) -> Result<(), RedisError> {
        for key in &self.lists {
            let length = link.ask::<f64>(cmd("LLEN").arg(key)).await;
            keyed(link, seen, ("redis_key_size", key), &[("db", &self.db), ("key", key)], length).await?;
        }
        for key in &self.streams {
            stream(link, seen, &self.db, key, clock).await?;
        }
        self.begin();
        while let Some(count) = self.next().and_then(|at| self.patterns.get_mut(at)) {
            if let Err(error) = count.go_on(link).await {
                // The command is refused, whatever the pattern.
                return tell(seen, "redis_keys_count", &[], Err(error));
            }
        }
        self.patterns.iter().for_each(|count| count.tell(seen, &self.db));
        Ok(())
    }

    /// A new sample has all its scans.
    fn begin(&mut self) {
        self.left = SCANS;
        self.patterns.iter_mut().for_each(|count| count.rests = false);
    }

    /// The pattern whose turn it is, as long as there are scans left and rounds that are not whole.
    fn next(&mut self) -> Option<usize> {
        self.left = self.left.checked_sub(1)?;
        let count = self.patterns.len();
        let mut turns = (0..count).map(|step| (self.turn + step) % count);
        let at = turns.find(|at| self.patterns.get(*at).is_some_and(|count| !count.rests))?;
        self.turn = at + 1;
        Some(at)
    }
}

/// A count of keys that goes on over many samples.
struct Count {
    pattern: String,
    cursor: u64,
    looked_at: usize,
    found: usize,
    whole: Option<usize>,
    /// Its round became whole in this sample.
    rests: bool,
}

/// A value, or why this one alone cannot be had.
pub(crate) fn tell(
    seen: &mut Observation,
    name: &'static str,
    labels: &[(&str, &str)],
    value: Result<f64, RedisError>,
) -> Result<(), RedisError> {
    match value {
        Ok(value) => seen.points.push(Point::gauge(name, labels, value)),
        Err(error) if error.code() == Some(NOT_ITS) => {
            seen.refuse(&[name], &Clean::from("this user may not ask for it (NOPERM)"));
        }
        Err(error) if refused(&error) => {
            let (code, detail) = (error.code().unwrap_or(""), error.detail().unwrap_or(""));
            let why = format!("the server answered {code} {detail}");
            seen.not_supported.push((Clean::from(name), Clean::text(why.trim())));
        }
        Err(error) => return Err(error),
    }
    Ok(())
}

/// The same for a key, which may be of another type.
async fn keyed(
    link: &mut Link,
    seen: &mut Observation,
    (name, key): (&'static str, &str),
    labels: &[(&str, &str)],
    value: Result<f64, RedisError>,
) -> Result<(), RedisError> {
    match value {
        Err(error) if error.code() == Some("WRONGTYPE") => {
            let wanted = if name == "redis_key_size" { "list" } else { "stream" };
            let found = match link.ask::<String>(cmd("TYPE").arg(key)).await {
                Ok(found) => found,
                Err(error) if refused(&error) => "key of another type".to_owned(),
                Err(error) => return Err(error),
            };
            seen.not_supported.push((Clean::from(name), clean!("the key {key} is a {found}, not a {wanted}")));
            Ok(())
        }
        Err(error) if error.code() == Some(NOT_ITS) => {
            seen.refuse(&[name], &clean!("this user may not look at the key {key} (NOPERM)"));
            Ok(())
        }
        value => tell(seen, name, labels, value),
    }
}

async fn stream(
    link: &mut Link,
    seen: &mut Observation,
    db: &str,
    key: &str,
    clock: Option<f64>,
) -> Result<(), RedisError> {
    let labels = [("db", db), ("stream", key)];
    let length = link.ask::<f64>(cmd("XLEN").arg(key)).await;
    let good = length.is_ok();
    keyed(link, seen, ("redis_stream_length", key), &labels, length).await?;
    if !good {
        return Ok(());
    }
    let groups: Vec<Value> = match link.ask(cmd("XINFO").arg("GROUPS").arg(key)).await {
        Ok(groups) => groups,
        Err(error) if error.detail().is_some_and(|said| said.contains("no such key")) => {
            let why = clean!("the stream {key} does not exist, so it has no groups");
            seen.not_supported.push((Clean::from("redis_stream_group_messages_pending"), why));
            return Ok(());
        }
        Err(error) => {
            return keyed(link, seen, ("redis_stream_group_messages_pending", key), &labels, Err(error)).await;
        }
    };
    seen.points.push(Point::gauge("redis_stream_groups", &labels, groups.len() as f64));
    for group in groups.into_iter().take(GROUPS) {
        let Some(group) = Group::read(group) else { continue };
        group.tell(seen, db, key, clock);
        if group.pending.is_some_and(|pending| pending > 0.0)
            && let Some(clock) = clock
        {
            let oldest: Result<Value, _> = link.ask(cmd("XPENDING").arg(key).arg(&group.name)).await;
            let labels = [("db", db), ("stream", key), ("group", &*group.name)];
            let age = oldest.map(|value| oldest_pending(value).and_then(|id| id_time(&id, clock)));
            match age {
                Ok(Some(time)) => {
                    let name = "redis_stream_group_oldest_pending_age_seconds";
                    seen.points.push(Point::gauge(name, &labels, (clock - time).max(0.0)));
                }
                Ok(None) => {}
                Err(error) if refused(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

/// The lowest ID of what was delivered and not acknowledged.
fn oldest_pending(value: Value) -> Option<String> {
    let parts: Vec<Value> = FromRedisValue::from_redis_value(value).ok()?;
    FromRedisValue::from_redis_value(parts.into_iter().nth(1)?).ok()
}

/// One row of `XINFO GROUPS`.
#[derive(Default)]
struct Group {
    name: String,
    consumers: Option<f64>,
    pending: Option<f64>,
    read: Option<f64>,
    lag: Option<f64>,
    last: Option<String>,
}

impl Group {
    fn read(value: Value) -> Option<Self> {
        let fields: Vec<Value> = FromRedisValue::from_redis_value(value).ok()?;
        let mut group = Self::default();
        let mut fields = fields.into_iter();
        while let (Some(name), Some(value)) = (fields.next(), fields.next()) {
            let name: String = FromRedisValue::from_redis_value(name).ok()?;
            match name.as_str() {
                "name" => group.name = FromRedisValue::from_redis_value(value).ok()?,
                "last-delivered-id" => group.last = FromRedisValue::from_redis_value(value).ok(),
                // Nil where Redis cannot tell: then there is no value.
                "consumers" => group.consumers = FromRedisValue::from_redis_value(value).ok(),
                "pending" => group.pending = FromRedisValue::from_redis_value(value).ok(),
                "entries-read" => group.read = FromRedisValue::from_redis_value(value).ok(),
                "lag" => group.lag = FromRedisValue::from_redis_value(value).ok(),
                _ => {}
            }
        }
        (!group.name.is_empty()).then_some(group)
    }

    fn tell(&self, seen: &mut Observation, db: &str, stream: &str, clock: Option<f64>) {
        let labels = [("db", db), ("stream", stream), ("group", &*self.name)];
        let time = clock.and_then(|clock| self.last.as_deref().and_then(|id| id_time(id, clock)));
        for (name, value) in [
            ("redis_stream_group_consumers", self.consumers),
            ("redis_stream_group_messages_pending", self.pending),
            ("redis_stream_group_entries_read", self.read),
            ("redis_stream_group_lag", self.lag),
            // The exporter gives the milliseconds of the ID.
            ("redis_stream_group_last_delivered_id", time.map(|time| time * 1e3)),
            ("redis_stream_group_last_delivered_age_seconds", time.zip(clock).map(|(time, now)| (now - time).max(0.0))),
        ] {
            seen.points.extend(value.map(|value| Point::gauge(name, &labels, value)));
        }
        if self.lag.is_none() {
            let why = clean!("the server cannot tell the lag of the group {} of {stream}", self.name);
            seen.not_supported.push((Clean::from("redis_stream_group_lag"), why));
        }
    }
}

impl Count {
    fn new(pattern: String) -> Self {
        Self { pattern, cursor: 0, looked_at: 0, found: 0, whole: None, rests: false }
    }

    /// Looks at the next keys; the number of the last whole round stands until the next one is whole.
    async fn go_on(&mut self, link: &mut Link) -> Result<(), RedisError> {
        let mut scan = cmd("SCAN");
        scan.arg(self.cursor).arg("MATCH").arg(&self.pattern).arg("COUNT").arg(SCAN_COUNT);
        let (cursor, keys): (u64, Vec<Vec<u8>>) = link.ask(&scan).await?;
        self.cursor = cursor;
        self.looked_at += SCAN_COUNT;
        self.found += keys.len();
        if cursor == 0 {
            self.whole = Some(self.found);
            (self.found, self.looked_at, self.rests) = (0, 0, true);
        }
        Ok(())
    }

    fn tell(&self, seen: &mut Observation, db: &str) {
        match self.whole {
            Some(whole) => {
                let labels = [("db", db), ("key", &*self.pattern)];
                seen.points.push(Point::gauge("redis_keys_count", &labels, whole as f64));
            }
            None => {
                let why = clean!("still counting {}: about {} keys looked at so far", self.pattern, self.looked_at);
                seen.not_supported.push((Clean::from("redis_keys_count"), why));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_patterns_share_the_scans_of_a_sample_in_turn() {
        let patterns = |count: usize| (0..count).map(|n| format!("{n}:*")).collect();
        let mut keys = Keys::new(0, Vec::new(), Vec::new(), patterns(25));
        let mut sample = |ends: bool| {
            keys.begin();
            let mut asked = Vec::new();
            while let Some(at) = keys.next() {
                keys.patterns[at].rests = ends;
                asked.push(at);
            }
            asked
        };
        assert_eq!(sample(false), (0..10).collect::<Vec<_>>());
        assert_eq!(sample(true), (10..20).collect::<Vec<_>>());
        assert_eq!(sample(false), [20, 21, 22, 23, 24, 0, 1, 2, 3, 4]);
        let mut few = Keys::new(0, Vec::new(), Vec::new(), patterns(2));
        few.begin();
        few.patterns[0].rests = true;
        assert_eq!(core::iter::from_fn(|| few.next()).collect::<Vec<_>>(), [1; 10]);
        few.patterns[1].rests = true;
        assert_eq!(few.next(), None, "one whole round of each is enough");
        assert_eq!(Keys::new(0, Vec::new(), Vec::new(), Vec::new()).next(), None);
    }
}
