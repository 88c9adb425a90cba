//! What panes and a form of the shipped profile of Planar say of a reading.

use super::desk::Desk;
use crossterm::event::KeyCode;
use watchkeeper::app::Effect;
use watchkeeper::base::{Observation, Point};

const SHIPPED: &str = include_str!("../../profiles/planar/profile.toml");

/// Its own table that begins with this line, with the settings that it names.
fn table(begins: &str) -> String {
    let (_, rest) = SHIPPED.split_once(&format!("\n{begins}")).expect("the table");
    let lines = rest.split("\n\n").next().expect("its lines").lines().filter(|line| !line.starts_with("action = "));
    let text = format!("{begins}{}\n", lines.collect::<Vec<_>>().join("\n"));
    [("${threads}", "8"), ("${conda}", "/opt/planar/.CondaPkg"), ("${root}", "/opt/planar")]
        .iter()
        .fold(text, |text, (name, value)| text.replace(name, value))
}

fn desk(table: &str) -> Desk {
    Desk::of(&format!("title = \"T\"\nenvironment = \"test\"\n[samplers.bot]\nkind = \"host\"\n{table}"), (120, 24))
}

/// What is read in one second.
fn say(desk: &mut Desk, points: Vec<Point>) {
    desk.says("bot", Ok(Observation { points, ..Observation::default() }));
    desk.pass(400);
}

/// The pane of this title, after the points of each second.
fn pane(title: &str, seconds: impl IntoIterator<Item = Vec<Point>>) -> String {
    let mut desk = desk(&format!("[[panes]]\n{}", table(&format!("title = \"{title}\""))));
    for points in seconds {
        say(&mut desk, points);
    }
    let screen = desk.screen();
    screen.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ") + "\n").collect()
}

/// A pane, what it reads at once, and what it says then.
#[test]
fn what_is_a_state_stands_in_its_pane_as_a_word() {
    let bot = |name: &str, labels: &[(&str, &str)], value: f64| {
        Point::gauge(name, &[&[("groupname", "planar")], labels].concat(), value)
    };
    let display = |set| {
        let up = bot("process_group_uptime_seconds", &[], 60.0);
        vec![up, bot("process_env_set", &[("name", "DISPLAY")], set)]
    };
    let store = |disabled| {
        vec![
            Point::gauge("lmdb_process_used_ratio", &[], 0.2),
            Point::gauge("planar_data_store_disabled", &[], disabled),
        ]
    };
    let package = |name, found| Point::gauge("planar_package_installed", &[("command", name)], found);
    let thread = |tid, busy| Point::gauge("process_thread_cpu_busy_ratio", &[("tid", tid)], busy);
    let threads = |given: Option<f64>| {
        let given = given.map(|given| bot("process_env_value", &[("name", "JULIA_NUM_THREADS")], given));
        let busy = [thread("1", 0.97), thread("2", 0.81), thread("3", 0.1)];
        busy.into_iter().chain([bot("process_group_cpu_busy_ratio", &[], 1.88)]).chain(given).collect::<Vec<_>>()
    };
    for (id, title, points, says) in [
        ("PL-6.4", "Uptime of the bot", display(0.0), &["DISPLAY no display"][..]),
        ("PL-6.4", "Uptime of the bot", display(1.0), &["DISPLAY set"]),
        ("PL-5.5", "LMDB of the bot (default)", store(0.0), &["data_store lmdb"]),
        ("PL-5.5", "LMDB of the bot (default)", store(1.0), &["data_store disabled"]),
        (
            "PL-6.3",
            "Plot libraries",
            vec![package("libgl1", 0.0), package("libxss1", 1.0), package("libasound2", 2.0)],
            &["libgl1 missing", "libxss1 installed", "libasound2 installed"],
        ),
        ("PL-11.1", "Bot CPU (default)", threads(Some(4.0)), &["busy 2 / 4", "given by JULIA_NUM_THREADS", "47 %"]),
        ("PL-11.1", "Bot CPU (default)", threads(None), &["busy 2 / 8", "given by the setting", "24 %"]),
        ("PL-4.12", "API calls a minute", vec![bot("namedprocess_namegroup_num_procs", &[], 1.0)], &["not logged"]),
    ] {
        let said = pane(title, [points]);
        let lacks: Vec<&&str> = says.iter().filter(|says| !said.contains(**says)).collect();
        assert!(lacks.is_empty(), "{id}: {title} does not say {lacks:?}:\n{said}");
    }
}

