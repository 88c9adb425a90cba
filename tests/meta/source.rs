//! One Rust file as tokens: its paths (each resolved to our module tree), words, code lines, functions, structs.
//! Comments and strings are not tokens; `#[cfg(test)]` items are marked, so that rules can pass over them.

use proc_macro2::{Delimiter, Group, Spacing, TokenStream, TokenTree};
use std::collections::BTreeSet;

/// A path or a lone word as it stands in the code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Path {
    /// `crate`, `self` and `super` resolved: ours begin with `crate`.
    pub(crate) segments: Vec<String>,
    pub(crate) line: usize,
}

impl Path {
    /// `crate::base::Clean`.
    pub(crate) fn text(&self) -> String {
        self.segments.join("::")
    }
}

/// A function or struct with its size.
#[derive(Clone, Debug)]
pub(crate) struct Sized {
    pub(crate) name: String,
    pub(crate) line: usize,
    pub(crate) size: usize,
}

/// What the rules ask about one file. Everything but `text` leaves test code out.
#[derive(Default)]
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
    pub(crate) paths: Vec<Path>,
    /// Every identifier and keyword, also behind a dot.
    pub(crate) words: Vec<(String, usize)>,
    /// Lines that hold code.
    pub(crate) code: BTreeSet<usize>,
    pub(crate) functions: Vec<Sized>,
    pub(crate) structs: Vec<Sized>,
    /// Constants and statics whose value is a slice: name and the words in it.
    pub(crate) lists: Vec<(String, Vec<String>)>,
}

impl Source {
    /// Reads a file. `path` is relative to the repository, with `/`.
    pub(crate) fn parse(path: &str, text: &str) -> Result<Self, String> {
        let tokens: TokenStream =
            text.parse().map_err(|error| format!("{path}: the scanner can't read it: {error}"))?;
        let mut source = Self { path: path.to_owned(), text: text.to_owned(), ..Self::default() };
        if !source.is_test_file() {
            let module = module_of(path);
            source.walk(tokens, &module, false);
            source.measure();
        }
        Ok(source)
    }

    /// The folder of `src` that this file is in; `main` for the binary, `lib` for the list of floors.
    pub(crate) fn floor(&self) -> Option<&str> {
        let inner = self.path.strip_prefix("src/")?;
        Some(inner.split_once('/').map_or_else(|| inner.trim_end_matches(".rs"), |(floor, _)| floor))
    }

    /// The leading `//!` lines.
    pub(crate) fn header(&self) -> Vec<&str> {
        self.text.lines().take_while(|line| line.starts_with("//!")).collect()
    }

    fn is_test_file(&self) -> bool {
        self.path.starts_with("src/") && (self.path.ends_with("/tests.rs") || self.path.contains("/tests/"))
    }

    fn walk(&mut self, stream: TokenStream, module: &[String], inside_test: bool) {
        let tokens: Vec<TokenTree> = stream.into_iter().collect();
        let mut test = inside_test;
        let mut at = 0;
        while at < tokens.len() {
            if let Some((group, next)) = attribute(&tokens, at) {
                if !is_doc(group) {
                    test |= is_test_attribute(group);
                    self.lines(&tokens[at..next], test);
                    self.walk(group.stream(), module, test);
                }
                at = next;
                continue;
            }
            if !test {
                self.lines(&tokens[at..=at], test);
                self.item(&tokens, at);
            }
            at = self.token(&tokens, at, module, test);
            let ended = matches!(&tokens[at - 1], TokenTree::Punct(p) if p.as_char() == ';')
                || matches!(&tokens[at - 1], TokenTree::Group(g) if g.delimiter() == Delimiter::Brace);
            if ended {
                test = inside_test;
            }
        }
    }

    /// Takes one token, or one whole path; returns where to go on.
    fn token(&mut self, tokens: &[TokenTree], at: usize, module: &[String], test: bool) -> usize {
        match &tokens[at] {
            TokenTree::Group(group) => {
                let named = match tokens.get(at.wrapping_sub(2)..at) {
                    Some([TokenTree::Ident(word), TokenTree::Ident(name)]) if word == "mod" => Some(name.to_string()),
                    _ => None,
                };
                let module: Vec<String> = module.iter().cloned().chain(named).collect();
                self.walk(group.stream(), &module, test);
                at + 1
            }
            TokenTree::Ident(_) if !follows_path_or_dot(tokens, at) => {
                let mut found = Vec::new();
                let next = collect(tokens, at, &[], &mut found);
                if !test {
                    for (segments, line) in found {
                        self.words.extend(segments.iter().map(|segment| (segment.clone(), line)));
                        self.paths.push(Path { segments: resolve(segments, module), line });
                    }
                    self.lines(&tokens[at..next], test);
                }
                next
            }
            TokenTree::Ident(word) => {
                if !test {
                    self.words.push((word.to_string(), line_of(&tokens[at])));
                }
                at + 1
            }
            _ => at + 1,
        }
    }

