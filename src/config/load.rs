//! Where profiles are looked for, and how they are read: through `sys::trust`, with a way on when one is broken.

use super::builtin::{self, HOST, Origin};
use super::judging::RulesBeside;
use super::merge::Merge;
use super::{KnownKinds, Profile, procedures};
use crate::base::body::near;
use crate::base::{Clean, Fault};
use crate::sys::trust::{self, Owners};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

pub(super) const FILE: &str = "profile.toml";
/// In a folder of the search path.
const PROFILES: &str = "profiles";

/// Which profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProfileRef {
    /// One in the binary.
    Builtin(String),
    /// The first with this name on the search path.
    Named(String),
    /// A file, or a folder with a `profile.toml`.
    Path(PathBuf),
}

/// The folders that hold profiles, themes and keymaps.
#[derive(Clone, Debug, Default)]
pub struct SearchPath {
    /// The user's folder, then the system's.
    pub folders: Vec<PathBuf>,
    /// Under sudo, who called: their files may change appearance only.
    pub guest: Option<u32>,
}

impl SearchPath {
    /// From `XDG_CONFIG_HOME` (or `HOME`) and `SUDO_UID`; then `/etc`.
    pub fn detect(lookup: &dyn Fn(&str) -> Option<String>) -> Self {
        let absolute = |name: &str| lookup(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let user = absolute("XDG_CONFIG_HOME").or_else(|| absolute("HOME").map(|home| home.join(".config")));
        let folders =
            user.into_iter().chain([PathBuf::from("/etc")]).map(|folder| folder.join("watchkeeper")).collect();
        Self { folders, guest: lookup("SUDO_UID").and_then(|uid| uid.parse().ok()) }
    }

    /// The folders of profiles, in the order in which they are looked through.
    fn profiles(&self) -> impl Iterator<Item = PathBuf> {
        self.folders.iter().map(|folder| folder.join(PROFILES))
    }

    /// The first that exists of `FOLDER/relative`; one that cannot be looked at counts, so that its fault is seen.
    pub(super) fn find(&self, relative: &Path) -> Option<PathBuf> {
        self.folders.iter().map(|folder| folder.join(relative)).find(|path| path.try_exists().unwrap_or(true))
    }
}

impl Profile {
    /// A profile from text that is trusted, such as an embedded template; `extends` finds built-in profiles only.
    /// `file` is how faults name it.
    ///
    /// # Errors
    /// Only a syntax error of the whole text; broken parts are in `faults`.
    pub fn parse(name: &str, file: &str, text: &str, known: &KnownKinds<'_>) -> Result<Self, Fault> {
        let (name, file, text) = (name.into(), file.into(), text.into());
        let origin = Origin { name, file, text, ..Origin::default() };
        Merge::run(origin, known, &builtin::profile)
    }
}

/// Reads a profile and what it extends.
///
/// # Errors
/// When the profile is not found, cannot be read, or is no TOML; broken parts are in its `faults`.
pub fn load_profile(which: &ProfileRef, search: &SearchPath, known: &KnownKinds<'_>) -> Result<Profile, Fault> {
    let origin = match which {
        ProfileRef::Builtin(name) => builtin::profile(name)?,
        ProfileRef::Named(name) => named(name, search)?,
        ProfileRef::Path(path) => {
            let file = if path.is_dir() { path.join(FILE) } else { path.clone() };
            from_file(&name_of(&file), &file)?
        }
    };
    Merge::run(origin, known, &|name| extended(name, search))
}

/// The same, but always a profile: the host's own, with the reason first among its faults.
pub fn load_or_host(which: &ProfileRef, search: &SearchPath, known: &KnownKinds<'_>) -> Profile {
    load_profile(which, search, known).unwrap_or_else(|fault| {
        let host = ProfileRef::Builtin(HOST.to_owned());
        let mut profile = load_profile(&host, search, known).unwrap_or_else(|fault| Profile::empty(HOST, vec![fault]));
        profile.faults.insert(0, fault);
        profile
    })
}

fn named(name: &str, search: &SearchPath) -> Result<Origin, Fault> {
    check_file_name(name)?;
    found(name, search)?.ok_or_else(|| {
        let here = Path::new(name).exists().then(|| format!("For the one here write ./{name}"));
        nowhere(name, search, here)
    })
}

/// What another profile extends: found by its name alone, whatever the folder in which somebody calls.
fn extended(name: &str, search: &SearchPath) -> Result<Origin, Fault> {
    let folder = || search.profiles().next().unwrap_or_default();
    let last = Path::new(name).file_name().and_then(OsStr::to_str).filter(|last| check_file_name(last).is_ok());
    if let Some(last) = last.filter(|last| *last != name) {
        let hint = format!("Put its folder into {} and write \"{last}\".", folder().display());
        return Err(Fault::new("a profile is extended by its name, not by its path.").hint(hint));
    }
    check_file_name(name)?;
    found(name, search)?.ok_or_else(|| {
        let here = Path::new(name).exists();
        nowhere(name, search, here.then(|| format!("The one here must be put into {}.", folder().display())))
    })
}

/// The first of this name on the search path, else the one in the binary.
fn found(name: &str, search: &SearchPath) -> Result<Option<Origin>, Fault> {
    match search.find(&Path::new(PROFILES).join(name).join(FILE)) {
        Some(file) => from_file(name, &file).map(Some),
        None => Ok(builtin::profile(name).ok()),
    }
}

/// That no profile has this name: where it could be, and what may have been meant.
fn nowhere(name: &str, search: &SearchPath, here: Option<String>) -> Fault {
    let mut known: Vec<String> = builtin::names().into_iter().map(str::to_owned).collect();
    for entry in search.profiles().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().flatten() {
        known.extend(entry.file_name().into_string().ok().filter(|name| check_file_name(name).is_ok()));
    }
    let meant = near(name, &known.iter().map(String::as_str).collect::<Vec<_>>());
    let meant = meant.map(|near| format!("Did you mean `{near}`? ")).unwrap_or_default();
    let folders: Vec<String> = search.profiles().map(|folder| folder.display().to_string()).collect();
    let looked = format!("Looked in {} and among the built-in ones", folders.join(", "));
    let looked = match here {
        Some(here) => format!("{looked}. {here}"),
        None if meant.is_empty() => format!("{looked}: {}.", builtin::names().join(", ")),
        None => format!("{looked}."),
    };
    Fault::new(format!("there is no profile `{name}`.")).hint(format!("{meant}{looked}"))
}

fn from_file(name: &str, file: &Path) -> Result<Origin, Fault> {
    let content = trust::read(file, Owners::effective())?;
    let (procedures, faults) = procedures::beside(file);
    Ok(Origin {
        name: Clean::text(name).as_str().to_owned(),
        file: file.to_string_lossy().into_owned(),
        rules_beside: Some(RulesBeside::Folder(file.parent().unwrap_or(Path::new("")).to_owned())),
        path: Some(file.to_owned()),
        text: content.text,
        distrust: content.distrust,
        procedures,
        faults,
    })
}

/// A name that stays inside its folder.
pub(super) fn check_file_name(name: &str) -> Result<(), Fault> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if name.is_empty() || name.starts_with('.') || !name.chars().all(plain) {
        return Err(
            Fault::new(format!("`{name}` cannot be a name.")).hint("Use A-Z a-z 0-9 . _ - and no dot at the start.")
        );
    }
    Ok(())
}

/// `NAME/profile.toml` is NAME, `NAME.toml` too.
fn name_of(file: &Path) -> String {
    let folder =
        file.file_name().is_some_and(|name| name == FILE).then(|| file.parent().and_then(Path::file_name)).flatten();
    folder.or_else(|| file.file_stem()).map_or_else(|| "profile".to_owned(), |name| name.to_string_lossy().into_owned())
}
