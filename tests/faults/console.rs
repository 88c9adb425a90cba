//! The console is killed at each of its calls that change something, from the list of actions until the outcome is on its
//! screen: what it ordered is carried out and recorded once, or nothing is done, and the next console tells which.
//! strace has one of its threads, or its loop and what that starts; a program that it starts is let go.

use crate::harness::Pty;
use crate::lost::{BY_HAND, Bench, bench, is_gone, seen};
use crate::peer::{self, running::Running};
use crate::strace::{CHANGES, Point, calls, inject, long, points, works};
use crate::world::Met;
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};
use watchkeeper::action::lifecycle::{Outcome, Progress, Run};
use watchkeeper::action::recover::{GRACE, unresolved};
use watchkeeper::base::Clock;
use watchkeeper::journal::verify;
use watchkeeper::sys::clock::RealClock;
use watchkeeper::sys::paths;

/// What is confirmed, and what its target is without it and with it.
struct Deed {
    name: &'static str,
    bench: fn() -> Bench,
    before: &'static str,
    after: &'static str,
    outcome: Outcome,
}

const DEEDS: [Deed; 2] = [
    Deed { name: "command", bench, before: "", after: BY_HAND.1, outcome: BY_HAND.0 },
    Deed { name: "config_set", bench: edit, before: OLD, after: "a = 7 # kept\nb = 2\n", outcome: Outcome::Unverified },
];

const OLD: &str = "a = 1 # kept\nb = 2\n";

fn edit() -> Bench {
    let action = |folder: &Path| {
        let file = folder.join("target.toml");
        fs::write(&file, OLD).unwrap();
        let head = "kind = \"config_set\"\nverb = \"edit\"\ndanger = \"C2\"";
        format!("{head}\nfile = \"{}\"\nset = [{{ key = \"a\", from = 1, to = 7 }}]", file.display())
    };
    Bench::on("target.toml", action, "edit")
}

/// Of a console: a thread by its name and how manieth of that, or whatever its loop starts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Whose {
    Thread(String, usize),
    Started,
}

/// The threads that the console has besides its loop.
fn threads(pty: &Pty) -> BTreeMap<Whose, String> {
    let console = pty.pid().as_raw_nonzero().to_string();
    let all = fs::read_dir(format!("/proc/{console}/task")).unwrap().flatten();
    let mut numbers: Vec<u32> = all.map(|task| task.file_name().to_str().unwrap().parse().unwrap()).collect();
    numbers.sort_unstable();
    let mut threads = BTreeMap::new();
    for number in numbers.iter().map(ToString::to_string).filter(|number| *number != console) {
        // It may have ended.
        let Ok(name) = fs::read_to_string(format!("/proc/{console}/task/{number}/comm")) else { continue };
        let named = |whose: &&Whose| matches!(whose, Whose::Thread(known, _) if known == name.trim());
        let nth = threads.keys().filter(named).count();
        threads.insert(Whose::Thread(name.trim().to_owned(), nth), number);
    }
    threads
}

/// Attaches to these; each is traced on return, or gone.
fn attach<'a>(how: &[&str], log: &Path, to: impl IntoIterator<Item = &'a String>) -> Running {
    let (mut strace, mut all) = (Command::new("strace"), Vec::new());
    strace.arg("-qq").arg("-o").arg(log).args(how);
    for number in to {
        strace.args(["-p", number]);
        all.push(number);
    }
    let strace = Running::start(&mut strace, Stdio::null(), Stdio::null());
    for number in all {
        let status = || fs::read_to_string(format!("/proc/{number}/status")).unwrap_or_default();
        crate::desk::eventually("that it is traced", || (!status().contains("TracerPid:\t0\n")).then_some(()));
    }
    strace
}

/// Follows what the loop starts, as far as that executes no other program.
const LOOP: [&str; 3] = ["-f", "-b", "execve"];

/// Calls that count here: also the start of a thread or a process.
fn counted() -> String {
    format!("{CHANGES},clone,clone3,?fork,?vfork")
}

