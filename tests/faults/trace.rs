//! What a whole console did to the world, as strace tells it: programs, files, peers, signals, and whatever else changes
//! a machine. Judged call by call; what the judge does not know for harmless it names.

use regex::Regex;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::LazyLock;

/// Calls that write to what they open, or change what has a name.
const NAMES: &str = "open,openat,openat2,creat,rename,renameat,renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat,\
    mkdir,mkdirat,rmdir,mknod,mknodat,truncate,chmod,fchmodat,?fchmodat2,fchmod,chown,lchown,fchown,fchownat,utime,utimes,\
    futimesat,utimensat,setxattr,lsetxattr,fsetxattr,removexattr,lremovexattr,fremovexattr";
const STARTS: &str = "execve,execveat";
const TALKS: &str = "connect,bind,sendto,sendmsg,sendmmsg";
const SIGNALS: &str = "kill,tkill,tgkill,pidfd_send_signal,rt_sigqueueinfo,rt_tgsigqueueinfo";
/// No console has a reason for these.
const NEVER: &str = "mount,umount2,move_mount,pivot_root,chroot,ptrace,process_vm_writev,reboot,sethostname,setdomainname,\
    settimeofday,clock_settime,adjtimex,clock_adjtime,swapon,swapoff,init_module,finit_module,delete_module,kexec_load,\
    acct,quotactl,setns,bpf,ioprio_set,sched_setaffinity";

/// The arguments of strace before the program.
pub(crate) fn arguments(log: &Path) -> Vec<String> {
    let calls = format!("trace={NAMES},{STARTS},{TALKS},{SIGNALS},{NEVER}");
    // The tracer stays aside: the console is its parent's child, and is signalled alone.
    let before = ["strace", "-DD", "-f", "-q", "-yy", "-s", "4096", "-o", log.to_str().unwrap(), "-e", &calls, "--"];
    before.map(str::to_owned).to_vec()
}

/// What a console may do.
pub(crate) struct Allowed<'a> {
    /// What begins the trace, and nothing else that it does: the program itself.
    pub(crate) program: &'a str,
    /// Below these it may write,
    pub(crate) folders: &'a [&'a str],
    /// but not below these.
    pub(crate) closed: &'a [&'a str],
    /// Parts of addresses to which it may connect.
    pub(crate) peers: &'a [&'a str],
}

