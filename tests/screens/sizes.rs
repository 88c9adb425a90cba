//! Every overlay, in every mode, on a screen of any size: nothing breaks, and what must not be lost is there.

use crate::desk::Desk;
use crossterm::event::KeyCode;
use proptest::prelude::*;
use watchkeeper::action::mode::Mode;

const RULES: &str = r#"
groups:
  - name: service
    interval: 1s
    rules:
      - { record: "disk:used", expr: watchkeeper_host_filesystem_used_ratio }
      - { alert: GpuMemoryHigh, expr: DCGM_FI_DEV_FB_USED / DCGM_FI_DEV_FB_TOTAL > 0.9, for: 2m }
      - { alert: DiskFilling, expr: watchkeeper_host_filesystem_used_ratio > 0.3, labels: { severity: minor } }
      - { alert: Typo, expr: "rate(queue_depth[5m] > 1" }
"#;

/// Keys of every command of the console, and of a form's fields.
const KEYS: &[char] = &[
    '?', 'a', 'A', ' ', 'z', 'e', 'd', 't', 'T', 's', 'S', 'u', 'c', 'w', 'f', '!', ']', '[', 'L', 'n', 'N', 'j', 'k',
    'g', 'G', 'y', 'h', 'l', '/', '&', 'v', 'J', 'K', 'm', '\'', 'E', '=', '<', '>', 'x', 'U', '漢', '\u{301}', '"',
];
const OTHERS: &[KeyCode] = &[KeyCode::Esc, KeyCode::Enter, KeyCode::Tab, KeyCode::Backspace, KeyCode::PageDown];

fn drawn(desk: &mut Desk, width: u16, height: u16) {
    desk.model.size = (width, height);
    let _drawn = desk.extent();
    assert!(desk.ascii().is_ascii());
    let screen = desk.screen();
    let roomy = width >= 60 && height >= 15;
    if roomy && desk.model.alerts().iter().any(|found| desk.model.overdue(found).is_some()) {
        assert!(screen.lines().take(2).any(|line| line.contains("OVERDUE")), "{width}x{height}:\n{screen}");
    }
}

#[test]
fn every_overlay_can_be_drawn_at_every_size() {
    let opened = ["", "?", "a", "e", "d", "c", "w", "!", "L", "t", "s", "u", "z", " ", "ef", "ed", "es", "]]]"];
    for keys in opened {
        let mut desk = Desk::demo(80, 24);
        desk.judge_by(RULES, &[]);
        desk.incident(8);
        desk.pass(20 * 60 * 1_000);
        desk.incident(5);
        desk.type_text(keys);
        for (width, height) in [(1, 1), (2, 2), (20, 5), (59, 15), (60, 15), (61, 16), (80, 24), (120, 40), (300, 80)] {
            drawn(&mut desk, width, height);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn no_keys_at_no_size_break_the_screen(
        steps in proptest::collection::vec((0..KEYS.len() + OTHERS.len(), 1_u16..301, 1_u16..81), 1..25),
        read_only: bool,
        begun in 0_u32..50,
    ) {
        let mut desk = Desk::demo(80, 24);
        desk.judge_by(RULES, &[]);
        desk.incident(begun);
        if read_only {
            desk.model.session.mode = Mode::ReadOnly;
        }
        // As often as not the log has the keys.
        (0..begun % 2 * 5).for_each(|_| desk.tab());
        for (key, width, height) in steps {
            let code = match KEYS.get(key) {
                Some(key) => KeyCode::Char(*key),
                None => OTHERS[key - KEYS.len()],
            };
            let effects = desk.press(code);
            let told = |effect: &watchkeeper::app::Effect| matches!(effect, watchkeeper::app::Effect::Record(_));
            prop_assert!(!read_only || !effects.iter().any(told), "a read-only console answers nothing");
            desk.incident(1);
            drawn(&mut desk, width, height);
        }
    }
}
