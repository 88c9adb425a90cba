//! `watchkeeper init`: a commented profile of somebody's own service from five answers, which passes `validate`.

use super::session::reference;
use super::setup;
use super::validate::written;
use crate::base::settings::escaped;
use crate::base::{Clean, Fault};
use crate::config::{Profile, SearchPath, load_profile};
use crate::store::{Limits, Store};
use crate::sys::net::http::Site;
use crate::sys::net::tls::Tls;
use std::fs::{DirBuilder, OpenOptions};
use std::io::{BufRead, IsTerminal, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// `watchkeeper init …`
#[derive(Debug, clap::Args)]
pub struct Ask {
    /// Folder to make: its last part is the profile's name
    folder: PathBuf,
    /// What people call the system; what no option says is asked for on a terminal
    #[arg(long)]
    title: Option<String>,
    /// Unit of systemd that runs it
    #[arg(long)]
    unit: Option<String>,
    /// Page of Prometheus text
    #[arg(long, value_name = "URL")]
    metrics: Option<String>,
    /// Page that answers 2xx while it is well
    #[arg(long, value_name = "URL")]
    health: Option<String>,
    /// Its log; the file name may hold `*`
    #[arg(long, value_name = "PATH")]
    log: Option<String>,
}

/// What was answered; an empty answer is none.
#[derive(Clone, Debug, Default)]
struct Answers {
    title: String,
    unit: Option<String>,
    metrics: Option<String>,
    health: Option<String>,
    log: Option<String>,
}

/// Writes the folder, loads what it wrote, and says what comes next. An existing folder is left as it is.
///
/// # Errors
/// Nothing to watch was named, the folder is there or cannot be made, or what was answered makes no profile.
pub fn run(ask: &Ask, out: &mut dyn Write) -> Result<u8, Fault> {
    let name = ask.folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut terminal = std::io::stdin().is_terminal().then(|| std::io::stdin().lock());
    let input = terminal.as_mut().map(|input| input as &mut dyn BufRead);
    let answers = answers(ask, &name, Questions { input, out })?;
    let shown = Clean::text(path_of(&ask.folder));
    let made = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            Fault::new(format!("`{shown}` is there already, and stays as it is.")).hint("Give another name.")
        }
        _ => Fault::new(format!("`{shown}` cannot be made: {error}.")),
    };
    DirBuilder::new().mode(0o755).create(&ask.folder).map_err(made)?;
    DirBuilder::new().mode(0o755).create(ask.folder.join("procedures")).map_err(made)?;
    write(&ask.folder.join("profile.toml"), &profile(&answers)).map_err(made)?;
    write(&ask.folder.join("rules.yaml"), &rules(&answers)).map_err(made)?;
    write(&ask.folder.join("procedures/down.md"), &procedure(&answers)).map_err(made)?;
    let faults = faults(&ask.folder)?;
    let mut lines = vec![format!("Written: {shown}/profile.toml, rules.yaml, procedures/down.md.")];
    lines.extend(faults.iter().map(Fault::to_string));
    lines.push(format!("Next: watchkeeper validate {shown}; watchkeeper --profile {shown}"));
    written(out, &lines).map(|()| u8::from(!faults.is_empty()))
}

/// Where answers come from that no option gives: nobody sits there without `input`.
struct Questions<'a> {
    input: Option<&'a mut dyn BufRead>,
    out: &'a mut dyn Write,
}

impl Questions<'_> {
    /// What the option says, else what is answered: asked again until it can stand in a profile. No answer is none.
    fn one(
        &mut self,
        given: Option<&String>,
        question: &str,
        check: &dyn Fn(&str) -> Result<(), Fault>,
    ) -> Result<Option<String>, Fault> {
        if let Some(given) = given {
            return check(given).map(|()| Some(given.clone()));
        }
        let Some(input) = &mut self.input else { return Ok(None) };
        let gone = |error: std::io::Error| Fault::new(format!("the terminal is gone: {error}."));
        loop {
            write!(self.out, "{question} ").and_then(|()| self.out.flush()).map_err(gone)?;
            let mut line = String::new();
            if input.read_line(&mut line).map_err(gone)? == 0 || line.trim().is_empty() {
                return Ok(None);
            }
            match check(line.trim()) {
                Ok(()) => return Ok(Some(line.trim().to_owned())),
                Err(fault) => writeln!(self.out, "{fault}").map_err(gone)?,
            }
        }
    }
}

