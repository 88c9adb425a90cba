//! What samplers and logs tell in words, in procedures and tables of the real console.

use crate::desk::{Desk, row_with};
use crate::harness::Pty;
use crate::hazards::{flat, on_lines, says};
use crate::server::{say, serve};

/// Opens the first procedure that this finds.
pub(crate) fn open(pty: &Pty, typed: &str, title: &str) {
    pty.wait("the panes", |screen, _| row_with(screen, " UTC").is_some());
    pty.send("p");
    pty.wait_for("PROCEDURES");
    pty.send(typed);
    pty.wait("it is found", |screen, _| row_with(screen, "▸ ").is_some_and(|row| row.contains(title)));
    pty.send("\r");
    pty.wait("it", |screen, _| row_with(screen, "PROCEDURES").is_none() && row_with(screen, title).is_some());
}

#[test]
fn the_module_that_a_log_line_names_is_filled_in_where_the_procedure_says_name() {
    let desk = Desk::new();
    let log = desk.write("bot.log", "start\n");
    let place = desk.path().to_str().unwrap();
    let lines = "extends = [\"planar\"]\n[settings]\nlogs = \"@/bot.log\"\n".replace('@', place);
    let pty = on_lines(&desk, &lines);
    let text = include_str!("../../profiles/planar/procedures/python-package-missing.md");
    let document = watchkeeper::procedure::parse("x", "x.md", text);
    let at = document.items.iter().position(|item| item.title.as_str() == "Add the package").unwrap();
    open(&pty, "CondaPkg.add", "Python package missing");
    pty.send("j".repeat(at));
    says(&pty, "CondaPkg.add(\"NAME\")");
    says(&pty, "NAME stands for itself: nothing tells it yet (watchkeeper-logs: missing module).");
    let write = |name: &str| {
        use std::io::Write as _;
        let mut file = std::fs::OpenOptions::new().append(true).open(&log).unwrap();
        writeln!(file, "ERROR: Python: ModuleNotFoundError: No module named '{name}'").unwrap();
    };
    write("ccxt");
    says(&pty, "CondaPkg.add(\"ccxt\")");
    says(&pty, "NAME is ccxt, by watchkeeper-logs: missing module.");
    pty.send("y");
    pty.wait("the clipboard", |_, raw| {
        let copied = raw.windows(7).rposition(|window| window == b"\x1b]52;c;");
        copied.is_some()
    });
    // What could be taken for more than a name is shown, and not filled in.
    write("..");
    says(&pty, "CondaPkg.add(\"..\")");
}

#[test]
fn a_fact_of_a_sampler_ticks_an_item_once_it_is_live_and_as_expected() {
    let desk = Desk::new();
    desk.write("said", "1.1.1.1 via 10.0.0.1 dev eth0 src 10.0.0.7 uid 0\n");
    let check = |is: &str| {
        format!(
            "```check\nsampler = \"address\"\nfact = \"outgoing address\"\nlabel = \"outgoing\"\n{is}failed = \"No route.\"\n```\n"
        )
    };
    let text = format!(
        "# Who we are\n\n## Any address\n\n{}\n## The one on the list\n\n{}\n## Call\n\n```escalate\nto = \"L2\"\n```\n",
        check(""),
        check("is = \"10.0.0.8\"\n")
    );
    desk.write("hazard/procedures/who.md", text);
    let lines = "[samplers.address]\nkind = \"file\"\npath = \"@/said\"\nparse = \"lines\"\nevery = \"1s\"\n\
                 lines = [{ matches = ' src (\\S+)', fact = \"outgoing address\" }]\n";
    let pty = on_lines(&desk, lines);
    open(&pty, "Who", "Who we are");
    pty.send("\r");
    pty.wait("the first is sensed", |screen, _| {
        row_with(screen, "Any address").is_some_and(|row| row.contains("10.0.0.7") && row.contains("sensed"))
    });
    pty.wait("the second waits", |screen, _| {
        row_with(screen, "The one on the list").is_some_and(|row| row.contains("10.0.0.7 not yet"))
    });
    desk.write("said", "1.1.1.1 via 10.0.0.1 dev eth0 src 10.0.0.8 uid 0\n");
    pty.wait("the second is sensed", |screen, _| {
        row_with(screen, "The one on the list").is_some_and(|row| row.contains("10.0.0.8") && row.contains("sensed"))
    });
}

#[test]
fn spikes_of_each_layer_stand_in_a_row_with_their_course_and_a_text_is_told_as_one() {
    let desk = Desk::new();
    let asked = std::sync::atomic::AtomicU32::new(0);
    let server = serve(move |path, stream| {
        if path == "/text" {
            return say(stream, "200 OK", "Content-Type: text/plain\r\n", "neural_inference_latency_ns 812\n");
        }
        let at = asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let body = format!(
            "{{\"neural_metrics\": {{\"spike_counts\": {{\"granule\": {}, \"golgi\": 40}}}}}}",
            4000 + at % 3 * 500
        );
        say(stream, "200 OK", "Content-Type: application/json\r\n", body)
    });
    let table = |name: &str| {
        format!(
            "[samplers.{name}]\nkind = \"http\"\nurl = \"http://{}/{name}\"\nevery = \"1s\"\nfields = false\n\
             json = [{{ pointer = \"/neural_metrics/spike_counts\", metric = \"spikes_{name}\", label = \"layer\" }}]\n\
             [[panes]]\ntitle = \"Spikes as {name}\"\nkind = \"table\"\nlabel = \"layer\"\nchart = \"30s\"\n\
             columns = [{{ title = \"spikes\", query = \"spikes_{name}\" }}]\n",
            server.at
        )
    };
    let lines = format!("{}{}", table("json"), table("text"));
    let pty = on_lines(&desk, &lines);
    let bars = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    pty.wait("a row of each layer with its course", |screen, _| {
        let row = |layer: &str, value: &str| {
            row_with(screen, layer)
                .is_some_and(|row| row.contains(value) && row.chars().filter(|c| bars.contains(c)).count() >= 2)
        };
        row("granule", "4") && row("golgi", "40")
    });
    pty.wait("the text is told as one", |screen, _| flat(&screen.contents()).contains("not JSON"));
}