/// Every point of a console that nothing kills.
fn whole(deed: &Deed) -> Vec<(Whose, Point)> {
    let (bench, log) = ((deed.bench)(), tempfile::NamedTempFile::new().unwrap());
    let pty = bench.console();
    assert!(crate::lost::open_list(&pty));
    let (known, counted) = (threads(&pty), format!("trace={}", counted()));
    let how = [&LOOP[..], &["-e", &counted]].concat();
    let strace = attach(&how, log.path(), [&pty.pid().as_raw_nonzero().to_string()]);
    assert!(bench.confirm_first(&pty) && shown(&pty));
    drop(strace);
    let found = judge(deed, &bench, &pty).unwrap_or_else(|wrong| panic!("{} without a fault: {wrong}", deed.name));
    assert_eq!(found, Met::Done, "{}", deed.name);
    let allowed = bench.run().unwrap().0.allowed().unwrap();
    let armed = allowed.is_some_and(|allowed| allowed.until > RealClock.now().mono);
    assert!(armed, "its runner is not told for how long it was armed: {allowed:?}");
    let by = |number: &str| known.iter().find(|(_, known)| *known == number).map(|(whose, _)| whose.clone());
    let mut of: BTreeMap<Whose, Vec<(String, String)>> = BTreeMap::new();
    for call in calls(log.path()) {
        of.entry(by(&call.0).unwrap_or(Whose::Started)).or_default().push(call);
    }
    of.into_iter()
        .flat_map(|(whose, calls)| points(&calls).into_iter().map(move |point| (whose.clone(), point)))
        .collect()
}

fn shown(pty: &Pty) -> bool {
    let words = ["EXECUTED, UN", "EXECUTED, VER", "FAILED", "UNKNOWN", "REFUSED", "did not start"];
    seen(pty, "an outcome", |text| words.iter().any(|word| text.contains(word)))
}

/// Carries the deed out with a console that is killed there; what is wrong then, or what was met and whether it was killed.
fn killed(deed: &Deed, (whose, point): &(Whose, Point)) -> Result<(Met, bool), String> {
    let bench = (deed.bench)();
    let pty = bench.console();
    assert!(crate::lost::open_list(&pty));
    let (known, console) = (threads(&pty), pty.pid().as_raw_nonzero().to_string());
    let (nowhere, traced, kill) =
        (Path::new("/dev/null"), format!("trace={}", point.0), inject(point, "signal=SIGKILL"));
    let kill = ["-e", &traced, "-e", &kill];
    let _strace = match whose {
        // One that was not needed this time.
        Whose::Thread(..) => [known.get(whose).map(|number| attach(&kill, nowhere, [number])), None],
        // The others have the same calls: they are taken away from the one that follows.
        Whose::Started => {
            let away = attach(&["-e", "trace=none"], nowhere, known.values());
            [Some(away), Some(attach(&[&LOOP[..], &kill].concat(), nowhere, [&console]))]
        }
    };
    let is_over = bench.confirm_first(&pty) && shown(&pty);
    let was_killed = is_gone(&pty);
    if !is_over && !was_killed {
        // A child that the plan needs was killed, and there is none.
        pty.signal(Signal::KILL);
    }
    let met = judge(deed, &bench, &pty)?;
    // A child that dies before it is another program may be what was killed.
    if !was_killed && met != Met::Done && *whose != Whose::Started {
        return Err(format!("nobody was killed, and it is {met:?}:\n{}", pty.text()));
    }
    Ok((met, was_killed))
}

/// How its run stands once nothing more comes of it by itself.
fn standing(bench: &Bench, pty: &Pty) -> Option<(Run, Option<Progress>)> {
    crate::desk::eventually("the runner's end, or none", || match bench.run() {
        Some((run, Some(told))) if told.end.is_some() => Some(Some((run, Some(told)))),
        None if is_gone(pty) => Some(None),
        Some((run, None)) if is_gone(pty) && bench.nobody_at(&run) => Some(Some((run, None))),
        _ => None,
    })
}

