//! Series of a system found by a word, in the real console at its stand-in.

use crate::desk::Desk;

/// Panes of the profile at most.
const PANES: usize = 60;

#[test]
fn typing_a_word_shows_the_series_that_have_it_and_esc_all_of_them() {
    let desk = Desk::new();
    let mut pty = desk.start(&["demo", "--system", "cerebellar-norse"]);
    pty.wait_for("System Health 1/");
    for view in ["GPU and CPU", "Memory and disks", "Service and network"] {
        pty.send("V");
        pty.wait_for(view);
    }
    pty.send("z");
    for _ in 0..PANES {
        if pty.text().contains("▸Series") {
            break;
        }
        pty.send("\t");
        std::thread::sleep(std::time::Duration::from_millis(150));
    }
    pty.wait_for("▸Series");
    pty.send("/latency");
    pty.wait_for("Find latency_");
    pty.wait("every row has the word, and several stand there", |screen, _| {
        let all = screen.contents();
        let rows: Vec<&str> = all.lines().skip_while(|row| !row.contains("Find latency")).skip(2).collect();
        let named: Vec<&&str> = rows.iter().filter(|row| row.contains('_')).collect();
        named.len() >= 3 && named.iter().all(|row| row.contains("latency"))
    });
    pty.send("\x1b");
    pty.wait("all of them", |screen, _| !screen.contents().contains("Find latency"));
    pty.send("q");
    assert_eq!(pty.status(), 0);
}
