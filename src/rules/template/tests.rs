//! Templates: the numbers of Prometheus, what is unknown, bounds.

use super::{Scope, Template};
use crate::base::{Clean, SeriesKey};
use crate::rules::expr::Row;
use proptest::prelude::*;

fn answer(text: &str) -> Result<Vec<Row>, String> {
    let row = |host: &str, value| Row { key: SeriesKey::new("up", &[("host", host)]), value };
    match text {
        "up" => Ok(vec![row("b", 2.0), row("a", 1.0)]),
        "none" => Ok(Vec::new()),
        "many" => Ok((0..5_000).map(|at| row(&at.to_string(), 1.0)).collect()),
        other => Err(format!("no {other}")),
    }
}

fn expand_with(template: &Template, value: f64) -> String {
    let labels =
        [("instance", "db1:9100"), ("job", "node")].map(|(name, value)| (Clean::from(name), Clean::from(value)));
    let external = [(Clean::from("region"), Clean::from("eu"))];
    let mut scope = Scope { labels: &labels, external: &external, value, at: 1_500, query: &mut answer };
    template.expand(&mut scope).as_str().to_owned()
}

fn expand(text: &str, value: f64) -> String {
    expand_with(&Template::parse(text), value)
}

#[test]
fn labels_and_value_in_every_spelling() {
    for (text, expected) in [
        ("plain", "plain"),
        ("", ""),
        ("{{ $labels.instance }} is {{ $value }}", "db1:9100 is 0.25"),
        ("{{$labels.job}}{{.Labels.job}}{{ .Value }}", "nodenode0.25"),
        ("{{ $labels.absent }}|{{ index $labels \"job\" }}", "|node"),
        ("{{ $externalLabels.region }}{{ .ExternalLabels.region }}", "eueu"),
        ("{{ $labels }}", "map[instance:db1:9100 job:node]"),
        ("a {{- /* comment */ -}} b", "ab"),
        ("a  {{- \"x\" -}}  b", "axb"),
        ("{{ \"}}\" }}{{ `{{` }}", "}}{{"),
        ("one {{ $value\n }}\n\n  two\n", "one 0.25 two"),
        ("{{ with $x := 3 }}{{ $x }}{{ . }}{{ end }}", "33"),
        ("{{ $x := $value }}{{ $x = 7 }}{{ $x }}", "7"),
        ("{{ if gt $value 0.2 }}high{{ else }}low{{ end }}", "high"),
        ("{{ if lt $value 0.2 }}a{{ else if eq $labels.job \"x\" \"node\" }}b{{ else }}c{{ end }}", "b"),
        ("{{ if and (ne .Value 1.0) (not false) (or false $labels.job) }}y{{ end }}", "y"),
        ("{{ with $labels.absent }}a{{ else }}b{{ end }}", "b"),
        ("{{ range $k, $v := $labels }}{{ $k }}={{ $v }};{{ end }}", "instance=db1:9100;job=node;"),
        ("{{ range query \"up\" }}{{ .Labels.host }}:{{ .Value }} {{ end }}", "b:2 a:1 "),
        ("{{ range $i, $e := query \"up\" | sortByLabel \"host\" }}{{ $i }}{{ $e.Labels.host }}{{ end }}", "0a1b"),
        ("{{ range query \"none\" }}x{{ else }}nothing{{ end }}", "nothing"),
        (
            "{{ range query \"up\" }}{{ if eq .Value 1.0 }}{{ continue }}{{ end }}{{ . | value }}{{ break }}{{ end }}",
            "2",
        ),
        (
            "{{ query \"up\" | first | value }} {{ query \"up\" | first | label \"host\" }} {{ len (query \"up\") }}",
            "2 b 2",
        ),
        ("{{ printf \"%s: %.2f\" $labels.job $value | toUpper }}", "NODE: 0.25"),
        ("{{ $labels.instance | reReplaceAll \"(.*):.*\" \"<$1>\" }}", "<db1>"),
        ("{{ if match \"^db\" $labels.instance }}db{{ end }}", "db"),
        ("{{ \"hello wORLD\" | title }} {{ \"AB\" | toLower }}", "Hello WORLD ab"),
        ("{{ now }} {{ parseDuration \"1h30m\" }}", "1.5 5400"),
        (
            "{{ stripPort \"a.b:80\" }} {{ stripDomain \"a.b:80\" }} {{ stripDomain \"10.0.0.1:80\" }} {{ stripPort \"[::1]:8\" }}",
            "a.b a:80 10.0.0.1:80 ::1",
        ),
        ("{{ urlquery \"a b&c\" }} {{ html \"<a>\" }} {{ print 1 2 \"x\" \"y\" 3 }}", "a+b%26c &lt;a&gt; 1 2xy3"),
        ("{{ (args 1 \"b\").arg1 }}", "b"),
    ] {
        let template = Template::parse(text);
        assert_eq!(template.unknown(), [], "{text}");
        assert_eq!(expand_with(&template, 0.25), expected, "{text}");
    }
}

