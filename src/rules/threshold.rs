//! A condition taken apart: what is measured, and the number that it is compared with. For the detail view, which draws
//! the one and the other as a line; `for` and Prometheus need neither.

use super::expr::Expr;
use super::expr::plan::{BinaryOp, Plan};

/// `of sign limit`.
#[derive(Clone, Debug)]
pub struct Threshold {
    /// What is measured.
    pub of: Expr,
    /// How it is compared: `>`.
    pub op: BinaryOp,
    /// With which number.
    pub limit: f64,
}

/// Takes `expr > 5` and `5 < expr` apart; `None` when the condition is anything else.
pub fn threshold(expr: &Expr) -> Option<Threshold> {
    let Plan::Binary(top) = expr.plan().plan() else { return None };
    if !top.op.compares() || top.as_bool {
        return None;
    }
    let text = bare(expr.text().as_str());
    let (at, width) = comparison(text)?;
    let (left, right) = (text.get(..at)?, text.get(at + width..)?);
    match (top.left.plan(), top.right.plan()) {
        (_, Plan::Number(limit)) => Some(Threshold { of: Expr::parse(left).ok()?, op: top.op, limit: *limit }),
        (Plan::Number(limit), _) => Some(Threshold { of: Expr::parse(right).ok()?, op: turned(top.op), limit: *limit }),
        _ => None,
    }
}

/// The same comparison read from the other side.
const fn turned(op: BinaryOp) -> BinaryOp {
    match op {
        BinaryOp::Greater => BinaryOp::Less,
        BinaryOp::Less => BinaryOp::Greater,
        BinaryOp::AtLeast => BinaryOp::AtMost,
        BinaryOp::AtMost => BinaryOp::AtLeast,
        other => other,
    }
}

/// Without parentheses round the whole.
fn bare(text: &str) -> &str {
    let text = text.trim();
    let inner = text.strip_prefix('(').and_then(|inner| inner.strip_suffix(')'));
    match inner {
        // `(a) > (b)` has no pair round the whole: its first one closes before the end.
        Some(inner) if outside(inner).is_some() => bare(inner),
        _ => text,
    }
}

/// The last comparison outside of brackets: where it stands and how long it is. They bind from the left.
fn comparison(text: &str) -> Option<(usize, usize)> {
    let outside = outside(text)?;
    let bytes = text.as_bytes();
    let at = |at: &usize| outside.contains(at).then(|| bytes.get(*at).copied()).flatten();
    outside.iter().rev().find_map(|last| match (at(last)?, last.checked_sub(1).and_then(|before| at(&before))) {
        (b'=', Some(b'=' | b'!' | b'>' | b'<')) => Some((last - 1, 2)),
        (b'>' | b'<', _) => Some((*last, 1)),
        _ => None,
    })
}

/// The bytes that stand outside of brackets, texts and comments, as offsets; `None` when the brackets do not match.
fn outside(text: &str) -> Option<Vec<usize>> {
    let (mut out, mut depth, mut quote, mut escaped, mut comment) = (Vec::new(), 0_usize, None, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match (quote, byte) {
            _ if comment => comment = byte != b'\n',
            _ if escaped => escaped = false,
            (Some(b'"' | b'\''), b'\\') => escaped = true,
            (Some(open), byte) if open == byte => quote = None,
            (Some(_), _) => {}
            (None, b'"' | b'\'' | b'`') => quote = Some(byte),
            (None, b'#') => comment = true,
            (None, b'(' | b'[' | b'{') => depth += 1,
            (None, b')' | b']' | b'}') => depth = depth.checked_sub(1)?,
            (None, _) if depth == 0 => out.push(at),
            (None, _) => {}
        }
    }
    (depth == 0 && quote.is_none()).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Option<String> {
        let found = threshold(&Expr::parse(text).expect(text))?;
        Some(format!("{} | {} | {}", found.of.text(), found.op.sign(), found.limit))
    }

    #[test]
    fn a_condition_is_what_is_measured_and_its_limit() {
        for (text, parts) in [
            ("up == 0", Some("up  | == | 0")),
            ("rate(x{a=\"b>1\"}[5m]) / 2 >= 0.5", Some("rate(x{a=\"b>1\"}[5m]) / 2  | >= | 0.5")),
            ("5 < x", Some(" x | > | 5")),
            ("(x > 5)", Some("x  | > | 5")),
            ("(x) > (5)", Some("(x)  | > | 5")),
            ("sum(x > 3) by (job) > 1 > 7", Some("sum(x > 3) by (job) > 1  | > | 7")),
            ("x{a!=\"b\"} != 4", Some("x{a!=\"b\"}  | != | 4")),
            ("x > y", None),
            ("x > bool 5", None),
            ("x", None),
            ("x > 5 and y < 3", None),
        ] {
            assert_eq!(split(text).as_deref(), parts, "{text}");
        }
    }
}
