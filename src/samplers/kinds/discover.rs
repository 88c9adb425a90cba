//! `discover`: what is here and would be worth watching, a line each with how to keep it. Reads, loads nothing, asks nobody.
//! ```toml
//! [samplers.found]
//! kind = "discover"
//! ports = false      # true: listening ports at the loopback are asked once in five minutes for /metrics
//! units = true       # failed units, by systemctl
//! journal = true     # errors of the last hour, by journalctl
//! lmdb = true        # LMDB environments that running processes map
//! gpus = true        # NVIDIA, AMD and Intel devices, as the kernel lists them
//! ```
//! `watchkeeper_discovered{kind,name}` is 1 for each thing, `watchkeeper_discovered_count{kind}` how many there are of
//! `gpu unit socket lmdb port metrics`, `watchkeeper_journal_errors_1h` (at most 200 are counted); of each environment
//! also what the kind `lmdb` gives, without its walks. What was found is said a line each, with the kind of sampler that
//! would keep it; `describe profile --from-discovery` writes all of it as a profile, `--discover` asks ports there too.

use crate::base::{Body, Clean, Fault, Now, Observation, Point};
use crate::clean;
use crate::samplers::discover::{Finder, Journal, Seen, Wanted};
use crate::samplers::kinds::lmdb::LmdbSampler;
use crate::samplers::{Kind, Observed, Sampler};
use core::time::Duration;

/// Said before all that is found: whole in a pane of 80 columns.
const KEEP: &str = "`watchkeeper describe profile --from-discovery` writes the profile";
const JOURNAL: &str = "watchkeeper_journal_errors_1h";

/// The kind.
pub struct Discover;

impl Kind for Discover {
    fn name(&self) -> &'static str {
        "discover"
    }

    fn about(&self) -> &'static str {
        "what is here and worth watching: GPUs, failed units, LMDB environments, ports, sockets, errors of the journal"
    }

    fn every(&self) -> Duration {
        Duration::from_secs(30)
    }

    fn build(&self, body: &Body) -> Result<Box<dyn Sampler>, Fault> {
        Ok(Box::new(DiscoverSampler { finder: Finder::new(body.read()?), lmdb: LmdbSampler::found() }))
    }

    fn gives(&self, body: &Body) -> Vec<String> {
        let lmdb = body.read::<Wanted>().is_ok_and(|wanted| wanted.lmdb).then_some("lmdb_");
        ["watchkeeper_discovered", "watchkeeper_discovered_count", JOURNAL]
            .into_iter()
            .chain(lmdb)
            .map(str::to_owned)
            .collect()
    }
}

struct DiscoverSampler {
    finder: Finder,
    lmdb: LmdbSampler,
}

impl Sampler for DiscoverSampler {
    fn observe(&mut self, now: Now) -> Observed<'_> {
        Box::pin(async move {
            let seen = self.finder.look(now).await;
            let mut told = observation(&seen);
            // Where processes could not be looked at, those found before are watched on.
            if let Some(found) = &seen.lmdb {
                self.lmdb.watch(found);
            }
            if !self.lmdb.is_empty() {
                match self.lmdb.observe(now).await {
                    Ok(lmdb) => {
                        told.lack_too(&lmdb);
                        told.points.extend(lmdb.points);
                    }
                    Err(failure) => told.facts.push((Clean::from("lmdb"), failure.what)),
                }
            }
            Ok(told)
        })
    }
}

