//! NVML, in the child only: one question is one pass over one GPU. What the library does not give is told apart from
//! what it refuses, and a GPU that is lost is not asked for anything further.

use super::question::{Gpu, Gpus, Instance, Lack, Process, Refusal};
use nvml_wrapper::bitmasks::event::EventTypes;
use nvml_wrapper::enum_wrappers::device::{
    Clock, EccCounter, MemoryError, PcieUtilCounter, PerformanceState, RetirementCause, TemperatureSensor,
    TemperatureThreshold,
};
use nvml_wrapper::enums::device::{SampleValue, UsedGpuMemory};
use nvml_wrapper::enums::event::XidError;
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::struct_wrappers::device::ProcessInfo;
use nvml_wrapper::structs::device::FieldId;
use nvml_wrapper::{Device, EventSet, Nvml};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// More processes of one GPU are not told on; the largest are kept.
const PROCESSES: usize = 64;
/// More parts of one GPU there cannot be.
const INSTANCES: u32 = 16;
/// Events taken in one pass.
const EVENTS: usize = 32;
const MEBIBYTE: f64 = 1024.0 * 1024.0;
/// Fields of NVML that have no function of their own, and what DCGM calls them.
const FIELDS: [(u32, &str); 5] = [
    (82, "DCGM_FI_DEV_MEMORY_TEMP"),
    (142, "DCGM_FI_DEV_CORRECTABLE_REMAPPED_ROWS"),
    (143, "DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS"),
    (144, "DCGM_FI_DEV_ROW_REMAP_PENDING"),
    (145, "DCGM_FI_DEV_ROW_REMAP_FAILURE"),
];

/// The library, once it could be loaded, and the errors that it has reported since.
pub(super) struct Eyes {
    /// Nobody waits for an answer any more.
    alone: Arc<AtomicBool>,
    nvml: Option<&'static Nvml>,
    xids: BTreeMap<u32, Xids>,
    spent: bool,
}

#[derive(Default)]
struct Xids {
    /// `None` where they cannot be had.
    set: Option<EventSet<'static>>,
    last: u64,
    count: u64,
}

impl Eyes {
    pub(super) fn new(alone: Arc<AtomicBool>) -> Self {
        Self { alone, nvml: None, xids: BTreeMap::new(), spent: false }
    }

    /// True when a new process must load the library anew.
    pub(super) fn are_spent(&self) -> bool {
        self.spent
    }

    fn nvml(&mut self, library: Option<&Path>) -> Result<&'static Nvml, NvmlError> {
        if let Some(nvml) = self.nvml {
            return Ok(nvml);
        }
        let mut builder = Nvml::builder();
        if let Some(path) = library {
            builder.lib_path(path.as_os_str());
        }
        // For the life of this process, which is what its event sets need.
        let nvml: &'static Nvml = Box::leak(Box::new(builder.init()?));
        Ok(self.nvml.insert(nvml))
    }

    pub(super) fn gpus(&mut self, library: Option<&Path>) -> Result<Gpus, Refusal> {
        let nvml = self.nvml(library).map_err(|error| refusal(&error))?;
        let count = nvml.device_count().map_err(|error| self.refused(&error))?;
        let cuda = nvml.sys_cuda_driver_version().ok();
        Ok(Gpus {
            count,
            driver: nvml.sys_driver_version().ok(),
            library: nvml.sys_nvml_version().ok(),
            cuda: cuda.map(|version| format!("{}.{}", version / 1000, version % 1000 / 10)),
        })
    }

    pub(super) fn gpu(&mut self, library: Option<&Path>, index: u32) -> Result<Gpu, Refusal> {
        let nvml = self.nvml(library).map_err(|error| refusal(&error))?;
        let device = nvml.device_by_index(index).map_err(|error| self.refused(&error))?;
        let seen = look(&device, &self.alone).map(|mut look| {
            let xids = self.xids.entry(index).or_insert_with(|| watch(nvml, &device));
            look.xids(xids);
            look.seen
        });
        seen.map_err(|error| self.refused(&error))
    }

    fn refused(&mut self, error: &NvmlError) -> Refusal {
        let refusal = refusal(error);
        // The library that is loaded will never fit the new driver; a new process loads the new one.
        self.spent |= matches!(refusal, Refusal::Mismatch | Refusal::NoDriver);
        self.spent |= matches!(error, NvmlError::Uninitialized);
        refusal
    }
}

