//! Markdown to items. The one module that knows the parser crate, so that it can be replaced.

use super::block::KINDS;
use super::draft::Draft;
use super::place::{Piece, Source};
use crate::base::Clean;
use core::ops::Range;
use pulldown_cmark::{CodeBlockKind, CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd};

/// Names by which documents mark a shell's language.
const SHELLS: &[&str] = &["bash", "sh", "shell", "zsh", "console", "shell-session", "terminal"];
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
                let info = match kind {
                    CodeBlockKind::Fenced(info) => {
                        Some(info.split([' ', ',', '{', '\t']).next().unwrap_or_default().to_owned())
                    }
                    CodeBlockKind::Indented => None,
                };
                self.code = Some(Code { at: range.start, info, piece: Piece::default() });
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