fn observation(seen: &Seen) -> Observation {
    let mut told = Observation::default();
    for found in &seen.found {
        let kind = found.what.word();
        let labels = [("kind", kind), ("name", found.name.as_str())];
        told.points.push(Point::gauge("watchkeeper_discovered", &labels, 1.0));
        told.facts.push((Clean::from(kind), found.brief()));
    }
    if seen.found.iter().any(|found| found.keep.is_some()) {
        told.facts.insert(0, (Clean::from("keep"), Clean::from(KEEP)));
    }
    for (what, count) in &seen.counts {
        match count {
            Ok(count) => {
                let labels = [("kind", what.word())];
                told.points.push(Point::gauge("watchkeeper_discovered_count", &labels, *count as f64));
            }
            Err(why) => {
                let which = clean!("watchkeeper_discovered_count{{kind=\"{}\"}}", what.word());
                told.not_supported.push((which, why.clone()));
            }
        }
    }
    match &seen.journal {
        Some(Ok(journal)) => {
            told.points.push(Point::gauge(JOURNAL, &[], journal.errors as f64));
            told.facts.extend(journal_words(journal).map(|words| (Clean::from("journal"), words)));
        }
        Some(Err(why)) => told.not_supported.push((Clean::from(JOURNAL), why.clone())),
        None => {}
    }
    told.facts.extend(seen.notes.iter().map(|(what, note)| (Clean::from(what.word()), note.clone())));
    told
}

fn journal_words(journal: &Journal) -> Option<Clean> {
    let (who, count) = journal.most.as_ref()?;
    let more = if journal.more { " or more" } else { "" };
    Some(clean!("{}{more} errors in the last hour, {count} of them by {who}", journal.errors))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samplers::discover::{Found, What};

    #[test]
    fn what_was_looked_for_is_counted_and_what_could_not_be_is_not_zero() {
        let found = Found {
            what: What::Lmdb,
            name: "/x/data.mdb".into(),
            says: "/x/data.mdb, mapped by planar (812): 71 % of 64 MiB".into(),
            keep: None,
        };
        let journal = Journal { errors: 200, more: true, most: Some(("a.service".into(), 150)) };
        let seen = Seen {
            found: vec![found],
            counts: vec![
                (What::Gpu, Ok(0)),
                (What::Unit, Err("systemd does not run here".into())),
                (What::Lmdb, Ok(1)),
            ],
            journal: Some(Ok(journal)),
            ..Seen::default()
        };
        let told = observation(&seen);
        let points: Vec<(String, f64)> = told
            .points
            .iter()
            .map(|point| {
                let labels = point.key.labels.iter().map(|(name, value)| format!(" {name}={value}"));
                (format!("{}{}", point.key.name, labels.collect::<String>()), point.value)
            })
            .collect();
        let count = |kind: &str| format!("watchkeeper_discovered_count kind={kind}");
        assert_eq!(
            points,
            [
                ("watchkeeper_discovered kind=lmdb name=/x/data.mdb".to_owned(), 1.0),
                (count("gpu"), 0.0),
                (count("lmdb"), 1.0),
                (JOURNAL.to_owned(), 200.0),
            ]
        );
        let facts: Vec<String> = told.facts.iter().map(|(name, words)| format!("{name}: {words}")).collect();
        assert_eq!(
            facts,
            [
                "lmdb: /x/data.mdb · mapped by planar (812): 71 % of 64 MiB",
                "journal: 200 or more errors in the last hour, 150 of them by a.service",
            ]
        );
        let why = ("watchkeeper_discovered_count{kind=\"unit\"}".to_owned(), "systemd does not run here".to_owned());
        assert_eq!(told.not_supported.iter().map(|(a, b)| (a.to_string(), b.to_string())).collect::<Vec<_>>(), [why]);
        let quiet = Seen { journal: Some(Err("may not".into())), ..Seen::default() };
        assert_eq!(observation(&quiet).not_supported, [(Clean::from(JOURNAL), Clean::from("may not"))]);
    }

    #[test]
    fn no_key_is_needed_and_an_unknown_one_is_a_fault() {
        let build = |text: &str| Discover.build(&Body::parse("p.toml", text).expect("TOML")).map(drop);
        assert!(build("").is_ok() && build("ports = true\nunits = false").is_ok());
        let fault = build("port = true").expect_err("unknown").to_string();
        assert_eq!(fault, "p.toml:1:1: unknown key `port`. Did you mean `ports`?");
    }
}
