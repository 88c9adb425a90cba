//! Which GPUs were here, in this run and when a console looked last: who is lost, gone or new, since when.

use super::inventory::{Inventory, Kept, date};
use super::points;
use crate::base::time::Age;
use crate::base::{Clean, Failure, Mono, Now, Observation, Point, Unit, Wall};
use crate::clean;
use crate::samplers::Memory;
use crate::samplers::probe::{Gpu as Seen, Gpus, Refusal};
use core::time::Duration;
use std::collections::BTreeMap;

/// A lost GPU is asked again after so long, not with every round: each question may hang.
const LOST: Duration = Duration::from_secs(60);

/// One pass over all GPUs, as far as it has come.
pub(crate) struct Round {
    pub begun: Mono,
    pub gpus: Gpus,
    pub seen: Vec<(u32, Result<Seen, Refusal>)>,
}

/// What was seen since the start, and what the last console kept.
#[derive(Default)]
pub(crate) struct History {
    expected: Option<u32>,
    most: u32,
    /// By UUID.
    known: BTreeMap<String, Known>,
    /// By number: since when it is lost, and when it was asked last.
    lost: BTreeMap<u32, (Now, Mono)>,
    /// How many the driver listed last: numbers move with it.
    listed: u32,
    /// How many answered last; `None` before the first round.
    answered: Option<usize>,
    /// By UUID, those of the last console, with the moment that they were seen; `None` where nothing was kept.
    before: Option<BTreeMap<String, Wall>>,
}

struct Known {
    index: u32,
    name: String,
    xid: Option<u64>,
    /// When it answered last.
    seen: Wall,
    /// Since when the driver has not listed it.
    gone: Option<Now>,
    /// It answered in this run: else it is known by what the last console kept.
    met: bool,
}

/// What stands in the way of all GPUs.
fn sentence(refusal: &Refusal) -> Failure {
    match refusal {
        Refusal::NoLibrary(why) => Failure::unreachable(format!(
            "no NVIDIA driver here: its library libnvidia-ml.so.1 cannot be loaded ({why}). Is the driver installed?"
        )),
        Refusal::NoDriver => Failure::unreachable(
            "the NVIDIA driver is not loaded: its library is here, its kernel module is not. `modprobe nvidia` or the \
             kernel log say why.",
        ),
        Refusal::Mismatch => Failure::answered(
            "NVIDIA driver mismatch: the loaded kernel module and the installed library are of different versions. \
             The driver was updated: reload its modules or restart the host.",
        ),
        Refusal::NotPermitted => Failure::not_permitted(
            "this login may not ask the NVIDIA driver: it cannot open /dev/nvidiactl. Is the group or the container's \
             device list right?",
        ),
        Refusal::Lost => Failure::answered(
            "the GPU is lost: it no longer answers on the PCIe bus. A restart of the host may bring it back.",
        ),
        Refusal::Other(said) => Failure::answered(format!("NVML does not answer: {said}.")),
    }
}

impl Memory for History {
    fn recall(&mut self, text: &str) -> Result<(), String> {
        let kept = Inventory::parse(text)?;
        let mut before = BTreeMap::new();
        for Kept { uuid, name, index, seen } in kept.gpus {
            let known = Known { index, name, xid: None, seen, gone: None, met: false };
            before.insert(uuid.clone(), seen);
            self.known.insert(uuid, known);
        }
        self.most = self.most.max(u32::try_from(before.len()).unwrap_or(u32::MAX));
        self.before = Some(before);
        Ok(())
    }

    /// Who is gone stays known with its last moment, until as many answer as should be here: then others took its place.
    fn keep(&self) -> Option<String> {
        let whole = self.answered? >= usize::try_from(self.expected()).unwrap_or(usize::MAX);
        let all = self.known.iter().filter(|(_, known)| !whole || known.gone.is_none());
        let gpus = all.map(|(uuid, known)| Kept {
            uuid: uuid.clone(),
            name: known.name.clone(),
            index: known.index,
            seen: known.seen,
        });
        Inventory::new(gpus.collect()).text()
    }
}

impl History {
    pub(crate) fn new(expected: Option<u32>) -> Self {
        Self { expected, ..Self::default() }
    }

    fn expected(&self) -> u32 {
        self.expected.unwrap_or(self.most)
    }