#[test]
fn a_map_that_this_login_may_not_see_is_unknown_with_the_reason_and_the_strip_counts_it() {
    let pane = format!("[[panes]]\n{}", table("title = \"LMDB of the bot (default)\""));
    let strip = |desk: &Desk| desk.screen().lines().nth(1).unwrap_or_default().to_owned();
    let mut seeing = desk(&pane);
    say(&mut seeing, vec![Point::gauge("lmdb_process_used_ratio", &[], 0.2)]);
    assert!(strip(&seeing).contains("every value with a band is OK"), "{}", seeing.screen());
    let why = "the maps of pid 7 (julia) may not be read by this login: be the same user, or root";
    let names = ["lmdb_process_used_ratio", "lmdb_process_map_size_bytes", "lmdb_map_size_mismatch_bytes"];
    let mut seen = Observation::default();
    seen.refuse(&names, &why.into());
    let mut desk = desk(&pane);
    desk.says("bot", Ok(seen));
    desk.pass(400);
    let screen = desk.screen();
    assert!(strip(&desk).contains("1 of 1 values with a band are UNKNOWN"), "{screen}");
    assert!(screen.contains("? UNKNOWN") && screen.contains("the maps of pid 7 (julia) may not"), "{screen}");
    assert!(!screen.contains("not supported"), "{screen}");
}

#[test]
fn calls_and_refusals_of_the_exchange_are_counted_by_the_minute() {
    let line = |pattern, count| Point::counter("log_pattern_matches_total", &[("pattern", pattern)], count);
    // Two calls a second, of which one is refused.
    let seconds = |from: u32, to: u32| {
        (from..to).map(move |at| {
            let calls = f64::from(2 * at);
            vec![line("api_call", calls), line("exchange_limit", calls / 2.0), line("exchange_ban", 0.0)]
        })
    };
    let said = pane("API calls a minute", seconds(1, 200));
    for says in ["API calls a minute 120", "limited a minute 60", "bans 0"] {
        assert!(said.contains(says), "{says}:\n{said}");
    }
    let after =
        (0..90).map(|_| vec![line("api_call", 398.0), line("exchange_limit", 199.0), line("exchange_ban", 1.0)]);
    let said = pane("API calls a minute", seconds(1, 200).chain(after));
    for says in ["API calls a minute 0", "limited a minute 0", "bans 1"] {
        assert!(said.contains(says), "of another minute, {says}:\n{said}");
    }
}

#[test]
fn every_conda_environment_that_is_seen_is_on_the_list_of_what_sets_one_aside() {
    let there = ["/opt/planar/.CondaPkg", "/opt/planar/Python/.CondaPkg", "/opt/planar/user/strategies/a b/.CondaPkg"];
    let mut desk = desk(&table("[actions.set-conda-aside]"));
    let size = |path: &&str| Point::gauge("command_value", &[("command", "conda-folders"), ("key", path)], 4096.0);
    say(&mut desk, there.iter().map(size).collect());
    desk.arm();
    desk.press(KeyCode::Char('a'));
    assert!(matches!(desk.press(KeyCode::Enter)[..], [Effect::SurveyOver]), "asked first");
    let screen = desk.screen();
    assert!(screen.contains("arrows choose from 3 that are seen now"), "{screen}");
    let mut seen = Vec::new();
    for _ in there {
        let screen = desk.screen();
        let shown = there.iter().filter(|path| screen.contains(&format!(" {path}_"))).collect::<Vec<_>>();
        assert_eq!(shown.len(), 1, "{screen}");
        seen.push(**shown.first().expect("one"));
        desk.press(KeyCode::Down);
    }
    seen.sort_unstable();
    assert_eq!(seen, there, "each of them, once");
    desk.press(KeyCode::Up);
    let effects = desk.press(KeyCode::Enter);
    let [Effect::Plan(request)] = &effects[..] else { panic!("{effects:?}") };
    let given: Vec<String> = request.given.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert!(given.len() == 1 && there.iter().any(|path| given == [format!("environment={path}")]), "{given:?}");
}
