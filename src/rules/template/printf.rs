//! Numbers and texts as Go's fmt prints them. Source: pkg.go.dev/fmt and strconv.

use super::value::Val;

/// `%v` of a float: the fewest digits that read back.
pub(super) fn shortest(value: f64) -> String {
    general(value, None)
}

/// `%g` with this many significant digits, or as few as read back.
pub(super) fn general(value: f64, digits: Option<usize>) -> String {
    if let Some(odd) = odd(value) {
        return odd.to_owned();
    }
    let exact = match digits {
        None => format!("{value:e}"),
        Some(digits) => format!("{value:.*e}", digits.max(1) - 1),
    };
    let (mantissa, exponent) = exact.split_once('e').unwrap_or((&exact, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let figures: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let kept = figures.trim_end_matches('0');
    let figures = if kept.is_empty() { "0" } else { kept };
    let limit = digits.map_or(6, |digits| i32::try_from(digits.max(1)).unwrap_or(i32::MAX));
    if exponent < -4 || exponent >= limit {
        let (first, rest) = figures.split_at_checked(1).unwrap_or((figures, ""));
        let point = if rest.is_empty() { "" } else { "." };
        let mark = if exponent < 0 { '-' } else { '+' };
        return format!("{sign}{first}{point}{rest}e{mark}{:02}", exponent.abs());
    }
    let after = i32::try_from(figures.len()).unwrap_or(0) - 1 - exponent;
    let decimals = usize::try_from(after.max(0)).unwrap_or(0);
    match digits {
        // Rounded once already: printing the rounded text again changes nothing.
        Some(_) => exact.parse::<f64>().map_or(exact.clone(), |value| format!("{value:.decimals$}")),
        None => format!("{value:.decimals$}"),
    }
}

/// `%e` with this many decimals.
fn scientific(value: f64, decimals: usize) -> String {
    if let Some(odd) = odd(value) {
        return odd.to_owned();
    }
    let text = format!("{value:.decimals$e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    format!("{mantissa}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
}

/// Appends formatted text.
pub(super) fn push(out: &mut String, text: core::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _infallible = core::fmt::Write::write_fmt(out, text);
}

const fn odd(value: f64) -> Option<&'static str> {
    match () {
        () if value.is_nan() => Some("NaN"),
        () if value.is_finite() => None,
        () if value > 0.0 => Some("+Inf"),
        () => Some("-Inf"),
    }
}

#[derive(Default)]
struct Spec {
    /// Any of `-+ 0#`.
    flags: String,
    width: usize,
    precision: Option<usize>,
}

impl Spec {
    fn has(&self, flag: char) -> bool {
        self.flags.contains(flag)
    }
}

/// The widest field and the finest precision that are honoured.
const WIDEST: usize = 200;

/// `printf`. What Go would complain about, it complains about in the text, the same way.
pub(super) fn printf(format: &str, args: &[Val]) -> String {
    let mut out = String::new();
    let mut left = args.iter();
    let mut chars = format.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut spec = Spec::default();
        while let Some(flag) = chars.next_if(|c| matches!(c, '-' | '+' | ' ' | '0' | '#')) {
            spec.flags.push(flag);
        }
        let mut digits = || {
            let mut number = None;
            while let Some(digit) = chars.next_if(char::is_ascii_digit) {
                let digit = digit.to_digit(10).map_or(0, |digit| digit as usize);
                number = Some((number.unwrap_or(0) * 10 + digit).min(WIDEST));
            }
            number
        };
        spec.width = digits().unwrap_or(0);
        if chars.next_if_eq(&'.').is_some() {
            let mut digits = || {
                let mut number = 0;
                while let Some(digit) = chars.next_if(char::is_ascii_digit) {
                    number = (number * 10 + digit.to_digit(10).map_or(0, |digit| digit as usize)).min(WIDEST);
                }
                number
            };
            spec.precision = Some(digits());
        }
        match chars.next() {
            None => out += "%!(NOVERB)",
            Some('%') => out.push('%'),
            Some(verb) => match left.next() {
                None => push(&mut out, format_args!("%!{verb}(MISSING)")),
                Some(arg) => out += &one(&spec, verb, arg),
            },
        }
    }
    let extra: Vec<String> = left.map(|arg| format!("{}={}", arg.kind(), arg.show().unwrap_or_default())).collect();
    if !extra.is_empty() {
        push(&mut out, format_args!("%!(EXTRA {})", extra.join(", ")));
    }
    out
}

fn one(spec: &Spec, verb: char, arg: &Val) -> String {
    let body = match (arg, verb) {
        (Val::Float(value), 'f' | 'F') => Some(match odd(*value) {
            Some(odd) => odd.to_owned(),
            None => format!("{value:.*}", spec.precision.unwrap_or(6)),
        }),
        (Val::Float(value), 'e') => Some(scientific(*value, spec.precision.unwrap_or(6))),
        (Val::Float(value), 'E') => Some(scientific(*value, spec.precision.unwrap_or(6)).to_uppercase()),
        (Val::Float(value), 'g' | 'v') => Some(general(*value, spec.precision)),
        (Val::Float(value), 'G') => Some(general(*value, spec.precision).to_uppercase()),
        (Val::Int(value), 'd' | 'v') => Some(value.to_string()),
        (Val::Int(value), 'x') => Some(format!("{value:x}")),
        (Val::Int(value), 'X') => Some(format!("{value:X}")),
        (Val::Int(value), 'o') => Some(format!("{value:o}")),
        (Val::Int(value), 'b') => Some(format!("{value:b}")),
        (Val::Int(value), 'c') => u32::try_from(*value).ok().and_then(char::from_u32).map(String::from),
        (Val::Int(value), 'q') => u32::try_from(*value).ok().and_then(char::from_u32).map(|c| format!("'{c}'")),
        (Val::Bool(yes), 't' | 'v') => Some(yes.to_string()),
        (Val::Text(text), 's' | 'v') => Some(cut(text, spec.precision)),
        (Val::Text(text), 'q') => Some(quoted(&cut(text, spec.precision), spec.has('#'))),
        (Val::Text(text), 'x') => Some(text.bytes().map(|byte| format!("{byte:02x}")).collect()),
        (Val::Text(text), 'X') => Some(text.bytes().map(|byte| format!("{byte:02X}")).collect()),
        (Val::Labels(_) | Val::Args(_), 's' | 'v') => arg.show(),
        (Val::Nil, 'v') => Some("<nil>".to_owned()),
        _ => None,
    };
    let Some(body) = body else {
        return match arg {
            Val::Nil => format!("%!{verb}(<nil>)"),
            _ => format!("%!{verb}({}={})", arg.kind(), arg.show().unwrap_or_default()),
        };
    };
    let number =
        matches!(arg, Val::Float(_)) || matches!((arg, verb), (Val::Int(_), 'd' | 'v' | 'x' | 'X' | 'o' | 'b'));
    padded(spec, &body, number)
}

fn cut(text: &str, most: Option<usize>) -> String {
    text.chars().take(most.unwrap_or(usize::MAX)).collect()
}

fn quoted(text: &str, raw: bool) -> String {
    if raw && !text.contains('`') {
        return format!("`{text}`");
    }
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' => out += "\\\"",
            '\\' => out += "\\\\",
            '\n' => out += "\\n",
            '\t' => out += "\\t",
            '\r' => out += "\\r",
            c if c.is_control() => push(&mut out, format_args!("\\x{:02x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn padded(spec: &Spec, body: &str, number: bool) -> String {
    let (sign, body) = match body.strip_prefix(['+', '-']) {
        // Infinity carries its plus only when asked.
        Some(rest) if number => (
            if body.starts_with('-') {
                "-"
            } else if spec.has('+') || rest == "Inf" {
                "+"
            } else {
                ""
            },
            rest,
        ),
        _ if number && spec.has('+') => ("+", body),
        _ if number && spec.has(' ') => (" ", body),
        _ => ("", body),
    };
    let missing = spec.width.saturating_sub(sign.len() + body.chars().count());
    let finite = number && !matches!(body, "Inf" | "NaN");
    match () {
        () if spec.has('-') => format!("{sign}{body}{:missing$}", ""),
        () if spec.has('0') && (finite || !number) => format!("{sign}{}{body}", "0".repeat(missing)),
        () => format!("{:missing$}{sign}{body}", ""),
    }
}
