//! What a drop-in of a unit of systemd may set: variables of its environment and limits from a fixed list with types,
//! how they stand in a file, how `systemctl show` prints them, and which file says them now. Pure.

use super::systemd_unit::{Shown, span};
use crate::action::config_text::Scalar;
use crate::base::scrub::{is_secret_name, scrub};
use crate::base::{Clean, Fault};
use crate::sys::secret::hide;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// First line of every file of ours: what lacks it belongs to somebody else.
pub(super) const MARK: &str = "# Written by watchkeeper; what it sets is changed by its actions.";
/// A value is not longer, in bytes.
const LONGEST: usize = 1_024;

/// What a limit is measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    /// A number of things, or `infinity`.
    Count,
    /// Bytes, with K, M, G or T, or `infinity`.
    Bytes,
    /// A share of one CPU.
    Percent,
    /// A whole number from least to most.
    Range(i64, i64),
}

/// Every limit: its key, its sort, the property that shows it, and whether a running unit takes it up with the reload.
const LIMITS: &[(&str, Sort, &str, bool)] = &[
    ("CPUQuota", Sort::Percent, "CPUQuotaPerSecUSec", true),
    ("CPUWeight", Sort::Range(1, 10_000), "CPUWeight", true),
    ("IOWeight", Sort::Range(1, 10_000), "IOWeight", true),
    ("LimitCORE", Sort::Bytes, "LimitCORE", false),
    ("LimitMEMLOCK", Sort::Bytes, "LimitMEMLOCK", false),
    ("LimitNOFILE", Sort::Count, "LimitNOFILE", false),
    ("LimitNPROC", Sort::Count, "LimitNPROC", false),
    ("MemoryHigh", Sort::Bytes, "MemoryHigh", true),
    ("MemoryMax", Sort::Bytes, "MemoryMax", true),
    ("MemorySwapMax", Sort::Bytes, "MemorySwapMax", true),
    ("Nice", Sort::Range(-20, 19), "Nice", false),
    ("OOMScoreAdjust", Sort::Range(-1_000, 1_000), "OOMScoreAdjust", false),
    ("TasksMax", Sort::Count, "TasksMax", true),
];

/// One thing that a drop-in sets.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Setting {
    /// A variable of the environment.
    Variable(String),
    /// A limit of [`LIMITS`].
    Limit(String),
}

/// One change: values as people read them; `None` where a variable is not set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Of what.
    pub setting: Setting,
    /// Before.
    pub from: Option<String>,
    /// After.
    pub to: Option<String>,
}

/// What a unit's files make of some settings, as systemd has read them.
#[derive(Debug, Default)]
pub struct InForce {
    /// The name that systemd has for the unit.
    pub id: String,
    /// Each setting's value; `None` where a variable is not set.
    pub values: BTreeMap<Setting, Option<String>>,
    /// The file that says it last, where one does.
    pub sources: BTreeMap<Setting, String>,
    /// Every drop-in that is read.
    pub drop_ins: Vec<PathBuf>,
    /// Files of variables, which win over the unit's own.
    pub variable_files: String,
    /// Whether a file was changed on disk since.
    pub stale: bool,
}

impl InForce {
    /// What a setting is now; `None` where a variable is not set.
    pub fn value(&self, setting: &Setting) -> Option<String> {
        self.values.get(setting).cloned().flatten()
    }

    /// What is no longer as it was before `changes`.
    pub fn differences(&self, changes: &[Change]) -> Vec<Clean> {
        let now = changes.iter().map(|change| (change, self.value(&change.setting)));
        now.filter(|(change, value)| *value != change.from)
            .map(|(change, value)| {
                let (label, old, new) = (change.setting.label(), said(change.from.as_ref()), said(value.as_ref()));
                crate::clean!("{label}: {old} → {new}")
            })
            .collect()
    }
}

/// A value for the screen.
pub fn said(value: Option<&String>) -> Clean {
    value.map_or(Clean::from("not set"), |value| Clean::text(scrub(&hide(value))))
}

/// Whether a value has the shape of a secret, or is one that was read.
pub fn looks_secret(value: &str) -> bool {
    scrub(&hide(value)) != value
}

