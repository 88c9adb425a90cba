//! Markdown to items. The one module that knows the parser crate, so that it can be replaced.

use super::block::KINDS;
use super::draft::Draft;
use super::place::{Piece, Source};
use crate::base::Clean;
use crate::base::body::slipped;
use core::ops::Range;
use pulldown_cmark::{CodeBlockKind, CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd};

/// Names by which documents mark a shell's language.
const SHELLS: &[&str] = &["bash", "sh", "shell", "zsh", "console", "shell-session", "terminal"];
/// Languages whose names are near a kind of ours.
const LANGUAGES: &[&str] = &["asm", "awk", "wat"];
/// Lists in lists: what lies deeper is shown as deep as this.
const DEEPEST: usize = 12;

/// Reads the document from this byte on.
pub(super) fn read(source: &Source<'_>, from: usize, draft: &mut Draft<'_>) {
    let text = source.text.get(from..).unwrap_or_default();
    let options = Options::ENABLE_HEADING_ATTRIBUTES | Options::ENABLE_TASKLISTS | Options::ENABLE_TABLES;
    let mut reader = Reader {
        draft,
        source,
        line: String::new(),
        begin: 0,
        lists: Vec::new(),
        fresh: false,
        quotes: 0,
        heading: None,
        task: None,
        code: None,
        links: Vec::new(),
    };
    for (event, range) in Parser::new_ext(text, options).into_offset_iter() {
        reader.event(event, range.start + from..range.end + from);
    }
    reader.flush();
}

struct Heading {
    at: usize,
    level: u8,
    named: Option<String>,
}

struct Code {
    at: usize,
    /// The first word behind the fence; `None` for an indented block.
    info: Option<String>,
    piece: Piece,
}

struct Reader<'a, 'd> {
    draft: &'a mut Draft<'d>,
    source: &'a Source<'a>,
    /// The line that is being put together, and where it begins.
    line: String,
    begin: usize,
    /// Numbers of the lists that we are in; `None` where it has none.
    lists: Vec<Option<u64>>,
    /// The entry has no line yet.
    fresh: bool,
    quotes: usize,
    heading: Option<Heading>,
    task: Option<usize>,
    code: Option<Code>,
    links: Vec<(String, usize)>,
}

impl Reader<'_, '_> {
    fn event(&mut self, event: Event<'_>, range: Range<usize>) {
        match event {
            Event::Start(tag) => self.start(tag, range),
            Event::End(tag) => self.end(tag),
            Event::Text(text) | Event::Html(text) | Event::InlineHtml(text) => self.text(&text, range.start),
            Event::Code(text) => self.text(&format!("`{text}`"), range.start),
            Event::SoftBreak => self.text(" ", range.start),
            Event::HardBreak if self.heading.is_none() && self.task.is_none() => self.flush(),
            Event::HardBreak => self.text(" ", range.start),
            Event::TaskListMarker(_) => self.task = Some(range.start),
            Event::Rule => {
                self.flush();
                self.draft.rule();
            }
            Event::FootnoteReference(text) | Event::InlineMath(text) | Event::DisplayMath(text) => {
                self.text(&text, range.start);
            }
        }
    }

