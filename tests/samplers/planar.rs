//! Samplers of the shipped profile of Planar, as it declares them, at what they are for: a checkout of a real git, an
//! `.envrc` that a real direnv knows, packages as a real dpkg lists them, an exchange behind TLS, and a program called julia.

use crate::mounts::played;
use crate::peer::{Running, skip};
use crate::probe::role;
use crate::tls::Certificates;
use crate::{find, observe, value};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use watchkeeper::base::Observation;
use watchkeeper::config::{ProfileRef, SearchPath, load_profile};
use watchkeeper::roles::setup::known_kinds;
use watchkeeper::samplers::{Sampler, kind};

/// One of its samplers, with these settings of a site.
fn shipped(name: &str, settings: &str) -> Box<dyn Sampler> {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("site.toml");
    let site = format!("title = \"T\"\nenvironment = \"test\"\nextends = [\"planar\"]\n[settings]\n{settings}\n");
    fs::write(&file, site).expect("written");
    fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).expect("ours");
    let profile = load_profile(&ProfileRef::Path(file), &SearchPath::default(), &known_kinds()).expect("loads");
    assert_eq!(profile.faults, [], "{settings}");
    let spec = profile.samplers.iter().find(|spec| *spec.name == *name).expect("the sampler");
    kind(&spec.kind).expect("a kind").build(&spec.body).expect("a valid table")
}

async fn seen(name: &str, settings: &str) -> Observation {
    observe(&mut *shipped(name, settings)).await.unwrap_or_else(|failure| panic!("{name}: {failure:?}"))
}

/// Why it gives nothing.
async fn failure(name: &str, settings: &str) -> String {
    observe(&mut *shipped(name, settings)).await.expect_err("it fails").what.to_string()
}

fn fact<'a>(seen: &'a Observation, name: &str) -> Option<&'a str> {
    seen.facts.iter().find(|(known, _)| known.as_str() == name).map(|(_, text)| text.as_str())
}

/// Runs a script of the shell in a folder; what it printed.
fn sh(folder: &Path, script: &str) -> String {
    let shell = Command::new("/bin/sh").args(["-euc", script]).current_dir(folder).env("HOME", folder).output();
    let shell = shell.expect("a shell");
    assert!(shell.status.success(), "{script}: {shell:?}");
    String::from_utf8_lossy(&shell.stdout).into_owned()
}

#[tokio::test]
async fn a_submodule_that_is_not_at_the_commit_that_is_recorded_is_counted_and_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let make = "git config --global user.name x; git config --global user.email x@x; git config --global protocol.file.allow always
        for part in Data Python; do
            git init -q there/$part; git -C there/$part commit -q --allow-empty -m one; git -C there/$part commit -q --allow-empty -m two
        done
        git init -q planar; cd planar
        for part in Data Python; do git submodule --quiet add \"$HOME/there/$part\" $part; done
        git commit -q -m both";
    sh(folder.path(), make);
    let settings = format!("root = \"{}\"", folder.path().join("planar").display());
    let as_recorded = seen("submodules", &settings).await;
    assert_eq!(value(&as_recorded, "planar_submodules_differ", &[]), 0.0);
    assert_eq!(fact(&as_recorded, "first that differs"), None);
    sh(folder.path(), "git -C planar/Python checkout -q HEAD~1");
    let differs = seen("submodules", &settings).await;
    assert_eq!(value(&differs, "planar_submodules_differ", &[]), 1.0);
    assert_eq!(fact(&differs, "first that differs"), Some("Python"));
    let checkout = seen("checkout", &settings).await;
    assert_eq!(value(&checkout, "command_exit_code", &[("command", "checkout")]), 1.0, "git sees it too");
}

