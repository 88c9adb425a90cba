//! An operator who works through a procedure by keys, on a small system of real files and one real process, with a
//! state folder that outlives every console.

use crate::desk::{Desk, eventually, row_with};
use crate::harness::{Pty, Spec};
use crate::incident::{kept, ran};
use crate::story::is_armed;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use watchkeeper::procedure::document::{Answer, Item, Live};
use watchkeeper::procedure::{Document, parse};

/// A service that takes its time. `check` judges a configuration, as slowly.
const BOT: &str = r#"#!/bin/bash
cd "${0%/*}"; pid=$(cat pid 2>/dev/null)
alive() { [ -n "$pid" ] && grep -q "^State:.[^Z]" /proc/$pid/status 2>/dev/null; }
up() { sleep 1000 >/dev/null 2>&1 & echo $! > pid; }
case $1 in
up) up ;;
start) sleep 2; up ;;
stop) [ "$2" = now ] || sleep 2; alive && kill "$pid"; while alive; do :; done; rm -f pid ;;
status) if alive; then echo "bot is up, pid $pid"; exit 0; fi; echo "bot is down"; exit 3 ;;
check) [ ! -e slow ] || sleep 2 ;;
esac
"#;

/// The actions that the two shipped procedures name, on the system below.
const PROFILE: &str = include_str!("procedures/profile.toml");

/// The system, its profile with one procedure, and everything that consoles leave.
pub(crate) struct World {
    pub(crate) desk: Desk,
    pub(crate) document: Document,
}

/// One console at work, from its start to the line that drops.
pub(crate) struct Console<'a> {
    pub(crate) pty: Pty,
    pub(crate) document: &'a Document,
}

/// What is left at the end: files, what became of each item, and what was done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct End {
    files: BTreeMap<String, String>,
    items: BTreeMap<String, String>,
    standing: String,
    pub(crate) done: Vec<String>,
}

impl World {
    /// A shipped procedure; only what it looks at is this system's, and it need not hold for as long.
    pub(crate) fn new(name: &str, text: &str) -> Self {
        let others = [
            "min(probe_success{job=\"health\"})",
            "min(node_filesystem_avail_bytes)",
            "node_memory_MemAvailable_bytes",
        ];
        let text = others.iter().fold(text.to_owned(), |text, query| text.replace(query, "min(command_success)"));
        let text = text.replace("hold = \"10s\"", "hold = \"1s\"");
        let desk = Desk::new();
        let place = desk.path().to_str().unwrap().to_owned();
        // Locks are of the whole host: each system has a unit of its own.
        let unit = place.rsplit('/').next().unwrap().to_owned();
        // Only root gives files away.
        let own = "kind = \"file_backup\"\npath = \"@/world/models\"\nto = \"@/world/proofs\"";
        let given = "kind = \"file_owner\"\npath = \"@/world/models\"\nowner = \"1\"";
        let root = rustix::process::geteuid().is_root();
        let profile = if root { PROFILE.to_owned() } else { PROFILE.replace(given, own) };
        desk.write("signals/profile.toml", profile.replace("@NAME", &unit).replace('@', &place));
        desk.write(&format!("signals/procedures/{name}.md"), &text);
        let bot = desk.write("run/bot", BOT);
        fs::set_permissions(&bot, fs::Permissions::from_mode(0o755)).unwrap();
        desk.write("run/slow", "");
        for (name, text) in [
            ("data/state", "state\n"),
            ("data/request", "TEST\n"),
            ("etc/production.toml", "[neural]\ngranule_size = 4000000 # broken\n"),
            ("backups/production.toml", "[neural]\ngranule_size = 2000000 # good\n"),
            ("models/weights", "damaged\n"),
            ("backups/models/weights", "good\n"),
            ("proofs/.keep", ""),
        ] {
            desk.write(&format!("world/{name}"), text);
        }
        for folder in ["world", "world/backups", "world/proofs", "world/models", "world/backups/models", "world/etc"] {
            fs::set_permissions(desk.path().join(folder), fs::Permissions::from_mode(0o755)).unwrap();
        }
        let world = Self { document: parse(name, name, &text), desk };
        world.bot(&["up"]);
        world
    }