/// What the options say; the rest is asked for where somebody sits at a terminal. Each answer is checked at once.
fn answers(ask: &Ask, name: &str, mut questions: Questions<'_>) -> Result<Answers, Fault> {
    let title = questions.one(ask.title.as_ref(), &format!("What is it called? [{name}]"), &called)?;
    let mut so_far = Answers { title: title.unwrap_or_else(|| name.to_owned()), ..Answers::default() };
    called(&so_far.title)?;
    let asked = [
        ("--unit", &ask.unit, "Which unit of systemd runs it? (Enter: none)"),
        ("--metrics", &ask.metrics, "Where is its page of metrics? (URL, Enter: none)"),
        ("--health", &ask.health, "Which page answers while it is well? (URL, Enter: none)"),
        ("--log", &ask.log, "Where is its log? (path, Enter: none)"),
    ];
    for (option, given, question) in asked {
        let check = |text: &str| so_far.with(option, text).map(drop);
        if let Some(text) = questions.one(given.as_ref(), question, &check)? {
            so_far = so_far.with(option, &text)?;
        }
    }
    if [&so_far.unit, &so_far.metrics, &so_far.health, &so_far.log].into_iter().any(Option::is_some) {
        return Ok(so_far);
    }
    Err(Fault::new("there is nothing to watch.").hint("Give at least one of --unit, --metrics, --health, --log."))
}

impl Answers {
    /// With one more, as long as what is written then has no fault.
    fn with(&self, option: &str, text: &str) -> Result<Self, Fault> {
        if escaped(text) != text {
            let what = format!("`{}` holds the name of a setting: `${{…}}` cannot stand there.", Clean::text(text));
            return Err(Fault::new(what).hint("Write what it stands for."));
        }
        let mut all = self.clone();
        let place = match option {
            "--unit" => &mut all.unit,
            "--metrics" => &mut all.metrics,
            "--health" => &mut all.health,
            _ => &mut all.log,
        };
        *place = Some(text.to_owned());
        match option {
            "--unit" => {}
            "--log" if Path::new(text).is_absolute() => {}
            "--log" => {
                let what = format!("`{}` is no whole path for {option}.", Clean::text(text));
                return Err(Fault::new(what).hint("It begins with /, for example /var/log/app/*.log."));
            }
            _ => address(option, text)?,
        }
        let known = setup::known_kinds();
        let read = Profile::parse("init", "profile.toml", &profile(&all), &known)?;
        let built = setup::setup(&read, "this host".into(), &mut Store::new(Limits::default()));
        // Nobody has seen the file that its place is in.
        built.faults.into_iter().next().map_or(Ok(all), |fault| Err(Fault { at: None, ..fault }))
    }
}

/// Whether people can call it so.
fn called(title: &str) -> Result<(), Fault> {
    if title.trim().is_empty() || title.contains(char::is_control) {
        return Err(Fault::new("a title is one line that says something.").hint("For example --title Orders."));
    }
    Ok(())
}

/// Before anything is written: an address that no sampler could ask.
fn address(option: &str, url: &str) -> Result<(), Fault> {
    match reqwest::Url::parse(url) {
        Ok(parsed) if matches!(parsed.scheme(), "http" | "https") && parsed.has_host() => Ok(()),
        _ => Err(Fault::new(format!("`{}` is no address for {option}.", Clean::text(url)))
            .hint("It begins with http:// or https://, for example http://127.0.0.1:8080/health.")),
    }
}

/// The folder as a profile is named by its path: a bare word would be looked for among the profiles.
fn path_of(folder: &Path) -> String {
    let path = folder.to_string_lossy();
    if path.contains('/') { path.into_owned() } else { format!("./{path}") }
}

/// What the console would say of it.
fn faults(folder: &Path) -> Result<Vec<Fault>, Fault> {
    let search = SearchPath::detect(&|name| std::env::var(name).ok());
    let profile = load_profile(&reference(&path_of(folder)), &search, &setup::known_kinds())?;
    Ok(setup::setup(&profile, "this host".into(), &mut Store::new(Limits::default())).faults)
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    OpenOptions::new().write(true).create_new(true).mode(0o644).open(path)?.write_all(text.as_bytes())
}

