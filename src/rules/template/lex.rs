//! The tokens between `{{` and `}}`.

use super::parse::Literal;

/// A token.
#[derive(Debug)]
pub(super) enum Token<'a> {
    Dot,
    /// `.name`, not joined to what stands before it.
    Field(&'a str),
    /// `$` and a name.
    Variable(&'a str),
    Word(&'a str),
    Literal(Literal),
    Open,
    Close,
    Pipe,
    Comma,
    Declare,
    Assign,
}

/// Tokens in order; `true` where nothing stands between one and its predecessor.
pub(super) struct Tokens<'a> {
    list: Vec<(Token<'a>, bool)>,
}

impl<'a> Tokens<'a> {
    /// # Errors
    /// What cannot be a token.
    pub(super) fn new(text: &'a str) -> Result<Self, String> {
        let mut list = Vec::new();
        let mut rest = text;
        loop {
            let trimmed = rest.trim_start();
            let joined = trimmed.len() == rest.len() && !list.is_empty();
            rest = trimmed;
            if rest.is_empty() {
                list.reverse();
                return Ok(Self { list });
            }
            let (token, length) = token(rest)?;
            list.push((token, joined));
            rest = rest.get(length..).unwrap_or_default();
        }
    }

    pub(super) fn peek(&self) -> Option<&Token<'a>> {
        self.list.last().map(|(token, _)| token)
    }

    pub(super) fn skip(&mut self) {
        self.list.pop();
    }

    pub(super) fn next(&mut self) -> Option<Token<'a>> {
        self.list.pop().map(|(token, _)| token)
    }

    /// `.name` directly behind an operand.
    pub(super) fn joined_field(&mut self) -> Option<&'a str> {
        match self.list.last() {
            Some((Token::Field(name), true)) => {
                let name = *name;
                self.list.pop();
                Some(name)
            }
            _ => None,
        }
    }

    /// `$a :=`, `$a =`, and for `range` `$a, $b :=`; nothing is taken when it is none.
    pub(super) fn declaration(&mut self, range: bool) -> (Vec<String>, bool) {
        let ahead =
            |n: usize| self.list.len().checked_sub(n + 1).and_then(|at| self.list.get(at)).map(|(token, _)| token);
        let (names, tokens, sign): (Vec<&str>, usize, _) = match (ahead(0), ahead(1), ahead(2), ahead(3)) {
            (Some(Token::Variable(one)), Some(sign), ..) if is_sign(sign) => (vec![one], 2, sign),
            (Some(Token::Variable(one)), Some(Token::Comma), Some(Token::Variable(two)), Some(sign))
                if range && is_sign(sign) =>
            {
                (vec![one, two], 4, sign)
            }
            _ => return (Vec::new(), true),
        };
        let fresh = matches!(sign, Token::Declare);
        let names = names.into_iter().map(str::to_owned).collect();
        self.list.truncate(self.list.len() - tokens);
        (names, fresh)
    }
}

const fn is_sign(token: &Token<'_>) -> bool {
    matches!(token, Token::Declare | Token::Assign)
}

fn token(text: &str) -> Result<(Token<'_>, usize), String> {
    let name = |from: usize| {
        let tail = text.get(from..).unwrap_or_default();
        tail.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(tail.len())
    };
    let of = |from: usize, length: usize| text.get(from..from + length).unwrap_or_default();
    let mut chars = text.chars();
    let first = chars.next().unwrap_or(' ');
    let second = chars.next().unwrap_or(' ');
    Ok(match first {
        '(' => (Token::Open, 1),
        ')' => (Token::Close, 1),
        '|' => (Token::Pipe, 1),
        ',' => (Token::Comma, 1),
        ':' if second == '=' => (Token::Declare, 2),
        '=' => (Token::Assign, 1),
        '"' => quoted(text)?,
        '\'' => character(text)?,
        '`' => {
            let end = text.get(1..).and_then(|rest| rest.find('`')).ok_or("a text has no end")?;
            (Token::Literal(Literal::Text(of(1, end).to_owned())), end + 2)
        }
        '$' => {
            let length = 1 + name(1);
            (Token::Variable(of(0, length)), length)
        }
        '.' if second.is_ascii_digit() => number(text)?,
        '.' => match name(1) {
            0 => (Token::Dot, 1),
            length => (Token::Field(of(1, length)), 1 + length),
        },
        '0'..='9' => number(text)?,
        '+' | '-' if second.is_ascii_digit() || second == '.' => number(text)?,
        c if c.is_alphabetic() || c == '_' => (Token::Word(of(0, name(0))), name(0)),
        c => return Err(format!("`{c}` means nothing here")),
    })
}