impl Setting {
    /// A variable with a value that may be shown, and can be no other line.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub fn variable(name: &str, value: &str) -> Result<(Self, String), Fault> {
        let shown = Clean::text(name);
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty()
            || name.len() > 128
            || !name.chars().all(plain)
            || name.starts_with(|c: char| c.is_ascii_digit())
        {
            return Err(Fault::new(format!("`{shown}` is no name of a variable.")));
        }
        if is_secret_name(name) || looks_secret(value) {
            return Err(Fault::new(format!("`{shown}` looks like a secret: everybody can read a drop-in."))
                .hint("Keep it in a file of mode 0600 that the unit names by LoadCredential= or EnvironmentFile=."));
        }
        let odd = value.len() > LONGEST || value.chars().any(char::is_control) || Clean::text(value).as_str() != value;
        if odd {
            return Err(Fault::new(format!("the value of `{shown}` is not one line of plain text.")));
        }
        Ok((Self::Variable(name.to_owned()), value.to_owned()))
    }

    /// A limit with its value as `systemctl show` will have it.
    ///
    /// # Errors
    /// No limit of the list, or a value that is not of its sort.
    pub fn limit(key: &str, value: &Scalar) -> Result<(Self, String), Fault> {
        let Some((_, sort, ..)) = row(key) else {
            let names: Vec<&str> = LIMITS.iter().map(|(name, ..)| *name).collect();
            return Err(Fault::new(format!("`{}` is no limit that a drop-in may set.", Clean::text(key)))
                .hint(format!("It may set {}.", names.join(", "))));
        };
        let text = match value {
            Scalar::Int(number) => number.to_string(),
            Scalar::Text(text) => text.clone(),
            other => other.to_string(),
        };
        let value = declared(*sort, &text)
            .ok_or_else(|| Fault::new(format!("`{key} = {}` is not {}.", Clean::text(&text), meant(*sort))))?;
        Ok((Self::Limit(key.to_owned()), value))
    }

    /// How it is named on the screen.
    pub fn label(&self) -> String {
        match self {
            Self::Variable(name) => format!("Environment {name}"),
            Self::Limit(key) => key.clone(),
        }
    }

    /// Whether a unit that runs takes it up with the reload; else with its next start.
    pub fn is_live(&self) -> bool {
        matches!(self, Self::Limit(key) if row(key).is_some_and(|(.., live)| *live))
    }

    /// The property that shows it.
    pub fn property(&self) -> &str {
        match self {
            Self::Variable(_) => "Environment",
            Self::Limit(key) => row(key).map_or("", |(_, _, property, _)| *property),
        }
    }

    /// Its line in a file.
    fn line(&self, value: &str) -> String {
        match self {
            // A percent sign begins a specifier; within quotes a backslash and a quote speak for themselves.
            Self::Variable(name) => {
                let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%");
                format!("Environment=\"{name}={value}\"")
            }
            Self::Limit(key) => format!("{key}={value}"),
        }
    }

    /// Whether a line of a file of ours sets it.
    fn is_at(&self, line: &str) -> bool {
        let begins = match self {
            Self::Variable(name) => format!("Environment=\"{name}="),
            Self::Limit(key) => format!("{key}="),
        };
        line.starts_with(&begins)
    }

    /// What it is now.
    pub(super) fn now(&self, shown: &Shown) -> Option<String> {
        let value = shown.get(self.property());
        match self {
            Self::Variable(name) => variable_in(value, name),
            Self::Limit(key) => row(key).map(|(_, sort, ..)| printed(*sort, value)),
        }
    }
}

fn row(key: &str) -> Option<&'static (&'static str, Sort, &'static str, bool)> {
    LIMITS.iter().find(|(name, ..)| *name == key)
}

fn meant(sort: Sort) -> String {
    match sort {
        Sort::Count => "a number, or \"infinity\"".to_owned(),
        Sort::Bytes => "a number of bytes such as \"4G\", or \"infinity\"".to_owned(),
        Sort::Percent => "a share of one CPU such as \"150%\"".to_owned(),
        Sort::Range(least, most) => format!("a whole number from {least} to {most}"),
    }
}

/// A declared value as it is printed later.
fn declared(sort: Sort, text: &str) -> Option<String> {
    let digits = |text: &str| {
        (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))
            .then_some(())
            .and_then(|()| text.parse::<u64>().ok())
    };
    match sort {
        Sort::Count | Sort::Bytes if text == "infinity" => Some(text.to_owned()),
        Sort::Count => digits(text).filter(|count| *count > 0).map(|count| count.to_string()),
        Sort::Bytes => {
            let (number, power) = match text.strip_suffix(['K', 'M', 'G', 'T']) {
                Some(number) => (number, "KMGT".find(text.chars().last()?)? + 1),
                None => (text, 0),
            };
            let factor = 1024_u64.checked_pow(u32::try_from(power).ok()?)?;
            digits(number)?.checked_mul(factor).map(|bytes| bytes.to_string())
        }
        Sort::Percent => {
            let share = text.strip_suffix('%').and_then(digits).filter(|share| (1..=100_000).contains(share))?;
            Some(format!("{share}%"))
        }
        Sort::Range(least, most) => {
            text.parse::<i64>().ok().filter(|number| (least..=most).contains(number)).map(|number| number.to_string())
        }
    }
}