/// A text as TOML and YAML both have it.
fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

fn profile(of: &Answers) -> String {
    let mut page = format!(
        "# {title}, as `watchkeeper init` began it. `watchkeeper validate` says what is wrong with it, `watchkeeper describe\n\
         # sampler|action KIND` tells every key, `describe panes` and `describe patterns` what else there is.\n\n\
         title = {quoted}\n\
         environment = \"production\"                     # a badge on every screen\n",
        title = Clean::text(&of.title),
        quoted = quoted(&escaped(&of.title))
    );
    let rows = [("unit", &of.unit), ("metrics", &of.metrics), ("health", &of.health), ("log", &of.log)];
    page += "\n[settings]                                      # what differs between sites: a profile that extends this one sets it anew\n";
    for (name, value) in rows.iter().filter_map(|(name, value)| Some((name, value.as_ref()?))) {
        page += &[name, " = ", &quoted(value), "\n"].concat();
    }
    page += "\n[samplers.host]\nkind = \"host\"\n";
    for (_, _, sampler, _, _) in PARTS.iter().filter(|part| given(of, part.0)) {
        page += sampler;
    }
    page += "\n# ---- the screen: what decides comes first -------------------------------------------------------------------\n";
    for (_, _, _, pane, _) in PARTS.iter().filter(|part| given(of, part.0)) {
        page += pane;
    }
    page += HOST;
    page += "\n# ---- what can be done, each behind a prompt -----------------------------------------------------------------\n";
    for (_, _, _, _, action) in PARTS.iter().filter(|part| given(of, part.0)) {
        page += action;
    }
    if of.unit.is_none() {
        page += BY_COMMANDS;
    }
    if let (Some(_), Some(health)) = (&of.unit, &of.health) {
        page += &proof(health);
    }
    page + PEOPLE
}

/// What proves a restart: the same page, where it can be asked without looking a name up.
fn proof(health: &str) -> String {
    if Site::parse(health, Tls::default()).is_ok_and(|site| !site.is_named()) {
        return "health = { url = \"${health}\", within = \"30s\" }    # proven by its answer\n".to_owned();
    }
    let host = reqwest::Url::parse(health).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
    let name = Clean::text(host);
    format!(
        "# health = {{ url = \"https://127.0.0.1/health\", server_name = \"{name}\", within = \"30s\" }}\n\
         # proves it by its answer: by address, for an action looks no name up; the name is that in its certificate\n"
    )
}

fn given(of: &Answers, key: &str) -> bool {
    match key {
        "unit" => of.unit.is_some(),
        "metrics" => of.metrics.is_some(),
        "health" => of.health.is_some(),
        _ => of.log.is_some(),
    }
}

/// For each answer: its key, what its alert asks, its samplers, its panes, its actions. The unit's come last, since more is added.
const PARTS: [(&str, &str, &str, &str, &str); 4] = [
    (
        "health",
        "min(probe_success{job=\"health\"}) == 0",
        "\n[samplers.health]\nkind = \"http\"\nurl  = \"${health}\"\nevery = \"5s\"\n# json = [{ pointer = \"/status\", fact = \"status\", one_of = [\"healthy\"] }]\n",
        "\n[[panes]]\ntitle = \"Answer\"\nkind  = \"sparkline\"\nquery = 'probe_duration_seconds{job=\"health\"} and probe_success{job=\"health\"} == 1'\nunit  = \"seconds\"\n\
         bands = { warning = 0.5, critical = 2.0 }       # yours to set\n\
         beside = [{ label = \"well\", query = 'probe_success{job=\"health\"}' }]   # the rule NotHealthy tells when not\n",
        "",
    ),
    (
        "metrics",
        "up{job=\"metrics\"} == 0",
        "\n[samplers.metrics]\nkind = \"scrape\"\nurl  = \"${metrics}\"\nevery = \"5s\"\n",
        "\n[[panes]]                                       # a name of your page and its bands: `watchkeeper query 'NAME' --profile …`\n\
         title = \"Metrics page\"\nkind  = \"sparkline\"\nquery = 'up{job=\"metrics\"}'\n",
        "",
    ),
    (
        "log",
        "sum(rate(log_lines_total{level=\"error\"}[1m])) > 1",
        "\n[logs.app]\nkind = \"file\"\npath = \"${log}\"\n# format = \"json\"                               # found out by itself when absent\n\
         \n[[patterns]]                                    # lines with a name: counted, marked, usable in rules\nname  = \"timeout\"\nregex = '(?i)timed? ?out'\n",
        "\n[[panes]]\ntitle = \"Log\"\nkind  = \"log\"\nsource = \"app\"\n",
        "",
    ),
    (
        "unit",
        "systemd_unit_state{state=\"active\"} == 0",
        "\n[samplers.unit]\nkind  = \"systemd\"\nunits = [\"${unit}\"]\n\n[samplers.process]\nkind = \"process\"\nunit = \"${unit}\"\n",
        "\n[[panes]]\ntitle = \"Memory of the service\"\nkind  = \"sparkline\"\n\
         query = 'sum(namedprocess_namegroup_memory_bytes{memtype=\"resident\"})'\nunit  = \"bytes\"\n",
        "\n[actions.restart]\nkind    = \"service_restart\"\ntitle   = \"Restart the service\"\nverb    = \"restart\"                           # what is typed to run it\n\
         danger  = \"C2\"\nsupport = \"L1\"\nservice = { kind = \"systemd\", unit = \"${unit}\" }\n",
    ),
];

