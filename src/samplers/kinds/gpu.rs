//! `gpu`: NVIDIA GPUs by NVML, asked in a child of our own; names, units and labels of NVIDIA's DCGM exporter.
//! ```toml
//! [samplers.gpu]
//! kind = "gpu"
//! expected = 2                        # GPUs that must be here; else the most that were seen since the start
//! library = "/opt/libnvidia-ml.so.1"  # another library than the driver's own
//! nvidia_smi = "/opt/bin/nvidia-smi"  # asked where the library cannot be loaded; else where it usually lies
//! ```
//! `DCGM_FI_DEV_*`: MiB, W, °C, MHz, %, mJ, KB/s; `FB_USED_PERCENT` is 0..1, `CLOCK_THROTTLE_REASONS` NVML's mask.
//! Ours: `watchkeeper_gpu_devices`, `…_devices_expected`, `…_up`, `…_throttle` (0 or 1 by `reason`), `…_processes`,
//! `…_process_used_bytes`, `…_instance_used_bytes` and `…_total_bytes` (MIG), `…_xid_errors_total`.

use crate::base::{Body, Clean, Failure, Fault, Mono, Now, Observation, Point, Unit};
use crate::clean;
use crate::samplers::exec::Runner;
use crate::samplers::probe::{Answer, Class, Gpu as Seen, Gpus, Prober, Question, Refusal};
use crate::samplers::{Kind, Observed, Sampler, gpu::nvidia_smi, gpu::points};
use crate::sys::program::Order;
use core::time::Duration;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::time::timeout;

/// One attempt waits so long for NVML: less than any interval, so that what hangs is told in time.
const PATIENCE: Duration = Duration::from_millis(800);
/// A round that a slow driver interrupts goes on at the next attempt, until its first values are so old.
const ROUND: Duration = Duration::from_secs(5);
/// A lost GPU is asked again after so long, not with every round: each question may hang.
const LOST: Duration = Duration::from_secs(60);
/// Where nvidia-smi lies.
const USUAL: &[&str] = &["/usr/bin/nvidia-smi", "/usr/local/bin/nvidia-smi", "/opt/bin/nvidia-smi"];
/// What the program may take; it loads the driver's library anew each time.
const PROGRAM: Duration = Duration::from_millis(1_800);

/// The kind.
pub struct Gpu;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    expected: Option<u32>,
    library: Option<PathBuf>,
    nvidia_smi: Option<PathBuf>,
}

impl Kind for Gpu {
    fn name(&self) -> &'static str {
        "gpu"
    }

    fn about(&self) -> &'static str {
        "NVIDIA GPUs: load, memory, heat, power, clocks and what holds them back, errors, processes"
    }

    fn every(&self) -> Duration {
        Duration::from_secs(2)
    }

    fn build(&self, body: &Body) -> Result<Box<dyn Sampler>, Fault> {
        let Config { expected, library, nvidia_smi } = body.read()?;
        for (key, path) in [("library", &library), ("nvidia_smi", &nvidia_smi)] {
            if let Some(path) = path.as_ref().filter(|path| !path.is_absolute()) {
                return Err(body.fault_at(key, format!("`{}` does not begin with `/`.", path.display())));
            }
        }
        let prober = Prober::of(&Class::Nvml(library.clone()));
        let history = History { expected, ..History::default() };
        Ok(Box::new(GpuSampler { library, nvidia_smi, prober, round: None, history, runner: Runner::new() }))
    }

    fn gives(&self, _: &Body) -> Vec<String> {
        ["DCGM_FI_DEV_".to_owned(), "watchkeeper_gpu_".to_owned()].into()
    }
}

struct GpuSampler {
    library: Option<PathBuf>,
    nvidia_smi: Option<PathBuf>,
    prober: Arc<Prober>,
    round: Option<Round>,
    history: History,
    runner: Runner,
}

/// One pass over all GPUs, as far as it has come.
struct Round {
    begun: Mono,
    gpus: Gpus,
    seen: Vec<(u32, Result<Seen, Refusal>)>,
}

/// What was seen since the start.
#[derive(Default)]
struct History {
    expected: Option<u32>,
    most: u32,
    /// By UUID.
    known: BTreeMap<String, Known>,
    /// By number: since when it is lost, and when it was asked last.
    lost: BTreeMap<u32, (Now, Mono)>,
    /// How many the driver listed last: numbers move with it.
    listed: u32,
}

struct Known {
    index: u32,
    name: String,
    xid: Option<u64>,
    /// Since when the driver has not listed it.
    gone: Option<Now>,
}

impl Sampler for GpuSampler {
    fn observe(&mut self, now: Now) -> Observed<'_> {
        Box::pin(async move {
            let prober = Arc::clone(&self.prober);
            let asked = match timeout(PATIENCE, self.ask_all(now)).await {
                Ok(asked) => asked?,
                Err(_) => return Err(Failure::unreachable(format!("{}.", prober.hangs(now, PATIENCE)))),
            };
            let (round, source) = match asked {
                Err(Refusal::NoLibrary(why)) => (self.by_program(now, why).await?, "nvidia-smi"),
                Err(refusal) => return Err(sentence(&refusal)),
                Ok(round) => (round, "NVML"),
            };
            self.history.observation(&round, source, now)
        })
    }
}

impl GpuSampler {
    async fn ask_all(&mut self, now: Now) -> Result<Result<Round, Refusal>, Failure> {
        let answered = self.go_on(now).await;
        if !matches!(answered, Ok(Ok(()))) {
            self.round = None;
        }
        Ok(answered?.and_then(|()| self.round.take().ok_or_else(|| Refusal::Other("nothing was asked".to_owned()))))
    }

