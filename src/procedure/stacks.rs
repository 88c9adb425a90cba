//! Folded stacks as a text tree: how often each frame was seen, the widest first. Any text goes in; what is no stack is
//! counted, what is too deep or too narrow is folded and said so.

use crate::base::Clean;
use crate::clean;
use std::collections::HashMap;

/// Frames of one stack that are told apart.
const DEEPEST: usize = 128;
/// A branch of less than this share is folded.
const NARROWEST: f64 = 0.005;
/// Frames that lie deeper are not indented further, but numbered.
const INDENTED: usize = 16;
/// Rows of one tree.
const ROWS: usize = 400;

/// Folded stacks, added up.
#[derive(Debug)]
pub struct Stacks {
    /// The first is the root: everything.
    frames: Vec<Frame>,
    /// Lines that are stacks.
    read: usize,
    /// Lines that are none.
    odd: usize,
    /// Stacks that were cut.
    cut: usize,
}

#[derive(Debug, Default)]
struct Frame {
    name: String,
    samples: u64,
    children: Vec<usize>,
}

impl Stacks {
    /// Reads them; `None` when no line is one.
    pub fn read(lines: &[Clean]) -> Option<Self> {
        let mut all = Self { frames: vec![Frame::default()], read: 0, odd: 0, cut: 0 };
        let mut known: HashMap<(usize, &str), usize> = HashMap::new();
        for line in lines.iter().map(|line| line.as_str().trim()).filter(|line| !line.is_empty()) {
            let Some((stack, samples)) = folded(line) else {
                all.odd += 1;
                continue;
            };
            all.read += 1;
            all.add(0, samples);
            let mut at = 0;
            for (depth, name) in stack.split(';').enumerate() {
                if depth == DEEPEST {
                    all.cut += 1;
                    break;
                }
                at = *known.entry((at, name.trim())).or_insert_with(|| {
                    let new = all.frames.len();
                    all.frames.push(Frame { name: name.trim().to_owned(), ..Frame::default() });
                    if let Some(parent) = all.frames.get_mut(at) {
                        parent.children.push(new);
                    }
                    new
                });
                all.add(at, samples);
            }
        }
        (all.read > 0 && all.total() > 0).then_some(all)
    }

    fn add(&mut self, at: usize, samples: u64) {
        if let Some(frame) = self.frames.get_mut(at) {
            frame.samples = frame.samples.saturating_add(samples);
        }
    }

    fn total(&self) -> u64 {
        self.frames.first().map_or(0, |root| root.samples)
    }

    /// `812 samples in 142 stacks`, and what was no stack or too deep.
    pub fn summary(&self) -> Clean {
        let odd = match self.odd {
            0 => String::new(),
            1 => ", 1 line is none".to_owned(),
            odd => format!(", {odd} lines are none"),
        };
        let cut = if self.cut == 0 { String::new() } else { format!(", {} deeper than {DEEPEST} frames", self.cut) };
        clean!("{} samples in {} stacks{odd}{cut}", self.total(), self.read)
    }

    /// A row for each frame, the widest first: share, samples, frame. Frames that only call one another share a row.
    pub fn rows(&self) -> Vec<Clean> {
        let mut rows = vec![clean!("{:>7} {:>8}  frame", "share", "samples")];
        let mut open: Vec<Row> = Vec::new();
        self.branch(0, 0, &mut open);
        while let Some(row) = open.pop() {
            if rows.len() > ROWS {
                rows.push(clean!("{:>17}and more: {} rows are the most", "", ROWS));
                break;
            }
            rows.push(self.row(&row));
            if let Row::Frame { last, depth, .. } = row {
                self.branch(last, depth + 1, &mut open);
            }
        }
        rows
    }

    fn row(&self, row: &Row) -> Clean {
        let (depth, samples, name) = match row {
            Row::Frame { name, last, depth } => {
                (*depth, self.frames.get(*last).map_or(0, |frame| frame.samples), name.clone())
            }
            Row::Narrow { count, samples, depth } => (*depth, *samples, format!("+{count} narrower")),
        };
        let far = if depth > INDENTED { format!("({depth}) ") } else { String::new() };
        let indent = "  ".repeat(depth.min(INDENTED));
        clean!("{:>5.1} % {samples:>8}  {indent}{far}{name}", self.share(samples) * 100.0)
    }

    fn share(&self, samples: u64) -> f64 {
        samples as f64 / self.total().max(1) as f64
    }

