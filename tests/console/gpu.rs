//! The shipped panes and pages of graphics cards over the stand-in for the driver's library: every value on the screen is
//! what that library answers.

use crate::desk::{Desk, row_with};
use crate::facts::open;
use crate::harness::Pty;
use crate::hazards::{flat, says};
use crate::shipped::{Part, Wanted};
use crate::sick::driver;
use std::fs;
use std::path::PathBuf;
use toml::Table;
use watchkeeper::base::Unit;

/// The driver's library, and what it answers.
struct Driver {
    desk: Desk,
    library: PathBuf,
}

impl Driver {
    fn new(lines: &str) -> Self {
        let desk = Desk::new();
        let library = driver(desk.path());
        let driver = Self { desk, library };
        driver.answers(lines);
        driver
    }

    /// From now on.
    fn answers(&self, lines: &str) {
        let new = self.desk.write("new", lines);
        fs::rename(new, self.desk.path().join("fake_nvml.conf")).unwrap();
    }

    /// Panes of a system, over this library.
    fn part(&self, system: &'static str, panes: &[&str], actions: &[&str]) -> Part {
        let mut part = Part::of(system, &Wanted { panes, samplers: &["gpu"], actions, ..Wanted::default() });
        part.set("samplers.gpu", "library", self.library.to_str().unwrap());
        part.without("samplers.gpu", &["needs"]);
        part
    }
}

/// Two cards, no value of one of which is one of the other's.
const TWO: &str = "gpu_util 37\nmem_util 21\nenc 3\ndec 4\nmem_total 85899345920\nmem_used 8589934592\ntemp 61\n\
    power 180250\npower_limit 400000\nsm_clock 1410\nmem_clock 1593\nthrottle 68\n1.gpu_util 98\n1.mem_util 55\n1.enc 11\n\
    1.dec 12\n1.mem_total 17179869184\n1.mem_used 5368709120\n1.temp 84\n1.power 297000\n1.sm_clock 1830\n1.mem_clock 2619\n\
    1.throttle 0\n";

/// The row of this label has these values, each as its unit shows it, one after the other.
fn shows(pty: &Pty, label: &str, values: &[(Unit, f64)]) {
    let wanted: Vec<String> = values.iter().map(|(unit, value)| unit.show(*value).clone()).collect();
    let wanted = wanted.join(" ");
    let row = |row: String| row.split_whitespace().collect::<Vec<_>>().join(" ");
    pty.wait(&format!("{label} {wanted}"), |screen, _| {
        screen.rows(0, 140).map(row).any(|row| row.starts_with(&format!("{label} ")) && row.contains(&wanted))
    });
}

#[test]
fn every_card_stands_with_what_its_library_answers_and_without_a_card_the_pane_says_so() {
    let driver = Driver::new(&format!("{TWO}0.procs {}:1048576\n", std::process::id()));
    let pane = |title: &str| driver.part("cerebellar-norse", &[title], &[]).console(&driver.desk, false);
    let (percent, celsius, count, mebibytes) = (Unit::Percent, Unit::Celsius, Unit::Count, Unit::Mebibytes);
    let card = |busy: f64, [used, of]: [f64; 2], heat: f64, watts: f64, [sm, mem]: [f64; 2]| {
        [
            (percent, busy),
            (mebibytes, used),
            (mebibytes, of),
            (celsius, heat),
            (count, watts),
            (count, sm),
            (count, mem),
        ]
    };
    let cards = pane("GPUs");
    shows(&cards, "0", &card(37.0, [8_192.0, 81_920.0], 61.0, 180.25, [1_410.0, 1_593.0]));
    shows(&cards, "1", &card(98.0, [5_120.0, 16_384.0], 84.0, 297.0, [1_830.0, 2_619.0]));
    shows(&pane("GPU memory by process"), &std::process::id().to_string(), &[(Unit::Bytes, 1_048_576.0)]);
    let first = pane("GPU 0 (default)");
    for part in ["37 %", "memory 8.00 / 80.0 GiB", "61 °C", "180 / 400 W", "throttled: power cap, too hot (hardware)"]
    {
        says(&first, part);
    }
    driver.answers("fail.nvmlInit_v2 9\nfail.nvmlDeviceGetCount_v2 9\n");
    says(&first, "the NVIDIA driver is not loaded");
    let mut none = driver.part("cerebellar-norse", &["GPU 0 (default)"], &[]);
    none.set("samplers.gpu", "library", "/nowhere/libnvidia-ml.so.1");
    says(&none.console(&driver.desk, false), "no NVIDIA driver here");
}