fn number(text: &str) -> Result<(Token<'_>, usize), String> {
    let mut length = 0;
    let mut before = ' ';
    for c in text.chars() {
        let hexadecimal = text.contains("0x") || text.contains("0X");
        let exponent = matches!(before, 'e' | 'E') && !hexadecimal || matches!(before, ' ');
        if !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_') || exponent && matches!(c, '+' | '-')) {
            break;
        }
        length += c.len_utf8();
        before = c;
    }
    let written = text.get(..length).unwrap_or_default();
    let plain = written.replace('_', "");
    let (sign, digits) = match plain.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, plain.trim_start_matches('+')),
    };
    let based = |prefix: [&str; 2], base| {
        let digits = prefix.iter().find_map(|prefix| digits.strip_prefix(prefix))?;
        i64::from_str_radix(digits, base).ok()
    };
    let whole = based(["0x", "0X"], 16)
        .or_else(|| based(["0b", "0B"], 2))
        .or_else(|| based(["0o", "0O"], 8))
        .or_else(|| digits.parse().ok());
    let literal = match whole {
        Some(whole) => Literal::Int(whole * sign),
        None => Literal::Float(plain.parse().map_err(|_| format!("`{written}` is no number"))?),
    };
    Ok((Token::Literal(literal), length))
}

/// A quoted text; Go's escapes.
fn quoted(text: &str) -> Result<(Token<'_>, usize), String> {
    let mut out = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((Token::Literal(Literal::Text(out)), at + 1)),
            '\n' => break,
            '\\' => out.push(escape(&mut chars)?),
            c => out.push(c),
        }
    }
    Err("a text has no end".to_owned())
}

/// `'x'` is the number of its character.
fn character(text: &str) -> Result<(Token<'_>, usize), String> {
    let mut chars = text.char_indices().skip(1);
    let one = match chars.next() {
        Some((_, '\\')) => escape(&mut chars)?,
        Some((_, c)) if c != '\'' => c,
        _ => return Err("it is not understood".to_owned()),
    };
    match chars.next() {
        Some((at, '\'')) => Ok((Token::Literal(Literal::Int(i64::from(u32::from(one)))), at + 1)),
        _ => Err("a character has no end".to_owned()),
    }
}

fn escape(chars: &mut impl Iterator<Item = (usize, char)>) -> Result<char, String> {
    let wrong = || "an escape is not understood".to_owned();
    let (_, c) = chars.next().ok_or_else(wrong)?;
    let mut code = |digits: usize, base: u32, first: Option<char>| {
        let text: String = first.into_iter().chain(chars.map(|(_, c)| c).take(digits)).collect();
        u32::from_str_radix(&text, base).ok().and_then(char::from_u32).ok_or_else(wrong)
    };
    match c {
        'n' => Ok('\n'),
        't' => Ok('\t'),
        'r' => Ok('\r'),
        'a' => Ok('\u{7}'),
        'b' => Ok('\u{8}'),
        'f' => Ok('\u{c}'),
        'v' => Ok('\u{b}'),
        '\\' | '"' | '\'' => Ok(c),
        'x' => code(2, 16, None),
        'u' => code(4, 16, None),
        'U' => code(8, 16, None),
        '0'..='7' => code(2, 8, Some(c)),
        _ => Err(wrong()),
    }
}
