//! What a command does, as far as its words tell. Nothing is run, and what is not recognised is held against nobody.

use super::deeds::Deed;

/// Programs that run another one; the flag by which they attach to one that runs already.
const RUNNERS: &[(&str, &[&str])] = &[
    ("valgrind", &["--pid"]),
    ("heaptrack", &["-p", "--pid"]),
    ("perf", &["-p", "--pid", "-a"]),
    ("strace", &["-p", "--attach"]),
    ("ltrace", &["-p"]),
    ("gdb", &["-p", "--pid"]),
    ("nsys", &[]),
    ("ncu", &[]),
    ("cuda-gdb", &["-p", "--pid"]),
    ("flamegraph", &["-p", "--pid"]),
    ("py-spy", &["-p", "--pid"]),
    ("scalene", &["--pid"]),
    ("memray", &["attach"]),
];
/// A program of the service that only looks or explains.
const LOOKS: &[&str] = &["--validate", "--verify", "--dump", "--version", "--help", "--check", "-V", "-h"];
/// Characters of a process's name that the kernel keeps.
const COMM: usize = 15;

/// What every part of a line does.
pub(super) fn deeds(line: &str, units: &[String]) -> Vec<Deed> {
    let line = line.split(" #").next().unwrap_or_default();
    parts(line).flat_map(|words| part(&words, units)).collect()
}

/// The services that a line names to its manager.
pub(super) fn units(line: &str) -> Vec<String> {
    let named = parts(line).filter_map(|words| {
        let words: Vec<&str> = plain(&words);
        let at = words.iter().position(|word| base(word) == "systemctl" || base(word) == "service")?;
        let name = words.iter().skip(at + 1).rfind(|word| !word.starts_with('-'))?;
        Some(name.trim_end_matches(".service").to_owned())
    });
    named.filter(|name| !matches!(name.as_str(), "start" | "stop" | "restart" | "status" | "reload")).collect()
}

/// The commands of a line, each as its words, those of `$(…)` last; quotes are taken off.
fn parts(line: &str) -> impl Iterator<Item = Vec<String>> {
    let mut split = Split { parts: vec![Vec::new()], ..Split::default() };
    split.read(line.trim());
    // One level: what is nested deeper is rare, and held against nobody.
    for inner in core::mem::take(&mut split.inner) {
        split.read(&inner);
    }
    split.parts.into_iter().filter(|words| !words.is_empty())
}

/// A line that is taken apart.
#[derive(Default)]
struct Split {
    parts: Vec<Vec<String>>,
    word: String,
    /// Commands whose output is put into a word.
    inner: Vec<String>,
}

impl Split {
    fn read(&mut self, line: &str) {
        let (mut quote, mut depth, mut before) = (None, 0_u32, ' ');
        self.next_part();
        for c in line.chars() {
            match (quote, c) {
                (_, '(') if before == '$' && quote != Some('\'') => {
                    depth += 1;
                    self.word.push(c);
                    self.inner.push(String::new());
                }
                (_, ')') if depth > 0 => {
                    depth -= 1;
                    self.word.push(c);
                }
                (_, c) if depth > 0 => {
                    self.word.push(c);
                    self.inner.last_mut().into_iter().for_each(|inner| inner.push(c));
                }
                (Some(open), c) if c == open => quote = None,
                (None, '"' | '\'') => quote = Some(c),
                (None, ';' | '|' | '&') => self.next_part(),
                (None, c) if c.is_whitespace() => self.next_word(),
                (_, c) => self.word.push(c),
            }
            before = c;
        }
        self.next_part();
    }

    fn next_word(&mut self) {
        if !self.word.is_empty()
            && let Some(words) = self.parts.last_mut()
        {
            words.push(core::mem::take(&mut self.word));
        }
    }

    fn next_part(&mut self) {
        self.next_word();
        self.parts.push(Vec::new());
    }
}

