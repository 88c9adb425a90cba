//! What a child of an action has of its console: nothing but what safety.md 4.3 names. The control group of its own is
//! that of the runner's unit, which is tried at a real systemd.

use crate::running::Running;
use std::io::Read;
use std::process::{Command, Stdio};
use std::time::Duration;
use watchkeeper::sys::clock::RealClock;
use watchkeeper::sys::program::Order;
use watchkeeper::sys::run::run;

/// A console that was started in every odd way: what it has must not come through.
const ODD: &str = "ulimit -c unlimited 2> /dev/null; umask 0; echo 250 > /proc/self/oom_score_adj; cd /tmp
exec 7< /etc/passwd env --ignore-signal=INT,QUIT,PIPE --block-signal=USR1,TERM \"$0\" \"$@\"";

/// It tells all that it is.
const SELF: &str = "echo \"called $0\"; echo variables $(env | sort); echo \"folder $(pwd)\"; echo \"umask $(umask)\"
echo \"core $(ulimit -Sc) $(ulimit -Hc)\"; echo open $(ls /proc/self/fd | cat); echo \"stdin $(readlink /proc/$$/fd/0)\"
echo \"oom $(cat /proc/self/oom_score_adj)\"; grep -E '^Sig(Blk|Ign):' /proc/self/status | tr '\\t' ' '
echo session $(cut -d' ' -f5-8 /proc/$$/stat | sed s/$$/own/g)";

#[test]
#[ignore = "a role: an odd console that starts the child of an action"]
fn plays_an_odd_console() {
    let args = ["-c", SELF].map(str::to_owned).to_vec();
    let order = Order { program: "/bin/sh".into(), args, env: vec![("GIVEN".into(), "it".into())], spare: false };
    let ran = run(&order, Duration::from_mins(1), &RealClock).unwrap();
    let said = [ran.stdout.bytes(), ran.stderr.bytes()].concat();
    println!("\n{}", String::from_utf8(said).unwrap());
}

#[test]
fn a_child_of_an_action_has_nothing_of_its_console() {
    let us = std::env::current_exe().unwrap();
    let role = ["--exact", "child::plays_an_odd_console", "--ignored", "--nocapture"];
    #[expect(clippy::disallowed_methods, reason = "a test plays the console")]
    let mut odd = Command::new("/bin/sh");
    odd.args(["-c", ODD]).arg(us).args(role).env("HOME", "/home/oncall").env("SECRET", "hunter2");
    let mut odd = Running::start(&mut odd, Stdio::piped(), Stdio::piped());
    let mut said = String::new();
    odd.0.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    let found = said.lines().skip_while(|line| !line.starts_with("called ")).take_while(|line| !line.is_empty());
    let found: Vec<&str> = found.collect();
    let wanted = [
        "called /bin/sh",
        "variables GIVEN=it HOME=/home/oncall LANG=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin PWD=/ TERM=dumb",
        "folder /",
        "umask 0077",
        "core 0 0",
        // The last is the folder that `ls` reads.
        "open 0 1 2 3",
        "stdin /dev/null",
        "oom 0",
        "SigBlk: 0000000000000000",
        "SigIgn: 0000000000000000",
        // Group and session are its own; it has no terminal.
        "session own own 0 -1",
    ];
    assert_eq!(found, wanted, "{said}");
}
