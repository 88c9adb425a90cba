//! `watchkeeper support-bundle`: what a good report of a fault needs, as a folder to look at before it is packed.
//! Nothing is packed, nothing is sent; what may be secret is taken out.

use super::own_log;
use super::secrets::{redacted, spared};
use super::session::reference;
use super::setup;
use super::validate::{validate, written};
use crate::base::{Clean, Clock, Fault};
use crate::config::{Profile, SearchPath, Trust, load_profile};
use crate::incident::card::moment as shown;
use crate::journal;
use crate::sys::clock::RealClock;
use crate::sys::{files, paths};
use crate::term::Caps;
use core::time::Duration;
use std::fs;
use std::io::{IsTerminal as _, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// Records of the journal.
const RECORDS: usize = 200;
/// Lines of our own log.
const OWN: usize = 400;
/// Reports of crashes, the newest.
const CRASHES: usize = 3;
/// Of a file of ours no more is taken.
const LARGEST: u64 = 1024 * 1024;
/// Variables whose values say what the terminal can do, and are no secret.
const SHOWN: &[&str] = &["TERM", "COLORTERM", "LANG", "LC_ALL", "LC_CTYPE", "NO_COLOR", "WATCHKEEPER_READ_ONLY", "TZ"];

/// `watchkeeper support-bundle …`
#[derive(Debug, clap::Args)]
pub struct Ask {
    /// The folder to make; one that is there already must be empty [default: watchkeeper-support-TIME, here]
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Profile that the report is about
    #[arg(long, value_name = "PROFILE", default_value = "host")]
    profile: String,
    /// The folder that holds the journal, when not at the usual place
    #[arg(long, value_name = "FOLDER")]
    state: Option<PathBuf>,
}

/// A folder that is being filled.
struct Bundle {
    folder: PathBuf,
    /// Name and what it holds.
    files: Vec<(String, &'static str)>,
}

/// Makes the folder and says what to do with it.
///
/// # Errors
/// When the folder is not empty or cannot be written.
pub fn run(ask: &Ask, out: &mut dyn Write) -> Result<u8, Fault> {
    let now = RealClock.now().wall;
    let time: String = now.rfc3339().chars().take(19).filter(|c| !matches!(c, ':' | '-')).collect();
    let folder = ask.out.clone().unwrap_or_else(|| PathBuf::from(format!("watchkeeper-support-{time}Z")));
    let mut bundle = Bundle::make(folder)?;
    let search = SearchPath::detect(&|name| std::env::var(name).ok());
    let profile = load_profile(&reference(&ask.profile), &search, &setup::known_kinds());
    spared(profile.as_ref().ok());
    bundle.add("versions.txt", "this program, its features, when this was made", &versions(&shown(now)))?;
    bundle.add("system.txt", "the operating system, as /etc/os-release and uname say", &system())?;
    bundle.add("terminal.txt", "what the terminal is taken to be able to do, and by which variables", &terminal())?;
    bundle.profile(&ask.profile, profile, &search)?;
    let state = ask.state.clone().or_else(paths::state_dir);
    bundle.journal(state.as_deref())?;
    bundle.own_log(state.as_deref())?;
    bundle.crashes(state.as_deref())?;
    bundle.manifest()?;
    let name = bundle.folder.display();
    let parent = bundle.folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let last = bundle.folder.file_name().unwrap_or_default().to_string_lossy();
    written(
        out,
        &[
            format!("{name}: {} files; nothing was packed or sent.", bundle.files.len() + 1),
            "Look at it first: secrets that are known were taken out, but names, paths and addresses are in it."
                .to_owned(),
            format!("Then pack it: tar -C {} -czf {last}.tar.gz {last}", parent.display()),
        ],
    )
    .map(|()| 0)
}

impl Bundle {
    fn make(folder: PathBuf) -> Result<Self, Fault> {
        let taken = |what: &str| {
            Fault::new(format!("{} {what}.", folder.display())).hint("Name a folder that is not there yet with --out.")
        };
        match fs::symlink_metadata(&folder) {
            Ok(meta) if !meta.is_dir() => return Err(taken("is no folder")),
            Ok(_) if fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_some()) => {
                return Err(taken("is not empty"));
            }
            _ => {}
        }
        files::private_dir(&folder)?;
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700))
            .map_err(|error| files::fault("close to others", &folder, &error))?;
        Ok(Self { folder, files: Vec::new() })
    }

    /// One file: without what is known to be secret, in plain ASCII.
    fn add(&mut self, name: &str, about: &'static str, lines: &[String]) -> Result<(), Fault> {
        let text = redacted(&lines.join("\n")) + "\n";
        let path = self.folder.join(name);
        if !files::create_exclusive(&path, 0o600, text.as_bytes())? {
            return Err(Fault::new(format!("{} is there already.", path.display())));
        }
        self.files.push((name.to_owned(), about));
        Ok(())
    }

    fn profile(&mut self, name: &str, profile: Result<Profile, Fault>, search: &SearchPath) -> Result<(), Fault> {
        let mut said: Vec<u8> = Vec::new();
        let outcome = validate(name, &mut said);
        let mut lines: Vec<String> = String::from_utf8_lossy(&said).lines().map(str::to_owned).collect();
        lines.extend(outcome.err().map(|fault| fault.to_string()));
        self.add("validate.txt", "what `validate` says of the profile: faults and lints", &lines)?;
        let mut lines = vec![format!("asked for: {name}")];
        lines.extend(search.folders.iter().map(|folder| format!("looked in: {}", folder.display())));
        let Ok(profile) = profile else {
            return self.add("configuration.txt", "where the profile was looked for", &lines);
        };
        lines.push(format!("title: {}, environment: {}", profile.title, profile.environment));
        lines.push(match &profile.trust {
            Trust::Trusted => "its files are trusted".to_owned(),
            Trust::DisplayOnly(fault) => format!("its actions are shown only: {fault}"),
        });
        let files: Vec<_> = profile.sources.iter().map(|it| format!("{}  sha256 {}", it.file, it.sha256)).collect();
        lines.extend(files);
        self.add(
            "configuration.txt",
            "the files of the profile with their digests, and where they were looked for",
            &lines,
        )?;
        for (at, source) in profile.sources.iter().enumerate() {
            let path = Path::new(source.file.as_str());
            // What is built in is known.
            if !path.exists() {
                continue;
            }
            let lines = match files::read(path, LARGEST) {
                Ok(bytes) => profile_text(&bytes),
                Err(fault) => vec![fault.to_string()],
            };
            self.add(&format!("profile-{}.toml", at + 1), "a file of the profile, secrets removed", &lines)?;
        }
        Ok(())
    }

    fn journal(&mut self, state: Option<&Path>) -> Result<(), Fault> {
        let shown = state.map(|state| journal::show(&paths::journal_dir(state), RECORDS));
        let lines = match shown {
            None => vec!["there is no folder for the journal".to_owned()],
            Some(Ok(rows)) => rows.iter().map(Clean::to_string).collect(),
            Some(Err(fault)) => vec![fault.to_string()],
        };
        self.add("journal.txt", "the last 200 records: what was asked, done and decided", &lines)?;
        let verdict = state.and_then(|state| journal::verify(&paths::journal_dir(state)).ok());
        let lines = verdict.map(|verdict| {
            let wrong = verdict.breaks.iter().map(|it| format!("{}:{}: {}", it.file, it.line, it.what));
            let head =
                format!("{} records in {} files, {} breaks", verdict.records, verdict.files, verdict.breaks.len());
            core::iter::once(head).chain(wrong.take(RECORDS)).collect::<Vec<_>>()
        });
        lines.map_or(Ok(()), |lines| self.add("journal-verify.txt", "whether the journal's chain holds", &lines))
    }

    /// The newest lines of our own log, of all consoles.
    fn own_log(&mut self, state: Option<&Path>) -> Result<(), Fault> {
        let read = |name: &&str| state.and_then(|state| files::read(&state.join(name), LARGEST).ok());
        let both: Vec<u8> = own_log::FILES.iter().rev().filter_map(read).flatten().collect();
        let all = Clean::lines(&both);
        let newest: Vec<String> = all.iter().skip(all.len().saturating_sub(OWN)).map(Clean::to_string).collect();
        if newest.is_empty() {
            return Ok(());
        }
        self.add("own-log.txt", "the last lines of this program's own log", &newest)
    }

    /// What panics wrote.
    fn crashes(&mut self, state: Option<&Path>) -> Result<(), Fault> {
        let entries = state.and_then(|state| fs::read_dir(state).ok()).into_iter().flatten().flatten();
        let mut found: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| is_crash(path)).collect();
        found.sort();
        let newest: Vec<PathBuf> = found.into_iter().rev().take(CRASHES).collect();
        for (at, path) in newest.iter().enumerate() {
            let lines = match files::read(path, LARGEST) {
                Ok(bytes) => Clean::lines(&bytes).iter().map(Clean::to_string).collect(),
                Err(fault) => vec![fault.to_string()],
            };
            self.add(&format!("crash-{}.txt", at + 1), "an internal error of this program", &lines)?;
        }
        Ok(())
    }

    fn manifest(&mut self) -> Result<(), Fault> {
        let last = self.folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut lines: Vec<String> = self.files.iter().map(|(name, about)| format!("{name:20} {about}")).collect();
        lines.push(String::new());
        lines.push("Read what you send: known secrets were taken out, names, paths and addresses were not.".to_owned());
        lines.push(format!("To pack it, in the folder above this one: tar -czf {last}.tar.gz {last}"));
        self.add("MANIFEST", "this list", &lines)?;
        self.files.pop();
        Ok(())
    }
}

