//! YAML as a tree with places. Bounded: bytes, depth, and nodes counted as if every alias were written out.
//! Scalars stay text, as every field of a rule file is one in the end.

use crate::base::Fault;
use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span, StrInput};
use std::collections::HashMap;
use std::rc::Rc;

/// A larger file is refused: the largest public rule files have a tenth of this.
pub const LARGEST: usize = 4 * 1024 * 1024;
const DEEPEST: usize = 32;
const MOST_NODES: usize = 500_000;

/// A place in the text: line and column count from 1, in characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spot {
    /// From 1.
    pub line: u32,
    /// From 1.
    pub column: u32,
}

/// A node and where it begins.
#[derive(Clone, Debug)]
pub struct Node {
    /// Where it begins in the file.
    pub spot: Spot,
    /// What it is.
    pub data: Data,
    /// How many nodes it stands for, aliases written out.
    weight: usize,
}

/// What a node is.
#[derive(Clone, Debug)]
pub enum Data {
    /// A text, a number, or nothing.
    Scalar(Scalar),
    /// A list.
    List(Vec<Rc<Node>>),
    /// Keys and values in the order of the file, `<<` merged in; keys that are no scalars are faults already.
    Map(Vec<(Key, Rc<Node>)>),
}

/// A key of a map.
#[derive(Clone, Debug)]
pub struct Key {
    /// The key.
    pub text: String,
    /// Where it is.
    pub spot: Spot,
    /// It came with `<<`: a key that is written out wins over it.
    pub merged: bool,
}

/// A scalar's text and how it was written.
#[derive(Clone, Debug)]
pub struct Scalar {
    /// The text that it means.
    pub text: String,
    /// Plain `~`, `null` or nothing at all.
    pub null: bool,
    style: ScalarStyle,
    /// Where its writing begins in the file, counted in characters; behind the `|` of a block.
    start: usize,
}

/// Reads one document. An empty file is an empty map.
///
/// # Errors
/// What is no YAML, or too large; line and column are known.
pub fn read(file: &str, text: &str) -> Result<Rc<Node>, Fault> {
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    let fault = |spot: Spot, what: &str| Fault::new(what).at(file, spot.line, spot.column);
    if text.len() > LARGEST {
        return Err(fault(Spot::default(), &format!("the file is larger than {} MiB.", LARGEST >> 20))
            .hint("Split it into several files."));
    }
    let mut builder = Builder::default();
    let mut parser = Parser::new(StrInput::new(text));
    while let Some(next) = parser.next_event() {
        let (event, span) = next.map_err(|error| {
            let what = format!("this is no YAML: {}.", error.info());
            fault(spot(error.marker()), &what)
        })?;
        builder.event(event, span).map_err(|what| fault(spot(&span.start), what))?;
    }
    let empty = || Rc::new(Node { spot: Spot { line: 1, column: 1 }, data: Data::Map(Vec::new()), weight: 1 });
    Ok(builder.root.unwrap_or_else(empty))
}

fn spot(marker: &Marker) -> Spot {
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    Spot { line: number(marker.line()), column: number(marker.col()).saturating_add(1) }
}

impl Node {
    /// A word for what it is.
    pub fn noun(&self) -> &'static str {
        match &self.data {
            Data::Scalar(scalar) if scalar.null => "nothing",
            Data::Scalar(_) => "a text",
            Data::List(_) => "a list",
            Data::Map(_) => "a map",
        }
    }

    /// Nothing was written here.
    pub fn is_null(&self) -> bool {
        matches!(&self.data, Data::Scalar(scalar) if scalar.null)
    }

    /// Where the character at `offset` (in characters of the scalar's text) was written in the file.
    /// Exact for every style but for what an escape in double quotes makes of a character.
    pub fn spot_within(&self, file_text: &str, offset: usize) -> Spot {
        let Data::Scalar(scalar) = &self.data else { return self.spot };
        scalar.locate(file_text, offset).unwrap_or(self.spot)
    }
}

