//! Metrics of a profile that only samplers may give of which nobody knows what they give before they are asked.

use super::validate::place;
use crate::action::queries::written;
use crate::app::Pane;
use crate::base::{Clean, Fault, Place};
use crate::config::{Profile, builtin};
use crate::rules::Book;
use crate::rules::book::INTERVAL;
use crate::rules::expr::Expr;
use crate::rules::lint::Known;
use crate::store::Store;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Who may give them, then a line for each metric where it is asked for first; nothing where there is none. What ships
/// asks for many that come from one version of its system or another: it is left out.
pub(super) fn lines(name: &str, profile: &Profile, (book, panes): (&Book, &[Pane]), store: &Store) -> Vec<String> {
    let known = Known::new(Some(store), book.policy(), INTERVAL, book.rules().map(|(_, rule, _)| rule));
    let (mut seen, mut from) = (BTreeSet::new(), BTreeSet::<Arc<str>>::new());
    let mut lines = Vec::new();
    for (about, expr, at) in asked(profile, book, panes) {
        if at.as_ref().is_some_and(|at| builtin::is_within(at.file.as_str())) {
            continue;
        }
        for metric in expr.selectors().iter().filter_map(|selector| selector.metric_name()) {
            let possible = known.awaited(metric);
            if possible.is_empty() || !seen.insert(metric.to_owned()) {
                continue;
            }
            from.extend(possible);
            let fault = Fault { at: at.clone(), ..Fault::new(format!("`{metric}` of `{about}`.")) };
            let near = known.near(metric).map(|near| format!("Did you mean `{near}`?"));
            lines.push(format!("  {}", near.into_iter().fold(fault, Fault::hint)));
        }
    }
    if !lines.is_empty() {
        let from: Vec<String> = from.iter().map(|name| format!("`{name}`")).collect();
        let from = from.join(", ");
        lines.insert(
            0,
            format!("Only {from} may give what follows, and is not asked here; `watchkeeper query METRIC --profile {name}` asks:"),
        );
    }
    lines
}

/// What rules, panes and actions ask, each by whose it is and where it stands.
fn asked(profile: &Profile, book: &Book, panes: &[Pane]) -> Vec<(Clean, Expr, Option<Place>)> {
    let at = |name: &Clean| place(profile, name.as_str());
    let rules = book
        .rules()
        .map(|(_, rule, _)| (rule.name.clone(), rule.expr.clone(), rule.expr_place.clone().or_else(|| at(&rule.name))));
    let values = panes.iter().filter(|pane| !pane.optional).flat_map(|pane| {
        let metrics = pane.metrics().filter(|metric| metric.rule.is_none());
        metrics.map(|metric| (pane.title.clone(), metric.expr.clone(), at(&pane.title)))
    });
    let actions = profile.actions.iter().flat_map(|spec| {
        let queries = written(&spec.body).into_iter();
        queries.filter_map(|(key, query)| {
            let expr = Expr::parse(&query).ok()?;
            Some((Clean::text(&*spec.name), expr, spec.body.fault_at(key, "").at))
        })
    });
    rules.chain(values).chain(actions).collect()
}

#[cfg(test)]
mod tests {
    use super::lines;
    use crate::config::Profile;
    use crate::roles::setup::{known_kinds, setup};
    use crate::store::{Limits, Store};

    #[test]
    fn a_metric_that_only_an_unknown_page_may_give_is_told_with_its_place_and_what_was_meant() {
        let text = "[samplers.app]\nkind = \"scrape\"\nurl = \"http://127.0.0.1:1/metrics\"\n[samplers.health]\nkind = \"http\"\n\
                    url = \"http://127.0.0.1:1/\"\njson = [{ pointer = \"/loss\", metric = \"training_loss\" }]\n\
                    [[panes]]\ntitle = \"Loss\"\nkind = \"sparkline\"\nquery = \"training_los + training_loss\"\n\
                    [[panes]]\ntitle = \"Again\"\nkind = \"sparkline\"\nquery = \"training_los + probe_success\"\n";
        let told = |text: &str| {
            let profile = Profile::parse("t", "p.toml", text, &known_kinds()).unwrap();
            let mut store = Store::new(Limits::default());
            let built = setup(&profile, "h".into(), &mut store);
            assert_eq!(built.faults, []);
            lines("./t", &profile, (&built.book, &built.board.panes), &store)
        };
        let asks =
            "Only `app` may give what follows, and is not asked here; `watchkeeper query METRIC --profile ./t` asks:";
        let row = "  p.toml:11:9: `training_los` of `Loss`. Did you mean `training_loss`?";
        assert_eq!(told(text), [asks, row]);
        let known = text.replace("training_los +", "training_loss +");
        assert_eq!(told(&known), [""; 0]);
        let shipped = Profile::parse("t", "built-in t", text, &known_kinds()).unwrap();
        let mut store = Store::new(Limits::default());
        let built = setup(&shipped, "h".into(), &mut store);
        assert_eq!(lines("t", &shipped, (&built.book, &built.board.panes), &store), [""; 0]);
    }
}
