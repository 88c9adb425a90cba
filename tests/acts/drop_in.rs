//! Drop-ins of a real systemd: what it makes of them, what it says of them, and what a process gets of them.

use crate::scene::told;
use crate::service::{Lab, lab};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use watchkeeper::action::lifecycle::Outcome;
use watchkeeper::action::plan::{Danger, Plan};
use watchkeeper::base::{Clean, Fault};

struct Units {
    lab: Lab,
    folder: PathBuf,
}

fn units() -> Option<Units> {
    let lab = lab()?;
    let folder = PathBuf::from(lab.peer.env("SYSTEMD_UNIT_DIR"));
    lab.unit("app.service", "LimitNOFILE=1024\nEnvironment=MODE=plain\nExecStart=/bin/sleep 1000");
    lab.systemctl(&["start", "app.service"]);
    Some(Units { lab, folder })
}

impl Units {
    fn table(&self, rest: &str) -> String {
        let folder = format!("folder = \"{}\"\n", self.folder.display());
        let folder = if rest.contains("of = ") { "" } else { &folder };
        format!("{}{folder}{rest}\n", self.lab.table("app.service"))
    }

    fn plan(&self, rest: &str) -> Result<Plan, Fault> {
        self.lab.scene.plan("service_drop_in", &self.table(rest))
    }

    fn refused(&self, rest: &str) -> String {
        match self.plan(rest) {
            Err(fault) => fault.to_string(),
            Ok(plan) => panic!("{rest}: {plan:?}"),
        }
    }

    fn act(&self, rest: &str) {
        let (end, progress) = self.lab.scene.act(self.plan(rest).unwrap_or_else(|fault| panic!("{fault}")));
        assert_eq!((end.outcome, end.executed), (Outcome::Succeeded, true), "{end:?} {:?}", told(&progress));
    }

    fn file(&self) -> PathBuf {
        self.folder.join("app.service.d/50-watchkeeper.conf")
    }

    fn says(&self, property: &str) -> String {
        self.lab.says("app.service", property)
    }

    /// The environment and the limits that its main process has, as the kernel tells them.
    fn process(&self) -> String {
        let pid = self.says("MainPID");
        let output = self.lab.peer.exec(&["cat", &format!("/proc/{pid}/environ"), &format!("/proc/{pid}/limits")]);
        String::from_utf8_lossy(&output.stdout).replace('\0', "\n")
    }
}

const MORE: &str = "limits = { LimitNOFILE = 4096, CPUQuota = \"150%\", MemoryMax = \"64M\" }\nenvironment = { DEBUG = \"say \\\"100%\\\" \\\\ now\" }";

#[test]
fn a_drop_in_sets_what_it_declares_and_is_taken_back_to_what_was() {
    let Some(units) = units() else { return };
    let before = units.says("InvocationID");
    let plan = units.plan(MORE).unwrap();
    assert_eq!(plan.danger, Danger::C2, "{:?}", plan.raised);
    let shown: Vec<&str> = plan.what.lines.iter().map(Clean::as_str).collect();
    let fragment = units.folder.join("app.service");
    assert!(shown.contains(&format!("LimitNOFILE   1024 ({}) → 4096", fragment.display()).as_str()), "{shown:?}");
    assert!(shown.contains(&"MemoryMax   infinity (no file says it) → 67108864"), "{shown:?}");
    assert!(
        shown.contains(&"  CPUQuota=150%") && shown.iter().any(|line| line.ends_with(" daemon-reload")),
        "{shown:?}"
    );
    let hits: Vec<&str> = plan.hits.iter().map(Clean::as_str).collect();
    let later = "LimitNOFILE, Environment DEBUG: from the next restart of app.service on";
    assert!(hits.contains(&later), "{hits:?}");
    let (end, progress) = units.lab.scene.act(plan);
    assert_eq!(end.outcome, Outcome::Succeeded, "{end:?} {:?}", told(&progress));
    assert_eq!((units.says("LimitNOFILE"), units.says("MemoryMax")), ("4096".into(), "67108864".into()));
    assert_eq!(units.says("CPUQuotaPerSecUSec"), "1.500000s");
    assert_eq!(units.says("DropInPaths"), units.file().display().to_string());
    assert_eq!(units.says("InvocationID"), before, "nothing was restarted");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode(&units.file()), mode(units.file().parent().unwrap())), (0o644, 0o755));
    assert!(units.refused(MORE).contains("nothing would change"));
    let away = units.folder.join("away");
    fs::rename(units.file(), &away).unwrap();
    assert!(units.refused("of = \"the-action\"").contains("there is nothing to take back"));
    fs::rename(&away, units.file()).unwrap();
    units.act("of = \"the-action\"");
    assert!(!units.file().exists());
    assert_eq!((units.says("LimitNOFILE"), units.says("Environment")), ("1024".into(), "MODE=plain".into()));
    assert!(units.refused("of = \"another\"").contains("`another` was not done here"));
}