    fn start(&mut self, tag: Tag<'_>, range: Range<usize>) {
        match tag {
            Tag::Heading { level, id, .. } => {
                self.flush();
                let named = id.map(CowStr::into_string);
                self.heading = Some(Heading { at: range.start, level: depth(level), named });
            }
            Tag::CodeBlock(kind) => {
                self.flush();
                self.odd_fence(&kind, &range);
                let info = match kind {
                    CodeBlockKind::Fenced(info) => Some(first_word(&info).to_owned()),
                    CodeBlockKind::Indented => None,
                };
                self.code = Some(Code { at: range.start, info, piece: Piece::below(range.start) });
            }
            Tag::List(first) => {
                self.flush();
                self.lists.push(first);
            }
            Tag::Item => {
                self.flush();
                self.fresh = true;
            }
            Tag::BlockQuote(_) => {
                self.flush();
                self.quotes += 1;
            }
            Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. } => {
                self.links.push((dest_url.into_string(), self.line.len()));
            }
            Tag::Paragraph | Tag::HtmlBlock | Tag::TableHead | Tag::TableRow => self.flush(),
            _ => {}
        }
    }

    /// What is wrong with the marks around a block: its kind misspelt, or no end.
    fn odd_fence(&mut self, kind: &CodeBlockKind<'_>, range: &Range<usize>) {
        let CodeBlockKind::Fenced(info) = kind else { return };
        let whole = self.source.text.get(range.clone()).unwrap_or_default();
        let word = first_word(info);
        if let Some(near) = misspelt_kind(word) {
            let at = range.start + whole.find(word).unwrap_or_default();
            let what = format!("`{}` is no kind of block: this one is only read.", Clean::text(word));
            self.draft.fault(self.source.fault(at, what).hint(format!("Did you mean `{near}`?")));
        }
        if !is_closed(whole) {
            let whole = whole.trim_start();
            let mark: String = whole.chars().take_while(|c| whole.starts_with(*c)).collect();
            let what = "this block has no end: all that follows is part of it.";
            self.draft.fault(self.source.fault(range.start, what).hint(format!("Write {mark} below its last line.")));
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Heading(_) => {
                let title = core::mem::take(&mut self.line);
                if let Some(heading) = self.heading.take() {
                    self.draft.heading(heading.at, heading.level, &title, heading.named.as_deref());
                }
            }
            TagEnd::CodeBlock => {
                if let Some(code) = self.code.take() {
                    self.code_block(&code);
                }
            }
            TagEnd::List(_) => {
                self.flush();
                self.lists.pop();
            }
            TagEnd::Item => {
                self.flush();
                self.fresh = false;
                if let Some(Some(number)) = self.lists.last_mut() {
                    *number = number.saturating_add(1);
                }
            }
            TagEnd::BlockQuote(_) => {
                self.flush();
                self.quotes = self.quotes.saturating_sub(1);
            }
            TagEnd::Link | TagEnd::Image => {
                let Some((to, from)) = self.links.pop() else { return };
                if !to.is_empty() && self.line.get(from..).is_none_or(|text| text != to) {
                    self.line.extend([" (", to.as_str(), ")"]);
                }
            }
            TagEnd::TableCell => self.line.push_str(" | "),
            TagEnd::Paragraph | TagEnd::HtmlBlock | TagEnd::TableHead | TagEnd::TableRow => self.flush(),
            _ => {}
        }
    }

    fn text(&mut self, text: &str, at: usize) {
        if let Some(code) = &mut self.code {
            code.piece.push(at, text);
            return;
        }
        if self.line.is_empty() {
            self.begin = at;
        }
        self.line.push_str(text);
    }

    /// The line that was put together becomes an entry to answer, or a line of text.
    fn flush(&mut self) {
        if self.heading.is_some() {
            return;
        }
        let line = core::mem::take(&mut self.line);
        if let Some(at) = self.task.take() {
            self.fresh = false;
            self.draft.challenge(at, self.lists.len(), &line);
            return;
        }
        for line in line.trim_end_matches([' ', '|', '\n']).lines().filter(|line| !line.trim().is_empty()) {
            let prefix = self.prefix();
            self.draft.prose(self.source.line(self.begin), Clean::text(format!("{prefix}{line}")));
        }
    }

    /// The marks of the quotes and lists that we are in.
    fn prefix(&mut self) -> String {
        let mut out = "> ".repeat(self.quotes.min(DEEPEST));
        let Some(last) = self.lists.last() else { return out };
        out.push_str(&"  ".repeat(self.lists.len().min(DEEPEST) - 1));
        match (core::mem::take(&mut self.fresh), last) {
            (true, Some(number)) => out.extend([&*number.to_string(), ". "]),
            (true, None) => out.push_str("- "),
            (false, _) => out.push_str("  "),
        }
        out
    }

    fn code_block(&mut self, code: &Code) {
        let info = code.info.as_deref().unwrap_or_default();
        if KINDS.contains(&info) {
            self.draft.block(code.at, info, &code.piece);
            return;
        }
        let lines: Vec<&str> = code.piece.text.lines().collect();
        let prompted = lines.iter().any(|line| line.trim_start().starts_with("$ "));
        let shell = SHELLS.iter().any(|shell| info.eq_ignore_ascii_case(shell));
        let commands = commands(&lines, prompted);
        if (shell || info.is_empty() && prompted) && !commands.is_empty() {
            let title = title(&commands);
            let shown = commands.iter().map(Clean::text).collect();
            self.draft.commands(code.at, title, shown);
            if prompted {
                // What the commands answered is no command.
                for line in lines.iter().filter(|line| !line.trim_start().starts_with("$ ")) {
                    self.draft.prose(0, Clean::text(format!("    {line}")));
                }
            }
            return;
        }
        let prefix = self.prefix();
        let begin = code.piece.begin().unwrap_or(code.at);
        for line in lines {
            self.draft.prose(self.source.line(begin), Clean::text(format!("{prefix}    {line}")));
            self.draft.code(Clean::text(line));
        }
    }
}