impl Scalar {
    /// Folding and indentation change white space only: the n-th other character is the same on both sides.
    fn locate(&self, file_text: &str, offset: usize) -> Option<Spot> {
        let before = self.text.chars().take(offset).filter(|c| !c.is_whitespace()).count();
        let text = file_text.strip_prefix('\u{FEFF}').unwrap_or(file_text);
        let mut at = Spot { line: 1, column: 1 };
        let mut chars = text.chars().enumerate().peekable();
        let mut met = 0;
        let mut escaped = false;
        while let Some((index, c)) = chars.next() {
            let here = at;
            at = if c == '\n' { Spot { line: at.line + 1, column: 1 } } else { Spot { column: at.column + 1, ..at } };
            if index < self.start {
                continue;
            }
            let opening =
                index == self.start && matches!(self.style, ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted);
            if opening || c.is_whitespace() {
                continue;
            }
            match self.style {
                ScalarStyle::DoubleQuoted if c == '\\' && !escaped => {
                    escaped = true;
                    continue;
                }
                ScalarStyle::DoubleQuoted if escaped => {
                    escaped = false;
                    // White space by an escape, and a line's end that was escaped, count on neither side.
                    if matches!(c, 'n' | 't' | 'r') {
                        continue;
                    }
                }
                ScalarStyle::SingleQuoted if c == '\'' && chars.next_if(|(_, next)| *next == '\'').is_some() => {
                    at.column += 1;
                }
                _ => {}
            }
            if met == before {
                return Some(here);
            }
            met += 1;
        }
        None
    }
}

/// A list or map that has begun.
struct Open {
    anchor: usize,
    spot: Spot,
    weight: usize,
    kind: OpenKind,
}

enum OpenKind {
    List(Vec<Rc<Node>>),
    Map(Vec<(Key, Rc<Node>)>, Option<Rc<Node>>),
}

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    anchors: HashMap<usize, Rc<Node>>,
    root: Option<Rc<Node>>,
    documents: usize,
}

impl Builder {
    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), &'static str> {
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 { Err("a second document begins here; only one is read.") } else { Ok(()) }
            }
            Event::Alias(anchor) => {
                let node = self.anchors.get(&anchor).cloned();
                self.put(node.ok_or("this alias means a node that is not complete yet.")?)
            }
            Event::Scalar(text, style, anchor, _) => {
                let null = style == ScalarStyle::Plain && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                let text = if null { String::new() } else { text.into_owned() };
                let data = Data::Scalar(Scalar { text, null, style, start: span.start.index() });
                self.done(anchor, Node { spot: spot(&span.start), data, weight: 1 })
            }
            Event::SequenceStart(anchor, _) => self.begin(anchor, span, OpenKind::List(Vec::new())),
            Event::MappingStart(anchor, _) => self.begin(anchor, span, OpenKind::Map(Vec::new(), None)),
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(open) = self.open.pop() else { return Ok(()) };
                let data = match open.kind {
                    OpenKind::List(nodes) => Data::List(nodes),
                    OpenKind::Map(pairs, _) => Data::Map(pairs),
                };
                self.done(open.anchor, Node { spot: open.spot, data, weight: open.weight })
            }
            _ => Ok(()),
        }
    }

    fn begin(&mut self, anchor: usize, span: Span, kind: OpenKind) -> Result<(), &'static str> {
        if self.open.len() >= DEEPEST {
            return Err("lists and maps lie too deep in each other here.");
        }
        self.open.push(Open { anchor, spot: spot(&span.start), weight: 1, kind });
        Ok(())
    }

    fn done(&mut self, anchor: usize, node: Node) -> Result<(), &'static str> {
        let node = Rc::new(node);
        if anchor > 0 {
            self.anchors.insert(anchor, Rc::clone(&node));
        }
        self.put(node)
    }

    fn put(&mut self, node: Rc<Node>) -> Result<(), &'static str> {
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        open.weight = open.weight.saturating_add(node.weight);
        if open.weight > MOST_NODES {
            return Err("with its aliases written out, this file is too large.");
        }
        match &mut open.kind {
            OpenKind::List(nodes) => nodes.push(node),
            OpenKind::Map(_, key @ None) => *key = Some(node),
            OpenKind::Map(pairs, key) => {
                let Some(key) = key.take() else { return Ok(()) };
                let Data::Scalar(scalar) = &key.data else { return Err("a key must be a text.") };
                if scalar.text == "<<" && scalar.style == ScalarStyle::Plain {
                    return merge(pairs, &node);
                }
                pairs.push((Key { text: scalar.text.clone(), spot: key.spot, merged: false }, node));
            }
        }
        Ok(())
    }
}

/// `<<: *map` or a list of maps: keys that are written out win. Source: yaml.org/type/merge.html.
fn merge(pairs: &mut Vec<(Key, Rc<Node>)>, node: &Rc<Node>) -> Result<(), &'static str> {
    match &node.data {
        Data::Map(more) => {
            pairs.extend(more.iter().map(|(key, value)| (Key { merged: true, ..key.clone() }, Rc::clone(value))));
            Ok(())
        }
        Data::List(nodes) => nodes.iter().try_for_each(|node| match &node.data {
            Data::Map(_) => merge(pairs, node),
            _ => Err("`<<` merges maps only."),
        }),
        Data::Scalar(_) => Err("`<<` merges maps only."),
    }
}
