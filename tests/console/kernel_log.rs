//! The kernel's own log in the shipped panes: a sick card in it, and a login that may not read it.

use crate::desk::{Desk, PROGRAM};
use crate::events::{judges, plays};
use crate::harness::{Pty, Spec};
use crate::hazards::says;
use crate::peer::skip;
use crate::shipped::{Part, Wanted};
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

fn part() -> Part {
    let panes = ["Xid errors since boot", "Lines by pattern", "Kernel"];
    Part::of("cerebellar-norse", &Wanted { panes: &panes, samplers: &["host"], logs: &["kernel"], ..Wanted::default() })
}

/// A console on this part whose `/dev/kmsg` is what the script mounts there.
fn console(desk: &Desk, part: &Part, home: &str, script: &str) -> Pty {
    let (profile, place) = (part.lay(desk, true), desk.path().to_str().unwrap());
    let args = ["--mount", "sh", "-euc", script, "sh", place, PROGRAM, "--profile", profile.to_str().unwrap()];
    let mut spec = Spec::new("unshare").args(args);
    spec.size = (140, 48);
    for name in ["HOME", "XDG_STATE_HOME", "TMPDIR"] {
        spec.env.push((name.to_owned(), home.to_owned()));
    }
    Pty::spawn(&spec)
}

/// A file in the place of the kernel's log, which this host keeps for itself.
const A_FILE: &str = "mount -t tmpfs none /var/lib && mount --bind \"$1/kmsg\" /dev/kmsg && shift && exec \"$@\"";

#[test]
fn an_xid_in_the_kernels_own_log_is_an_alert_with_its_line_and_is_told_in_words() {
    if !rustix::process::geteuid().is_root() || !Path::new("/dev/kmsg").exists() {
        return skip("kmsg", "only root can put a file in the place of the kernel's log, where there is one");
    }
    let desk = Desk::new();
    let file = desk.write("kmsg", "6,1,1000,-;begun\n");
    let mut part = part();
    // What is followed as the kernel's log must be its device: of the same file the sampler alone counts records.
    plays(&mut part, "kernel", &file);
    let pty = console(&desk, &part, desk.path().join("home").to_str().unwrap(), A_FILE);
    judges(&pty, "NvidiaKernelMessage");
    let line = "NVRM: Xid (PCI:0000:ff:1f): 79, GPU lost";
    writeln!(OpenOptions::new().append(true).open(file).unwrap(), "3,2,2000,-;{line}").unwrap();
    pty.wait_for("NvidiaKernelMessage");
    says(&pty, line);
    pty.send("d");
    says(&pty, "line kernel: ");
    says(&pty, line);
    says(&pty, "CUDA: a kernel failed; ");
    pty.send("\r");
    says(&pty, "Xid 79 on 0000:ff:1f: the GPU has fallen off the bus");
}

/// A kernel's log that root alone may open, whatever this host allows, and a login that is not root.
const AS_NOBODY: &str = "mknod -m 600 \"$1/kmsg\" c 1 11 && mount --bind \"$1/kmsg\" /dev/kmsg && shift && \
    exec setpriv --reuid 65534 --regid 65534 --clear-groups \"$@\"";

#[test]
fn who_may_not_read_the_kernels_log_is_told_so_and_sees_no_zero() {
    if !rustix::process::geteuid().is_root() {
        return skip("kmsg", "only root can look as somebody else");
    }
    let desk = Desk::new();
    fs::set_permissions(desk.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let home = desk.path().join("nobody");
    fs::create_dir(&home).unwrap();
    fs::set_permissions(&home, fs::Permissions::from_mode(0o777)).unwrap();
    let pty = console(&desk, &part(), home.to_str().unwrap(), AS_NOBODY);
    says(&pty, "this login may not read the kernel log (/dev/kmsg). It takes root or CAP_SYSLOG on this host.");
    // Nobody has counted its lines: once counters are told, no zero of them stands there either.
    judges(&pty, "CudaOutOfMemory");
    assert!(!pty.text().contains("nvidia_kernel"), "{}", pty.text());
    // A pane that no login without rights could ever fill is not there.
    assert!(!pty.text().contains("Xid errors since boot"), "{}", pty.text());
}