    fn bot(&self, args: &[&str]) {
        assert!(Command::new(self.desk.path().join("run/bot")).args(args).status().unwrap().success());
    }

    pub(crate) fn spec(&self, args: &[&str]) -> Spec {
        let profile = self.desk.path().join("signals");
        let mut spec = kept(&self.desk, &[&["--profile", profile.to_str().unwrap()], args].concat());
        spec.size = (160, 48);
        spec
    }

    pub(crate) fn console(&self) -> Console<'_> {
        self.console_of(&self.spec(&[]))
    }

    pub(crate) fn console_of(&self, spec: &Spec) -> Console<'_> {
        Console { pty: Pty::spawn(spec), document: &self.document }
    }

    pub(crate) fn state(&self) -> PathBuf {
        let root = self.desk.path().join("lib/watchkeeper");
        if root.exists() { root } else { self.desk.path().join("home/.local/state/watchkeeper") }
    }

    /// Every record of the journal.
    pub(crate) fn journal(&self) -> Vec<Value> {
        let mut files: Vec<PathBuf> =
            fs::read_dir(self.state().join("journal")).unwrap().flatten().map(|file| file.path()).collect();
        files.sort();
        let text: String = files.iter().filter_map(|path| fs::read_to_string(path).ok()).collect();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Plans of which the journal has a record of this kind, each as often as it has one.
    pub(crate) fn plans(&self, event: &str) -> Vec<String> {
        let of = |record: &Value| (record["ev"] == event).then(|| record["plan"].as_str().unwrap().to_owned());
        self.journal().iter().filter_map(of).collect()
    }

    /// What the only run has kept.
    fn run(&self) -> (BTreeMap<String, String>, String) {
        let runs: Vec<PathBuf> =
            fs::read_dir(self.state().join("runs")).unwrap().flatten().map(|run| run.path()).collect();
        assert_eq!(runs.len(), 1, "one walk: {runs:?}");
        let text = fs::read_to_string(runs[0].join("run.jsonl")).unwrap();
        let (mut items, mut standing) = (BTreeMap::new(), String::new());
        let lines = text.trim_end_matches('\0').lines().skip(1);
        for step in lines.filter_map(|line| serde_json::from_str::<Value>(line).ok()).map(|line| line["step"].clone()) {
            if let Some(state) = step["to"].get("Item") {
                let said = if state == "Observed" { step["text"].to_string() } else { String::new() };
                items.insert(step["item"].as_str().unwrap().to_owned(), format!("{state} {said}"));
            } else if let Some(to) = step["to"].get("Walk") {
                standing = to.to_string();
            }
        }
        (items, standing)
    }

    /// Looks at everything once the walk is over; every action was carried out once, and the journal's chain holds.
    pub(crate) fn end(&self) -> End {
        let (items, standing) =
            eventually("the end on disk", || Some(self.run()).filter(|run| run.1.contains("Complete")));
        let (mut begun, ended) = (self.plans("action.intent"), self.plans("action.outcome"));
        begun.sort();
        let once: std::collections::BTreeSet<&String> = begun.iter().collect();
        assert_eq!((once.len(), ended.len()), (begun.len(), begun.len()), "each plan begins and ends once");
        let verified = ran(&kept(&self.desk, &["journal", "verify"]));
        let said = String::from_utf8_lossy(&verified.stdout).into_owned();
        assert!(verified.status.success() && said.contains("the chain holds"), "{said}");
        let world = self.desk.path().join("world");
        let mut files = BTreeMap::new();
        look(&world, &world, &mut files);
        files.insert("the bot".to_owned(), self.desk.path().join("run/pid").exists().to_string());
        let done = self.document.items.iter().filter_map(|item| match &item.live {
            Live::Action(name, _) => Some(name.to_string()),
            _ => None,
        });
        let done: Vec<String> = done.collect();
        assert_eq!(begun.len(), done.len(), "every action of the procedure was carried out, and none twice");
        End { files, items, standing, done }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _stopped = Command::new(self.desk.path().join("run/bot")).args(["stop", "now"]).status();
    }
}