const HOST: &str = "\n[[panes]]\ntitle = \"Host\"\nkind  = \"host\"\nmemory = { warning = 0.85, critical = 0.95 }\ndisk   = { warning = 0.9, critical = 0.95 }\n";

/// Without a unit: what to fill in. `describe action KIND` has every other kind.
const BY_COMMANDS: &str = "\n# [actions.restart]                             # with programs of your own; absolute paths, no shell\n\
# kind    = \"service_restart\"\n# title   = \"Restart the service\"\n# verb    = \"restart\"                            # what is typed to run it\n\
# danger  = \"C2\"\n# support = \"L1\"\n# service = { kind = \"commands\", unit = \"app\", status = [\"/opt/app/ctl\", \"status\"], restart = [\"/opt/app/ctl\", \"restart\"] }\n";

const PEOPLE: &str = "\n# ---- who is called ------------------------------------------------------------------------------------------\n\
\n# [[contacts]]\n# name  = \"Ada Example\"\n# role  = \"Technical lead\"\n# level = \"L2\"\n# phone = \"+1-555-0124\"\n";

fn rules(of: &Answers) -> String {
    let mut page = String::from(
        "# Prometheus' own format: `watchkeeper validate rules` and `promtool check rules` both read it.\ngroups:\n  - name: service\n    interval: 5s\n    rules:\n",
    );
    for (key, expr, ..) in PARTS.iter().filter(|part| given(of, part.0)) {
        let (alert, summary) = match *key {
            "health" => ("NotHealthy", "its health page does not answer as it should"),
            "metrics" => ("MetricsGone", "its page of metrics does not answer"),
            "log" => ("ErrorsInLog", "{{ $value }} errors a second in its log"),
            _ => ("UnitDown", "its unit is not active"),
        };
        page += &[
            "      - alert: ",
            alert,
            "\n        expr: ",
            expr,
            "\n        for: 10s\n        labels:\n          severity: critical\n        annotations:\n          summary: ",
            &quoted(summary),
            "\n",
        ]
        .concat();
    }
    page
}