/// Whether the target, the run, the journal and what the next console says agree.
fn judge(deed: &Deed, bench: &Bench, pty: &Pty) -> Result<Met, String> {
    let stands = standing(bench, pty);
    let met = match stands.as_ref().and_then(|(_, told)| told.as_ref()?.end.as_ref()) {
        Some(end) if end.outcome == deed.outcome => Met::Done,
        Some(end) if end.outcome == Outcome::Refused => Met::NotDone,
        Some(end) => return Err(format!("{end:?}")),
        None => Met::NotDone,
    };
    let (target, runs) = if met == Met::Done { (deed.after, 1) } else { (deed.before, 0) };
    let recorded = |event: &str| bench.journal().matches(&format!("\"ev\":\"{event}\"")).count();
    let checked = |when: &str| {
        if bench.target() != target {
            return Err(format!("{when} the target of what is {met:?} is {:?}", bench.target()));
        }
        let seen = ["action.intent", "action.outcome"].map(recorded);
        if seen != [runs; 2] || recorded("confirm.accepted") < runs {
            return Err(format!("{when} recorded of what is {met:?}: {seen:?} {}", bench.journal()));
        }
        let trail = verify(&paths::journal_dir(&bench.state())).unwrap();
        if trail.intact() { Ok(()) } else { Err(format!("{when} the journal has {:?}", trail.breaks)) }
    };
    checked("at its end")?;
    if let Some((run, None)) = &stands {
        let file = File::options().append(true).open(run.dir().join("plan.json")).unwrap();
        file.set_modified(SystemTime::now() - GRACE - Duration::from_secs(1)).unwrap();
    }
    let (open, unreadable) = unresolved(&bench.state(), &paths::lock_dirs(), RealClock.now().wall);
    if open.len() != usize::from(matches!(stands, Some((_, None)))) || !unreadable.is_empty() {
        return Err(format!("the next console finds {open:?} {unreadable:?}"));
    }
    let news = stands.as_ref().is_some_and(|(run, _)| !run.is_heard());
    let next = bench.console();
    if news {
        let words: &[&str] = if open.is_empty() { &[] } else { &["never", "started;", "nothing", "was", "done."] };
        seen(&next, "what came of it", |text| {
            let said: Vec<&str> = text.split_whitespace().collect();
            let says = |words: &[&str]| said.windows(words.len().max(1)).any(|some| some.starts_with(words));
            says(&["while", "no", "console", "followed", "it."]) && says(words)
        });
        let recorded_by_now = || (recorded("action.refused") >= open.len()).then_some(());
        crate::desk::eventually("the record of that", recorded_by_now);
    }
    drop(next);
    checked("after the next console")?;
    let ends = recorded("action.refused") + recorded("action.outcome");
    if ends < recorded("confirm.accepted") {
        return Err(format!("an acceptance has no end: {}", bench.journal()));
    }
    Ok(met)
}

#[test]
fn a_console_that_is_killed_at_any_of_its_writes_has_ordered_all_of_it_or_nothing() {
    if !works() {
        return peer::skip("strace", "it is not here, or may not trace");
    }
    if !rustix::process::geteuid().is_root() {
        return peer::skip("a console with a state folder of its own", "only root may mount one");
    }
    for deed in &DEEDS[..if long() { 2 } else { 1 }] {
        let all = whole(deed);
        let step = all.len().div_ceil(if long() { 250 } else { 8 });
        let (mut met, mut missed): (BTreeMap<Met, u32>, u32) = (BTreeMap::new(), 0);
        for place in all.iter().skip(step / 2).step_by(step) {
            let (found, was_killed) = killed(deed, place)
                .unwrap_or_else(|wrong| panic!("{}: the console killed at {place:?}: {wrong}", deed.name));
            *met.entry(found).or_default() += 1;
            missed += u32::from(!was_killed);
        }
        println!("{:16} console killed {:3} points: {met:?}, {missed} not reached", deed.name, all.len());
    }
}
