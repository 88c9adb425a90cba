//! A calculation of a procedure at work: a form of figures, and what comes of them, anew at each key and each tick.

use super::answer::{self, Purpose};
use super::effect::Effect;
use super::form::{Field, Fields};
use super::metric::Metric;
use super::model::{Model, Overlay};
use super::pane::Pane;
use super::trouble;
use super::walking::{self, Word};
use crate::base::{Clean, Freshness, Reading, Ulid, Unit, Unknown};
use crate::procedure::calculate::{Calculate, Figure, Offer, Worked};
use crate::procedure::document::Live;
use crate::procedure::walk::Found;
use crate::rules::expr::Expr;

/// The calculation that the open form is for.
fn calculation(model: &Model) -> Option<(Calculate, Vec<Clean>)> {
    let Overlay::Form(form) = &model.overlay else { return None };
    let Purpose::Walk(run, Word::Figures) = form.purpose else { return None };
    let walk = &model.procedures.walk(run)?.walk;
    let Live::Calculate(it) = &walk.document.items.get(walk.current)?.live else { return None };
    let typed = (0..form.fields.all.len()).map(|at| form.fields.text(at)).collect();
    Some((it.clone(), typed))
}

/// Opens the form, with what is offered.
pub(super) fn open(model: &mut Model, run: Ulid, title: Clean, it: &Calculate) -> Vec<Effect> {
    let fields = it.inputs.iter().map(|figure| field(model, figure)).collect();
    let effects = answer::open(model, Purpose::Walk(run, Word::Figures), title, Fields::new(fields, 0));
    work_out(model);
    effects
}

fn field(model: &mut Model, figure: &Figure) -> Field {
    let (text, why) = match &figure.offer {
        Offer::None => (Clean::default(), None),
        Offer::Value(value) => (figure.typed(*value), None),
        Offer::Query(expr) => match ask(model, expr, figure.unit) {
            Ok(value) if figure.read(figure.typed(value).as_str()).is_ok() => (figure.typed(value), None),
            Ok(value) => (Clean::default(), Some(crate::clean!("{} is out of it", figure.unit.show(value)))),
            Err(why) => (Clean::default(), Some(why)),
        },
    };
    let about = match why {
        Some(why) => crate::clean!("{}; nothing to offer: {why}", figure.about()),
        None => figure.about(),
    };
    let mut field = Field::new(figure.label.clone(), &text, about);
    field.needed = true;
    field
}

/// What comes of what is typed so far; nothing while that is no figure.
pub(super) fn work_out(model: &mut Model) {
    let Some((it, typed)) = calculation(model) else { return };
    let worked = match it.figures(&typed) {
        Ok(figures) => results(model, &it, &figures),
        Err(_) => Vec::new(),
    };
    if let Overlay::Form(form) = &mut model.overlay {
        form.worked = worked;
    }
}

fn results(model: &mut Model, it: &Calculate, figures: &[f64]) -> Vec<Worked> {
    let one = |result: &crate::procedure::calculate::Outcome| {
        let value = match result.expr(&it.inputs, figures) {
            Ok(expr) => ask(model, &expr, result.unit),
            Err(fault) => Err(crate::clean!("{fault}")),
        };
        result.worked(value)
    };
    it.results.iter().map(one).collect()
}

/// What the form comes to, to be kept.
///
/// # Errors
/// Which field does not fit, and why.
pub(super) fn found(model: &mut Model) -> Result<Found, (usize, Clean)> {
    let Some((it, typed)) = calculation(model) else { return Err((0, "it is over.".into())) };
    let figures = it.figures(&typed)?;
    let worked = results(model, &it, &figures);
    it.found(&figures, &worked).map_err(|why| (0, why))
}

/// What an expression answers now, believed; or why there is no such value.
fn ask(model: &mut Model, expr: &Expr, unit: Unit) -> Result<f64, Clean> {
    // Beside no headline it has no course: one instant query is all.
    let metric = Metric::plain(Clean::default(), expr.clone(), unit);
    let mut pane = Pane { beside: vec![metric], ..Pane::new("sparkline", &Clean::default()) };
    model.board.look(core::iter::once(&mut pane), (&model.store, &model.history, &model.book), model.now);
    let Some(metric) = pane.beside.first() else { return Err(Clean::default()) };
    let fresh = metric.shown.freshness(model.now.mono);
    match &metric.shown.reading {
        Reading::Value { value, .. } if fresh < Freshness::Stale || expr.selectors().is_empty() => Ok(*value),
        Reading::Value { .. } => Err(metric.shown.trouble.clone().unwrap_or_else(|| fresh.word().into())),
        Reading::NotSupported => Err("this host does not offer it.".into()),
        Reading::Unknown(why) => Err(metric
            .shown
            .trouble
            .clone()
            .filter(|_| matches!(why, Unknown::Failed(_)))
            .unwrap_or_else(|| trouble::why(why))),
    }
}

/// A form of figures was filled: what comes of them is said to the walk.
pub(super) fn answered(model: &mut Model, run: Ulid) -> Vec<Effect> {
    match found(model) {
        Ok(found) => walking::heard(model, run, crate::procedure::Said::Worked(found)),
        Err((at, why)) => walking::wrong(model, at, why),
    }
}