    /// What stands in the way of all GPUs; where some were here before, they are missed.
    pub(crate) fn refused(&self, refusal: &Refusal, now: Now) -> Failure {
        let mut failure = sentence(refusal);
        let last = self.known.values().map(|known| known.seen).max();
        let Some(last) = last.filter(|_| matches!(refusal, Refusal::NoLibrary(_) | Refusal::NoDriver)) else {
            return failure;
        };
        let names: Vec<String> = self.known.iter().map(|(uuid, known)| format!("{} {uuid}", known.name)).collect();
        failure.what = clean!(
            "{} Seen last {} ({} ago), gone: {}.",
            failure.what,
            date(last),
            Age(now.wall.since(last)),
            names.join(", ")
        );
        failure.with(self.counted(0))
    }

    fn counted(&self, devices: usize) -> [Point; 2] {
        [
            Point::gauge("watchkeeper_gpu_devices", &[], devices as f64),
            Point::gauge("watchkeeper_gpu_devices_expected", &[], f64::from(self.expected())),
        ]
    }

    /// What is another than when a console looked last.
    fn changed(&self, now: Now) -> Option<Clean> {
        let before = self.before.as_ref()?;
        let last = *before.values().max()?;
        let when = format!("{} ({} ago)", date(last), Age(now.wall.since(last)));
        let named = |(uuid, known): (&String, &Known)| format!("{} {uuid}", known.name);
        let gone = self.known.iter().filter(|(uuid, known)| before.contains_key(*uuid) && known.gone.is_some());
        let new = self.known.iter().filter(|(uuid, known)| !before.contains_key(*uuid) && known.gone.is_none());
        let told = |word: &str, names: Vec<String>| (!names.is_empty()).then(|| format!("{word} {}", names.join(", ")));
        let parts = [told("gone:", gone.map(named).collect()), told("new:", new.map(named).collect())];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        Some(if parts.is_empty() {
            clean!("the same {} as on {when}", before.len())
        } else {
            clean!("changed since {when}: {}", parts.join("; "))
        })
    }

    /// A lost GPU has its rest from questions.
    pub(crate) fn rests(&self, index: u32, now: Mono) -> bool {
        self.lost.get(&index).is_some_and(|(_, asked)| now.since(*asked) < LOST)
    }

    pub(crate) fn observation(
        &mut self,
        round: &Round,
        source: &'static str,
        now: Now,
    ) -> Result<Observation, Failure> {
        self.learn(round, now);
        let good: Vec<(u32, &Seen)> =
            round.seen.iter().filter_map(|(index, seen)| Some((*index, seen.as_ref().ok()?))).collect();
        let devices = good.len();
        self.answered = Some(devices);
        let expected = self.expected();
        let mut seen = Observation::default();
        seen.points.extend(self.counted(devices));
        seen.facts.extend(self.changed(now).map(|told| ("since the last run".into(), told)));
        if devices == 0 {
            return Err(self.nothing(round, expected, now).seeing(seen));
        }
        let versions = [("driver", &round.gpus.driver), ("NVML", &round.gpus.library), ("CUDA", &round.gpus.cuda)];
        let told = versions.into_iter().filter_map(|(name, is)| Some((Clean::from(name), Clean::text(is.as_ref()?))));
        seen.facts.extend(told.chain([("source".into(), source.into())]));
        for (index, gpu) in &good {
            points::gpu(*index, gpu, &mut seen);
        }
        points::lacking(&good, &mut seen);
        for (uuid, known) in &self.known {
            let index = known.index.to_string();
            let words = self.trouble(known, now);
            let labels = [("gpu", index.as_str()), ("UUID", uuid), ("modelName", &known.name)];
            seen.points.push(Point::gauge("watchkeeper_gpu_up", &labels, f64::from(u8::from(words.is_none()))));
            if let Some(words) = words {
                seen.facts.push((clean!("GPU {index} trouble"), clean!("{} {uuid} {words}", known.name)));
            }
        }
        for (index, seen_of) in &round.seen {
            if let Err(Refusal::Other(said)) = seen_of {
                seen.facts.push((clean!("GPU {index} trouble"), clean!("NVML does not answer: {said}")));
            }
        }
        let count = u32::try_from(devices).unwrap_or(u32::MAX);
        if count >= expected {
            return Ok(seen);
        }
        let troubles = seen.facts.iter().filter(|(name, _)| name.as_str().ends_with(" trouble"));
        let said: Vec<String> = troubles.map(|(_, words)| words.to_string()).collect();
        let said = if said.is_empty() { "the others were never seen here".to_owned() } else { said.join("; ") };
        Err(Failure::answered(format!("{count} of {expected} GPUs answer: {said}.")).seeing(seen))
    }