#[test]
fn with_a_restart_the_process_has_it_and_an_earlier_drop_in_comes_back() {
    let Some(units) = units() else { return };
    units.act("environment = { MODE = \"loud\" }\nlimits = { LimitNOFILE = 2048 }");
    let earlier = fs::read_to_string(units.file()).unwrap();
    let before = units.says("InvocationID");
    let other = "environment = { DEBUG = \"say \\\"100%\\\" \\\\ now\" }\nrestart = true";
    units.act(other);
    assert_ne!(units.says("InvocationID"), before);
    let process = units.process();
    assert!(process.contains("\nDEBUG=say \"100%\" \\ now\n") && process.contains("\nMODE=loud\n"), "{process}");
    let files = process.lines().find(|line| line.starts_with("Max open files")).unwrap_or_default().to_owned();
    assert!(files.split_whitespace().any(|word| word == "2048"), "what else the file sets stays: {files}");
    units.act("of = \"the-action\"\nrestart = true");
    assert_eq!(fs::read_to_string(units.file()).unwrap(), earlier);
    assert!(!units.process().contains("DEBUG="), "{}", units.process());
}

#[test]
fn what_could_do_more_or_nothing_is_refused_before_any_prompt() {
    let Some(units) = units() else { return };
    for (rest, why) in [
        ("", "needs `limits` or `environment`"),
        ("environment = { A = \"1\\nUser=root\" }", "is not one line of plain text"),
        ("environment = { DB_PASSWORD = \"hunter22\" }", "looks like a secret"),
        ("limits = { User = \"root\" }", "no limit that a drop-in may set"),
        ("limits = { LimitNOFILE = \"many\" }", "is not a number"),
        ("limits = { LimitNOFILE = 1024 }", "nothing would change"),
        ("limits = { LimitNOFILE = 1 }\nname = \"../x.conf\"", "a drop-in is named like"),
        ("limits = { LimitNOFILE = 1 }\nruntime = true", "exclude each other"),
        ("limit = { LimitNOFILE = 1 }", "limits"),
    ] {
        let said = units.refused(rest);
        assert!(said.contains(why) && !said.contains("hunter22"), "{rest}: {said}");
    }
    let open = "Environment=DB=postgres://u:hunter22@db/x\nExecStart=/bin/sleep 1000";
    units.lab.unit("app.service", &format!("LimitNOFILE=1024\n{open}"));
    let said = units.refused("environment = { DB = \"postgres://db/x\" }");
    assert!(said.contains("looks like a secret as it is now") && !said.contains("hunter22"), "{said}");
    let as_unit = |unit: &str| {
        let table = units.table("limits = { LimitNOFILE = 1 }").replace("app.service", unit);
        units.lab.scene.plan("service_drop_in", &table).unwrap_err().to_string()
    };
    symlink("app.service", units.folder.join("alias.service")).unwrap();
    units.lab.systemctl(&["daemon-reload"]);
    assert!(as_unit("../app.service").contains("is no unit name"));
    assert!(as_unit("missing.service").contains("missing.service is not-found"));
    assert!(as_unit("basic.target").contains("is no service"));
    assert!(as_unit("alias.service").contains("another name of app.service"), "{}", as_unit("alias.service"));
}

