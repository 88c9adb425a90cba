//! Processes and their maps as a folder holds them, with data files that are or are not what they are called.

use super::*;
use std::fs;

/// Two meta pages of 4096 bytes: a map of 64 MiB of which so many pages are used.
fn environment(used: u64) -> Vec<u8> {
    let mut file = vec![0; 4 * 4096];
    for page in [0, 4096] {
        let mut put = |at: usize, bytes: &[u8]| file[page + at..page + at + bytes.len()].copy_from_slice(bytes);
        put(10, &8_u16.to_le_bytes());
        put(16, &0xBEEF_C0DE_u32.to_le_bytes());
        put(20, &1_u32.to_le_bytes());
        put(32, &(64_u64 << 20).to_le_bytes());
        put(40, &4096_u32.to_le_bytes());
        put(40 + 40, &u64::MAX.to_le_bytes());
        put(88 + 40, &u64::MAX.to_le_bytes());
        put(136, &(used - 1).to_le_bytes());
        put(144, &7_u64.to_le_bytes());
    }
    file
}

struct Host {
    root: tempfile::TempDir,
    processes: Processes,
}

impl Host {
    fn new() -> Self {
        Self { root: tempfile::tempdir().expect("a folder"), processes: Processes::default() }
    }

    fn put(&self, path: &str, bytes: impl AsRef<[u8]>) {
        let path = self.root.path().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, bytes).expect("written");
    }

    /// A line of maps for a file that lies at `at` and is called `path` by the process.
    fn line(&self, path: &str, at: &str) -> String {
        let (file, about) = quiet::open(&self.root.path().join(at)).expect("there");
        let id = quiet::place(&file, &about).id;
        let (major, minor) = id.devices[0];
        format!("7f0000000000-7f0004000000 r--s 00000000 {major:02x}:{minor:02x} {} {path}\n", id.inode)
    }

    fn process(&self, pid: u32, start: u64, maps: &str) {
        self.put(
            &format!("proc/{pid}/stat"),
            format!("{pid} (a) b) S 1 1 1 0 -1 4194304 0 0 0 0 0 0 0 0 20 0 1 0 {start} 9"),
        );
        self.put(&format!("proc/{pid}/comm"), "planar\n");
        self.put(&format!("proc/{pid}/maps"), maps);
    }

    fn look(&mut self) -> Environments {
        self.processes.ask(self.root.path()).expect("readable");
        self.processes.environments(self.root.path())
    }

    fn says(&mut self) -> Vec<String> {
        let seen = self.look();
        seen.found.iter().map(|found| found.says.to_string()).collect()
    }
}

#[test]
fn an_environment_is_found_by_what_it_is_and_told_with_its_usage_and_its_processes() {
    let mut host = Host::new();
    host.put("x/data.mdb", environment(11_633));
    host.put("y/store.db", environment(2));
    host.put("z/data.mdb", "something else");
    host.put("z/cache", vec![7; 20_000]);
    let lines = |of: &[&str]| of.iter().map(|path| host.line(&format!("/{path}"), path)).collect::<String>();
    let all = lines(&["x/data.mdb", "y/store.db", "z/data.mdb", "z/cache"]);
    host.process(812, 5, &all);
    host.process(813, 6, &lines(&["x/data.mdb"]));
    host.process(1, 1, "55550000-55560000 r-xp 00000000 fe:00 99 /sbin/init\n");
    let seen = host.look();
    let says: Vec<&str> = seen.found.iter().map(|found| found.says.as_str()).collect();
    assert_eq!(
        says,
        [
            "/x/data.mdb, mapped by planar (812), planar (813): 71 % of 64.0 MiB",
            "/y/store.db, mapped by planar (812): 0 % of 64.0 MiB"
        ]
    );
    let keeps: Vec<String> = seen.found.iter().filter_map(|found| Some(found.keep.as_ref()?.to_string())).collect();
    assert_eq!(keeps, ["kind = \"lmdb\", path = \"/x\"", "kind = \"lmdb\", path = \"/y/store.db\""]);
    assert_eq!(seen.watch, [("/x".into(), vec![812, 813]), ("/y/store.db".into(), vec![812])]);
    assert_eq!(host.processes.others.len(), 2, "what is none is opened once");
}

#[test]
fn maps_are_read_when_a_process_is_new_and_seldom_later() {
    let mut host = Host::new();
    host.put("x/data.mdb", environment(20));
    let line = host.line("/x/data.mdb", "x/data.mdb");
    host.process(10, 5, "");
    host.process(11, 5, "");
    assert_eq!(host.says().len(), 0);
    host.process(10, 5, &line);
    assert_eq!(host.says().len(), 1, "a service opens its files after its start");
    host.process(11, 5, &line);
    let says: Vec<String> = (0..AGAIN).flat_map(|_| host.says()).collect();
    let both = says.iter().filter(|says| says.contains("(11)")).count();
    assert!((1..10).contains(&both), "{both} of {AGAIN} looks");
    host.process(10, 5, "");
    host.process(11, 5, "");
    assert_eq!(host.says().len(), 0, "who maps it is looked at each time");
    host.process(11, 6, &line);
    assert_eq!(host.says().len(), 1, "another process with the same number");
    fs::remove_dir_all(host.root.path().join("proc/11")).expect("gone");
    assert_eq!(host.says().len(), 0);
}

#[test]
fn a_file_of_another_mount_namespace_is_reached_by_its_process_and_never_mistaken() {
    let mut host = Host::new();
    host.put("proc/812/root/x/data.mdb", environment(20));
    host.put("x/data.mdb", environment(40));
    host.process(812, 5, &host.line("/x/data.mdb", "proc/812/root/x/data.mdb"));
    let seen = host.look();
    let says = seen.found[0].says.as_str();
    assert!(says.starts_with("/proc/812/root/x/data.mdb, mapped by planar (812), in a container"), "{says}");
    assert_eq!((&seen.found[0].keep, seen.watch.len()), (&None, 0));
}

#[test]
fn threads_of_the_kernel_and_odd_lines_are_passed_over() {
    let host = Host::new();
    host.put("proc/2/stat", "2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 20 0 1 0 0 0");
    host.put("proc/3/stat", "3 (short) S");
    let proc = host.root.path().join("proc");
    assert_eq!((start(&proc, 2), start(&proc, 3), start(&proc, 4)), (None, None, None));
    let maps = "7f-80 rw-s 00000000 00:01 5 /memfd:x (deleted)\n7f-80 rw-s 00000000 00:01 5 /dev/nvidia0\n\
                7f-80 rw-s 00000000 fe:00 6 /dev/shm/env\n7f-80 r--s 00001000 fe:00 7 /x\n7f-80 r--p 00000000 fe:00 8 /y\n\
                7f-80 r--s 00000000 fe:00 9 /z (deleted)\nx\n7f-80 r--s\n7f-80 r--s 00000000 fe:00 9 /with blank\n";
    let paths: Vec<PathBuf> = shared(maps.as_bytes()).into_iter().map(|file| file.path).collect();
    assert_eq!(paths, [PathBuf::from("/dev/shm/env"), PathBuf::from("/with blank")]);
    assert!(Processes::default().ask(Path::new("/no/such/root")).is_err());
}
