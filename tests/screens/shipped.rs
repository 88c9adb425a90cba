//! The shipped profiles on a screen: the dashboard with its legends, groups of log lines, alerts with their clocks, pages
//! and people, and pages that know the platform of their host.

use super::desk::Desk;
use crossterm::event::KeyCode;
use ratatui::style::Color;
use std::sync::Arc;
use watchkeeper::action::plan::Danger;
use watchkeeper::app::survey::Offer;
use watchkeeper::app::{Effect, Msg};
use watchkeeper::base::{Clean, Observation, Point, Support, Ulid};
use watchkeeper::config::{Depth, Profile, ProfileRef, SearchPath, load_profile};
use watchkeeper::procedure::walk::{Standing, State};
use watchkeeper::roles::logs::SAMPLER as LOGS;
use watchkeeper::roles::setup::known_kinds;

fn profile(name: &str) -> Profile {
    let of = ProfileRef::Path(format!("profiles/{name}").into());
    load_profile(&of, &SearchPath::default(), &known_kinds()).expect("loads")
}

fn norse() -> Desk {
    Desk::over(&profile("cerebellar-norse"), (120, 40))
}

/// A second in which samplers see this.
fn second(desk: &mut Desk, seen: &[(&str, Vec<Point>)]) {
    for (sampler, points) in seen {
        let _effects = desk.told(sampler, Ok(Observation { points: points.clone(), ..Observation::default() }));
    }
    desk.pass(1_000);
}

fn tells(desk: &mut Desk, sampler: &str, fact: &'static str, is: &str) {
    let facts = vec![(fact.into(), Clean::text(is))];
    let _effects = desk.told(sampler, Ok(Observation { facts, ..Observation::default() }));
    desk.pass(1_000);
}

/// A card with this share of its 24 GiB in use.
fn card(share: f64) -> Vec<Point> {
    let of = |name: &str, value: f64| Point::gauge(name, &[("gpu", "0")], value);
    vec![of("DCGM_FI_DEV_FB_TOTAL", 24_576.0), of("DCGM_FI_DEV_FB_USED", 24_576.0 * share)]
}

fn latency(nanos: f64) -> Vec<Point> {
    vec![Point::gauge("neural_inference_latency_ns", &[], nanos)]
}

fn line(screen: &str, has: &str) -> String {
    screen.lines().find(|line| line.contains(has)).unwrap_or_else(|| panic!("no {has}:\n{screen}")).to_owned()
}

/// Goes on to the view of this title.
fn view(desk: &mut Desk, title: &str) {
    for _ in 0..10 {
        if desk.screen().contains(&format!("─ {title} ")) {
            return;
        }
        desk.key('V');
    }
    panic!("no view {title}:\n{}", desk.screen());
}

#[test]
fn the_first_view_is_the_dashboard_of_the_guide_with_its_titles_and_legends() {
    let mut desk = norse();
    for _ in 0..65 {
        second(&mut desk, &[("gpu", card(0.5)), ("neural", latency(3_000.0))]);
    }
    let screen = desk.screen();
    assert!(screen.contains("─ System Health 1/6 "), "{screen}");
    let titles = line(&screen, "Processing Latency");
    assert!(titles.contains("3.00 µs") && titles.contains("│ CUDA Memory Usage") && titles.contains("12.0 / 24.0 GiB"));
    let upper = screen.lines().skip_while(|line| !line.contains("Processing Latency")).nth(1).unwrap_or_default();
    assert!(upper.contains("│ 24.0 GiB ────────"), "the total is the upper line: {screen}");
    let legends = line(&screen, "95th percentile 3.00 µs");
    assert!(legends.contains("│ Used Memory 12.0 / 24.0 GiB"), "{screen}");
    let above = screen.lines().take_while(|line| *line != legends).last().unwrap_or_default();
    assert!(above.split('│').all(|pane| pane.contains("████")), "a graph each: {screen}");
}