#[test]
fn the_four_engines_of_each_card_stand_in_columns_and_move_with_what_its_library_answers() {
    let driver = Driver::new(TWO);
    let pty = driver.part("cerebellar-norse", &["GPU engines"], &[]).console(&driver.desk, false);
    let engines = |all: [f64; 4]| all.map(|share| (Unit::Percent, share));
    shows(&pty, "0", &engines([37.0, 21.0, 3.0, 4.0]));
    shows(&pty, "1", &engines([98.0, 55.0, 11.0, 12.0]));
    let titles = pty.text().lines().find(|row| row.contains(" enc ")).unwrap_or_default().to_owned();
    assert_eq!(titles.split_whitespace().collect::<Vec<_>>(), ["sm", "mem", "enc", "dec", "free"]);
    // Live: what the library answers next is what stands there next.
    driver.answers(&TWO.replace("gpu_util 37", "gpu_util 5").replace("enc 3\n", "enc 66\n"));
    shows(&pty, "0", &engines([5.0, 21.0, 66.0, 4.0]));
}

#[test]
fn the_page_of_a_missing_card_tells_the_driver_or_the_words_of_its_error() {
    let driver = Driver::new("driver 550.54.15\n");
    let pty = driver.part("cerebellar-norse", &["GPU 0 (default)"], &[]).console(&driver.desk, true);
    open(&pty, "driver/library mismatch", "CUDA: a card is missing");
    for part in ["gpu, driver: 550.54.15", "gpu, CUDA: 12.4"] {
        says(&pty, part);
    }
    pty.send("\x1b\x1b");
    driver.answers("fail.nvmlInit_v2 18\nfail.nvmlDeviceGetCount_v2 18\n");
    says(&pty, "NVIDIA driver mismatch");
}

#[test]
fn the_page_of_slow_plots_is_filled_with_the_memory_that_the_card_tells() {
    let driver = Driver::new("mem_total 85899345920\nmem_used 21474836480\n");
    let pty = driver.part("planar", &["GPU 0 (default)"], &[]).console(&driver.desk, true);
    open(&pty, "slow drawing", "Plots slow with much data");
    pty.wait("the step has the value", |screen, _| {
        row_with(screen, "Graphics memory").is_some_and(|row| row.contains("25"))
    });
    for step in ["Data size", "Graphics memory", "Compare backends"] {
        assert!(row_with_text(&pty.text(), step), "{step}:\n{}", pty.text());
    }
}

fn row_with_text(text: &str, part: &str) -> bool {
    flat(text).contains(part)
}

/// How an edit is proven where there is nothing but a card.
const CHECK: &str = r#"
verify = [{ label = "GPU memory", query = "max(DCGM_FI_DEV_FB_USED_PERCENT)", unit = "ratio", expect = { falls_or_below = 0.9 } }]
verify_samplers = ["gpu"]
traffic = { query = "max(DCGM_FI_DEV_GPU_UTIL)", label = "operations" }
"#;

#[test]
fn a_pool_that_the_smallest_card_cannot_hold_is_refused_with_its_memory() {
    let driver = Driver::new("mem_total 85899345920\n1.mem_total 17179869184\n");
    driver.desk.write("production.toml", "[performance]\nmemory_pool_size = \"30GB\"\n");
    let mut part = driver.part("cerebellar-norse", &["GPU 0 (default)"], &["memory-pool"]);
    let file = driver.desk.path().join("production.toml");
    part.set("settings", "config", file.to_str().unwrap());
    let action = "actions.memory-pool";
    part.without(action, &["restart", "validate", "cannot_check"]);
    let check: Table = CHECK.parse().unwrap();
    check.into_iter().for_each(|(key, value)| part.set(action, &key, value));
    let said = part.planned(&driver.desk, "memory-pool");
    let memory = Unit::Bytes.show(17_179_869_184.0);
    assert!(said.contains(&format!("smallest GPU is {memory}")) && !said.contains("UNDO"), "{said}");
    driver.answers("mem_total 85899345920\n");
    let said = part.planned(&driver.desk, "memory-pool");
    let told = ["smallest GPU", "memory_pool_enabled   absent → true", "memory_pool_size   \"30GB\" → \"20GB\""];
    assert!(told.iter().all(|part| said.contains(part)), "{said}");
}