fn is_crash(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    (name.starts_with("panic-") || name.starts_with("crash-")) && path.is_file()
}

fn versions(time: &str) -> Vec<String> {
    let feature = |on: bool, name: &str| format!("feature {name}: {}", if on { "yes" } else { "no" });
    let uptime = Duration::from_nanos(RealClock.now().mono.0).as_secs();
    vec![
        format!("watchkeeper {}", env!("CARGO_PKG_VERSION")),
        feature(cfg!(feature = "redis"), "redis"),
        feature(cfg!(feature = "postgres"), "postgres"),
        format!("built with debug assertions: {}", cfg!(debug_assertions)),
        format!("built for: {} {}", std::env::consts::OS, std::env::consts::ARCH),
        format!("made: {time} UTC, {uptime} s after boot"),
    ]
}

fn system() -> Vec<String> {
    let uname = rustix::system::uname();
    let part = |text: &core::ffi::CStr| Clean::text(text.to_bytes()).to_string();
    let mut lines = vec![format!(
        "uname: {} {} {} {}",
        part(uname.sysname()),
        part(uname.release()),
        part(uname.version()),
        part(uname.machine())
    )];
    let release = fs::read("/etc/os-release").unwrap_or_default();
    lines.extend(Clean::lines(&release).iter().map(Clean::to_string));
    lines.push(format!("effective user: {}", rustix::process::geteuid().as_raw()));
    lines
}

fn terminal() -> Vec<String> {
    let lookup = |name: &str| std::env::var(name).ok();
    let tty = std::io::stdout().is_terminal() && std::io::stdin().is_terminal();
    let caps = Caps::detect(&lookup, tty);
    let mut lines = vec![
        format!("standard input and output are a terminal: {tty}"),
        format!("colours: {:?}", caps.depth),
        format!("UTF-8: {}", caps.utf8),
        format!("dumb: {}", caps.dumb),
        format!("multiplexer: {}", caps.multiplexer),
        format!("notification: {:?}", caps.popup),
    ];
    lines.extend(SHOWN.iter().map(|name| format!("{name}={}", lookup(name).unwrap_or_default())));
    lines
}

/// A profile's text where it is TOML: in anything else what is secret cannot be told.
fn profile_text(bytes: &[u8]) -> Vec<String> {
    match core::str::from_utf8(bytes).ok().filter(|text| text.parse::<toml::Table>().is_ok()) {
        Some(text) => text.lines().map(str::to_owned).collect(),
        None => vec!["# left out: it is no TOML, so that what is secret in it cannot be told".to_owned()],
    }
}