/// A property as people read it.
fn printed(sort: Sort, text: &str) -> String {
    match (sort, text) {
        (_, "18446744073709551615") => "infinity".to_owned(),
        (Sort::Percent, text) if text != "infinity" => {
            span(text).map_or_else(|| text.to_owned(), |each| format!("{}%", each.as_micros() / 10_000))
        }
        _ => text.to_owned(),
    }
}

/// A variable of a list such as `A=1 "B=x y"`; the last one counts.
fn variable_in(list: &str, name: &str) -> Option<String> {
    let mut found =
        words(list).into_iter().filter_map(|word| word.strip_prefix(name)?.strip_prefix('=').map(str::to_owned));
    let first = found.next();
    found.next_back().or(first)
}

/// Words as systemd separates them: quotes of both kinds hold blanks together, a backslash takes the next as it is.
fn words(text: &str) -> Vec<String> {
    let (mut all, mut word, mut quote) = (Vec::new(), None::<String>, None);
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, quote) {
            ('\\', _) => word.get_or_insert_default().extend(chars.next()),
            ('"' | '\'', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (_, Some(open)) if c == open => quote = None,
            (_, None) if c.is_whitespace() => all.extend(word.take()),
            _ => word.get_or_insert_default().push(c),
        }
    }
    all.extend(word);
    all
}

/// The file with these values; what else a file of ours sets stays.
pub fn content(before: Option<&str>, values: &[(Setting, String)]) -> String {
    let kept = before.unwrap_or_default().lines();
    let kept = kept.filter(|line| *line != MARK && *line != "[Service]" && !line.is_empty());
    let kept = kept.filter(|line| !values.iter().any(|(setting, _)| setting.is_at(line))).map(str::to_owned);
    let new = values.iter().map(|(setting, value)| setting.line(value));
    [MARK.to_owned(), "[Service]".to_owned()].into_iter().chain(kept).chain(new).map(|line| line + "\n").collect()
}

/// Which file of a unit says each setting last, from what `systemctl cat` prints; `files` are those that the unit has.
pub(super) fn sources(cat: &str, files: &[&str]) -> BTreeMap<Setting, String> {
    let mut found = BTreeMap::new();
    let (mut file, mut section) = ("", String::new());
    let mut lines = cat.lines();
    while let Some(line) = lines.next() {
        if let Some(path) = line.strip_prefix("# ").filter(|path| files.contains(path)) {
            (file, section) = (path, String::new());
            continue;
        }
        let mut whole = line.trim().to_owned();
        if whole.starts_with(['#', ';']) {
            continue;
        }
        while let Some(open) = whole.strip_suffix('\\') {
            whole = format!("{open} {}", lines.next().unwrap_or_default().trim());
        }
        if whole.starts_with('[') {
            section = whole;
        } else if section == "[Service]"
            && let Some((key, value)) = whole.split_once('=')
        {
            say(&mut found, (key.trim(), value.trim()), file);
        }
    }
    found
}

fn say(found: &mut BTreeMap<Setting, String>, (key, value): (&str, &str), file: &str) {
    if key != "Environment" {
        found.insert(Setting::Limit(key.to_owned()), file.to_owned());
    } else if value.is_empty() {
        // It takes back all that came before.
        found.retain(|setting, _| !matches!(setting, Setting::Variable(_)));
    } else {
        let names = words(value).into_iter().filter_map(|word| word.split_once('=').map(|(name, _)| name.to_owned()));
        found.extend(names.map(|name| (Setting::Variable(name), file.to_owned())));
    }
}

