//! Text to a tree of nodes. What is not understood becomes a [`Node::Raw`] with the text as written.
//! Syntax: pkg.go.dev/text/template.

use super::functions::Function;
use super::lex::{Token, Tokens};
use super::value::Val;
use crate::base::Clean;
use crate::clean;

/// Blocks and parentheses in each other.
const DEEPEST: usize = 24;
/// A longer template is not read: it shows as it is.
const LONGEST: usize = 64 * 1024;

/// A piece of a template.
#[derive(Debug)]
pub(super) enum Node {
    Text(String),
    /// Not understood: shown as it was written.
    Raw(String),
    /// `{{ pipeline }}`, and how it was written.
    Print(Pipeline, String),
    /// `{{ if }}` with its `else if`s.
    If(Block, Vec<(Pipeline, Vec<Node>)>, Vec<Node>),
    With(Block, Vec<(Pipeline, Vec<Node>)>, Vec<Node>),
    Range(Block, Pipeline, Vec<Node>, Vec<Node>),
    Break,
    Continue,
}

/// How a block was written, for when it cannot be run.
pub(super) type Block = String;

/// `$x := command | command`.
#[derive(Debug)]
pub(super) struct Pipeline {
    /// Variables, and whether they are new.
    pub(super) names: Vec<String>,
    pub(super) fresh: bool,
    pub(super) commands: Vec<Command>,
}

/// A function with its arguments, or one operand.
#[derive(Debug)]
pub(super) enum Command {
    Call(Function, Vec<Operand>),
    Value(Operand),
}

/// An argument.
#[derive(Debug)]
pub(super) enum Operand {
    Literal(Literal),
    Dot,
    Variable(String),
    /// A function without arguments.
    Call(Function),
    Nested(Box<Pipeline>),
    /// `.a.b` behind another operand.
    Field(Box<Operand>, String),
}

/// A constant. (Values are not shared between threads, constants are.)
#[derive(Debug)]
pub(super) enum Literal {
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
}

impl Literal {
    pub(super) fn value(&self) -> Val {
        match self {
            Self::Nil => Val::Nil,
            Self::Bool(yes) => Val::Bool(*yes),
            Self::Int(number) => Val::Int(*number),
            Self::Float(number) => Val::Float(*number),
            Self::Text(text) => Val::text(text),
        }
    }
}

/// The nodes of a text, and a sentence for each construct that is not understood.
pub(super) fn parse(text: &str) -> (Vec<Node>, Vec<Clean>) {
    if text.len() > LONGEST {
        return (vec![Node::Raw(text.to_owned())], vec![Clean::from("the template is too long")]);
    }
    if !text.contains("{{") {
        return (vec![Node::Text(text.to_owned())], Vec::new());
    }
    let mut parser = Parser { text, pieces: pieces(text), at: 0, variables: scope(), moved: 0, unknown: Vec::new() };
    let mut nodes = Vec::new();
    while parser.at < parser.pieces.len() {
        let (more, end) = parser.nodes(0);
        nodes.extend(more);
        if let Some(stray) = end {
            parser.tell(stray.raw, "it ends nothing");
            nodes.push(Node::Raw(stray.raw.to_owned()));
        }
    }
    (nodes, parser.unknown)
}

/// Variables that every template has.
fn scope() -> Vec<String> {
    ["$", "$labels", "$externalLabels", "$value"].map(str::to_owned).into()
}

#[derive(Clone, Copy)]
struct Piece<'a> {
    /// With its braces; of text, as far as trimming leaves it.
    raw: &'a str,
    /// What is between the braces; `None` is text.
    inner: Option<&'a str>,
    /// Where it begins and ends in the template.
    span: (usize, usize),
}

/// Cuts at `{{` and `}}`; `{{-` and `-}}` trim the text beside them; comments vanish.
fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut out: Vec<Piece<'_>> = Vec::new();
    let mut at = 0;
    let mut trim = false;
    let slice = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
    loop {
        let open = slice(at, text.len()).find("{{").map(|open| at + open);
        let until = open.unwrap_or(text.len());
        let mut raw = slice(at, until);
        if trim {
            raw = raw.trim_start();
        }
        let Some(open) = open else {
            out.push(Piece { raw, inner: None, span: (at, until) });
            return out;
        };
        let body = slice(open + 2, text.len());
        let left = body.strip_prefix('-').filter(|rest| rest.starts_with(char::is_whitespace));
        if left.is_some() {
            raw = raw.trim_end();
        }
        out.push(Piece { raw, inner: None, span: (at, open) });
        let inside = left.unwrap_or(body);
        let start = text.len() - inside.len();
        let Some(length) = action_end(inside) else {
            out.push(Piece { raw: slice(open, text.len()), inner: Some(""), span: (open, text.len()) });
            return out;
        };
        let inner = slice(start, start + length);
        at = start + length + 2;
        let right = inner.strip_suffix('-').filter(|rest| rest.ends_with(char::is_whitespace));
        trim = right.is_some();
        let inner = right.unwrap_or(inner).trim();
        if !(inner.starts_with("/*") && inner.ends_with("*/") && inner.len() >= 4) {
            out.push(Piece { raw: slice(open, at), inner: Some(inner), span: (open, at) });
        }
    }
}