#[test]
fn a_place_that_others_may_change_or_have_written_is_left_alone() {
    let Some(units) = units() else { return };
    let (more, folder) = ("limits = { LimitNOFILE = 4096 }", units.folder.join("app.service.d"));
    let elsewhere = units.lab.scene.path("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    symlink(&elsewhere, &folder).unwrap();
    assert!(units.refused(more).contains("is a symbolic link"), "{}", units.refused(more));
    fs::remove_file(&folder).unwrap();
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, PermissionsExt::from_mode(0o777)).unwrap();
    assert!(units.refused(more).contains("others may write to this folder"), "{}", units.refused(more));
    fs::set_permissions(&folder, PermissionsExt::from_mode(0o755)).unwrap();
    fs::write(units.file(), "[Service]\nNice=1\n").unwrap();
    assert!(units.refused(more).contains("was written by somebody else"));
    fs::rename(units.file(), folder.join("90-late.conf")).unwrap();
    fs::write(folder.join("90-late.conf"), "[Service]\nLimitNOFILE=512\n").unwrap();
    units.lab.systemctl(&["daemon-reload"]);
    let late = units.refused(more);
    assert!(
        late.contains("90-late.conf, which systemd reads after this one. Give the drop-in a later `name`"),
        "{late}"
    );
    let plan = units.plan(&format!("{more}\nname = \"99-watchkeeper.conf\"")).unwrap();
    // Somebody else comes first.
    fs::write(folder.join("90-late.conf"), "[Service]\nLimitNOFILE=513\n").unwrap();
    units.lab.systemctl(&["daemon-reload"]);
    let (end, _) = units.lab.scene.act(plan);
    assert_eq!((end.outcome, end.executed), (Outcome::Refused, false), "{end:?}");
    assert!(end.reason.as_str().contains("LimitNOFILE: 512 → 513"), "{end:?}");
    assert!(!Path::new(&folder.join("99-watchkeeper.conf")).exists());
}

#[test]
fn a_file_that_systemd_does_not_read_or_that_another_overrides_is_no_success() {
    let Some(units) = units() else { return };
    let elsewhere = units.lab.scene.path("units");
    fs::create_dir(&elsewhere).unwrap();
    let folder = format!("folder = \"{}\"", elsewhere.display());
    let table = format!("{}{folder}\nlimits = {{ LimitNOFILE = 4096 }}\n", units.lab.table("app.service"));
    let (end, _) = units.lab.scene.carry("service_drop_in", &table);
    assert_eq!((end.outcome, end.executed), (Outcome::Failed, true), "{end:?}");
    assert!(end.reason.as_str().contains("systemd does not read "), "{end:?}");
    // Written between the look and the reload: not seen before, but seen after.
    let plan = units.plan("limits = { LimitNOFILE = 4096 }").unwrap();
    fs::create_dir_all(units.folder.join("app.service.d")).unwrap();
    fs::write(units.folder.join("app.service.d/90-late.conf"), "[Service]\nLimitNOFILE=512\n").unwrap();
    let (end, _) = units.lab.scene.act(plan);
    assert_eq!((end.outcome, end.executed), (Outcome::Failed, true), "{end:?}");
    assert!(
        end.reason.as_str().contains("LimitNOFILE of app.service is 512, not 4096: ")
            && end.reason.as_str().contains("90-late.conf says so"),
        "{end:?}"
    );
}

#[test]
fn a_variable_that_the_process_gets_from_elsewhere_is_no_success() {
    let Some(units) = units() else { return };
    let file = units.lab.scene.path("variables");
    fs::write(&file, "MODE=from the file\n").unwrap();
    units.lab.unit("app.service", &format!("EnvironmentFile={}\nExecStart=/bin/sleep 1000", file.display()));
    let plan = units.plan("environment = { MODE = \"loud\" }\nrestart = true").unwrap();
    let wins = format!("a variable of the same name wins in {}", file.display());
    assert!(plan.hits.iter().any(|hit| hit.as_str().starts_with(&wins)), "{:?}", plan.hits);
    let (end, progress) = units.lab.scene.act(plan);
    assert_eq!((end.outcome, end.executed), (Outcome::Failed, true), "{end:?} {:?}", told(&progress));
    assert!(end.reason.as_str().contains("MODE is from the file in the process of app.service, not loud"), "{end:?}");
}