fn refusal(error: &NvmlError) -> Refusal {
    match error {
        NvmlError::LibloadingError(_) | NvmlError::FailedToLoadSymbol(_) | NvmlError::LibraryNotFound => {
            Refusal::NoLibrary(error.to_string())
        }
        NvmlError::DriverNotLoaded => Refusal::NoDriver,
        NvmlError::LibRmVersionMismatch => Refusal::Mismatch,
        NvmlError::NoPermission | NvmlError::OperatingSystem => Refusal::NotPermitted,
        NvmlError::GpuLost => Refusal::Lost,
        other => Refusal::Other(other.to_string()),
    }
}

/// Asks for critical errors from now on. A set for each device: a refusal takes its set along.
fn watch(nvml: &'static Nvml, device: &Device<'static>) -> Xids {
    let set = nvml.create_event_set().ok();
    let set = set.and_then(|set| device.register_events(EventTypes::CRITICAL_XID_ERROR, set).ok());
    Xids { set, ..Xids::default() }
}

/// One pass over one GPU. Its own error is one after which nothing more may be asked.
struct Look<'a> {
    alone: &'a AtomicBool,
    device: &'a Device<'static>,
    seen: Gpu,
}

fn look<'a>(device: &'a Device<'static>, alone: &'a AtomicBool) -> Result<Look<'a>, NvmlError> {
    let (uuid, name) = (device.uuid()?, device.name()?);
    let pci = device.pci_info().map(|info| info.bus_id).unwrap_or_default();
    let seen = Gpu { uuid, name, minor: device.minor_number().ok(), pci, ..Gpu::default() };
    let mut look = Look { alone, device, seen };
    look.load()?;
    look.heat_and_power()?;
    look.clocks()?;
    look.health()?;
    look.link()?;
    look.processes()?;
    look.instances();
    Ok(look)
}