    /// Notes what begins here: a function, a struct, a list.
    fn item(&mut self, tokens: &[TokenTree], at: usize) {
        let (TokenTree::Ident(word), Some(TokenTree::Ident(name))) = (&tokens[at], tokens.get(at + 1)) else { return };
        let line = line_of(&tokens[at]);
        let body = tokens[at..]
            .iter()
            .take_while(|token| !matches!(token, TokenTree::Punct(p) if p.as_char() == ';'))
            .find_map(|token| match token {
                TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => Some(group),
                _ => None,
            });
        match (word.to_string().as_str(), body) {
            ("fn", Some(body)) => {
                let size = body.span_close().end().line; // for now the last line; `measure` counts
                self.functions.push(Sized { name: name.to_string(), line, size });
            }
            ("struct", Some(body)) => {
                self.structs.push(Sized { name: name.to_string(), line, size: fields(body) });
            }
            ("static" | "const", _) => {
                let value = tokens[at..]
                    .iter()
                    .skip_while(|token| !matches!(token, TokenTree::Punct(p) if p.as_char() == '='))
                    .take_while(|token| !matches!(token, TokenTree::Punct(p) if p.as_char() == ';'))
                    .find_map(|token| match token {
                        TokenTree::Group(group) if group.delimiter() == Delimiter::Bracket => Some(group),
                        _ => None,
                    });
                if let Some(group) = value {
                    let mut words = Vec::new();
                    all_words(group.stream(), &mut words);
                    self.lists.push((name.to_string(), words));
                }
            }
            _ => {}
        }
    }

    fn lines(&mut self, tokens: &[TokenTree], test: bool) {
        if test {
            return;
        }
        for token in tokens {
            match token {
                TokenTree::Group(group) => {
                    self.code.insert(group.span_open().start().line);
                    self.code.insert(group.span_close().end().line);
                }
                other => {
                    let span = other.span();
                    self.code.extend(span.start().line..=span.end().line);
                }
            }
        }
    }

    fn measure(&mut self) {
        for function in &mut self.functions {
            function.size = self.code.range(function.line..=function.size).count();
        }
    }
}

fn line_of(token: &TokenTree) -> usize {
    token.span().start().line
}

/// `src/a/b.rs` is `a::b`, `src/a/mod.rs` is `a`, `src/lib.rs` is the root.
fn module_of(path: &str) -> Vec<String> {
    let inner = path.strip_prefix("src/").unwrap_or("").trim_end_matches(".rs");
    let inner = inner.trim_end_matches("/mod");
    if matches!(inner, "lib" | "main") { Vec::new() } else { inner.split('/').map(str::to_owned).collect() }
}

/// An attribute at this place, and the place behind it.
fn attribute(tokens: &[TokenTree], at: usize) -> Option<(&Group, usize)> {
    let punct = |at: usize, c: char| matches!(tokens.get(at), Some(TokenTree::Punct(p)) if p.as_char() == c);
    if !punct(at, '#') {
        return None;
    }
    let place = if punct(at + 1, '!') { at + 2 } else { at + 1 };
    match tokens.get(place) {
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Bracket => Some((group, place + 1)),
        _ => None,
    }
}

fn is_doc(attribute: &Group) -> bool {
    matches!(attribute.stream().into_iter().next(), Some(TokenTree::Ident(word)) if word == "doc")
}

/// `#[cfg(test)]`, `#[cfg(all(test, …))]`, `#[test]`; not `#[cfg(not(test))]`.
fn is_test_attribute(attribute: &Group) -> bool {
    let mut words = Vec::new();
    all_words(attribute.stream(), &mut words);
    match words.first().map(String::as_str) {
        Some("test") => true,
        Some("cfg") => words.iter().any(|word| word == "test") && !words.iter().any(|word| word == "not"),
        _ => false,
    }
}

fn all_words(stream: TokenStream, words: &mut Vec<String>) {
    for token in stream {
        match token {
            TokenTree::Ident(word) => words.push(word.to_string()),
            TokenTree::Group(group) => all_words(group.stream(), words),
            _ => {}
        }
    }
}

fn colons(tokens: &[TokenTree], at: usize) -> bool {
    matches!(tokens.get(at..at + 2), Some([TokenTree::Punct(a), TokenTree::Punct(b)])
        if a.as_char() == ':' && a.spacing() == Spacing::Joint && b.as_char() == ':')
}

fn follows_path_or_dot(tokens: &[TokenTree], at: usize) -> bool {
    let behind_dot = at > 0 && matches!(&tokens[at - 1], TokenTree::Punct(p) if p.as_char() == '.');
    // `a..b` is a range, not a field
    let range = at > 1 && matches!(&tokens[at - 2], TokenTree::Punct(p) if p.as_char() == '.');
    behind_dot && !range
}