fn procedure(of: &Answers) -> String {
    let alert = |key: &str| given(of, key);
    let names = [("health", "NotHealthy"), ("metrics", "MetricsGone"), ("log", "ErrorsInLog"), ("unit", "UnitDown")];
    let alerts: Vec<String> = names.iter().filter(|(key, _)| alert(key)).map(|(_, name)| quoted(name)).collect();
    let mut page = format!(
        "+++\ntitle = {title}\nsymptoms = [\"service down\", \"no answer\"]\nalerts = [{alerts}]\ntime_box = \"10m\"\nseverity = \"critical\"\n+++\n# Down\n\n\
         What is known of it, for somebody who was asleep a minute ago.\n\n- [ ] What changed: a deploy, a configuration, the host … nothing\n",
        title = quoted(&escaped(&format!("{} is down", of.title))),
        alerts = alerts.join(", ")
    );
    if of.unit.is_some() {
        page +=
            "\n## Restart it\n\n```action\nrun = \"restart\"\nfailed = \"It does not stay up.\"\ngo = \"call\"\n```\n";
    }
    let back = [
        ("health", "min(probe_success{job=\"health\"})"),
        ("metrics", "min(up{job=\"metrics\"})"),
        ("unit", "min(systemd_unit_state{state=\"active\"})"),
    ];
    if let Some((_, query)) = back.iter().find(|(key, _)| alert(key)) {
        page += &[
            "\n## It is back\n\n```wait\nquery = '",
            query,
            "'\nlabel = \"up\"\nexpect = \"== 1\"\nhold = \"10s\"\nat_most = \"2m\"\nfailed = \"It does not come back.\"\ngo = \"call\"\n```\n",
        ]
        .concat();
    }
    page + "\n## Call {#call}\n\n```escalate\nto = \"L2\"\nsay = \"What was seen, what was done, and since when.\"\n```\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::roles::handbook;

    fn ask(folder: PathBuf, bits: u8) -> Ask {
        let one = |bit: u8, text: &str| (bits & bit > 0).then(|| text.to_owned());
        Ask {
            folder,
            title: Some("Shop \"Nord\"".to_owned()),
            unit: one(1, "shop.service"),
            metrics: one(2, "http://127.0.0.1:8080/metrics"),
            health: one(4, "http://127.0.0.1:8080/health"),
            log: one(8, "/var/log/shop/*.log"),
        }
    }

    #[test]
    fn whatever_is_answered_the_profile_has_no_fault_and_its_procedure_no_lint() {
        let dir = tempfile::tempdir().unwrap();
        for bits in 1..16_u8 {
            let folder = dir.path().join(format!("shop{bits}"));
            let mut said = Vec::new();
            let status = run(&ask(folder.clone(), bits), &mut said).unwrap();
            let said = String::from_utf8(said).unwrap();
            assert_eq!(status, 0, "{bits}: {said}");
            let path = folder.to_string_lossy().into_owned();
            let profile = load_profile(&reference(&path), &SearchPath::default(), &setup::known_kinds()).unwrap();
            assert_eq!(profile.title.as_str(), "Shop \"Nord\"");
            let lints: Vec<String> = handbook::documents(&profile)
                .iter()
                .flat_map(|document| handbook::lints(document, &profile))
                .map(|found| found.to_string())
                .collect();
            assert!(lints.is_empty(), "{bits}: {lints:?}");
            let book = setup::setup(&profile, "here".into(), &mut Store::new(Limits::default())).book;
            let alerts = book
                .rules()
                .filter(|(_, rule, _)| {
                    rule.place.as_ref().is_some_and(|place| place.file.as_str().ends_with("rules.yaml"))
                })
                .count();
            assert_eq!(alerts, bits.count_ones() as usize, "one for each answer");
        }
    }

    #[test]
    fn an_address_that_is_none_is_refused_before_anything_is_written() {
        let dir = tempfile::tempdir().unwrap();
        for wrong in ["localhost:8080/health", "127.0.0.1:8080", "/health", "ftp://a/b", "http://"] {
            let folder = dir.path().join("new");
            let ask = Ask { health: Some(wrong.to_owned()), ..ask(folder.clone(), 4) };
            let fault = run(&ask, &mut Vec::new()).unwrap_err().to_string();
            assert!(fault.contains("is no address for --health") && !folder.exists(), "{fault}");
        }
    }

    fn answered(typed: &str) -> (Result<Answers, Fault>, String) {
        let none = Ask { folder: "x".into(), title: None, unit: None, metrics: None, health: None, log: None };
        let (mut input, mut out) = (typed.as_bytes(), Vec::new());
        let got = answers(&none, "x", Questions { input: Some(&mut input), out: &mut out });
        (got, String::from_utf8(out).unwrap())
    }

    #[test]
    fn an_answer_that_cannot_stand_there_is_asked_for_again_at_once_and_the_others_are_kept() {
        let typed = "Shop\nbad name\nweb\nweb.service\nlocalhost:80/m\n\nhttp://127.0.0.1/h\nrelative.log\n/var/log/${x}\n/l/*.log\n";
        let (got, out) = answered(typed);
        let got = got.unwrap();
        assert_eq!(
            [Some("Shop"), got.unit.as_deref(), got.metrics.as_deref(), got.health.as_deref(), got.log.as_deref()],
            [Some(got.title.as_str()), Some("web.service"), None, Some("http://127.0.0.1/h"), Some("/l/*.log")]
        );
        for said in [
            "`bad name` is no name of a unit.",
            "`web` has no suffix. Write `web.service`.",
            "`localhost:80/m` is no address for --metrics.",
            "`relative.log` is no whole path for --log.",
            "holds the name of a setting",
        ] {
            assert_eq!(out.matches(said).count(), 1, "{said}: {out}");
        }
        assert!(answered("Shop\nbad name\n").0.is_err(), "an end of the input is no answer");
    }

    #[test]
    fn a_page_that_has_only_a_name_proves_no_restart_and_how_it_could_is_said() {
        let dir = tempfile::tempdir().unwrap();
        for (health, line) in [
            (
                "https://nobody.example.test/health",
                "# health = { url = \"https://127.0.0.1/health\", server_name = \"nobody.example.test\"",
            ),
            ("http://localhost:8080/health", "\nhealth = { url = \"${health}\""),
            ("http://[::1]:8080/health", "\nhealth = { url = \"${health}\""),
        ] {
            let folder = dir.path().join(health.replace('/', "_"));
            let ask = Ask { health: Some(health.to_owned()), ..ask(folder.clone(), 1) };
            assert_eq!(run(&ask, &mut Vec::new()).unwrap(), 0, "{health}");
            let text = std::fs::read_to_string(folder.join("profile.toml")).unwrap();
            assert!(text.contains(line), "{health}: {text}");
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(48))]
        #[test]
        fn whatever_is_answered_what_is_written_has_no_fault_or_the_answer_is_refused_with_a_sentence(
            title in "[ -~é\n]{0,12}|A \\$\\{[a-z]{1,3}\\}|\\$\\$\\{unit\\}",
            unit in proptest::option::of("[a-z@. ]{0,8}(\\.service|\\.timer|)|\\$\\{unit\\}"),
            metrics in proptest::option::of("https?://[a-z0-9.:\\[\\]@]{0,10}(/[ -~]{0,6})?|[ -~]{0,8}"),
            health in proptest::option::of("https?://(localhost|127\\.0\\.0\\.1|a\\.example)(:[0-9]{1,6})?(/[ -~]{0,6})?"),
            log in proptest::option::of("/[ -~]{0,10}|[a-z]{1,5}\\.log"),
        ) {
            let dir = tempfile::tempdir().unwrap();
            let folder = dir.path().join("it");
            let ask = Ask { folder: folder.clone(), title: Some(title), unit, metrics, health, log };
            match run(&ask, &mut Vec::new()) {
                Ok(status) => {
                    let mut said = Vec::new();
                    let name = folder.to_string_lossy().into_owned();
                    let validated = crate::roles::validate::validate(&name, &mut said).unwrap();
                    proptest::prop_assert_eq!((status, validated), (0, 0), "{}", String::from_utf8_lossy(&said));
                    let read = load_profile(&reference(&name), &SearchPath::default(), &setup::known_kinds()).unwrap();
                    proptest::prop_assert_eq!(read.title, Clean::text(ask.title.unwrap()));
                }
                Err(fault) => {
                    proptest::prop_assert!(!folder.exists(), "{}", fault);
                    proptest::prop_assert!(fault.what.as_str().ends_with('.') && fault.what.as_str().len() > 10, "{}", fault);
                }
            }
        }
    }

    #[test]
    fn nothing_to_watch_and_a_folder_that_is_there_are_sentences_and_nothing_is_written_over() {
        let dir = tempfile::tempdir().unwrap();
        let fault = run(&ask(dir.path().join("new"), 0), &mut Vec::new()).unwrap_err().to_string();
        assert!(fault.contains("nothing to watch") && !dir.path().join("new").exists(), "{fault}");
        std::fs::write(dir.path().join("kept"), "mine").unwrap();
        let fault = run(&ask(dir.path().join("kept"), 15), &mut Vec::new()).unwrap_err().to_string();
        assert!(fault.contains("is there already"), "{fault}");
        assert_eq!(std::fs::read_to_string(dir.path().join("kept")).unwrap(), "mine");
    }
}
