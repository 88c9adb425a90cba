//! Foreign text in Markdown: it stays text. No link, heading, table cell, list, picture or HTML can come of it.

/// Characters that mean something anywhere.
const SPECIAL: &str = "\\`*_[]<>#|~&!$";

/// Text as one piece of a paragraph, a list item or a table cell. A word that a reader might turn into a link by
/// itself (an address, a mail name) becomes code.
pub fn text(of: &str) -> String {
    let words: Vec<String> = of.split(' ').map(word).collect();
    let joined = words.join(" ");
    // At the beginning of a block these make a list, a rule or an underlined heading.
    let digits = joined.len() - joined.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let rest = joined.get(digits..).unwrap_or_default();
    let marks = rest.strip_prefix(['.', ')']).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '));
    if digits > 0 && marks {
        return format!("{}\\{rest}", joined.get(..digits).unwrap_or_default());
    }
    if joined.starts_with(['-', '+', '=', ':']) { format!("\\{joined}") } else { joined }
}

fn word(of: &str) -> String {
    let lower = of.to_ascii_lowercase();
    if of.contains('@') || of.contains("://") || lower.contains("www.") || lower.contains("mailto:") {
        return code(of);
    }
    let mut out = String::with_capacity(of.len());
    for c in of.chars() {
        if SPECIAL.contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// Text as code in a line, in backticks enough for it.
pub fn code(of: &str) -> String {
    let mut longest = 0;
    let mut run = 0;
    for c in of.chars() {
        run = if c == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    let fence = "`".repeat(longest + 1);
    // A table cell ends at a bar even inside code.
    let inner = of.replace('|', "\\|");
    let pad = if inner.starts_with('`') || inner.ends_with('`') || inner.trim().is_empty() { " " } else { "" };
    format!("{fence}{pad}{inner}{pad}{fence}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_line_makes_no_link_heading_list_table_or_html() {
        for (foreign, written) in [
            ("# heading", "\\# heading"),
            ("[click](http://evil.example)", "`[click](http://evil.example)`"),
            ("see www.evil.example", "see `www.evil.example`"),
            ("<script>alert(1)</script>", "\\<script\\>alert(1)\\</script\\>"),
            ("&lt;b&gt;", "\\&lt;b\\&gt;"),
            ("a | b", "a \\| b"),
            ("ada@evil.example", "`ada@evil.example`"),
            ("- item", "\\- item"),
            ("1. item", "1\\. item"),
            ("12) item", "12\\) item"),
            ("=== ", "\\=== "),
            ("![x](y)", "\\!\\[x\\](y)"),
            ("**bold** _it_ ~~no~~ `x`", "\\*\\*bold\\*\\* \\_it\\_ \\~\\~no\\~\\~ \\`x\\`"),
            ("14.2 µs", "14.2 µs"),
        ] {
            assert_eq!(text(foreign), written);
        }
        assert_eq!(code("a`b``c"), "```a`b``c```");
        assert_eq!(code("`x"), "`` `x ``");
        assert_eq!(code("a|b"), "`a\\|b`");
    }
}
