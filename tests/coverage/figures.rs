//! Figures of a page, a pane or what an action rests on, over a window: the expression that stands there is asked of series that are fed to it,
//! with the profile's own rules, by `test rules`.

use crate::row::Figure;
use crate::scene::Scene;
use std::process::Command;
use watchkeeper::action::verify as gate;
use watchkeeper::procedure::document::{Condition, Expect, Look, Subject};
use watchkeeper::procedure::{Item, Live};
use watchkeeper::rules::expr::Expr;

/// What of a figure is not so.
pub(crate) fn check(scene: &Scene, figure: &Figure) -> Vec<String> {
    let Some((expr, verdict)) = judged_by(scene, figure).or_else(|| gate(scene, figure)) else {
        return vec![format!("{} has no figure {:?}", figure.of, figure.label)];
    };
    let mut wrong = Vec::new();
    if figure.good.is_some_and(|good| verdict != Some(good)) {
        wrong.push(format!("{} of {} finds {} good: {verdict:?}", figure.label, figure.of, figure.is));
    }
    wrong.extend(differs(scene, figure, &expr));
    wrong
}

/// What a page or a pane asks by that name, and whether that page is content with the value.
fn judged_by(scene: &Scene, figure: &Figure) -> Option<(String, Option<bool>)> {
    let (expr, expect) = standing(scene, figure)?;
    Some((expr.text().to_string(), expect.and_then(|expect| expect.holds(figure.is))))
}

/// What an action rests on by that name, and whether it is done with that value.
fn gate(scene: &Scene, figure: &Figure) -> Option<(String, Option<bool>)> {
    let spec = scene.profile.actions.iter().find(|spec| *spec.name == *figure.of)?;
    let rows: Vec<toml::Table> = spec.body.clone().take("based_on").ok()??;
    let text = |row: &toml::Table, key: &str| row.get(key).and_then(toml::Value::as_str).map(str::to_owned);
    let row = rows.iter().find(|row| text(row, "label").as_ref() == Some(&figure.label))?;
    let expect = row.get("expect").and_then(|expect| expect.clone().try_into::<gate::Expect>().ok());
    Some((text(row, "query")?, expect.and_then(|expect| expect.holds(None, figure.is))))
}

/// The figure of that name, and what is expected of it where a page judges it.
fn standing<'a>(scene: &'a Scene, figure: &Figure) -> Option<(&'a Expr, Option<&'a Expect>)> {
    let named = |label: &watchkeeper::base::Clean| label.as_str() == figure.label;
    if let Some(document) = scene.documents.iter().find(|document| *document.id == *figure.of) {
        return document.items.iter().find_map(|item| match judged(item) {
            Some((look, expect)) if named(&look.label) => Some((&look.expr, Some(expect))),
            _ => item.show.iter().find(|look| named(&look.label)).map(|look| (&look.expr, None)),
        });
    }
    let pane = scene.setup.board.panes.iter().find(|pane| pane.title.as_str() == figure.of)?;
    let columns = pane.table.as_ref().map_or(&[][..], |table| &table.columns);
    let metric = pane.metrics().find(|metric| named(&metric.label)).map(|metric| &metric.expr);
    let column = || columns.iter().find(|column| named(&column.title)).map(|column| &column.expr);
    metric.or_else(column).map(|expr| (expr, None))
}

fn judged(item: &Item) -> Option<(&Look, &Expect)> {
    let condition = match &item.live {
        Live::Check(condition) | Live::When(condition) => Some(condition),
        Live::Wait(wait) => wait.until.as_ref(),
        _ => None,
    };
    match condition? {
        Condition { of: Subject::Query(look), expect, .. } => Some((look, expect)),
        Condition { .. } => None,
    }
}

/// How what the expression answers is not what it should be.
fn differs(scene: &Scene, figure: &Figure, expr: &str) -> Option<String> {
    let rules = scene.profile.path.as_ref().expect("a file").with_file_name("rules.yaml");
    let rules = rules.canonicalize().expect("its rules");
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let fed: String = figure
        .fed
        .iter()
        .map(|(series, values)| format!("      - {{ series: {}, values: {} }}\n", quoted(series), quoted(values)))
        .collect();
    // Of several rows the one that is asked for; the last digits are those of the sums that make it.
    let expr = format!("round({}({expr}), 1e-6)", figure.take.as_deref().unwrap_or("max"));
    let file = tempfile::NamedTempFile::with_suffix(".yaml").expect("a file");
    let text = format!(
        "rule_files: [{}]\nevaluation_interval: 30s\ntests:\n  - name: {}\n    interval: {}\n    input_series:\n{fed}    \
         promql_expr_test:\n      - expr: {}\n        eval_time: {}\n        exp_samples: [{{ labels: '{{}}', value: {} }}]\n",
        quoted(&rules.display().to_string()),
        quoted(&figure.label),
        figure.every.as_deref().unwrap_or("30s"),
        quoted(&expr),
        figure.at,
        figure.is,
    );
    std::fs::write(file.path(), text).expect("writes");
    let mut ask = Command::new(env!("CARGO_BIN_EXE_watchkeeper"));
    let out = ask.args(["test", "rules"]).arg(file.path()).output().expect("runs");
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (!out.status.success())
        .then(|| format!("{} of {}: {}{}", figure.label, figure.of, said(&out.stdout), said(&out.stderr)))
}