#[test]
fn each_group_of_log_lines_has_its_rate_and_its_course() {
    let mut desk = norse();
    let mut counts = [0.0; 3];
    for passed in 0_u32..120 {
        let groups = ["cuda_group", "memory_group", "performance_group"];
        counts = [counts[0] + 1.0, counts[1] + 2.0, counts[2] + if passed > 60 { 3.0 } else { 0.0 }];
        let of = |(group, count)| Point::counter("log_pattern_matches_total", &[("pattern", group)], count);
        second(&mut desk, &[(LOGS, groups.into_iter().zip(counts).map(of).collect())]);
    }
    view(&mut desk, "Log lines");
    let screen = desk.screen();
    let titles = line(&screen, "CUDA lines");
    let panes: Vec<&str> = titles.split('│').collect();
    let rate = |at: usize| panes[at].split_whitespace().find_map(|word| word.parse::<f64>().ok());
    assert!(panes[1].contains("Memory lines") && panes[2].contains("Performance lin"), "{screen}");
    // A minute: one a second, two a second.
    assert!(rate(0).is_some_and(|rate| (50.0..=70.0).contains(&rate)), "{screen}");
    assert!(rate(1).is_some_and(|rate| (100.0..=140.0).contains(&rate)), "{screen}");
    let below = screen.lines().skip_while(|line| !line.contains("CUDA lines")).nth(7).expect("a line");
    let charts: Vec<&str> = below.split('│').collect();
    assert!(charts.len() == 3 && charts.iter().all(|chart| chart.contains('█')), "a course each: {screen}");
    assert!(charts[0].matches('█').count() > charts[2].matches('█').count(), "that began later: {screen}");
}

#[test]
fn the_newest_archive_tells_its_age() {
    let mut desk = norse();
    let now = desk.model.now.wall.0 as f64 / 1e9;
    let packed = vec![Point::gauge("file_folder_newest_time_seconds", &[], now - 7_200.0)];
    second(&mut desk, &[("archives", packed)]);
    view(&mut desk, "Log lines");
    assert!(line(&desk.screen(), "Newest archive").contains("2.00 h"), "{}", desk.screen());
}

#[test]
fn a_unit_that_stopped_is_critical_and_red_in_the_next_frame() {
    let mut desk = norse();
    let unit = |active| {
        let labels = [("name", "cerebellar-norse.service"), ("state", "active")];
        Observation { points: vec![Point::gauge("systemd_unit_state", &labels, active)], ..Observation::default() }
    };
    let process = || Point::gauge("namedprocess_namegroup_num_procs", &[("groupname", "cerebellar-norse")], 1.0);
    for sampler in profile("cerebellar-norse").samplers.iter().map(|spec| &*spec.name).chain([LOGS]) {
        let _effects = desk.told(sampler, Ok(Observation::default()));
    }
    for _ in 0..3 {
        second(&mut desk, &[("unit", unit(1.0).points), ("service", vec![process()])]);
    }
    assert!(coloured(&desk, "Service ", "OK").is_some(), "{}", desk.screen());
    assert_eq!(coloured(&desk, "Service ", "CRITICAL"), None, "{}", desk.screen());
    let _effects = desk.told("unit", Ok(unit(0.0)));
    assert_eq!(coloured(&desk, "Service ", "CRITICAL"), Some(Color::Red), "{}", desk.screen());
}

/// The colour of a word behind the title of a pane; `None` where it does not stand there.
fn coloured(desk: &Desk, title: &str, word: &str) -> Option<Color> {
    let cells = desk.coloured(Depth::Ansi16);
    let (width, height) = desk.model.size;
    let rows = (0..height).map(|y| (0..width).filter_map(|x| cells.cell((x, y))).collect::<Vec<_>>());
    rows.into_iter().find_map(|row| {
        let text: Vec<&str> = row.iter().map(|cell| cell.symbol()).collect();
        let pane = (0..text.len()).find(|at| text[*at..].concat().starts_with(title))?;
        let end = (pane..text.len()).find(|at| text[*at] == "│").unwrap_or(text.len());
        let at = (pane..end).find(|at| text[*at..end].concat().starts_with(word))?;
        Some(row[at].fg)
    })
}

