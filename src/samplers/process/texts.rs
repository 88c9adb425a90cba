//! The texts of /proc/PID as data. Pure; what does not parse is absent, never zero.

use core::str::FromStr;

/// /proc/PID/stat, or of one thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stat {
    pub(super) pid: u32,
    /// Fifteen bytes at most.
    pub(super) comm: Vec<u8>,
    pub(super) state: u8,
    pub(super) parent: u32,
    pub(super) minor_faults: u64,
    pub(super) major_faults: u64,
    /// Ticks in user mode and in the kernel.
    pub(super) user: u64,
    pub(super) system: u64,
    pub(super) threads: u64,
    /// Ticks since boot.
    pub(super) start: u64,
    /// Bytes.
    pub(super) virtual_size: u64,
    /// Pages, roughly.
    pub(super) resident: u64,
}

impl Stat {
    /// Kernel threads have no memory of their own and no command line.
    pub(super) fn is_kernel(&self) -> bool {
        self.pid == 2 || self.parent == 2
    }

    pub(super) fn ticks(&self) -> u64 {
        self.user.saturating_add(self.system)
    }
}

pub(super) fn stat(raw: &[u8]) -> Option<Stat> {
    // The name may hold anything, brackets and spaces too.
    let open = raw.iter().position(|byte| *byte == b'(')?;
    let close = raw.iter().rposition(|byte| *byte == b')')?;
    let pid = core::str::from_utf8(raw.get(..open)?).ok()?.trim().parse().ok()?;
    let comm = raw.get(open + 1..close)?.to_vec();
    let rest = core::str::from_utf8(raw.get(close + 1..)?).ok()?;
    let words: Vec<&str> = rest.split_ascii_whitespace().collect();
    let number = |at: usize| words.get(at).and_then(|word| word.parse::<u64>().ok());
    Some(Stat {
        pid,
        comm,
        state: *words.first()?.as_bytes().first()?,
        parent: u32::try_from(number(1)?).ok()?,
        minor_faults: number(7)?,
        major_faults: number(9)?,
        user: number(11)?,
        system: number(12)?,
        threads: number(17)?,
        start: number(19)?,
        virtual_size: number(20)?,
        resident: number(21)?,
    })
}

/// What is used of /proc/PID/status: bytes where it says kB.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Status {
    /// The effective user.
    pub(super) uid: Option<u32>,
    pub(super) virtual_size: Option<u64>,
    pub(super) peak: Option<u64>,
    pub(super) resident: Option<u64>,
    pub(super) anonymous: Option<u64>,
    pub(super) file: Option<u64>,
    pub(super) shared: Option<u64>,
    pub(super) swapped: Option<u64>,
    pub(super) voluntary: Option<u64>,
    pub(super) forced: Option<u64>,
}

pub(super) fn status(text: &str) -> Status {
    let mut out = Status::default();
    for line in text.lines() {
        let Some((name, rest)) = line.split_once(':') else { continue };
        let slot = match name {
            "Uid" => {
                out.uid = rest.split_ascii_whitespace().nth(1).and_then(|uid| uid.parse().ok());
                continue;
            }
            "VmSize" => &mut out.virtual_size,
            "VmHWM" => &mut out.peak,
            "VmRSS" => &mut out.resident,
            "RssAnon" => &mut out.anonymous,
            "RssFile" => &mut out.file,
            "RssShmem" => &mut out.shared,
            "VmSwap" => &mut out.swapped,
            "voluntary_ctxt_switches" => &mut out.voluntary,
            "nonvoluntary_ctxt_switches" => &mut out.forced,
            _ => continue,
        };
        *slot = amount(rest);
    }
    out
}

/// `  12 kB` or `12`.
fn amount(rest: &str) -> Option<u64> {
    let mut words = rest.split_ascii_whitespace();
    let value: u64 = words.next()?.parse().ok()?;
    if words.next() == Some("kB") { value.checked_mul(1024) } else { Some(value) }
}

/// The value of `name:` or `name ` at the beginning of a line, in bytes where it says kB.
pub(super) fn value(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| amount(line.strip_prefix(name)?.strip_prefix([':', ' '])?))
}

/// /proc/PID/smaps_rollup: bytes; a process' share of what it shares with others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Shares {
    pub(super) all: u64,
    /// Kernels before 5.10 do not split them.
    pub(super) parts: Option<[u64; 3]>,
    pub(super) swapped: u64,
}

pub(super) fn shares(text: &str) -> Option<Shares> {
    let part = |name| value(text, name);
    let parts = || Some([part("Pss_Anon")?, part("Pss_File")?, part("Pss_Shmem")?]);
    Some(Shares { all: part("Pss")?, parts: parts(), swapped: part("SwapPss").unwrap_or(0) })
}

/// A soft or hard bound; `None` is unlimited.
pub(super) type Bound = Option<u64>;

/// What is told of /proc/PID/limits: its row, and the name in the metric's label.
pub(super) const LIMITS: [(&str, &str); 8] = [
    ("Max open files", "nofile"),
    ("Max processes", "nproc"),
    ("Max address space", "as"),
    ("Max core file size", "core"),
    ("Max locked memory", "memlock"),
    ("Max stack size", "stack"),
    ("Max data size", "data"),
    ("Max file size", "fsize"),
];