    /// What a frame calls, the widest last: it is taken next.
    fn branch(&self, at: usize, depth: usize, open: &mut Vec<Row>) {
        let Some(frame) = self.frames.get(at) else { return };
        let mut called: Vec<(usize, &Frame)> =
            frame.children.iter().filter_map(|child| Some((*child, self.frames.get(*child)?))).collect();
        called.sort_by(|(_, a), (_, b)| b.samples.cmp(&a.samples).then_with(|| a.name.cmp(&b.name)));
        let wide = called.iter().take_while(|(_, frame)| self.share(frame.samples) >= NARROWEST).count();
        let narrow = called.split_off(wide);
        if !narrow.is_empty() {
            let samples = narrow.iter().map(|(_, frame)| frame.samples).sum();
            open.push(Row::Narrow { count: narrow.len(), samples, depth });
        }
        open.extend(called.into_iter().rev().map(|(child, _)| self.chain(child, depth)));
    }

    /// A frame with those that it alone calls, and that call nothing else.
    fn chain(&self, from: usize, depth: usize) -> Row {
        let mut last = from;
        let mut name = self.frames.get(from).map(|frame| frame.name.clone()).unwrap_or_default();
        while let Some(frame) = self.frames.get(last)
            && let [only] = frame.children.as_slice()
            && let Some(next) = self.frames.get(*only)
            && next.samples == frame.samples
        {
            name.push(';');
            name.push_str(&next.name);
            last = *only;
        }
        Row::Frame { name, last, depth }
    }
}

enum Row {
    /// A chain of frames, and its last one.
    Frame { name: String, last: usize, depth: usize },
    /// Branches that are too narrow to tell apart.
    Narrow { count: usize, samples: u64, depth: usize },
}

/// A stack and how often it was seen.
fn folded(line: &str) -> Option<(&str, u64)> {
    let (stack, samples) = line.rsplit_once(char::is_whitespace)?;
    let samples = samples.parse().ok()?;
    let stack = stack.trim_end().trim_end_matches(';');
    (!stack.is_empty()).then_some((stack, samples))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rows(text: &str) -> Vec<String> {
        let lines = Clean::lines(text);
        Stacks::read(&lines).expect("stacks").rows().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_widest_branch_comes_first_with_its_samples_and_its_share() {
        let text = "main;idle 10\nmain;run;parse 60\nmain;run;parse;copy 10\nmain;run;send 20\nno stack\n";
        assert_eq!(
            rows(text),
            [
                "  share  samples  frame",
                "100.0 %      100  main",
                " 90.0 %       90    run",
                " 70.0 %       70      parse",
                " 10.0 %       10        copy",
                " 20.0 %       20      send",
                " 10.0 %       10    idle",
            ]
        );
        let lines = Clean::lines(text);
        assert_eq!(Stacks::read(&lines).expect("stacks").summary().as_str(), "100 samples in 4 stacks, 1 line is none");
    }

    #[test]
    fn frames_that_only_call_one_another_share_a_row_and_narrow_branches_are_folded() {
        let mut text = "a;b;c;d 995\n".to_owned();
        text.extend((0..5).map(|n| format!("a;b;x{n} 1\n")));
        assert_eq!(
            rows(&text)[1..],
            ["100.0 %     1000  a;b", " 99.5 %      995    c;d", "  0.5 %        5    +5 narrower"]
        );
    }

    #[test]
    fn what_is_no_stack_is_none_and_what_is_deep_is_cut_and_said() {
        assert!(Stacks::read(&Clean::lines("hello\nworld 0\n; 3")).is_none());
        let deep = format!("{} 7", vec!["f"; 100_000].join(";"));
        let lines = [Clean::text(deep.get(deep.len() - 9_000..).unwrap())];
        let stacks = Stacks::read(&lines).expect("a stack");
        assert!(stacks.summary().as_str().contains("1 deeper than 128 frames"), "{}", stacks.summary());
        let many: String = (0..300).flat_map(|a| (0..3).map(move |b| format!("r;f{a};g{b} 1\n"))).collect();
        assert!(rows(&many).len() <= ROWS + 2);
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_tree(text in "([a-c;\\PC]{0,12} [0-9]{1,25}\n?){0,40}") {
            let lines = Clean::lines(&text);
            if let Some(stacks) = Stacks::read(&lines) {
                let rows = stacks.rows();
                prop_assert!(rows.len() <= ROWS + 2);
                prop_assert!(rows.len() > 1);
            }
        }
    }
}
