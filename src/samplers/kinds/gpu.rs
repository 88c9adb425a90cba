//! `gpu`: NVIDIA GPUs by NVML, asked in a child of our own; names, units and labels of NVIDIA's DCGM exporter.
//! ```toml
//! [samplers.gpu]
//! kind = "gpu"
//! expected = 2                        # GPUs that must be here; else the most that were seen, also by the last console
//! library = "/opt/libnvidia-ml.so.1"  # another library than the driver's own
//! nvidia_smi = "/opt/bin/nvidia-smi"  # asked where the library cannot be loaded; else where it usually lies
//! ```
//! `DCGM_FI_DEV_*`: MiB, W, °C, MHz, %, mJ, KB/s; `FB_USED_PERCENT` is 0..1, `CLOCK_THROTTLE_REASONS` NVML's mask.
//! Ours: `watchkeeper_gpu_devices`, `…_devices_expected`, `…_up`, `…_throttle` (0 or 1 by `reason`), `…_processes`,
//! `…_process_used_bytes`, `…_instance_used_bytes` and `…_total_bytes` (MIG), `…_xid_errors_total`.

use crate::base::{Body, Failure, Fault, Now};
use crate::clean;
use crate::samplers::exec::Runner;
use crate::samplers::gpu::history::{History, Round};
use crate::samplers::gpu::nvidia_smi;
use crate::samplers::probe::{Answer, Class, Prober, Question, Refusal};
use crate::samplers::{Kind, Memory, Observed, Sampler};
use crate::sys::program::Order;
use core::time::Duration;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::time::timeout;

/// One attempt waits so long for NVML: less than any interval, so that what hangs is told in time.
const PATIENCE: Duration = Duration::from_millis(800);
/// A round that a slow driver interrupts goes on at the next attempt, until its first values are so old.
const ROUND: Duration = Duration::from_secs(5);
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
        let history = History::new(expected);
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
                Err(refusal) => return Err(self.history.refused(&refusal, now)),
                Ok(round) => (round, "NVML"),
            };
            self.history.observation(&round, source, now)
        })
    }

    fn remembers(&mut self) -> Option<&mut dyn Memory> {
        Some(&mut self.history)
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
            return Err(self.history.refused(&Refusal::NoLibrary(why), now));
        };
        let order = Order { program, args: nvidia_smi::arguments(), env: Vec::new(), spare: true };
        let ran = self.runner.run(now.mono, &order, PROGRAM).await?;
        let text = [ran.stdout.bytes, ran.stderr.bytes].concat();
        let text = String::from_utf8_lossy(&text);
        let good = ran.ended == crate::sys::program::Ended::Code(0);
        let answer = if good { nvidia_smi::answer(&text) } else { Err(nvidia_smi::complaint(&text)) };
        let (gpus, all) = answer.map_err(|refusal| match refusal {
            Refusal::Other(said) => Failure::answered(format!("nvidia-smi does not answer: {said}.")),
            refusal => self.history.refused(&refusal, now),
        })?;
        let seen = all.into_iter().map(|(index, gpu)| (index, Ok(gpu))).collect();
        Ok(Round { begun: now.mono, gpus, seen })
    }
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
}