#[test]
fn mapped_memory_and_limits_of_the_process_stand_with_their_use() {
    let mut desk = Desk::over(&profile("cerebellar-norse"), (160, 60));
    let group = ("groupname", "cerebellar-norse");
    let memory = |kind, gib: f64| {
        Point::gauge("namedprocess_namegroup_memory_bytes", &[group, ("memtype", kind)], gib * 1_073_741_824.0)
    };
    let limit = |resource, bound, value| {
        Point::gauge("process_limit", &[group, ("bound", bound), ("resource", resource)], value)
    };
    let mapped = [("virtual", 40.0), ("resident", 12.0), ("proportionalResident", 11.0), ("swapped", 2.0)];
    let limits = [("nofile", 1_024.0, 4_096.0), ("nproc", 500.0, 600.0), ("as", 7_000.0, 8_000.0)];
    let mut points: Vec<Point> = mapped.map(|(kind, gib)| memory(kind, gib)).into();
    points.extend(limits.iter().flat_map(|(of, soft, hard)| [limit(of, "soft", *soft), limit(of, "hard", *hard)]));
    points.push(Point::gauge("namedprocess_namegroup_open_filedesc", &[group], 321.0));
    points.push(Point::gauge("namedprocess_namegroup_num_procs", &[group], 3.0));
    second(&mut desk, &[("service", points)]);
    view(&mut desk, "Memory and disks");
    let screen = desk.screen().split_whitespace().collect::<Vec<_>>().join(" ");
    for seen in [
        "virtual 40.0 GiB",
        "resident 12.0 GiB",
        "proportionalResident 11.0 GiB",
        "swapped 2.00 GiB",
        "soft hard",
        "nofile 1,024 4,096",
        "files 321",
        "nproc 500 600",
        "processes 3",
        "as 7,000 8,000",
        "address space 40.0 GiB",
    ] {
        assert!(screen.contains(seen), "{seen}:\n{}", desk.screen());
    }
}

/// Selects the row of the list of alerts that holds this text.
fn select(desk: &mut Desk, text: &str) {
    desk.key('e');
    desk.key('g');
    for _ in 0..30 {
        if desk.screen().lines().any(|line| line.contains('▸') && line.contains(text)) {
            return;
        }
        desk.key('j');
    }
    panic!("no row with {text}:\n{}", desk.screen());
}