    /// Notes who is there, who was lost and who is gone.
    fn learn(&mut self, round: &Round, now: Now) {
        self.most = self.most.max(round.gpus.count);
        if round.gpus.count != self.listed {
            self.listed = round.gpus.count;
            self.lost.clear();
        }
        for (index, seen) in &round.seen {
            match seen {
                Ok(gpu) => {
                    let name = || gpu.name.clone();
                    let new =
                        || Known { index: *index, name: name(), xid: None, seen: now.wall, gone: None, met: true };
                    let known = self.known.entry(gpu.uuid.clone()).or_insert_with(new);
                    (known.index, known.gone, known.met, known.seen) = (*index, None, true, now.wall);
                    let last = points::value(gpu, "DCGM_FI_DEV_XID_ERRORS").filter(|last| *last > 0.0);
                    known.xid = last.map(whole).or(known.xid);
                    self.lost.remove(index);
                }
                Err(Refusal::Lost) => {
                    let (_, asked) = self.lost.entry(*index).or_insert((now, now.mono));
                    if now.mono.since(*asked) >= LOST {
                        *asked = now.mono;
                    }
                }
                Err(_) => {}
            }
        }
        for (uuid, known) in &mut self.known {
            let listed = round.seen.iter().any(|(index, seen)| match seen {
                Ok(gpu) => gpu.uuid == *uuid,
                Err(_) => *index == known.index,
            });
            known.gone = if listed { None } else { known.gone.or(Some(now)) };
        }
    }

    /// What is wrong with it, since when.
    fn trouble(&self, known: &Known, now: Now) -> Option<Clean> {
        let xid = known.xid.map_or_else(|| clean!("no Xid seen"), |xid| clean!("last Xid {xid}"));
        if known.gone.is_some() && !known.met {
            let when = format!("seen last {} ({} ago), gone", date(known.seen), Age(now.wall.since(known.seen)));
            return Some(clean!(
                "{when}: the driver does not list it; `expected` says where it was taken out for good"
            ));
        }
        if let Some(since) = known.gone {
            return Some(clean!(
                "is gone since {} ({}): the driver no longer lists it; {xid}",
                since.wall.hms(),
                span(now.since(since))
            ));
        }
        let (since, _) = *self.lost.get(&known.index)?;
        let when = clean!("is lost since {} ({})", since.wall.hms(), span(now.since(since)));
        Some(clean!("{when}: it no longer answers on the PCIe bus; {xid}; a restart of the host may bring it back"))
    }

    /// Why no GPU gives anything.
    fn nothing(&self, round: &Round, expected: u32, now: Now) -> Failure {
        let told = self.known.values().find_map(|known| Some((known, self.trouble(known, now)?)));
        let refused = round.seen.iter().find_map(|(index, seen)| Some((index, seen.as_ref().err()?)));
        match (told, refused) {
            (Some((known, words)), _) => Failure::answered(format!("GPU {} {} {words}.", known.index, known.name)),
            (None, Some((index, Refusal::Other(said)))) => {
                Failure::answered(format!("NVML does not answer about GPU {index}: {said}."))
            }
            (None, Some((_, refusal))) => sentence(refusal),
            (None, None) if expected > 0 => Failure::answered(format!(
                "the NVIDIA driver lists no GPU, and {expected} should be here. The kernel log says what it found."
            )),
            (None, None) => Failure::unreachable("the NVIDIA driver lists no GPU on this host."),
        }
    }
}

fn span(of: Duration) -> String {
    Unit::Seconds.show(of.as_secs_f64())
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number that came from a u64")]
fn whole(number: f64) -> u64 {
    number as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_the_way_is_a_sentence_of_its_own() {
        let all = [
            Refusal::NoLibrary("no such file".to_owned()),
            Refusal::NoDriver,
            Refusal::Mismatch,
            Refusal::NotPermitted,
            Refusal::Lost,
            Refusal::Other("timeout".to_owned()),
        ];
        let sentences: Vec<Failure> = all.iter().map(sentence).collect();
        for (at, one) in sentences.iter().enumerate() {
            assert!(one.what.as_str().ends_with(['.', '?']), "{one:?}");
            assert!(sentences.iter().skip(at + 1).all(|other| other.what != one.what));
        }
        assert!(sentences[3].not_permitted && sentences[4].answered && !sentences[1].answered);
    }
}