/// Soft and hard bound of a row.
pub(super) fn limit(text: &str, row: &str) -> Option<[Bound; 2]> {
    let rest = text.lines().find_map(|line| line.strip_prefix(row)?.strip_prefix(' '))?;
    let mut words = rest.split_ascii_whitespace();
    let mut bound = || {
        let word = words.next()?;
        if word == "unlimited" { Some(None) } else { word.parse().ok().map(Some) }
    };
    Some([bound()?, bound()?])
}

/// A list of strings that each end in NUL.
pub(super) fn strings(raw: &[u8]) -> impl Iterator<Item = &[u8]> {
    raw.split(|byte| *byte == 0).filter(|string| !string.is_empty())
}

/// The command line as one text, blanks between the arguments.
pub(super) fn command_line(raw: &[u8]) -> String {
    let end = raw.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let raw: Vec<u8> = raw.iter().take(end).map(|byte| if *byte == 0 { b' ' } else { *byte }).collect();
    String::from_utf8_lossy(&raw).into_owned()
}

/// What a process is called: the kernel's name for it, made whole from the command line where it was cut at 15 bytes.
pub(super) fn name(comm: &[u8], command: &[u8]) -> String {
    let first = strings(command).next().unwrap_or_default();
    let base = first.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let whole = comm.len() == 15 && base.starts_with(comm) && base.len() <= 64;
    String::from_utf8_lossy(if whole { base } else { comm }).into_owned()
}

/// The path of a control group in /proc/PID/cgroup: of a version 1 controller, else of version 2.
pub(super) fn group<'a>(text: &'a str, controller: &str) -> Option<(bool, &'a str)> {
    let rows = || text.lines().filter_map(|line| line.split_once(':')?.1.split_once(':'));
    let first = rows().find(|(names, _)| names.split(',').any(|name| name == controller));
    first.map(|(_, path)| (true, path)).or_else(|| rows().find(|(names, _)| names.is_empty()).map(|(_, p)| (false, p)))
}

/// `name value` lines of a control group's file.
pub(super) fn field<T: FromStr>(text: &str, name: &str) -> Option<T> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const STAT: &[u8] = b"42 (a) b (c) S 7 42 42 0 -1 4194304 100 0 3 0 12 34 0 0 20 0 5 0 9000 8192 6 1 2 3\n";

    #[test]
    fn a_stat_reads_whatever_the_name() {
        let read = stat(STAT).expect("whole");
        assert_eq!((read.pid, read.comm.as_slice(), read.state, read.parent), (42, &b"a) b (c"[..], b'S', 7));
        assert_eq!((read.minor_faults, read.major_faults, read.ticks(), read.threads), (100, 3, 46, 5));
        assert_eq!((read.start, read.virtual_size, read.resident), (9_000, 8_192, 6));
        assert_eq!(stat(b"42 (x) S 7"), None);
    }

    #[test]
    fn a_long_name_is_made_whole_and_no_other_is_changed() {
        assert_eq!(name(b"cerebellar-nors", b"/usr/bin/cerebellar-norse\0-c\0x\0"), "cerebellar-norse");
        assert_eq!(name(b"cerebellar-nors", b"python3\0x\0"), "cerebellar-nors");
        assert_eq!(name(b"nginx", b"nginx: worker process\0"), "nginx");
        assert_eq!(name(b"kswapd0", b""), "kswapd0");
    }

    #[test]
    fn sizes_limits_and_groups_read() {
        let text =
            "Uid:\t1000\t1001\t0\t0\nVmRSS:\t   12 kB\nRssAnon: 4 kB\nvoluntary_ctxt_switches:\t9\nVmSwap: x kB\n";
        let read = status(text);
        assert_eq!(
            (read.uid, read.resident, read.anonymous, read.swapped),
            (Some(1001), Some(12_288), Some(4_096), None)
        );
        assert_eq!(read.voluntary, Some(9));
        let rollup = "1-2 ---p\nRss: 8 kB\nPss: 6 kB\nPss_Anon: 1 kB\nPss_File: 2 kB\nPss_Shmem: 3 kB\nSwapPss: 1 kB\n";
        let read = Shares { all: 6_144, parts: Some([1_024, 2_048, 3_072]), swapped: 1_024 };
        assert_eq!(shares(rollup), Some(read));
        let limits =
            "Limit  Soft Hard Units\nMax open files            1024                 unlimited            files     \n";
        assert_eq!(limit(limits, "Max open files"), Some([Some(1_024), None]));
        assert_eq!(limit(limits, "Max processes"), None);
        let groups = "4:memory:/a:b\n1:cpu,cpuacct:/c\n0::/d\n";
        assert_eq!(group(groups, "memory"), Some((true, "/a:b")));
        assert_eq!((group(groups, "cpu"), group(groups, "pids")), (Some((true, "/c")), Some((false, "/d"))));
        assert_eq!(command_line(b"a\0b c\0\0"), "a b c");
    }

    proptest! {
        #[test]
        fn any_text_is_survived(raw in proptest::collection::vec(any::<u8>(), 0..200), text in "[ -~\n]{0,200}") {
            drop(stat(&raw));
            prop_assert!(command_line(&raw).chars().count() <= raw.len());
            prop_assert!(name(&raw, &raw).chars().count() <= raw.len());
            prop_assert!(status(&text).uid.is_none_or(|_| text.contains("Uid")));
            prop_assert!(shares(&text).is_none() && limit(&text, "Max open files").is_none_or(|_| text.contains("Max")));
            prop_assert!(group(&text, "cpu").is_none_or(|(_, path)| text.contains(path)));
        }
    }
}