/// What a block says of itself, without what its language may be told beside it.
fn first_word(info: &str) -> &str {
    info.split([' ', ',', '{', '\t']).next().unwrap_or_default()
}

/// The kind of ours that was probably meant by a word that is none.
fn misspelt_kind(word: &str) -> Option<&'static str> {
    let lower = word.to_lowercase();
    if KINDS.contains(&word) || LANGUAGES.contains(&&*lower) {
        return None;
    }
    slipped(&lower, KINDS)
}

/// Whether the last line of a fenced block ends it.
fn is_closed(whole: &str) -> bool {
    let whole = whole.trim();
    let Some(mark) = whole.chars().next() else { return true };
    let long = whole.chars().take_while(|c| *c == mark).count();
    let last = whole.lines().skip(1).last().unwrap_or_default();
    // In a quote its mark stands before each line.
    let last = last.trim_start_matches(['>', ' ', '\t']);
    last.len() >= long && last.chars().all(|c| c == mark)
}

/// The lines of code that is not ours, the first and the last of each block: names in it may be a shell's.
pub(super) fn foreign_code(source: &Source<'_>) -> Vec<(u32, u32)> {
    let blocks = Parser::new_ext(source.text, Options::ENABLE_TASKLISTS).into_offset_iter();
    let foreign = blocks.filter(|(event, _)| match event {
        Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) => !KINDS.contains(&first_word(info)),
        Event::Start(Tag::CodeBlock(CodeBlockKind::Indented)) => true,
        _ => false,
    });
    foreign.map(|(_, range)| (source.line(range.start), source.line(range.end.saturating_sub(1)))).collect()
}

/// What is typed: lines behind a prompt where there are prompts, else all.
fn commands<'a>(lines: &[&'a str], prompted: bool) -> Vec<&'a str> {
    let typed = lines
        .iter()
        .filter_map(|line| if prompted { line.trim_start().strip_prefix("$ ") } else { Some(line.trim_end()) });
    let typed: Vec<&str> = typed.collect();
    if typed.iter().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        Vec::new()
    } else {
        typed
    }
}

/// What the comment before the first command says, else the command.
fn title<'a>(commands: &[&'a str]) -> &'a str {
    let mut said = commands.iter().map(|line| line.trim()).filter(|line| !line.is_empty());
    let first = said.next().unwrap_or_default();
    match first.strip_prefix('#').map(|said| said.trim_start_matches('#').trim()) {
        Some(said) if !said.is_empty() && !first.starts_with("#!") => said,
        Some(_) => said.find(|line| !line.starts_with('#')).unwrap_or(first),
        None => first,
    }
}

fn depth(level: HeadingLevel) -> u8 {
    match level {
        HeadingLevel::H1 => 1,
        HeadingLevel::H2 => 2,
        HeadingLevel::H3 => 3,
        HeadingLevel::H4 => 4,
        HeadingLevel::H5 => 5,
        HeadingLevel::H6 => 6,
    }
}