/// Whether systemd reads `other` after `ours`: drop-ins come in the order of their names.
pub fn comes_after(other: &Path, ours: &Path) -> bool {
    let is_drop_in = other.parent().and_then(Path::extension).is_some_and(|end| end == "d");
    is_drop_in && other.file_name() > ours.file_name()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(key: &str, value: &str) -> Result<String, String> {
        let value = value.parse().map_or_else(|_| Scalar::Text(value.to_owned()), Scalar::Int);
        Setting::limit(key, &value).map(|(_, value)| value).map_err(|fault| fault.to_string())
    }

    #[test]
    fn limits_are_typed_and_only_those_of_the_list_are_set() {
        for (key, value, wanted) in [
            ("LimitNOFILE", "65536", Some("65536")),
            ("LimitNOFILE", "infinity", Some("infinity")),
            ("LimitNOFILE", "0", None),
            ("LimitNOFILE", "64K", None),
            ("LimitNOFILE", "1\nUser=root", None),
            ("MemoryMax", "4G", Some("4294967296")),
            ("MemoryMax", "1048576", Some("1048576")),
            ("MemoryMax", "4GB", None),
            ("MemoryMax", "99999999999T", None),
            ("CPUQuota", "150%", Some("150%")),
            ("CPUQuota", "150", None),
            ("CPUQuota", "0%", None),
            ("Nice", "-5", Some("-5")),
            ("Nice", "20", None),
            ("OOMScoreAdjust", "-1000", Some("-1000")),
        ] {
            assert_eq!(limit(key, value).ok().as_deref(), wanted, "{key} {value}");
        }
        let said = limit("ExecStart", "/bin/sh").unwrap_err();
        assert!(said.contains("no limit that a drop-in may set. It may set CPUQuota, "), "{said}");
        assert!(limit("MemoryMax", "lots").unwrap_err().contains("`MemoryMax = lots` is not a number of bytes"));
    }

    #[test]
    fn variables_that_are_secret_or_more_than_one_line_are_refused() {
        let variable = |name: &str, value: &str| Setting::variable(name, value).map_err(|fault| fault.to_string());
        assert!(
            variable("PYTHONASYNCIODEBUG", "1").is_ok() && variable("A", "").is_ok() && variable("A", "é b").is_ok()
        );
        for (name, value, why) in [
            ("DB_PASSWORD", "x", "looks like a secret"),
            ("URL", "postgres://u:hunter22@db/x", "looks like a secret"),
            ("OPTS", "--token=abc", "looks like a secret"),
            ("A", "1\nUser=root", "not one line"),
            ("A", "\u{202e}1", "not one line"),
            ("A B", "1", "no name of a variable"),
            ("1A", "1", "no name of a variable"),
            ("", "1", "no name of a variable"),
        ] {
            let said = variable(name, value).expect_err(name);
            assert!(said.contains(why) && !said.contains("hunter22"), "{said}");
        }
    }

    #[test]
    fn a_file_keeps_what_else_it_sets_and_a_value_cannot_leave_its_quotes() {
        let set = |before: Option<&str>, name: &str, value: &str| {
            content(before, &[Setting::variable(name, value).expect("a variable")])
        };
        let one = set(None, "A", "100% \"x\" \\");
        assert_eq!(one, format!("{MARK}\n[Service]\nEnvironment=\"A=100%% \\\"x\\\" \\\\\"\n"));
        let two = set(Some(&one), "B", "2");
        assert!(two.contains("\"A=100%%") && two.ends_with("Environment=\"B=2\"\n"), "{two}");
        let again = set(Some(&two), "A", "3");
        assert_eq!(again, format!("{MARK}\n[Service]\nEnvironment=\"B=2\"\nEnvironment=\"A=3\"\n"));
    }

    #[test]
    fn properties_read_as_they_are_declared() {
        let shown = Shown::of(
            "Environment=A=1 \"B=x y\" \"C=say \\\"hi\\\"\" A=2\nCPUQuotaPerSecUSec=1.500s\nTasksMax=18446744073709551615\nMemoryMax=4294967296\n",
        );
        let now = |setting: &Setting| setting.now(&shown);
        let variable = |name: &str| now(&Setting::Variable(name.into()));
        assert_eq!(variable("A").as_deref(), Some("2"));
        assert_eq!((variable("B").as_deref(), variable("C").as_deref()), (Some("x y"), Some("say \"hi\"")));
        assert_eq!(variable("D"), None);
        for (key, value) in [("CPUQuota", "150%"), ("TasksMax", "infinity"), ("MemoryMax", "4294967296")] {
            assert_eq!(now(&Setting::Limit(key.into())).as_deref(), Some(value), "{key}");
        }
    }

    #[test]
    fn the_file_that_says_a_value_last_is_found() {
        let (unit, early, late) = ("/etc/a.service", "/etc/a.service.d/10.conf", "/run/a.service.d/90.conf");
        let cat = format!(
            "# {unit}\n[Unit]\nLimitNOFILE=1\n[Service]\nLimitNOFILE=2\nEnvironment=A=1 \\\n  \"B=x y\"\n# {late} is a comment\n\n# {early}\n[Service]\nEnvironment=\nEnvironment='B=3'\n\n# {late}\n[Service]\n;Nice=1\nLimitNOFILE = 4\n"
        );
        let found = sources(&cat, &[unit, early, late]);
        let says = |setting: Setting| found.get(&setting).map(String::as_str);
        assert_eq!(says(Setting::Limit("LimitNOFILE".into())), Some(late));
        assert_eq!(says(Setting::Variable("B".into())), Some(early));
        assert_eq!((says(Setting::Variable("A".into())), says(Setting::Limit("Nice".into()))), (None, None));
        let ours = Path::new("/etc/a.service.d/50-watchkeeper.conf");
        assert!(comes_after(Path::new(late), ours) && !comes_after(Path::new(early), ours));
        assert!(!comes_after(Path::new(unit), ours), "the unit's own file comes first whatever its name");
    }
}