#[test]
fn numbers_read_as_prometheus_writes_them() {
    for (function, value, expected) in [
        ("", 1e6, "1e+06"),
        ("", 123_456.789, "123456.789"),
        ("", 1.234e-5, "1.234e-05"),
        ("", f64::NAN, "NaN"),
        ("", f64::NEG_INFINITY, "-Inf"),
        ("humanize", 0.0, "0"),
        ("humanize", 1_234_567.0, "1.235M"),
        ("humanize", -999.96, "-1000"),
        ("humanize", 0.001_234, "1.234m"),
        ("humanize", f64::INFINITY, "+Inf"),
        ("humanize1024", 1024.0, "1ki"),
        ("humanize1024", 1_048_576.0 * 1.5, "1.5Mi"),
        ("humanize1024", 0.5, "0.5"),
        ("humanizePercentage", 0.123_456, "12.35%"),
        ("humanizeDuration", 0.0, "0s"),
        ("humanizeDuration", 59.5, "59.5s"),
        ("humanizeDuration", 3_661.0, "1h 1m 1s"),
        ("humanizeDuration", -90_061.0, "-1d 1h 1m 1s"),
        ("humanizeDuration", 0.012_3, "12.3ms"),
        ("humanizeTimestamp", 1_435_065_584.128, "2015-06-23 13:19:44.128 +0000 UTC"),
        ("humanizeTimestamp", 0.0, "1970-01-01 00:00:00 +0000 UTC"),
        ("printf \"%.1f%%\"", 12.345, "12.3%"),
        ("printf \"%d\"", 5.0, "%!d(float64=5)"),
        ("printf \"%5.1f|%-6.1f|%06.2f|%+.0f\" 1.25 1.25 1.25", 3.0, "  1.2|1.2   |001.25|+3"),
        ("printf \"%e %g %.3g\" 1.0 1e7", 1234.0, "1.000000e+00 1e+07 1.23e+03"),
    ] {
        let text =
            if function.is_empty() { "{{ $value }}".to_owned() } else { format!("{{{{ $value | {function} }}}}") };
        assert_eq!(expand(&text, value), expected, "{text}");
    }
    assert_eq!(
        expand(r#"{{ printf "%s %q %v %5d %x %d %v" "a" "b\"" true 42 "hi" 1 }}"#, 0.0),
        "a \"b\\\"\" true    42 6869 1 %!v(MISSING)"
    );
    assert_eq!(expand(r#"{{ printf "%.1f" 1.0 2 "x" }}"#, 0.0), "1.0%!(EXTRA int=2, string=x)");
}

#[test]
fn what_is_unknown_shows_as_it_was_written_and_is_told() {
    for (text, expected, told) in [
        ("a {{ frob $value }} b", "a {{ frob $value }} b", "`{{ frob $value }}`: no function `frob`"),
        ("{{ $nobody }}!", "{{ $nobody }}!", "`{{ $nobody }}`: no variable `$nobody`"),
        (
            "{{ $value | tableLink }} {{ $value }}",
            "{{ $value | tableLink }} 1",
            "`{{ $value | tableLink }}`: no function `tableLink`",
        ),
        (
            "{{ if frob }}x{{ else }}y{{ end }} z",
            "{{ if frob }}x{{ else }}y{{ end }} z",
            "`{{ if frob }}`: its condition is not understood",
        ),
        (
            "{{ define \"x\" }}a{{ end }}{{ $value }}",
            "{{ define \"x\" }}a{{ end }}1",
            "`{{ define \"x\" }}`: not known here",
        ),
        ("{{ if $value }}x", "{{ if $value }}x", "`{{ if $value }}`: it has no `end`"),
        ("x{{ end }}y{{ $value }}", "x{{ end }}y1", "`{{ end }}`: it ends nothing"),
        ("{{ $value", "{{ $value", "`{{ $value`: something is missing"),
        ("{{ }}", "{{ }}", "`{{ }}`: something is missing"),
        ("{{ (1 }}", "{{ (1 }}", "`{{ (1 }}`: a `)` is missing"),
    ] {
        let template = Template::parse(text);
        assert_eq!(expand_with(&template, 1.0), expected, "{text}");
        let unknown: Vec<&str> = template.unknown().iter().map(Clean::as_str).collect();
        assert_eq!(unknown, [told], "{text}");
    }
}

#[test]
fn what_fails_while_it_runs_shows_as_it_was_written() {
    for text in [
        "{{ query \"none\" | first | value }}",
        "{{ query \"bad\" }}",
        "{{ humanize \"x\" }}",
        "{{ .Nothing }}",
        "{{ reReplaceAll \"(\" \"\" \"x\" }}",
        "{{ if .Nothing }}a{{ end }}",
        "{{ range $value }}a{{ end }}",
    ] {
        assert_eq!(expand(text, 1.0), text);
        assert_eq!(expand(&format!("a {text} {{{{ $value }}}}"), 1.0), format!("a {text} 1"));
    }
}

#[test]
fn steps_output_and_queries_are_bounded() {
    let nested = "{{ range query \"many\" }}".repeat(3) + "x" + &"{{ end }}".repeat(3);
    assert!(expand(&nested, 1.0).len() <= 40_000);
    assert!(expand("{{ range query \"many\" }}{{ $labels }}{{ end }}", 1.0).len() <= 17_000);
    assert!(expand(&"{{ query \"up\" | len }}".repeat(30), 1.0).ends_with("{{ query \"up\" | len }}"));
    let deep = "{{ if 1 }}".repeat(5_000) + &"{{ end }}".repeat(5_000);
    assert!(!Template::parse(&deep).unknown().is_empty());
    let parentheses = format!("{{{{ {}1{} }}}}", "(".repeat(10_000), ")".repeat(10_000));
    assert!(!Template::parse(&parentheses).unknown().is_empty());
    let regex = "{{ reReplaceAll \"(a{1000}){1000}\" \"\" \"x\" }}";
    assert_eq!(expand(regex, 1.0), regex);
    assert!(expand("{{ printf \"%999999999f\" $value }}", 1.0).len() < 300);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]
    #[test]
    fn no_template_breaks(text in r#"(\{\{-? ?|-? ?\}\}|[a-c"`'$.()|:=, \\0-9{}]|if |end|else |range |with |\$value|\$labels|query |printf |and |humanize |%[.0-9]{0,3}[a-z]){0,40}"#, value in any::<f64>()) {
        let _text = expand(&text, value);
    }
}