#[tokio::test]
async fn every_conda_environment_below_the_project_is_seen_with_its_size() {
    let folder = tempfile::tempdir().expect("a folder");
    let there = [(".CondaPkg", 20_000), ("Python/.CondaPkg", 300_000), ("user/a strategy/.CondaPkg", 4_000_000)];
    for (path, bytes) in there {
        // One in another is a part of it.
        fs::create_dir_all(folder.path().join(path).join("env/.CondaPkg")).expect("made");
        fs::write(folder.path().join(path).join("env/python"), vec![7; bytes]).expect("written");
    }
    let settings = format!("root = \"{0}\"\nconda = \"{0}/.CondaPkg\"", folder.path().display());
    let folders = seen("conda-folders", &settings).await;
    let told = folders.points.iter().filter(|point| point.key.name.as_str() == "command_value").count();
    assert_eq!(told, there.len(), "{:?}", folders.points);
    for (path, bytes) in there {
        let path = folder.path().join(path).display().to_string();
        let du = Command::new("du").args(["-s", "-b", &path]).output().expect("du runs").stdout;
        let du: f64 =
            String::from_utf8_lossy(&du).split_whitespace().next().and_then(|size| size.parse().ok()).expect("a size");
        assert_eq!(value(&folders, "command_value", &[("key", &path)]), du, "{path}");
        assert!(du > bytes as f64, "{path}");
    }
    assert_eq!(value(&seen("conda", &settings).await, "file_present", &[]), 1.0);
}

#[tokio::test]
async fn a_real_direnv_says_whether_the_envrc_is_allowed_for_the_bots_login() {
    if !Path::new("/usr/bin/direnv").exists() {
        return skip("direnv", "not installed: apt-get install direnv");
    }
    let folder = tempfile::tempdir().expect("a folder");
    sh(folder.path(), "mkdir bot other root; printf 'export JULIA_NUM_THREADS=8\\n' > root/.envrc");
    let settings = |home: &str| format!("root = \"{0}/root\"\nhome = \"{0}/{home}\"", folder.path().display());
    let allowed = async |home: &str| {
        let seen = seen("direnv", &settings(home)).await;
        (value(&seen, "planar_envrc_allowed", &[]), fact(&seen, "Found RC allowed").map(str::to_owned))
    };
    assert_eq!(allowed("bot").await.0, 0.0, "nobody has looked at it");
    sh(folder.path(), "HOME=$PWD/bot direnv allow root/.envrc");
    let (yes, word) = allowed("bot").await;
    assert!(yes == 1.0 && word.as_deref().is_some_and(|word| ["0", "true"].contains(&word)), "{word:?}");
    assert_eq!(allowed("other").await.0, 0.0, "another login has not allowed it");
    sh(folder.path(), "echo 'export JULIA_DEBUG=all' >> root/.envrc");
    assert_eq!(allowed("bot").await.0, 0.0, "a change is to be allowed anew");
    // What a login may not look into is no "no": for root too a file is no folder.
    sh(folder.path(), "mkdir closed; touch closed/.local");
    for (home, says) in [("closed", "closed/.local: this login may not look into it"), ("nowhere", "can't cd to")] {
        let failure = failure("direnv", &settings(home)).await;
        assert!(failure.contains(says), "{home}: {failure}");
    }
}