impl Look<'_> {
    /// Notes the values of one call, or why there are none. The last call for a parent that is gone is the one that
    /// it left running.
    fn give<T, const N: usize>(
        &mut self,
        metrics: [&'static str; N],
        answer: Result<T, NvmlError>,
        values: impl FnOnce(T) -> [f64; N],
    ) -> Result<(), NvmlError> {
        match answer {
            _ if self.alone.load(Ordering::Relaxed) => Err(NvmlError::Uninitialized),
            Ok(answer) => {
                let values = metrics.iter().map(|metric| (*metric).to_owned()).zip(values(answer));
                self.seen.values.extend(values);
                Ok(())
            }
            Err(
                error @ (NvmlError::GpuLost
                | NvmlError::LibRmVersionMismatch
                | NvmlError::Uninitialized
                | NvmlError::DriverNotLoaded),
            ) => Err(error),
            Err(error) => {
                self.lack(&metrics, &error);
                Ok(())
            }
        }
    }

    fn lack(&mut self, metrics: &[&'static str], error: &NvmlError) {
        let (why, never) = match error {
            NvmlError::NotSupported => ("this GPU does not support it".to_owned(), true),
            NvmlError::FailedToLoadSymbol(_) | NvmlError::FunctionNotFound => {
                ("the installed driver does not know it".to_owned(), true)
            }
            NvmlError::NoPermission => ("this login may not read it".to_owned(), false),
            other => (other.to_string(), false),
        };
        let lacks = metrics.iter().map(|metric| Lack { metric: (*metric).to_owned(), why: why.clone(), never });
        self.seen.lacks.extend(lacks);
    }

    fn load(&mut self) -> Result<(), NvmlError> {
        let device = self.device;
        self.give(["DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_DEV_MEM_COPY_UTIL"], device.utilization_rates(), |rates| {
            [f64::from(rates.gpu), f64::from(rates.memory)]
        })?;
        self.give(["DCGM_FI_DEV_ENC_UTIL"], device.encoder_utilization(), |used| [f64::from(used.utilization)])?;
        self.give(["DCGM_FI_DEV_DEC_UTIL"], device.decoder_utilization(), |used| [f64::from(used.utilization)])?;
        let names = [
            "DCGM_FI_DEV_FB_TOTAL",
            "DCGM_FI_DEV_FB_FREE",
            "DCGM_FI_DEV_FB_USED",
            "DCGM_FI_DEV_FB_RESERVED",
            "DCGM_FI_DEV_FB_USED_PERCENT",
        ];
        self.give(names, device.memory_info(), |memory| {
            let usable = memory.total.saturating_sub(memory.reserved).max(1);
            let sizes = [memory.total, memory.free, memory.used, memory.reserved].map(|bytes| bytes as f64 / MEBIBYTE);
            let [total, free, used, reserved] = sizes;
            [total, free, used, reserved, memory.used as f64 / usable as f64]
        })
    }

    fn heat_and_power(&mut self) -> Result<(), NvmlError> {
        let device = self.device;
        let watts = |milliwatts: u32| [f64::from(milliwatts) / 1000.0];
        let plain = |value: u32| [f64::from(value)];
        self.give(["DCGM_FI_DEV_GPU_TEMP"], device.temperature(TemperatureSensor::Gpu), plain)?;
        let slowdown = device.temperature_threshold(TemperatureThreshold::Slowdown);
        self.give(["DCGM_FI_DEV_SLOWDOWN_TEMP"], slowdown, plain)?;
        let shutdown = device.temperature_threshold(TemperatureThreshold::Shutdown);
        self.give(["DCGM_FI_DEV_SHUTDOWN_TEMP"], shutdown, plain)?;
        self.give(["DCGM_FI_DEV_POWER_USAGE"], device.power_usage(), watts)?;
        self.give(["DCGM_FI_DEV_POWER_MGMT_LIMIT"], device.power_management_limit(), watts)?;
        self.give(["DCGM_FI_DEV_ENFORCED_POWER_LIMIT"], device.enforced_power_limit(), watts)?;
        let energy = device.total_energy_consumption();
        self.give(["DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION"], energy, |millijoules| [millijoules as f64])?;
        let fastest = device.num_fans().and_then(|fans| {
            let speeds = (0..fans).map(|fan| device.fan_speed(fan)).collect::<Result<Vec<u32>, _>>()?;
            speeds.into_iter().max().ok_or(NvmlError::NotSupported)
        });
        self.give(["DCGM_FI_DEV_FAN_SPEED"], fastest, plain)
    }

    fn clocks(&mut self) -> Result<(), NvmlError> {
        let device = self.device;
        let plain = |value: u32| [f64::from(value)];
        self.give(["DCGM_FI_DEV_SM_CLOCK"], device.clock_info(Clock::SM), plain)?;
        self.give(["DCGM_FI_DEV_MEM_CLOCK"], device.clock_info(Clock::Memory), plain)?;
        self.give(["DCGM_FI_DEV_MAX_SM_CLOCK"], device.max_clock_info(Clock::SM), plain)?;
        self.give(["DCGM_FI_DEV_MAX_MEM_CLOCK"], device.max_clock_info(Clock::Memory), plain)?;
        let reasons = device.current_throttle_reasons();
        self.give(["DCGM_FI_DEV_CLOCK_THROTTLE_REASONS"], reasons, |reasons| [reasons.bits() as f64])?;
        let known = |state: PerformanceState| match state {
            PerformanceState::Unknown => Err(NvmlError::NotSupported),
            state => Ok(state.as_c()),
        };
        self.give(["DCGM_FI_DEV_PSTATE"], device.performance_state().and_then(known), plain)
    }

    fn health(&mut self) -> Result<(), NvmlError> {
        let device = self.device;
        for (metric, what, span) in [
            ("DCGM_FI_DEV_ECC_SBE_VOL_TOTAL", MemoryError::Corrected, EccCounter::Volatile),
            ("DCGM_FI_DEV_ECC_DBE_VOL_TOTAL", MemoryError::Uncorrected, EccCounter::Volatile),
            ("DCGM_FI_DEV_ECC_SBE_AGG_TOTAL", MemoryError::Corrected, EccCounter::Aggregate),
            ("DCGM_FI_DEV_ECC_DBE_AGG_TOTAL", MemoryError::Uncorrected, EccCounter::Aggregate),
        ] {
            self.give([metric], device.total_ecc_errors(what, span), |errors| [errors as f64])?;
        }
        for (metric, cause) in [
            ("DCGM_FI_DEV_RETIRED_SBE", RetirementCause::MultipleSingleBitEccErrors),
            ("DCGM_FI_DEV_RETIRED_DBE", RetirementCause::DoubleBitEccError),
        ] {
            self.give([metric], device.retired_pages(cause), |pages| [pages.len() as f64])?;
        }
        let pending = device.are_pages_pending_retired();
        self.give(["DCGM_FI_DEV_RETIRED_PENDING"], pending, |pending| [f64::from(u8::from(pending))])?;
        match device.field_values_for(&FIELDS.map(|(field, _)| FieldId(field))) {
            Ok(fields) => {
                for ((_, metric), field) in FIELDS.into_iter().zip(fields) {
                    self.give([metric], field.and_then(|field| field.value), |value| [number(&value)])?;
                }
                Ok(())
            }
            Err(error) => self.give(FIELDS.map(|(_, metric)| metric), Err::<(), _>(error), |()| [0.0; FIELDS.len()]),
        }
    }

    fn link(&mut self) -> Result<(), NvmlError> {
        let device = self.device;
        let plain = |value: u32| [f64::from(value)];
        self.give(["DCGM_FI_DEV_PCIE_LINK_GEN"], device.current_pcie_link_gen(), plain)?;
        self.give(["DCGM_FI_DEV_PCIE_LINK_WIDTH"], device.current_pcie_link_width(), plain)?;
        self.give(["DCGM_FI_DEV_PCIE_MAX_LINK_GEN"], device.max_pcie_link_gen(), plain)?;
        self.give(["DCGM_FI_DEV_PCIE_MAX_LINK_WIDTH"], device.max_pcie_link_width(), plain)?;
        self.give(["DCGM_FI_DEV_PCIE_REPLAY_COUNTER"], device.pcie_replay_counter(), plain)?;
        let (sent, received) = (PcieUtilCounter::Send, PcieUtilCounter::Receive);
        self.give(["DCGM_FI_DEV_PCIE_TX_THROUGHPUT"], device.pcie_throughput(sent), plain)?;
        self.give(["DCGM_FI_DEV_PCIE_RX_THROUGHPUT"], device.pcie_throughput(received), plain)?;
        let mode = device.mig_mode();
        self.give(["DCGM_FI_DEV_MIG_MODE"], mode, |mode| [f64::from(mode.current)])
    }

    fn processes(&mut self) -> Result<(), NvmlError> {
        const METRICS: [&str; 2] = ["watchkeeper_gpu_processes", "watchkeeper_gpu_process_used_bytes"];
        let both = self.device.running_compute_processes().map(|compute| {
            // A device that only computes has no other list.
            let graphics = self.device.running_graphics_processes().unwrap_or_default();
            (compute, graphics)
        });
        let (compute, graphics) = match both {
            Ok(both) => both,
            Err(error) => return self.give(METRICS, Err::<(), _>(error), |()| [0.0; 2]),
        };
        let mut by_pid: BTreeMap<u32, Process> = BTreeMap::new();
        let all = compute.into_iter().map(|info| (info, false)).chain(graphics.into_iter().map(|info| (info, true)));
        for (ProcessInfo { pid, used_gpu_memory, .. }, graphics) in all {
            let used = match used_gpu_memory {
                UsedGpuMemory::Used(bytes) => Some(bytes),
                UsedGpuMemory::Unavailable => None,
            };
            let known = by_pid.entry(pid).or_insert_with(|| Process { pid, name: name(pid), used, graphics });
            known.used = known.used.max(used);
        }
        self.give([METRICS[0]], Ok(by_pid.len()), |count| [count as f64])?;
        self.seen.processes = by_pid.into_values().collect();
        self.seen.processes.sort_by_key(|process| core::cmp::Reverse(process.used));
        self.seen.processes.truncate(PROCESSES);
        Ok(())
    }

    fn instances(&mut self) {
        if !self.seen.values.iter().any(|(metric, value)| metric == "DCGM_FI_DEV_MIG_MODE" && *value == 1.0) {
            return;
        }
        for index in 0..self.device.mig_device_count().unwrap_or(0).min(INSTANCES) {
            let Ok(part) = self.device.mig_device_by_index(index) else { continue };
            let memory = part.memory_info().ok().map(|memory| (memory.used, memory.total));
            let (uuid, name) = (part.uuid().unwrap_or_default(), part.name().unwrap_or_default());
            self.seen.instances.push(Instance { index, uuid, name, memory });
        }
    }

    fn xids(&mut self, xids: &mut Xids) {
        const METRICS: [&str; 2] = ["DCGM_FI_DEV_XID_ERRORS", "watchkeeper_gpu_xid_errors_total"];
        let Some(set) = &xids.set else { return self.lack(&METRICS, &NvmlError::NotSupported) };
        for _ in 0..EVENTS {
            let Ok(event) = set.wait(0) else { break };
            if let Some(XidError::Value(number)) = event.event_data {
                xids.last = number;
            }
            xids.count += 1;
        }
        let values = METRICS.map(str::to_owned).into_iter().zip([xids.last as f64, xids.count as f64]);
        self.seen.values.extend(values);
    }
}

fn number(value: &SampleValue) -> f64 {
    match value {
        SampleValue::F64(value) => *value,
        SampleValue::U32(value) => f64::from(*value),
        SampleValue::U64(value) => *value as f64,
        SampleValue::I64(value) => *value as f64,
    }
}

/// What a person calls a process: the file name of its first word.
fn name(pid: u32) -> String {
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let word = line.split(|byte| *byte == 0).next().unwrap_or_default();
    let word = word.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    String::from_utf8_lossy(word).chars().take(64).collect()
}