/// A sampler, what it sees in trouble, and what else.
type Source = (&'static str, fn() -> Vec<Point>, fn() -> Vec<Point>);

#[test]
fn an_alert_of_the_guide_waits_fires_opens_its_page_and_is_resolved() {
    let latency: Source = ("neural", || latency(14_000.0), || latency(3_000.0));
    let memory: Source = ("gpu", || card(0.95), || card(0.5));
    // Of the latency a minute is looked at, before it is high and before it is good again.
    for (alert, (sampler, bad, good), known, wait, step, says) in [
        ("HighProcessingLatency", latency, 60, 120, "Processing time is above 10 µs", "(gauge)"),
        ("CUDAMemoryHigh", memory, 5, 300, "The card is full", "by the driver"),
    ] {
        let mut desk = norse();
        let state = |desk: &mut Desk| {
            select(desk, alert);
            let row = line(&desk.screen(), &format!("{alert} "));
            desk.press(KeyCode::Esc);
            row
        };
        for _ in 0..known + 10 {
            second(&mut desk, &[(sampler, bad())]);
        }
        assert!(state(&mut desk).contains("pending"), "{}", state(&mut desk));
        for _ in 0..wait - 30 {
            second(&mut desk, &[(sampler, bad())]);
        }
        assert!(state(&mut desk).contains("pending"), "not before its time: {}", state(&mut desk));
        for _ in 0..40 {
            second(&mut desk, &[(sampler, bad())]);
        }
        assert!(state(&mut desk).contains("firing"), "{}", state(&mut desk));
        select(&mut desk, alert);
        desk.enter();
        assert!(desk.screen().contains(says), "the source that it is judged by: {}", desk.screen());
        desk.enter();
        let page = desk.screen();
        assert!(page.contains(" High processing latency") && page.contains("not begun"), "{page}");
        assert!(page.contains(step), "{page}");
        for _ in 0..3 {
            desk.press(KeyCode::Esc);
        }
        for _ in 0..known + 20 {
            second(&mut desk, &[(sampler, good())]);
        }
        desk.key('e');
        let resolved = line(&desk.screen(), alert);
        assert!(!resolved.contains("firing") && !resolved.contains("pending"), "{resolved}");
    }
}

#[test]
fn each_severity_has_its_two_clocks_and_is_red_once_one_is_over() {
    const MINUTE: u64 = 60;
    for (severity, answer, respond, both, left, escalate) in [
        ("critical", "answer in 14:5", 15 * MINUTE, "escalate now", "", 0),
        ("major", "answer in 59:5", 60 * MINUTE, "escalate in 1:59:5", "escalate in 59:5", 120 * MINUTE),
        ("minor", "answer in 3:59:5", 240 * MINUTE, "escalate in 23:59:5", "escalate in 19:59:5", 24 * 60 * MINUTE),
    ] {
        let mut desk = norse();
        let rule = format!(
            "groups: [{{name: r, interval: 1s, rules: [{{alert: Trouble, expr: 'vector(2) > 1', labels: {{severity: {severity}}}}}]}}]"
        );
        desk.judge_by(&rule, &[]);
        for _ in 0..3 {
            desk.pass(1_000);
        }
        let strip = |desk: &Desk| desk.screen().lines().nth(1).unwrap_or_default().to_owned();
        assert!(strip(&desk).contains(answer), "{severity}: {}", strip(&desk));
        assert_eq!(strip(&desk).contains("escalate now"), escalate == 0, "{severity}: {}", strip(&desk));
        assert_eq!(red(&desk, "OVERDUE"), None, "{severity}");
        desk.key('d');
        let detail = desk.screen();
        let beside = |line: &str| line.contains(answer) && line.contains(both);
        assert!(detail.lines().any(beside), "{severity}: {detail}");
        desk.press(KeyCode::Esc);
        desk.pass(respond * 1_000);
        desk.pass(1_000);
        assert_eq!(red(&desk, "OVERDUE"), Some(true), "{severity}: {}", strip(&desk));
        // Taken: the second clock alone goes on.
        desk.key('t');
        desk.type_text("mine");
        desk.enter();
        assert!(!strip(&desk).contains(" OVERDUE"), "{severity}: {}", strip(&desk));
        if escalate == 0 {
            continue;
        }
        assert!(strip(&desk).contains(left), "{severity}: {}", strip(&desk));
        desk.pass((escalate - respond) * 1_000);
        desk.pass(1_000);
        assert_eq!(red(&desk, "ESCALATION OVERDUE"), Some(true), "{severity}: {}", strip(&desk));
    }
}

/// Whether a word of the strip stands on red, where there are colours; `None` where it does not stand there.
fn red(desk: &Desk, word: &str) -> Option<bool> {
    let cells = desk.coloured(Depth::Ansi16);
    let row: Vec<_> = (0..desk.model.size.0).filter_map(|x| cells.cell((x, 1))).collect();
    let text: Vec<&str> = row.iter().map(|cell| cell.symbol()).collect();
    let at = (0..text.len()).find(|at| text[*at..].concat().starts_with(word))?;
    Some(row[at..at + word.len()].iter().all(|cell| cell.bg == Color::Red))
}

#[test]
fn every_action_shows_who_ought_to_do_it() {
    let profile = profile("cerebellar-norse");
    let mut desk = Desk::over(&profile, (120, 100));
    desk.press(KeyCode::Char('a'));
    // Before anything is known of it, and once it is.
    for known in [false, true] {
        for spec in &profile.actions {
            let level: Support = spec.body.clone().take("support").expect("a level").expect("declared");
            if known {
                desk.send(Msg::Surveyed(spec.name.clone(), Offer::Can(Danger::C2, level)));
            }
            let screen = desk.screen();
            let row = line(&screen, &format!(" {} ", spec.title));
            assert!(row.contains(&level.to_string()), "{}: {row}", spec.name);
            assert!(level != Support::L1 || !row.contains("needs"), "open to all: {row}");
        }
    }
}

#[test]
fn whom_an_alert_asks_for_is_there_with_the_number_and_each_is_copied() {
    let mut desk = norse();
    desk.judge_by(
        "groups: [{name: r, interval: 1s, rules: [{alert: Trouble, expr: 'vector(2) > 1', labels: {severity: critical}}]}]",
        &[],
    );
    for _ in 0..3 {
        desk.pass(1_000);
    }
    desk.key('d');
    let detail = desk.screen();
    assert!(
        line(&detail, "next ").contains("DevOps lead") && line(&detail, "next ").contains("+1-555-0125"),
        "{detail}"
    );
    for (name, phone) in [("On-call engineer", "+1-555-0123"), ("Technical lead", "+1-555-0124")] {
        assert!(detail.lines().any(|row| row.contains(name) && row.contains(phone)), "{detail}");
    }
    // Two keys from any screen.
    for screen in ['e', 'a', 'p'] {
        desk.press(KeyCode::Esc);
        desk.press(KeyCode::Esc);
        desk.key(screen);
        desk.press(KeyCode::Esc);
        desk.key('c');
        let contacts = desk.screen();
        assert!(contacts.contains("for Trouble"), "{contacts}");
        for (name, phone) in
            [("DevOps lead", "+1-555-0125"), ("On-call engineer", "+1-555-0123"), ("Technical lead", "+1-555-0124")]
        {
            assert!(contacts.contains(name) && contacts.contains(phone), "{contacts}");
            let effects = desk.press(KeyCode::Char('y'));
            let [Effect::Copy(lines)] = effects.as_slice() else { panic!("{effects:?}") };
            let copied: Vec<&str> = lines.iter().map(Clean::as_str).collect();
            assert!(copied.iter().any(|line| line.contains(phone)), "{name}: {copied:?}");
            desk.key('j');
        }
    }
}

#[test]
fn the_failed_state_is_offered_to_be_cleared_only_once_the_start_limit_is_hit() {
    let mut desk = norse();
    let limit =
        |hit| vec![Point::gauge("systemd_service_start_limit_hit", &[("name", "cerebellar-norse.service")], hit)];
    for _ in 0..5 {
        second(&mut desk, &[("unit", limit(0.0))]);
    }
    assert!(!desk.screen().contains("StartLimitHit"), "{}", desk.screen());
    for _ in 0..5 {
        second(&mut desk, &[("unit", limit(1.0))]);
    }
    select(&mut desk, "StartLimitHit");
    desk.enter();
    let detail = desk.screen();
    assert!(detail.contains("nothing starts it before its failed"), "{detail}");
    desk.enter();
    let page = desk.screen();
    assert!(page.contains(" The service is down") && page.contains("lear the failed state"), "{page}");
}

/// The only page that is found by what is typed, opened.
fn open(desk: &mut Desk, typed: &str, title: &str) {
    desk.key('p');
    desk.type_text(typed);
    desk.enter();
    assert!(desk.screen().contains(&format!(" {title}")), "{}", desk.screen());
}

/// The same, and begun.
fn begin(desk: &mut Desk, typed: &str, title: &str) {
    open(desk, typed, title);
    let effects = desk.press(KeyCode::Enter);
    let asked = effects.into_iter().find_map(|effect| match effect {
        Effect::BeginWalk(document) => Some(document),
        _ => None,
    });
    let document = asked.expect("it is begun");
    desk.send(Msg::WalkBegun(Arc::clone(&document), Ok(Ulid(9))));
    desk.pass(1_000);
}

/// The title of the item that is worked on, and how its walk stands.
fn current(desk: &Desk) -> (String, Standing) {
    let walk = &desk.model.procedures.walks[0].walk;
    let title = walk.document.items.get(walk.current).map(|item| item.title.to_string());
    (title.unwrap_or_default(), walk.standing.clone())
}

/// Looks at this platform, and puts aside what nobody sees, until this item is the one that is worked on.
fn work(desk: &mut Desk, platform: &str, until: &str) {
    for _ in 0..30 {
        let (title, standing) = current(desk);
        if title.contains(until) || standing != Standing::Running {
            return;
        }
        tells(desk, "system", "platform", platform);
        if current(desk).0 != title {
            continue;
        }
        desk.key('o');
        desk.type_text("looked at elsewhere");
        desk.enter();
        desk.pass(1_000);
    }
    panic!("{until} is never reached:\n{}", desk.screen());
}

fn copied(effects: &[Effect]) -> Vec<&str> {
    let [Effect::Copy(lines)] = effects else { panic!("{effects:?}") };
    lines.iter().map(Clean::as_str).collect()
}

#[test]
fn the_number_of_the_main_process_stands_in_the_command_that_is_copied() {
    let mut desk = norse();
    tells(&mut desk, "main-process", "number", "4711");
    begin(&mut desk, "perf", "CPU profile with perf");
    work(&mut desk, "Linux", "apt install");
    let install = desk.press(KeyCode::Char('y'));
    assert_eq!(copied(&install), ["apt install linux-tools-common linux-tools-generic"], "CN-7.1: {}", desk.screen());
    for (item, command) in [
        ("perf record -g", "perf record -g -p 4711 -o /tmp/cn.perf -- sleep 30"),
        ("perf record -e", "perf record -e cpu-cycles:u --call-graph dwarf -p 4711 -o /tmp/cn.perf -- sleep 10"),
    ] {
        work(&mut desk, "Linux", item);
        let record = desk.press(KeyCode::Char('y'));
        assert_eq!(copied(&record), [command], "CN-7.2: {}", desk.screen());
    }
}

const PLATFORMS: [&str; 3] = ["Linux", "Darwin", "Windows_NT"];

fn planar(platform: &str) -> Desk {
    let mut desk = Desk::over(&profile("planar"), (120, 40));
    tells(&mut desk, "system", "platform", platform);
    desk
}

#[test]
fn the_page_of_the_hosts_own_platform_is_found_first() {
    for (platform, page) in PLATFORMS.into_iter().zip(["On Linux", "On macOS", "On Windows"]) {
        let mut desk = planar(platform);
        desk.key('p');
        desk.type_text("platform notes");
        let rows = ["On Linux", "On macOS", "On Windows"].map(|title| line(&desk.screen(), title));
        assert!(rows.iter().all(|row| row.contains('▸') == row.contains(page)), "{platform}:\n{}", desk.screen());
    }
}

#[test]
fn the_line_of_the_hosts_own_platform_comes_first() {
    let lines = ["Headers of Python", "Command-line tools of Xcode", "on PATH"];
    for (platform, own) in PLATFORMS.into_iter().zip(lines) {
        let mut desk = planar(platform);
        begin(&mut desk, "environment conflict", "Conda environment in conflict");
        work(&mut desk, platform, own);
        let walk = &desk.model.procedures.walks[0].walk;
        let asked = (0..walk.document.items.len()).filter(|at| *walk.state(*at) == State::Overridden).count();
        assert!(current(&desk).0.contains(own), "{platform}:\n{}", desk.screen());
        assert_eq!(asked, 0, "{platform}: nothing comes before it\n{}", desk.screen());
    }
}

#[test]
fn the_line_of_the_hosts_own_platform_is_copied() {
    let lines = [("sudo apt-get", "sudo apt-get install liblmdb-dev"), ("brew install", "brew install lmdb")];
    for (platform, (item, own)) in PLATFORMS.into_iter().zip(lines) {
        let mut desk = planar(platform);
        begin(&mut desk, "liblmdb-dev", "LMDB not available");
        work(&mut desk, platform, item);
        let effects = desk.press(KeyCode::Char('y'));
        assert_eq!(copied(&effects), [own], "{platform}:\n{}", desk.screen());
    }
}

#[test]
fn steps_end_at_the_first_that_helps() {
    for (first, second, asks) in [("yes", None, false), ("no", Some("yes"), false), ("no", Some("no"), true)] {
        let mut desk = planar("Linux");
        begin(&mut desk, "environment conflict", "Conda environment in conflict");
        let answer = |desk: &mut Desk, item: &str, word: &str| {
            work(desk, "Linux", item);
            desk.enter();
            let typed = desk.screen();
            desk.type_text(word);
            desk.enter();
            desk.pass(1_000);
            assert!(!current(desk).0.contains(item), "{item}: {typed}\n{}", desk.screen());
        };
        answer(&mut desk, "Does the package load now", first);
        if let Some(second) = second {
            answer(&mut desk, "does it load", second);
        }
        work(&mut desk, "Linux", "Begin anew");
        let (title, standing) = current(&desk);
        assert_eq!(standing == Standing::Running, asks, "{first} {second:?}: {title}\n{}", desk.screen());
        assert!(!asks || title.contains("Begin anew"), "{title}");
    }
}