#[tokio::test]
async fn a_package_is_installed_or_missing_and_the_library_of_lmdb_has_its_name_and_version() {
    if !Path::new("/usr/bin/dpkg-query").exists() {
        return skip("dpkg-query", "no Debian");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let listed = |packages: &[&str]| {
        let entry = |name: &&str| {
            format!(
                "Package: {name}\nStatus: install ok installed\nMaintainer: x\nArchitecture: all\nVersion: 0.9.31-1\nSuggests: libxi6, liblmdb0\nDescription: x\n\n"
            )
        };
        let text: String = packages.iter().map(entry).collect();
        fs::write(folder.path().join("db/status"), text).expect("written");
    };
    // Not this host's list: it may have any of them.
    let dpkg = "mkdir -p db/info; printf '#!/bin/sh\\nexec /usr/bin/dpkg-query --admindir=%s \"$@\"\\n' $PWD/db > dpkg-query; chmod 755 dpkg-query";
    sh(folder.path(), dpkg);
    let settings = format!("dpkg = \"{}/dpkg-query\"", folder.path().display());
    let all = ["libgl1", "libxrandr2", "libxss1", "libxcursor1", "libxcomposite1", "libasound2", "libxi6", "libxtst6"];
    // The sound library has had another name since Debian 13: either counts.
    for sound in ["libasound2", "libasound2t64"] {
        listed(&["libgl1", "libxss1", "liblmdb0", sound]);
        for name in all {
            let found = value(&seen(name, &settings).await, "planar_package_installed", &[("command", name)]);
            assert_eq!(found, f64::from(["libgl1", "libxss1", "libasound2"].contains(&name)), "{name} beside {sound}");
        }
    }
    let library = seen("lmdb-library", &settings).await;
    let told: Vec<&str> = fact(&library, "package").expect("told").split_whitespace().collect();
    assert_eq!(told, ["liblmdb0", "0.9.31-1"]);
    assert_eq!(value(&library, "planar_package_installed", &[]), 1.0);
    listed(&["libgl1"]);
    let library = seen("lmdb-library", &settings).await;
    assert_eq!((fact(&library, "package"), value(&library, "planar_package_installed", &[])), (None, 0.0));
}

#[tokio::test]
async fn a_store_is_lmdb_or_disabled_as_the_strategys_file_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = format!("source = \"{}\"", folder.path().display());
    for (line, lmdb, disabled, told) in [
        ("data_store = \"lmdb\"", 1.0, 0.0, Some("line 2: \"lmdb\"")),
        ("data_store = \"\"  # files", 0.0, 1.0, Some("line 2: \"\"")),
        ("other = \"\"", 0.0, 0.0, None),
    ] {
        fs::write(folder.path().join("Project.toml"), format!("[preferences.Data]\n{line}\n")).expect("written");
        let seen = seen("data-store", &settings).await;
        let is = ["planar_data_store_lmdb", "planar_data_store_disabled"].map(|name| value(&seen, name, &[]));
        assert_eq!((is, fact(&seen, "data_store")), ([lmdb, disabled], told), "{line}");
    }
}

#[tokio::test]
async fn the_groups_of_this_login_are_told_and_whether_the_engines_is_among_them() {
    let id = Command::new("id").arg("-nG").output().expect("id runs").stdout;
    let groups = String::from_utf8_lossy(&id).trim().to_owned();
    let own = groups.split(' ').next().expect("a group");
    let root = f64::from(rustix::process::geteuid().is_root());
    for (group, is) in [(own, 1.0), ("no-such-group", 0.0)] {
        let seen = seen("groups", &format!("engine_group = \"{group}\"")).await;
        assert_eq!(
            (value(&seen, "planar_in_engine_group", &[]), fact(&seen, "groups")),
            (is, Some(&*groups)),
            "{group}"
        );
        assert_eq!(value(&seen, "planar_login_is_root", &[]), root, "who needs no group");
    }
}

/// A program called julia, which is a shell: of Julia it has the answer to `ENV["NAME"]`, and it saves where it is told to.
struct Julia {
    /// Killed with the test.
    child: Running,
    folder: tempfile::TempDir,
}

const REPL: &str = "while read -r line; do case $line in save) printf %4000000s x > \"$1\"; echo saved;; \
    *) name=${line#*\\\"}; name=${name%\\\"*}; printf '\"%s\"\\n' \"${!name}\";; esac; done";

impl Julia {
    fn start(env: &[(&str, &str)]) -> Self {
        // On a disk: what is written to memory is no write.
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
        let program = folder.path().join("julia");
        fs::copy("/bin/bash", &program).expect("copied");
        let mut command = Command::new(&program);
        command.args(["-c", REPL, "julia"]).arg(folder.path().join("saved")).arg("--project=Planar");
        command.env_clear().envs(env.iter().copied());
        Self { child: Running::start(&mut command, Stdio::piped(), Stdio::piped()), folder }
    }