/// Without `sudo`, and settings of the environment before the command.
fn plain(words: &[String]) -> Vec<&str> {
    let mut words = words.iter().map(String::as_str).peekable();
    while words
        .next_if(|word| {
            matches!(*word, "sudo" | "env" | "nohup" | "time" | "exec" | "then" | "do" | "if" | "!")
                || word
                    .split_once('=')
                    .is_some_and(|(name, _)| name.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
        })
        .is_some()
    {}
    words.collect()
}

fn base(word: &str) -> &str {
    word.rsplit('/').next().unwrap_or(word)
}

fn part(words: &[String], units: &[String]) -> Vec<Deed> {
    let words = plain(words);
    let Some((program, rest)) = words.split_first() else { return Vec::new() };
    let flag = |names: &[&str]| rest.iter().any(|word| names.iter().any(|name| word.starts_with(name)));
    let operands: Vec<&str> = rest.iter().copied().filter(|word| !word.starts_with('-')).collect();
    let text = |at: usize| operands.get(at).map_or_else(String::new, |word| (*word).to_owned());
    let last = || operands.last().map_or_else(String::new, |word| (*word).to_owned());
    match base(program) {
        "systemctl" | "service" | "supervisorctl" => manager(&operands),
        "docker" | "podman" if operands.first().is_some_and(|verb| matches!(*verb, "restart" | "start")) => {
            vec![Deed::Start]
        }
        "docker" | "podman" if operands.first() == Some(&"stop") => vec![Deed::Stop],
        "df" => vec![Deed::Space],
        "cp" | "rsync" | "install" => copy(&text(0), &last()),
        "mv" if is_kept(&last()) => vec![Deed::Keep(text(0), true)],
        "mv" => vec![Deed::Change],
        "tar" if operands.first().is_some_and(|mode| mode.contains('c')) || flag(&["-c", "--create"]) => {
            vec![Deed::Keep(last(), false)]
        }
        "mdb_copy" | "pg_dump" => vec![Deed::Keep(text(0), false)],
        "rm" | "rmdir" | "shred" | "truncate" | "unlink" => {
            operands.iter().map(|path| Deed::Remove((*path).to_owned())).collect()
        }
        "find" if rest.contains(&"-delete") || rest.contains(&"rm") => vec![Deed::Remove(text(0))],
        "redis-cli" if flag(&["FLUSH", "flush"]) => vec![Deed::Remove(String::new())],
        "psql" | "mysql" if flag(&["DROP", "TRUNCATE", "drop", "truncate"]) => vec![Deed::Remove(String::new())],
        "psql" | "mysql" if flag(&["ALTER", "UPDATE", "CREATE", "DELETE", "alter", "update", "create"]) => {
            vec![Deed::Change]
        }
        "sed" | "perl" if rest.iter().any(|word| is_in_place(word)) => vec![Deed::Edit(last())],
        "grep" | "cat" | "head" | "tail" | "less" | "awk" | "sed" | "diff" | "toml" => {
            operands.iter().flat_map(|path| read(path)).collect()
        }
        "ls" | "stat" | "du" | "test" | "[" | "sha256sum" | "md5sum" | "mdb_stat" | "file" => {
            operands.iter().filter(|path| path.contains("backup")).map(|_| Deed::Proof).collect()
        }
        "curl" | "wget" => vec![if flag(&["-X", "-d", "--data", "--request"]) { Deed::Change } else { Deed::Verify }],
        "pgrep" | "pidof" if flag(&["-f", "--full"]) => Vec::new(),
        "pkill" | "killall" if flag(&["-f", "--full"]) => vec![Deed::Change],
        "pgrep" | "pidof" => search(&last()),
        "pkill" | "killall" => search(&last()).into_iter().chain([Deed::Change]).collect(),
        "kill" | "chown" | "chmod" | "setfacl" | "sysctl" | "tee" | "mkfs" | "dd" | "nvidia-smi"
            if changes(program, rest) =>
        {
            vec![Deed::Change]
        }
        "julia" if rest.iter().any(|word| word.contains("mapsize!")) => vec![Deed::Grow],
        "julia" if rest.iter().any(|word| word.contains("force=true") || word.contains("rm(")) => {
            vec![Deed::Remove(String::new())]
        }
        name => started(name, rest, units),
    }
}

/// `nvidia-smi` and `sysctl` mostly look.
fn changes(program: &str, rest: &[&str]) -> bool {
    match base(program) {
        "sysctl" => rest.iter().any(|word| *word == "-w" || word.contains('=')),
        "nvidia-smi" => rest.iter().any(|word| matches!(*word, "-r" | "--gpu-reset" | "-pl" | "-pm" | "-lgc")),
        _ => true,
    }
}

fn manager(operands: &[&str]) -> Vec<Deed> {
    match operands {
        verbs if verbs.iter().any(|verb| matches!(*verb, "start" | "restart" | "reload-or-restart")) => {
            vec![Deed::Start]
        }
        verbs if verbs.contains(&"stop") => vec![Deed::Stop],
        verbs if verbs.iter().any(|verb| matches!(*verb, "status" | "is-active" | "show")) => vec![Deed::Verify],
        verbs
            if verbs
                .iter()
                .any(|verb| matches!(*verb, "reload" | "enable" | "disable" | "mask" | "kill" | "reset-failed")) =>
        {
            vec![Deed::Change]
        }
        _ => Vec::new(),
    }
}

/// A copy away keeps something; a copy from a backup writes over something.
fn copy(from: &str, to: &str) -> Vec<Deed> {
    if from.is_empty() || to.is_empty() || from == to {
        return Vec::new();
    }
    if is_kept(to) && !is_kept(from) {
        vec![Deed::Keep(from.to_owned(), false)]
    } else {
        vec![Deed::Overwrite(to.to_owned())]
    }
}

fn is_kept(path: &str) -> bool {
    ["backup", ".bak", ".old", "aside", ".orig", "$(date", ".save"].iter().any(|mark| path.contains(mark))
}

fn is_in_place(word: &str) -> bool {
    word == "--in-place" || word.starts_with("-i") || word.starts_with("-pi") || word == "-Ei" || word == "-ri"
}

fn read(path: &str) -> Vec<Deed> {
    let proof = path.contains("backup").then_some(Deed::Proof);
    path.contains('/').then(|| Deed::Read(path.to_owned())).into_iter().chain(proof).collect()
}

fn search(name: &str) -> Vec<Deed> {
    if name.chars().count() > COMM { vec![Deed::Search(name.to_owned())] } else { Vec::new() }
}

/// A program that is started by hand, on its own or under another one.
fn started(name: &str, rest: &[&str], units: &[String]) -> Vec<Deed> {
    if let Some((_, attach)) = RUNNERS.iter().find(|(runner, _)| *runner == name) {
        let records = !matches!(name, "perf" | "py-spy" | "nsys")
            || rest.iter().any(|word| matches!(*word, "record" | "stat" | "profile"));
        let attached = rest.iter().any(|word| attach.iter().any(|flag| word.starts_with(flag)));
        return if records && !attached { vec![Deed::SecondCopy(name.to_owned())] } else { Vec::new() };
    }
    if name.starts_with("python")
        && rest.iter().any(|word| matches!(*word, "cProfile" | "tracemalloc" | "memory_profiler"))
    {
        return vec![Deed::SecondCopy(name.to_owned())];
    }
    let own = units.iter().any(|unit| unit == name);
    if own && !rest.iter().any(|word| LOOKS.iter().any(|look| word.starts_with(look))) {
        return vec![Deed::SecondCopy(name.to_owned())];
    }
    Vec::new()
}