/// Collects the path (or use-tree) that begins here under `prefix`; returns the place behind it.
fn collect(tokens: &[TokenTree], at: usize, prefix: &[String], found: &mut Vec<(Vec<String>, usize)>) -> usize {
    let mut segments = prefix.to_vec();
    let mut at = at;
    let mut line = 0;
    loop {
        match tokens.get(at) {
            Some(TokenTree::Ident(word)) => {
                segments.push(word.to_string());
                line = line_of(&tokens[at]);
                at += 1;
            }
            Some(TokenTree::Punct(p)) if p.as_char() == '*' => {
                found.push(([&segments[..], &["*".to_owned()]].concat(), line_of(&tokens[at])));
                return at + 1;
            }
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                for branch in inner.split(|token| matches!(token, TokenTree::Punct(p) if p.as_char() == ',')) {
                    if !branch.is_empty() {
                        collect(branch, 0, &segments, found);
                    }
                }
                return at + 1;
            }
            _ => break,
        }
        if !colons(tokens, at) {
            break;
        }
        at += 2;
    }
    found.push((segments, line));
    at.max(1)
}

/// Turns `super::x`, `self::x`, `watchkeeper::x` and `use a::{self}` into what they mean.
fn resolve(mut segments: Vec<String>, module: &[String]) -> Vec<String> {
    if segments.len() > 1 && segments.last().is_some_and(|last| last == "self") {
        segments.pop();
    }
    let ours = |rest: &[String]| [&["crate".to_owned()], rest].concat();
    match segments.first().map(String::as_str) {
        Some("watchkeeper") => ours(&segments[1..]),
        Some("self") if segments.len() > 1 => ours(&[module, &segments[1..]].concat()),
        Some("super") => {
            let ups = segments.iter().take_while(|segment| *segment == "super").count();
            let parent = &module[..module.len().saturating_sub(ups)];
            ours(&[parent, &segments[ups..]].concat())
        }
        _ => segments,
    }
}

/// Named fields at the top level of a struct's body.
fn fields(body: &Group) -> usize {
    let mut depth = 0_usize;
    let mut count = 0;
    let mut fresh = true;
    let tokens: Vec<TokenTree> = body.stream().into_iter().collect();
    for (at, token) in tokens.iter().enumerate() {
        match token {
            TokenTree::Punct(p) => match p.as_char() {
                '<' => depth += 1,
                '>' if at > 0 && matches!(&tokens[at - 1], TokenTree::Punct(p) if p.as_char() == '-') => {}
                '>' => depth = depth.saturating_sub(1),
                ',' if depth == 0 => fresh = true,
                ':' if fresh && !colons(&tokens, at) => {
                    count += 1;
                    fresh = false;
                }
                _ => {}
            },
            TokenTree::Ident(_) | TokenTree::Group(_) | TokenTree::Literal(_) => {}
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(path: &str, text: &str) -> Vec<String> {
        Source::parse(path, text).expect("parses").paths.iter().map(Path::text).filter(|p| p.contains("::")).collect()
    }

    #[test]
    fn paths_are_found_wherever_they_hide_and_resolved() {
        let text = r#"
            // crate::comment::x
            use crate::{base::{Clean, self}, sys as world};
            use super::super::ui;
            fn f() { let _ = format!("crate::string::y {}", crate::store::Store::new()); self::here::go(); a.b(0..c::D); }
        "#;
        let expected = [
            "crate::base::Clean",
            "crate::base",
            "crate::sys",
            "crate::ui",
            "crate::store::Store::new",
            "crate::rules::book::here::go",
            "c::D",
        ];
        assert_eq!(paths("src/rules/book.rs", text), expected);
    }

    #[test]
    fn test_code_is_passed_over_and_the_rest_is_not() {
        let text =
            "#[cfg(test)] mod tests { use a::b; }\n#[cfg(test)] use c::d;\n#[cfg(not(test))] use e::f; use g::h;";
        assert_eq!(paths("src/base/x.rs", text), ["e::f", "g::h"]);
        assert!(paths("src/base/tests.rs", "use a::b;").is_empty());
    }

    #[test]
    fn sizes_count_code_not_comments() {
        let text = "/// doc\nfn long() {\n    // why\n\n    let a = 1;\n}\nstruct S {\n    a: Vec<(u8, std::fmt::Error)>,\n    b: fn(u8) -> u8,\n}\n";
        let source = Source::parse("src/base/x.rs", text).expect("parses");
        assert_eq!(source.functions[0].size, 3);
        assert_eq!(source.structs[0].size, 2);
        assert_eq!(source.code.len(), 7);
    }

    #[test]
    fn lists_know_their_words() {
        let text = "pub static KINDS: &[&dyn Kind] = &[&kinds::host::Host, &kinds::http::HTTP];";
        let source = Source::parse("src/samplers/mod.rs", text).expect("parses");
        assert_eq!(source.lists[0].0, "KINDS");
        assert!(source.lists[0].1.contains(&"host".to_owned()));
    }
}
