//! The kernel's own log in the shipped panes: a line that was written to it, and a login that may not read it.

use crate::desk::{Desk, PROGRAM};
use crate::events::judges;
use crate::harness::{Pty, Spec};
use crate::hazards::says;
use crate::peer::skip;
use crate::shipped::{Part, Wanted};
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;

fn part() -> Part {
    let panes = ["Xid errors since boot", "Lines by pattern", "Kernel"];
    Part::of("cerebellar-norse", &Wanted { panes: &panes, samplers: &["host"], logs: &["kernel"], ..Wanted::default() })
}

#[test]
fn an_xid_in_the_kernels_own_log_is_an_alert_with_its_line_and_is_told_in_words() {
    let desk = Desk::new();
    let Ok(mut log) = OpenOptions::new().write(true).open("/dev/kmsg") else {
        return skip("kmsg", "the kernel's log cannot be written here");
    };
    let pty = part().console(&desk, true);
    judges(&pty, "NvidiaKernelMessage");
    let line = format!("NVRM: Xid (PCI:0000:ff:1f): 79, a test of Watchkeeper, process {}", std::process::id());
    log.write_all(format!("<3>{line}\n").as_bytes()).unwrap();
    pty.wait_for("NvidiaKernelMessage");
    says(&pty, &line);
    pty.send("d");
    says(&pty, "line kernel: ");
    says(&pty, &format!("process {}", std::process::id()));
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
    let profile = part().lay(&desk, true);
    fs::set_permissions(desk.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let home = desk.path().join("nobody");
    fs::create_dir(&home).unwrap();
    fs::set_permissions(&home, fs::Permissions::from_mode(0o777)).unwrap();
    let (home, place) = (home.to_str().unwrap(), desk.path().to_str().unwrap());
    let args = ["--mount", "sh", "-euc", AS_NOBODY, "sh", place, PROGRAM, "--profile", profile.to_str().unwrap()];
    let mut spec = Spec::new("unshare").args(args);
    spec.size = (140, 48);
    for name in ["HOME", "XDG_STATE_HOME", "TMPDIR"] {
        spec.env.push((name.to_owned(), home.to_owned()));
    }
    let pty = Pty::spawn(&spec);
    says(&pty, "this login may not read the kernel log (/dev/kmsg). It takes root or CAP_SYSLOG on this host.");
    // Nobody has counted its lines: once counters are told, no zero of them stands there either.
    judges(&pty, "CudaOutOfMemory");
    assert!(!pty.text().contains("nvidia_kernel"), "{}", pty.text());
    // A pane that no login without rights could ever fill is not there.
    assert!(!pty.text().contains("Xid errors since boot"), "{}", pty.text());
}