/// A path with the open folder that it is relative to, if any.
static PATH: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"(?:(?:AT_FDCWD|\d+)<([^>]*)>, )?"((?:[^"\\]|\\.)*)""#).unwrap());
/// The file behind a descriptor.
static FILE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^\d+<([^>]*)>").unwrap());
/// The first number of a call, also within a descriptor of a process.
static NUMBER: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^(?:\d+<pid:)?(-?\d+)").unwrap());

/// Every call that is none of these; none is missed because it failed.
pub(crate) fn wrongs(log: &str, allowed: &Allowed<'_>) -> Vec<String> {
    let calls: Vec<(&str, &str)> = log.lines().filter_map(|line| line.split_once(' ')).collect();
    let itself = format!("execve(\"{}\"", allowed.program);
    let begun = calls.first().is_some_and(|(_, call)| call.trim_start().starts_with(&itself));
    let ours: BTreeSet<&str> = calls.iter().map(|(thread, _)| *thread).collect();
    let wrong = calls.iter().skip(usize::from(begun)).filter(|(_, call)| {
        let Some((name, rest)) = call.trim_start().split_once('(') else { return false };
        !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            || !is_allowed(name, rest, allowed, &ours)
    });
    wrong.filter(|(_, call)| !is_no_call(call.trim_start())).map(|(thread, call)| format!("{thread} {call}")).collect()
}

/// The end of a process, a signal that came, the second half of a call that was judged by its first.
fn is_no_call(line: &str) -> bool {
    ["+++ ", "--- ", "<... "].iter().any(|start| line.starts_with(start))
}

fn is_allowed(name: &str, rest: &str, allowed: &Allowed<'_>, ours: &BTreeSet<&str>) -> bool {
    let of = |names: &str| names.split(',').any(|known| known.trim().trim_start_matches('?') == name);
    if of(STARTS) {
        // What may hang is looked at by a child of its own.
        return rest.starts_with("\"/proc/self/exe\"") && rest.contains(", \"probe\", ");
    }
    if of(TALKS) {
        // Without an address it goes to whom it was connected to.
        let local = rest.contains("sa_family=AF_NETLINK");
        return local || !rest.contains("sa_family=") || allowed.peers.iter().any(|peer| rest.contains(peer));
    }
    if of(SIGNALS) {
        let to = NUMBER.captures(rest).map(|found| found.get(1).unwrap().as_str());
        // 0 is its own group, in which nobody else is.
        return to.is_some_and(|to| to == "0" || ours.contains(to));
    }
    if name.starts_with("open") && !["O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC"].iter().any(|flag| rest.contains(flag))
    {
        return true;
    }
    let below = |path: &str, folders: &[&str]| folders.iter().any(|folder| is_below(path, folder));
    of(NAMES) && paths(rest).all(|path| below(&path, allowed.folders) && !below(&path, allowed.closed))
}

/// All that a call names, in full.
fn paths(rest: &str) -> impl Iterator<Item = String> {
    let named: Vec<String> = PATH.captures_iter(rest).map(|found| in_full(&found)).collect();
    let open = FILE.captures(rest).filter(|_| named.is_empty()).map(|found| found[1].to_owned());
    named.into_iter().chain(open)
}

fn in_full(found: &regex::Captures<'_>) -> String {
    let (folder, path) = (found.get(1).map_or("", |folder| folder.as_str()), &found[2]);
    if path.starts_with('/') { path.to_owned() } else { format!("{folder}/{path}") }
}

fn is_below(path: &str, folder: &str) -> bool {
    !path.split('/').any(|part| part == "..") && Path::new(path).starts_with(folder)
}

#[test]
fn the_judge_of_a_trace_names_what_is_not_allowed() {
    let folders = &["/state", "/dev/tty"][..];
    let allowed =
        Allowed { program: "/bin/it", folders, closed: &["/state/actions"], peers: &["sun_path=\"/dev/log\""] };
    let fine = [
        r#"7 execve("/bin/it", ["it"], 0x7 /* 3 vars */) = 0"#,
        r#"8 execve("/proc/self/exe", ["watchkeeper", "probe", "disks"], 0x7 /* 3 vars */) = 0"#,
        r#"7 openat(AT_FDCWD</>, "/etc/hosts", O_RDONLY|O_CLOEXEC) = 3</etc/hosts>"#,
        r#"8 openat(5</state>, "a", O_WRONLY|O_CREAT, 0600 <unfinished ...>"#,
        "8 <... openat resumed>) = 3</state/a>",
        r#"7 renameat2(5</state>, "a", 5</state>, "b", 0) = 0"#,
        "7 fchmod(5</state/a>, 0600) = 0",
        r#"7 connect(4<UNIX-STREAM:[1]>, {sa_family=AF_UNIX, sun_path="/dev/log"}, 11) = -1 ENOENT (No such file)"#,
        "7 sendto(4<UNIX-STREAM:[1]>, \"x\", 1, 0, NULL, 0) = 1",
        "7 tgkill(7, 8, SIGTSTP) = 0",
        "7 kill(0, SIGTSTP) = 0",
        "7 pidfd_send_signal(4<pid:8>, SIGKILL, NULL, 0) = 0",
        "8 --- SIGTERM {si_signo=SIGTERM, si_code=SI_USER, si_pid=1, si_uid=0} ---",
        "8 +++ exited with 0 +++",
    ];
    assert_eq!(wrongs(&fine.join("\n"), &allowed), [""; 0]);
    for wrong in [
        r#"8 execve("/proc/self/exe", ["watchkeeper", "runner", "/state/actions/1"], 0x7 /* 3 vars */) = 0"#,
        r#"7 execve("/bin/sh", ["sh", "/bin/it"], 0x7 /* 3 vars */) = -1 ENOENT (No such file)"#,
        r#"7 openat(AT_FDCWD</>, "/etc/hosts", O_RDWR) = -1 EACCES (Permission denied)"#,
        r#"7 openat(5</etc>, "a", O_RDONLY|O_CREAT, 0600 <unfinished ...>"#,
        r#"7 openat(5</state>, "../etc/a", O_WRONLY) = 3"#,
        r#"7 renameat2(5</state>, "a", 6</etc>, "b", 0) = 0"#,
        r#"7 unlink("/statements") = 0"#,
        r#"7 mkdir("/state/actions", 0700) = 0"#,
        "7 fchown(5</etc/a>, 1, 1) = 0",
        r#"7 connect(4<TCP:[1]>, {sa_family=AF_INET, sin_port=htons(22), sin_addr=inet_addr("127.0.0.1")}, 16) = 0"#,
        "7 kill(9, SIGTERM) = 0",
        "7 kill(-9, SIGTERM) = 0",
        "7 pidfd_send_signal(4<pid:9>, SIGKILL, NULL, 0) = 0",
        r#"7 mount("/a", "/state", 0x7, MS_BIND, NULL) = 0"#,
    ] {
        assert_eq!(wrongs(wrong, &allowed), [wrong], "{wrong}");
    }
}