/// Where the `}}` of an action is: not inside of a text or a comment.
fn action_end(inside: &str) -> Option<usize> {
    if inside.trim_start().starts_with("/*") {
        let end = inside.find("*/")?;
        return inside.get(end..)?.find("}}").map(|more| end + more);
    }
    let mut quote = None;
    let mut escaped = false;
    let mut before = ' ';
    for (at, c) in inside.char_indices() {
        match quote {
            _ if escaped => escaped = false,
            Some('"' | '\'') if c == '\\' => escaped = true,
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if matches!(c, '"' | '`' | '\'') => quote = Some(c),
            None if c == '}' && before == '}' => return Some(at - 1),
            None => {}
        }
        before = if quote.is_some() { ' ' } else { c };
    }
    None
}

struct Parser<'a> {
    text: &'a str,
    pieces: Vec<Piece<'a>>,
    at: usize,
    variables: Vec<String>,
    /// So many blocks lie around that give the dot another meaning.
    moved: usize,
    unknown: Vec<Clean>,
}

/// What the dot of a rule's template has, as long as no block gives it another meaning.
const FIELDS: [&str; 3] = ["Labels", "Value", "ExternalLabels"];

type Reason = &'static str;

impl<'a> Parser<'a> {
    fn tell(&mut self, raw: &str, why: &str) {
        self.unknown.push(clean!("`{raw}`: {why}"));
    }

    /// Nodes up to an `end` or `else` that belongs to someone outside, which is handed back.
    fn nodes(&mut self, depth: usize) -> (Vec<Node>, Option<Piece<'a>>) {
        let mut nodes = Vec::new();
        while let Some(piece) = self.pieces.get(self.at).copied() {
            self.at += 1;
            let Some(inner) = piece.inner else {
                if !piece.raw.is_empty() {
                    nodes.push(Node::Text(piece.raw.to_owned()));
                }
                continue;
            };
            let (word, rest) = word(inner);
            let unknown = self.unknown.len();
            match word {
                "end" | "else" => return (nodes, Some(piece)),
                "break" if rest.is_empty() => nodes.push(Node::Break),
                "continue" if rest.is_empty() => nodes.push(Node::Continue),
                "if" | "with" | "range" | "define" | "block" => {
                    let kept = self.variables.len();
                    let result = self.block(word, rest, depth);
                    self.variables.truncate(kept);
                    match result {
                        Ok(make) => nodes.push(make(self.raw_since(piece))),
                        Err(why) => {
                            // What stood inside is told by the block's own sentence.
                            self.unknown.truncate(unknown);
                            self.tell(piece.raw, why);
                            nodes.push(Node::Raw(self.raw_since(piece)));
                        }
                    }
                }
                _ => match self.pipeline(inner) {
                    Ok(pipeline) => nodes.push(Node::Print(pipeline, piece.raw.to_owned())),
                    Err(why) => {
                        self.tell(piece.raw, &why);
                        nodes.push(Node::Raw(piece.raw.to_owned()));
                    }
                },
            }
        }
        (nodes, None)
    }

    /// The template's text from this piece to the last one taken.
    fn raw_since(&self, first: Piece<'_>) -> String {
        let last = self.at.checked_sub(1).and_then(|at| self.pieces.get(at));
        last.and_then(|last| self.text.get(first.span.0..last.span.1)).unwrap_or(first.raw).to_owned()
    }

    /// A block up to its `end`, which is consumed even when the block is not understood.
    fn block(&mut self, word: &str, head: &str, depth: usize) -> Result<Box<dyn FnOnce(String) -> Node>, Reason> {
        if depth >= DEEPEST {
            self.at = self.pieces.len();
            return Err("blocks lie too deep in each other");
        }
        let mut wrong = matches!(word, "define" | "block").then_some("not known here");
        let mut arms = Vec::new();
        let mut head = self.head(word, head, &mut wrong);
        let moves = usize::from(word != "if");
        loop {
            self.moved += moves;
            let (nodes, end) = self.nodes(depth + 1);
            self.moved -= moves;
            arms.extend(head.take().map(|head| (head, nodes)));
            let Some(end) = end else { return Err("it has no `end`") };
            let (_, rest) = self::word(end.inner.unwrap_or_default());
            if end.inner == Some("end") {
                return wrong.map_or_else(|| Ok(make(word, arms, Vec::new())), Err);
            }
            let (again, more) = self::word(rest);
            if rest.is_empty() {
                let (otherwise, end) = self.nodes(depth + 1);
                return match (end.and_then(|end| end.inner), wrong) {
                    (_, Some(why)) => Err(why),
                    (Some("end"), None) => Ok(make(word, arms, otherwise)),
                    _ => Err("its `else` has no `end`"),
                };
            }
            if again != word || word == "range" {
                wrong = Some("its `else` is not understood");
            }
            head = self.head(again, more, &mut wrong);
        }
    }