    fn answers(&mut self, line: &str) -> String {
        let (say, hear) = (self.child.0.stdin.as_mut().expect("a pipe"), self.child.0.stdout.as_mut().expect("a pipe"));
        writeln!(say, "{line}").expect("it reads");
        let mut answer = String::new();
        BufReader::new(hear).read_line(&mut answer).expect("it answers");
        answer.trim().to_owned()
    }

    /// The bytes that the kernel counts as written by it.
    fn written(&self) -> u64 {
        let io = fs::read_to_string(format!("/proc/{}/io", self.child.0.id())).expect("readable");
        io.lines().find_map(|line| line.strip_prefix("write_bytes: ")?.parse().ok()).expect("a row")
    }

    /// The settings of a site with no other bot than this one.
    fn settings(&self) -> String {
        let folder = self.folder.path().display();
        format!(
            "bot = '^{folder}/julia\\S*( .*)? --project=\\S*[Pp]lanar\\S*( |$)'\n\
             right_project = '^{folder}/julia\\S*( .*)? --project=(\\S*/)?Planar(Interactive)?( |$)'\nroot = \"{folder}\"\n"
        )
    }
}

#[tokio::test]
async fn of_a_bot_its_variables_are_what_julia_has_and_those_that_should_not_be_set_are_flagged() {
    let set = [
        ("JULIA_PROJECT", "Planar"),
        ("JULIA_NUM_THREADS", "4"),
        ("JULIA_NOPRECOMP", "1"),
        ("JULIA_CONDAPKG_ENV", "@x"),
    ];
    let mut julia = Julia::start(&set);
    fs::write(julia.folder.path().join(".envrc"), "export JULIA_NUM_THREADS=8\nexport JULIA_PROJECT=Planar\n")
        .expect("written");
    let inside = julia.answers("ENV[\"JULIA_PROJECT\"]");
    let bot = seen("bot", &julia.settings()).await;
    assert_eq!(fact(&bot, "JULIA_PROJECT").map(|value| format!("\"{value}\"")), Some(inside), "the same value");
    assert_eq!(fact(&bot, "JULIA_CONDAPKG_ENV"), Some("@x"));
    let unexpected = |name| value(&bot, "process_env_unexpected", &[("groupname", "planar"), ("name", name)]);
    let names = ["JULIA_NOPRECOMP", "JULIA_CONDAPKG_ENV", "JULIA_DEBUG", "JULIA_PROJECT"];
    assert_eq!(names.map(unexpected), [1.0, 1.0, 0.0, 0.0]);
    assert!(
        fact(&bot, "unexpected").is_some_and(|told| told.contains("JULIA_NOPRECOMP should be empty, is 1")),
        "{:?}",
        bot.facts
    );
    assert_eq!(fact(&bot, "differs"), Some("JULIA_NUM_THREADS file 8, process 4"));
    assert_eq!(value(&bot, "process_env_value", &[("name", "JULIA_NUM_THREADS")]), 4.0);
    assert_eq!(value(&bot, "process_env_set", &[("groupname", "planar"), ("name", "DISPLAY")]), 0.0, "a headless host");
    let right = seen("project", &julia.settings()).await;
    assert_eq!(value(&right, "namedprocess_namegroup_num_procs", &[("groupname", "planar-project")]), 1.0);
    let mut with = Julia::start(&[("DISPLAY", ":99")]);
    // It answers: from now on its variables are there to be read.
    assert_eq!(with.answers("ENV[\"DISPLAY\"]"), "\":99\"");
    let bot = seen("bot", &with.settings()).await;
    assert_eq!(value(&bot, "process_env_set", &[("groupname", "planar"), ("name", "DISPLAY")]), 1.0);
}