/// Names without their stamps; contents but those that hold a time.
fn look(root: &Path, at: &Path, files: &mut BTreeMap<String, String>) {
    // By name, so by time where a name has one.
    let mut entries: Vec<fs::DirEntry> = fs::read_dir(at).unwrap().flatten().collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        if path.is_dir() {
            look(root, &path, files);
            continue;
        }
        let name = path.strip_prefix(root).unwrap().to_str().unwrap();
        let plain: Vec<String> = name.split('/').map(unstamped).collect();
        let text = if name.ends_with(".sha256") { String::new() } else { fs::read_to_string(&path).unwrap() };
        let owner = entry.metadata().unwrap().uid();
        *files.entry(plain.join("/")).or_default() += &[&owner.to_string(), " ", &text, "|"].concat();
    }
}

/// `data.backup-20261129T110000Z-ABCDEF.sha256` as `data.backup-.sha256`.
fn unstamped(name: &str) -> String {
    let Some((before, after)) = name.split_once("-2") else { return name.to_owned() };
    format!("{before}-{}", after.split_once('.').map_or("", |(_, end)| end))
}

impl Console<'_> {
    /// Whether the procedure itself is on screen, at work.
    fn at(screen: &vt100::Screen) -> Option<usize> {
        row_with(screen, "time box")?;
        let row = Self::boxed(screen)?;
        row.split_whitespace().find_map(|word| word.parse().ok())
    }

    /// The row of the current item.
    fn boxed(screen: &vt100::Screen) -> Option<String> {
        let mut rows = screen.rows(0, screen.size().1.get());
        rows.find(|row| row.starts_with('┌'))?;
        rows.next()
    }

    /// The current item, from 1; `None` once the walk is complete.
    pub(crate) fn current(&self) -> Option<usize> {
        let mut at = None;
        self.pty.wait("the procedure", |screen, _| {
            at = Self::at(screen);
            at.is_some() || row_with(screen, "COMPLETE").is_some()
        });
        at
    }

    /// The step that its heading names, and those behind it: what is not needed is passed over.
    pub(crate) fn step(&self) -> Vec<usize> {
        let row = self.pty.text().lines().find(|row| row.contains("time box")).unwrap().to_owned();
        let step: usize = row.split_once("step ").unwrap().1.split(' ').next().unwrap().parse().unwrap();
        (step..step + 5).collect()
    }

    pub(crate) fn item(&self, at: usize) -> &Item {
        &self.document.items[at - 1]
    }

    /// The only procedure, from the list.
    pub(crate) fn open(&self, right: &str) {
        self.pty.send("p");
        self.pty.wait_for(right);
        self.pty.send("\r");
    }

    pub(crate) fn begin(&self) {
        self.pty.wait_for("OBSERVE");
        self.open(self.document.title.as_str());
        self.pty.wait_for("not begun");
        self.pty.send("\r");
        let _first = self.current();
    }

    /// What an item that is the operator's wants; the rest ticks itself.
    pub(crate) fn work(&self, at: usize) {
        let answer = |text: &str| {
            self.pty.send("\r");
            self.pty.wait_for("OBSERVED");
            self.pty.send(text);
            self.pty.send("\r");
        };
        match &self.item(at).live {
            Live::Action(..) => self.act(),
            Live::Ask(ask) => match &ask.kind {
                Answer::Choice(choices) => answer(choices[0].as_str()),
                Answer::Typed(word, _) => answer(word.as_str()),
                Answer::Number(..) | Answer::Text | Answer::Pasted(_) => answer(""),
            },
            Live::Challenge(_) => answer("seen"),
            Live::Escalate(_) => answer("Cy"),
            Live::Read | Live::Log(_) => self.pty.send("\r"),
            _ => {}
        }
    }

    /// Through the one gate; armed first where this console is not.
    pub(crate) fn act(&self) {
        self.pty.send("\r");
        let earlier = |screen: &vt100::Screen| row_with(screen, "target locked, plan taken over").is_some();
        let planned =
            |screen: &vt100::Screen| screen.contents().contains("Only a preview") || is_armed(screen, "Esc cancels.");
        self.pty.wait("the plan", |screen, _| earlier(screen) || planned(screen));
        if self.pty.text().contains("target locked, plan taken over") {
            // The end of the one before was found by the walk a moment before its run was heard.
            self.pty.wait("its end", |screen, _| row_with(screen, "EXECUTED, ").is_some());
            self.pty.send("\x1b");
            self.pty.wait("the procedure", |screen, _| !earlier(screen));
            self.pty.send("\r");
            self.pty.wait("the plan", |screen, _| planned(screen));
        }
        if self.pty.text().contains("Only a preview") {
            self.arm();
        }
        self.confirm();
    }

    pub(crate) fn arm_it(&self) {
        self.pty.send("A");
        self.pty.wait("the arming prompt", |screen, _| is_armed(screen, "to arm"));
        self.pty.send("y");
        self.pty.wait_for("ARMED 1");
    }

    /// From a preview to the same plan, armed.
    pub(crate) fn arm(&self) {
        self.arm_it();
        self.pty.wait("the plan again, armed", |screen, _| is_armed(screen, "Esc cancels."));
    }

    /// Types the word that is asked for, and at C3 a reason.
    pub(crate) fn confirm(&self) {
        type_the_word(&self.pty);
    }

    /// Waits until another item is current. What nobody declared a check for only goes on by a word.
    pub(crate) fn leave_item(&self, at: usize) -> Option<usize> {
        let (mut next, mut unproved) = (None, false);
        let mut wait = |asked: bool| {
            self.pty.wait("the next item", |screen, _| {
                next = Self::at(screen);
                unproved = !asked && Self::boxed(screen).is_some_and(|row| row.contains(" UNVERIFIED "));
                unproved || next.is_some_and(|next| next != at) || row_with(screen, "COMPLETE").is_some()
            });
            unproved
        };
        if wait(false) {
            assert!(!self.pty.text().contains(&format!("│ ✓ {at:>2} ")), "no tick for it:\n{}", self.pty.text());
            self.pty.send("o");
            self.pty.wait_for("OVERRIDE: ");
            self.pty.send("the key reads it\r");
            wait(true);
        }
        next
    }

    /// By keys to the item with this number, or to the end.
    pub(crate) fn walk(&self, to: Option<usize>) {
        let mut at = self.current();
        while let Some(item) = at.filter(|item| to != Some(*item)) {
            self.work(item);
            at = self.leave_item(item);
        }
    }

    /// The line drops: the console ends, and nothing but a running action goes on.
    pub(crate) fn drop_line(mut self) {
        self.pty.hang_up();
        assert!(self.pty.wait_end() < Duration::from_secs(5));
        assert_eq!(self.pty.status(), 129);
    }

    /// What the first screen says of the procedure that was left, at one of these steps.
    pub(crate) fn told(&self, steps: &[usize]) {
        let told = |step| format!("Procedure \"{}\" · step {step}/", self.document.title);
        let told: Vec<String> = steps.iter().map(told).collect();
        self.pty.wait(&told.join(" or "), |screen, _| {
            let whole = |row: String| row.contains(" · paused ") && row.contains(" by ");
            told.iter().any(|told| row_with(screen, told).is_some_and(whole))
        });
    }

    /// Goes on with it.
    pub(crate) fn take_up(&self) {
        self.open("under way, step");
        self.pty.wait_for("PAUSED at step");
        assert!(!self.pty.text().contains("NOT ON DISK"), "{}", self.pty.text());
        self.pty.send("\r");
        self.pty.wait("the procedure at work", |screen, _| {
            row_with(screen, "PAUSED").is_none()
                && (Self::at(screen).is_some() || row_with(screen, "COMPLETE").is_some())
        });
    }
}

/// Types the word that an armed prompt asks for, and at C3 a reason.
pub(crate) fn type_the_word(pty: &Pty) {
    let text = pty.text();
    let row = text.lines().find(|row| row.contains("to run it, Esc cancels.")).unwrap();
    let word = row.split_whitespace().skip_while(|word| *word != "Type").nth(1).unwrap();
    let mut words = vec![word];
    words.extend(word.contains('/').then_some("as it says"));
    for word in words {
        pty.send(word);
        pty.wait_for(&format!("> {word}_"));
        std::thread::sleep(Duration::from_millis(250));
        pty.send("\r");
        pty.wait("no word", |screen, _| row_with(screen, &format!("> {word}")).is_none());
    }
    pty.wait("no prompt", |screen, _| row_with(screen, "EXPIRES").is_none());
}
