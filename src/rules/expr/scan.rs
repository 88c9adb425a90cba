//! A first look at a text, before the recursive parser sees it: limits, the constructs that are refused,
//! and where things stand, since the parser's own errors have no position.

use crate::base::Fault;
use core::ops::Range;
use std::borrow::Cow;

/// A text is no longer: 64 KiB are ten times the longest public rule.
const LONGEST: usize = 64 * 1024;
/// Brackets are nested no deeper, and no more signs stand in a row.
const DEEPEST: usize = 200;
/// Operators in one text; the parser looks at each pair of them.
const MOST_OPERATORS: usize = 1000;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Word,
    Number,
    Quote,
    Open,
    Close,
    Comma,
    Operator,
}

/// A text, cut into tokens.
#[derive(Debug)]
pub(super) struct Scan<'a> {
    text: &'a str,
    tokens: Vec<(Token, Range<usize>)>,
}

/// Words between two values, in lower case.
const BETWEEN: &[&str] = &["and", "or", "unless", "atan2"];
/// Words that qualify what stands before them.
const AFTER: &[&str] = &[
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
    "group_right",
    "bool",
    "offset",
    "fill",
    "fill_left",
    "fill_right",
];

impl<'a> Scan<'a> {
    /// Cuts a text into tokens.
    ///
    /// # Errors
    /// It is too long, too deep, or has brackets or quotes that do not match.
    pub(super) fn new(text: &'a str) -> Result<Self, Fault> {
        if text.len() > LONGEST {
            return Err(Fault::new(format!(
                "this expression is {} bytes long; at most {LONGEST} are read.",
                text.len()
            )));
        }
        let mut scan = Self { text, tokens: Vec::new() };
        let (mut at, mut in_range) = (0, false);
        while let Some(c) = scan.rest(at).chars().next() {
            let (token, length) = scan.token(at, c, in_range)?;
            match token {
                Some(Token::Open) => in_range = c == '[',
                Some(Token::Close) => in_range = false,
                _ => {}
            }
            scan.tokens.extend(token.map(|token| (token, at..at + length)));
            at += length;
        }
        scan.limits()?;
        Ok(scan)
    }

    /// The token that begins with `c`, and its length; no token for blanks and comments.
    fn token(&self, at: usize, c: char, in_range: bool) -> Result<(Option<Token>, usize), Fault> {
        let rest = self.rest(at);
        let until = |end: &dyn Fn(char) -> bool| rest.find(end).unwrap_or(rest.len());
        Ok(match c {
            c if c.is_whitespace() => (None, c.len_utf8()),
            '#' => (None, until(&|c| c == '\n')),
            '"' | '\'' | '`' => (Some(Token::Quote), self.quote(at, c)?),
            '(' | '[' | '{' => (Some(Token::Open), 1),
            ')' | ']' | '}' => (Some(Token::Close), 1),
            ',' => (Some(Token::Comma), 1),
            c if c.is_ascii_digit() || c == '.' => (Some(Token::Number), self.number(at)),
            // Inside the brackets of a range a colon begins a step, elsewhere a name.
            ':' if in_range => (Some(Token::Operator), 1),
            c if c.is_alphabetic() || c == '_' || c == ':' => {
                (Some(Token::Word), until(&|c| !(c.is_alphanumeric() || c == '_' || c == ':')))
            }
            c => {
                let double = ["==", "!=", ">=", "<=", "=~", "!~"].iter().any(|op| rest.starts_with(op));
                (Some(Token::Operator), if double { 2 } else { c.len_utf8() })
            }
        })
    }