#[tokio::test]
async fn what_a_bot_saves_is_seen_as_bytes_a_second_while_it_does() {
    let mut julia = Julia::start(&[]);
    julia.answers("ENV[\"HOME\"]");
    let mut bot = shipped("bot", &julia.settings());
    let rate = |seen: &Observation| find(seen, "process_group_write_bytes_per_second", &[("groupname", "planar")]);
    assert_eq!(rate(&observe(&mut *bot).await.expect("there")), None, "one look is no rate");
    let before = julia.written();
    assert_eq!(julia.answers("save"), "saved");
    if julia.written() == before {
        return skip("disk", "the kernel counts no writes where this is built");
    }
    let saving = rate(&observe(&mut *bot).await.expect("there"));
    assert!(saving.is_some_and(|rate| rate > 0.0), "{saving:?}");
    assert_eq!(rate(&observe(&mut *bot).await.expect("there")), Some(0.0), "nothing since");
}

#[test]
fn a_store_on_a_file_system_of_the_network_is_told() {
    let lmdb = Command::new("/usr/bin/python3").args(["-c", "import lmdb"]).output();
    if !lmdb.is_ok_and(|lmdb| lmdb.status.success()) {
        return skip("lmdb", "not installed: apt-get install python3-lmdb");
    }
    played("a FUSE mount of the network", "planar::looks_at_a_store_of_the_network");
}

#[tokio::test]
#[ignore = "a role: played in a mount namespace of its own"]
async fn looks_at_a_store_of_the_network() {
    let dir = std::env::var("PROBE_WORD").expect("told");
    let [near, far] = ["near", "far"].map(|name| format!("{dir}/{name}"));
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    sh(Path::new(&dir), &format!("mkdir far; /usr/bin/python3 {}/peers/lmdb_lab.py create near", here.display()));
    let mut files = Command::new("/usr/bin/python3");
    files.arg(here.join("samplers/network_files.py")).args([&near, &far]);
    let mut files = Running::start(&mut files, Stdio::piped(), Stdio::piped());
    let said = BufReader::new(files.0.stdout.take().expect("a pipe")).lines().next();
    if !said.is_some_and(|said| said.is_ok_and(|said| said == "MOUNTED")) {
        return println!("CANNOT MOUNT here");
    }
    for (store, is, kind) in [(near, 0.0, ""), (far, 1.0, "fuse.sshfs")] {
        let seen = seen("store", &format!("lmdb = \"{store}\"")).await;
        assert_eq!(value(&seen, "lmdb_network_file_system", &[("path", &store)]), is, "{store}");
        assert_eq!(value(&seen, "lmdb_map_size_bytes", &[("path", &store)]), 1_048_576.0, "it is read all the same");
        assert!(seen.facts.iter().any(|(_, told)| told.as_str().contains(kind)), "{:?}", seen.facts);
    }
    println!("ALL SEEN");
}

#[test]
fn of_an_exchange_behind_tls_every_phase_is_told() {
    let Some(made) = Certificates::make() else { return };
    let server = made.serve("local", None);
    let mut child = Command::new(std::env::current_exe().expect("ourselves"));
    // Which authorities this system trusts is read once a process.
    child.args(role("planar::asks_an_exchange")).env("SSL_CERT_FILE", made.path("local.pem"));
    let port = server.at.rsplit(':').next().expect("a port");
    let output = child.env("PROBE_WORD", format!("https://localhost:{port}/api/v3/ping")).output().expect("runs");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success() && said.contains("ALL SEEN"), "{said}");
}

#[tokio::test]
#[ignore = "a role: played where the exchange's certificate is trusted"]
async fn asks_an_exchange() {
    let url = std::env::var("PROBE_WORD").expect("told");
    let seen = seen("exchange", &format!("exchange_url = \"{url}\"")).await;
    let phases = ["resolve", "connect", "tls", "processing", "transfer"]
        .map(|phase| value(&seen, "probe_http_duration_seconds", &[("phase", phase)]));
    assert!(phases.iter().all(|phase| *phase >= 0.0) && phases[2] > 0.0, "{phases:?}");
    let whole = value(&seen, "probe_duration_seconds", &[]);
    assert!((phases.iter().sum::<f64>() - whole).abs() < 1e-9, "{phases:?} of {whole}");
    assert_eq!(value(&seen, "probe_http_status_code", &[]), 200.0);
    println!("ALL SEEN");
}