    fn head(&mut self, word: &str, text: &str, wrong: &mut Option<Reason>) -> Option<Pipeline> {
        if wrong.is_some() {
            return None;
        }
        let read = match word {
            "range" => self.range(text),
            _ => self.pipeline(text),
        };
        read.map_err(|_| *wrong = Some("its condition is not understood")).ok()
    }

    /// `$i, $x := pipeline`, or only the pipeline.
    fn range(&mut self, text: &str) -> Result<Pipeline, String> {
        let mut tokens = Tokens::new(text)?;
        self.take(&mut tokens, true, 0)
    }

    fn pipeline(&mut self, text: &str) -> Result<Pipeline, String> {
        let mut tokens = Tokens::new(text)?;
        self.take(&mut tokens, false, 0)
    }

    fn take(&mut self, tokens: &mut Tokens<'_>, range: bool, depth: usize) -> Result<Pipeline, String> {
        if depth >= DEEPEST {
            return Err("parentheses lie too deep in each other".to_owned());
        }
        let (names, fresh) = tokens.declaration(range);
        let mut commands = Vec::new();
        loop {
            commands.push(self.command(tokens, depth)?);
            match tokens.peek() {
                Some(Token::Pipe) => tokens.skip(),
                Some(Token::Close) if depth > 0 => break,
                None => break,
                Some(_) => return Err("it is not understood".to_owned()),
            }
        }
        if depth == 0 {
            if let Some(unknown) = names.iter().find(|name| !fresh && !self.variables.contains(name)) {
                return Err(format!("no variable `{unknown}`"));
            }
            self.variables.extend(names.iter().filter(|_| fresh).cloned());
        }
        Ok(Pipeline { names, fresh, commands })
    }

    fn command(&mut self, tokens: &mut Tokens<'_>, depth: usize) -> Result<Command, String> {
        let first = tokens.next().ok_or("something is missing")?;
        if let Token::Word(name) = first
            && !matches!(name, "true" | "false" | "nil")
        {
            let function = Function::parse(name).ok_or_else(|| format!("no function `{name}`"))?;
            let mut args = Vec::new();
            while !matches!(tokens.peek(), None | Some(Token::Pipe | Token::Close)) {
                let token = tokens.next().ok_or("something is missing")?;
                args.push(self.operand(token, tokens, depth)?);
            }
            return Ok(Command::Call(function, args));
        }
        let value = self.operand(first, tokens, depth)?;
        match tokens.peek() {
            None | Some(Token::Pipe | Token::Close) => Ok(Command::Value(value)),
            Some(_) => Err("a value takes no argument".to_owned()),
        }
    }

    fn operand(&mut self, token: Token<'_>, tokens: &mut Tokens<'_>, depth: usize) -> Result<Operand, String> {
        let mut operand = match token {
            Token::Dot => Operand::Dot,
            Token::Variable(name) if self.variables.iter().any(|known| known == name) => {
                Operand::Variable(name.to_owned())
            }
            Token::Variable(name) => return Err(format!("no variable `{name}`")),
            Token::Literal(literal) => Operand::Literal(literal),
            Token::Word("true") => Operand::Literal(Literal::Bool(true)),
            Token::Word("false") => Operand::Literal(Literal::Bool(false)),
            Token::Word("nil") => Operand::Literal(Literal::Nil),
            Token::Word(name) => Operand::Call(Function::parse(name).ok_or_else(|| format!("no function `{name}`"))?),
            Token::Field(name) if self.moved == 0 => of_rule(Operand::Dot, name)?,
            Token::Field(name) => Operand::Field(Box::new(Operand::Dot), name.to_owned()),
            Token::Open => {
                let inner = self.take(tokens, false, depth + 1)?;
                match tokens.next() {
                    Some(Token::Close) => Operand::Nested(Box::new(inner)),
                    _ => return Err("a `)` is missing".to_owned()),
                }
            }
            _ => return Err("it is not understood".to_owned()),
        };
        while let Some(name) = tokens.joined_field() {
            operand = match operand {
                Operand::Variable(of) if of == "$" => of_rule(Operand::Variable(of), name)?,
                of => Operand::Field(Box::new(of), name.to_owned()),
            };
        }
        Ok(operand)
    }
}

/// A field of what a rule's template is about.
fn of_rule(of: Operand, name: &str) -> Result<Operand, String> {
    if FIELDS.contains(&name) {
        return Ok(Operand::Field(Box::new(of), name.to_owned()));
    }
    Err(format!("no field `.{name}`; a rule's template has .{}", FIELDS.join(", .")))
}

fn make(word: &str, arms: Vec<(Pipeline, Vec<Node>)>, otherwise: Vec<Node>) -> Box<dyn FnOnce(String) -> Node> {
    match word {
        "if" => Box::new(|raw| Node::If(raw, arms, otherwise)),
        "with" => Box::new(|raw| Node::With(raw, arms, otherwise)),
        _ => Box::new(|raw| match arms.into_iter().next() {
            Some((head, nodes)) => Node::Range(raw, head, nodes, otherwise),
            None => Node::Raw(raw),
        }),
    }
}

fn word(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    let (word, rest) = text.split_at_checked(end).unwrap_or((text, ""));
    (word, rest.trim_start())
}