    fn rest(&self, at: usize) -> &'a str {
        self.text.get(at..).unwrap_or_default()
    }

    fn slice(&self, range: &Range<usize>) -> &'a str {
        self.text.get(range.clone()).unwrap_or_default()
    }

    /// The length of a quoted text with its quotes.
    fn quote(&self, at: usize, mark: char) -> Result<usize, Fault> {
        let mut escaped = false;
        for (offset, c) in self.rest(at).char_indices().skip(1) {
            match c {
                _ if escaped => escaped = false,
                '\\' if mark != '`' => escaped = true,
                c if c == mark => return Ok(offset + 1),
                _ => {}
            }
        }
        Err(self.fault(at, "this quote is not closed."))
    }

    /// The length of a number or duration; a sign belongs to it after the `e` of an exponent.
    fn number(&self, at: usize) -> usize {
        let rest = self.rest(at);
        let hexadecimal = rest.starts_with("0x") || rest.starts_with("0X");
        let mut before = ' ';
        for (offset, c) in rest.char_indices() {
            let exponent = !hexadecimal && matches!(before, 'e' | 'E') && matches!(c, '+' | '-');
            if !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_') || exponent) {
                return offset;
            }
            before = c;
        }
        rest.len()
    }

    fn limits(&self) -> Result<(), Fault> {
        let mut open: Vec<(&str, usize)> = Vec::new();
        let (mut signs, mut operators) = (0, 0);
        for (token, range) in &self.tokens {
            let text = self.slice(range);
            let is_sign = *token == Token::Operator && matches!(text, "+" | "-");
            signs = if is_sign { signs + 1 } else { 0 };
            let between = *token == Token::Operator || BETWEEN.iter().any(|word| word.eq_ignore_ascii_case(text));
            operators += usize::from(between && !open.iter().any(|(bracket, _)| *bracket == "{"));
            match token {
                Token::Open => open.push((text, range.start)),
                Token::Close => {
                    let fits = |bracket| matches!((bracket, text), ("(", ")") | ("[", "]") | ("{", "}"));
                    match open.pop() {
                        Some((bracket, _)) if fits(bracket) => {}
                        _ => return Err(self.fault(range.start, &format!("this `{text}` closes nothing."))),
                    }
                }
                _ => {}
            }
            if open.len() > DEEPEST || signs > DEEPEST {
                return Err(self.fault(range.start, &format!("this is nested deeper than {DEEPEST} levels.")));
            }
            if operators > MOST_OPERATORS {
                return Err(self.fault(range.start, &format!("these are more than {MOST_OPERATORS} operators.")));
            }
        }
        match open.last() {
            Some((bracket, at)) => Err(self.fault(*at, &format!("this `{bracket}` is not closed."))),
            None => Ok(()),
        }
    }

    /// The constructs that are refused, by name; the parser would only say that the text is wrong.
    pub(super) fn refused(&self) -> Option<Fault> {
        let mut brackets = Vec::new();
        for (at, (token, range)) in self.tokens.iter().enumerate() {
            let text = self.slice(range);
            let before = at.checked_sub(1).and_then(|at| self.tokens.get(at));
            let after_value = before.is_some_and(|(token, range)| {
                matches!(token, Token::Close) || *token == Token::Word && !is_keyword(self.slice(range))
            });
            let before_word = before.map_or("", |(_, range)| self.slice(range));
            match token {
                Token::Open => brackets.push(text),
                Token::Close => {
                    brackets.pop();
                }
                _ => {}
            }
            let inside = brackets.last().copied().unwrap_or_default();
            let modifier = ["anchored", "smoothed"].iter().find(|word| word.eq_ignore_ascii_case(text));
            let refused = match (token, modifier) {
                (Token::Word, Some(word)) if after_value && inside != "{" => word,
                (Token::Operator, _) if inside == "[" && text != ":" => "a duration expression",
                (Token::Word, _) if inside == "[" && text.chars().any(char::is_alphabetic) => "a duration expression",
                (Token::Open, _) if text == "(" && (before_word.eq_ignore_ascii_case("offset") || inside == "[") => {
                    "a duration expression"
                }
                _ => continue,
            };
            return Some(self.refuse(range.start, refused));
        }
        None
    }

    /// A fault that names a construct and says that it is not understood.
    pub(super) fn refuse(&self, at: usize, construct: &str) -> Fault {
        self.fault(at, &format!("{construct} is not understood here: it is no stable PromQL over plain numbers."))
    }

    /// A fault with the line and column of a byte.
    pub(super) fn fault(&self, at: usize, what: &str) -> Fault {
        let before = self.text.get(..at).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        Fault::new(what).at("", number(line), number(column))
    }

    /// Where a function of this name is called first.
    pub(super) fn call(&self, name: &str) -> Option<usize> {
        let calls = self.tokens.windows(2).find_map(|pair| match pair {
            [(Token::Word, word), (Token::Open, open)] if self.slice(word).eq_ignore_ascii_case(name) => {
                (self.slice(open) == "(").then_some(word.start)
            }
            _ => None,
        });
        calls.or_else(|| self.word(name))
    }

    /// Where a word or quoted text stands first.
    pub(super) fn word(&self, word: &str) -> Option<usize> {
        let bare = |range: &Range<usize>| self.slice(range).trim_matches(['"', '\'', '`']) == word;
        self.tokens.iter().find(|(_, range)| bare(range)).map(|(_, range)| range.start)
    }

    /// The quoted texts after `=~` and `!~`, with where they stand.
    pub(super) fn patterns(&self) -> impl Iterator<Item = (usize, &'a str)> {
        self.tokens.windows(2).filter_map(|pair| match pair {
            [(Token::Operator, op), (Token::Quote, quote)] if matches!(self.slice(op), "=~" | "!~") => {
                Some((quote.start, self.slice(quote)))
            }
            _ => None,
        })
    }

    /// The first place where a value follows a value or an operator has no value: what is wrong with a text of which
    /// the parser says no more than that it is wrong.
    pub(super) fn misplaced(&self) -> Option<Fault> {
        let mut value_before = false;
        let mut brackets: Vec<&str> = Vec::new();
        for (at, (token, range)) in self.tokens.iter().enumerate() {
            let text = self.slice(range);
            let next_opens = self.tokens.get(at + 1).is_some_and(|(_, range)| matches!(self.slice(range), "(" | "{"));
            let between = BETWEEN.iter().any(|word| word.eq_ignore_ascii_case(text));
            let keyword = *token == Token::Word && AFTER.iter().any(|word| word.eq_ignore_ascii_case(text));
            match token {
                Token::Word if keyword && value_before => return None,
                Token::Word if between && value_before => value_before = false,
                Token::Word | Token::Number | Token::Quote if value_before => {
                    return Some(self.fault(range.start, &format!("`{text}` stands where an operator is expected.")));
                }
                Token::Word if next_opens => value_before = true,
                Token::Word | Token::Number | Token::Quote => value_before = true,
                Token::Open => {
                    if matches!(text, "{" | "[") {
                        return None;
                    }
                    brackets.push(text);
                    value_before = false;
                }
                Token::Close => {
                    let call = self.tokens.get(at.saturating_sub(1)).is_some_and(|(token, _)| *token == Token::Open);
                    if !value_before && !call {
                        return Some(self.fault(range.start, &format!("a value is missing before this `{text}`.")));
                    }
                    brackets.pop();
                    value_before = true;
                }
                Token::Comma => value_before = false,
                Token::Operator if !value_before && !matches!(text, "+" | "-") => {
                    return Some(self.fault(range.start, &format!("a value is missing before this `{text}`.")));
                }
                Token::Operator if text == "@" => return None,
                Token::Operator => value_before = false,
            }
        }
        (!value_before).then(|| self.fault(self.text.trim_end().len(), "a value is missing at the end."))
    }

    /// The text as the parser is to see it: bytes above 0x7F that Go's strings write as `\xC3\xA9` become the
    /// characters that they mean, and the replacement character where they mean none.
    pub(super) fn readable(&self) -> Cow<'a, str> {
        if !self.text.contains("\\x") && !self.text.contains("\\3") && !self.text.contains("\\2") {
            return Cow::Borrowed(self.text);
        }
        let mut out = String::with_capacity(self.text.len());
        let mut done = 0;
        for (token, range) in &self.tokens {
            out.push_str(self.text.get(done..range.start).unwrap_or_default());
            let text = self.slice(range);
            if *token == Token::Quote && !text.starts_with('`') {
                unescape(text, &mut out);
            } else {
                out.push_str(text);
            }
            done = range.end;
        }
        out.push_str(self.rest(done));
        Cow::Owned(out)
    }
}

fn is_keyword(word: &str) -> bool {
    BETWEEN.iter().chain(AFTER).any(|known| known.eq_ignore_ascii_case(word))
}

/// Replaces the byte escapes above 0x7F of one quoted text.
fn unescape(text: &str, out: &mut String) {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        match high_byte(rest) {
            Some(byte) => {
                bytes.push(byte);
                rest = rest.get(4..).unwrap_or_default();
                continue;
            }
            None => out.push_str(&String::from_utf8_lossy(&core::mem::take(&mut bytes))),
        }
        let take = if c == '\\' { 1 + rest.chars().nth(1).map_or(0, char::len_utf8) } else { c.len_utf8() };
        out.push_str(rest.get(..take).unwrap_or_default());
        rest = rest.get(take..).unwrap_or_default();
    }
}

/// The byte above 0x7F that `\xHH` or `\OOO` at the beginning of a text means.
fn high_byte(text: &str) -> Option<u8> {
    let escape = text.strip_prefix('\\')?.get(..3)?;
    let byte = match escape.strip_prefix('x') {
        Some(digits) => u8::from_str_radix(digits, 16).ok()?,
        None => u8::from_str_radix(escape, 8).ok()?,
    };
    (byte > 0x7F).then_some(byte)
}