    /// Brings the round to its end.
    async fn go_on(&mut self, now: Now) -> Result<Result<(), Refusal>, Failure> {
        let library = self.library.clone();
        if self.round.as_ref().is_none_or(|round| now.mono.since(round.begun) > ROUND) {
            let answer = self.prober.ask(now, &clean!("NVML"), &Question::Gpus { library: library.clone() }).await;
            let gpus = match answer {
                Ok(Answer::Gpus(gpus)) => gpus,
                Ok(Answer::Refused(refusal)) => return Ok(Err(refusal)),
                Ok(_) => return Ok(Err(Refusal::Other("an answer to another question".to_owned()))),
                Err(gone) => return Err(Failure::unreachable(format!("{gone}."))),
            };
            self.round = Some(Round { begun: now.mono, gpus, seen: Vec::new() });
        }
        let Some(round) = &mut self.round else { return Ok(Ok(())) };
        for index in (0..round.gpus.count).skip(round.seen.len()) {
            if self.history.rests(index, now.mono) {
                round.seen.push((index, Err(Refusal::Lost)));
                continue;
            }
            let question = Question::Gpu { library: library.clone(), index };
            let answer = match self.prober.ask(now, &clean!("NVML about GPU {index}"), &question).await {
                Ok(Answer::Gpu(seen)) => Ok(seen),
                Ok(Answer::Refused(refusal @ (Refusal::Lost | Refusal::Other(_)))) => Err(refusal),
                Ok(Answer::Refused(refusal)) => return Ok(Err(refusal)),
                Ok(_) => Err(Refusal::Other("an answer to another question".to_owned())),
                Err(gone) => return Err(Failure::unreachable(format!("{gone}."))),
            };
            round.seen.push((index, answer));
        }
        Ok(Ok(()))
    }

    /// Where the library cannot be loaded: its own program, where there is one.
    async fn by_program(&mut self, now: Now, why: String) -> Result<Round, Failure> {
        let found = || USUAL.iter().map(Path::new).find(|path| path.exists()).map(Path::to_owned);
        let Some(program) = self.nvidia_smi.clone().or_else(found) else {
            return Err(sentence(&Refusal::NoLibrary(why)));
        };
        let order = Order { program, args: nvidia_smi::arguments(), env: Vec::new(), spare: true };
        let ran = self.runner.run(now.mono, &order, PROGRAM).await?;
        let text = [ran.stdout.bytes, ran.stderr.bytes].concat();
        let text = String::from_utf8_lossy(&text);
        let good = ran.ended == crate::sys::program::Ended::Code(0);
        let answer = if good { nvidia_smi::answer(&text) } else { Err(nvidia_smi::complaint(&text)) };
        let (gpus, all) = answer.map_err(|refusal| match refusal {
            Refusal::Other(said) => Failure::answered(format!("nvidia-smi does not answer: {said}.")),
            refusal => sentence(&refusal),
        })?;
        let seen = all.into_iter().map(|(index, gpu)| (index, Ok(gpu))).collect();
        Ok(Round { begun: now.mono, gpus, seen })
    }
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

impl History {
    /// A lost GPU has its rest from questions.
    fn rests(&self, index: u32, now: Mono) -> bool {
        self.lost.get(&index).is_some_and(|(_, asked)| now.since(*asked) < LOST)
    }

    fn observation(&mut self, round: &Round, source: &'static str, now: Now) -> Result<Observation, Failure> {
        self.learn(round, now);
        let good: Vec<(u32, &Seen)> =
            round.seen.iter().filter_map(|(index, seen)| Some((*index, seen.as_ref().ok()?))).collect();
        let devices = good.len();
        let expected = self.expected.unwrap_or(self.most);
        let mut seen = Observation::default();
        seen.points.push(Point::gauge("watchkeeper_gpu_devices", &[], devices as f64));
        seen.points.push(Point::gauge("watchkeeper_gpu_devices_expected", &[], f64::from(expected)));
        if devices == 0 {
            return Err(self.nothing(round, expected, now).with(seen.points));
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
                    let new = || Known { index: *index, name: gpu.name.clone(), xid: None, gone: None };
                    let known = self.known.entry(gpu.uuid.clone()).or_insert_with(new);
                    (known.index, known.gone) = (*index, None);
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
        let span = |since: Now| Unit::Seconds.show(now.since(since).as_secs_f64());
        if let Some(since) = known.gone {
            return Some(clean!(
                "is gone since {} ({}): the driver no longer lists it; {xid}",
                since.wall.hms(),
                span(since)
            ));
        }
        let (since, _) = *self.lost.get(&known.index)?;
        let when = clean!("is lost since {} ({})", since.wall.hms(), span(since));
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

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number that came from a u64")]
fn whole(number: f64) -> u64 {
    number as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(config: &str) -> String {
        let body = Body::parse("p.toml", config).expect("TOML");
        Gpu.build(&body).err().map(|fault| fault.to_string()).unwrap_or_default()
    }

    #[test]
    fn a_table_needs_nothing_and_paths_are_whole() {
        assert_eq!(fault(""), "");
        assert_eq!(fault("library = \"libnvidia-ml.so\""), "p.toml:1:11: `libnvidia-ml.so` does not begin with `/`.");
        assert!(fault("gpus = 2").starts_with("p.toml:1:1: unknown key `gpus`."));
    }

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
