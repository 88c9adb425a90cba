//! The typed blocks: TOML that makes an item live.

use super::{expect, figures};
use crate::base::body::nearest;
use crate::base::{Body, Clean, Fault, Unit};
use crate::procedure::document::{
    Answer, Ask, Condition, Escalate, Expect, Live, Look, Repeats, Subject, Tail, Told, Wait,
};
use crate::procedure::pasted::{Form, TOLD};
use crate::rules::expr::Expr;
use crate::rules::lint::promised;
use core::time::Duration;
use std::sync::Arc;

/// Info strings of the blocks that are ours.
pub const KINDS: &[&str] = &["check", "action", "wait", "ask", "calculate", "log", "when", "escalate"];
/// What was found at an item is believed so long when nothing is said (safety.md 4.4).
pub(super) const VALID_FOR: Duration = Duration::from_secs(60);

/// What repeats is looked for so far back, and so many kinds of it are shown, where nothing is said.
const WITHIN: &str = "15m";
const KINDS_OF_ERRORS: usize = 5;

const COMMON: &[&str] = &["show", "facts", "repeats", "failed", "go", "valid_for", "memory"];
const CHECK: &[&str] = &["query", "unit", "label", "expect", "hold", "watch", "sampler", "fact", "is"];
const ACTION: &[&str] = &["run", "set"];
const WAIT: &[&str] = &["for", "at_most", "query", "unit", "label", "expect", "hold", "sampler", "fact", "is"];
const ASK: &[&str] = &["name", "choices", "number", "unit", "text", "paste", "typed", "not_production"];
const CALCULATE: &[&str] = &["name", "inputs", "results"];
const LOG: &[&str] = &["source", "lines"];
const WHEN: &[&str] = &["query", "unit", "label", "expect", "hold", "answer", "is", "sampler", "fact"];
const ESCALATE: &[&str] = &["to", "say"];

/// What one block says.
pub(super) struct Block {
    /// What its item is called where no heading does.
    pub(super) title: Clean,
    pub(super) live: Live,
    pub(super) show: Vec<Look>,
    pub(super) facts: Vec<Arc<str>>,
    pub(super) repeats: Option<Repeats>,
    pub(super) failed: Option<Clean>,
    pub(super) go: Option<Arc<str>>,
    pub(super) valid_for: Duration,
    pub(super) watch: Option<Duration>,
    pub(super) memory: bool,
    /// Where the jump, and the condition, stands in the block.
    pub(super) marks: Marks,
}

/// Faults that are only known when the whole document is: they wait here with their place.
#[derive(Default)]
pub(super) struct Marks {
    pub(super) go: Option<Fault>,
    pub(super) answer: Option<Fault>,
    pub(super) set: Option<Fault>,
}

/// Reads one block of this kind.
pub(super) fn read(kind: &str, file: &str, text: &str) -> Result<Block, Vec<Fault>> {
    let body = Body::parse(file, text).map_err(|fault| vec![fault])?;
    let mut reader = Reader { rest: body.clone(), whole: body };
    let block = reader.block(kind);
    let own = match kind {
        "check" => CHECK,
        "action" => ACTION,
        "wait" => WAIT,
        "ask" => ASK,
        "calculate" => CALCULATE,
        "log" => LOG,
        "when" => WHEN,
        _ => ESCALATE,
    };
    let known: Vec<&str> = own.iter().chain(COMMON).copied().collect();
    // What is misspelt explains what is missing: it comes first.
    let mut odd = reader.whole;
    for key in &known {
        let _known = odd.take::<serde::de::IgnoredAny>(key);
    }
    let mut faults = odd.unknown(&known);
    match block {
        Ok(block) if faults.is_empty() => Ok(block),
        Ok(_) => Err(faults),
        Err(fault) => {
            faults.push(fault);
            Err(faults)
        }
    }
}

struct Reader {
    /// Keys are taken out of this one.
    rest: Body,
    /// This one still knows where they stood.
    whole: Body,
}

impl Reader {
    fn block(&mut self, kind: &str) -> Result<Block, Fault> {
        let (title, live) = match kind {
            "check" => {
                let condition = self.need_condition()?;
                (of(&condition), Live::Check(condition))
            }
            "action" => self.action()?,
            "wait" => self.wait()?,
            "ask" => self.ask()?,
            "calculate" => {
                let calculate = figures::read(&mut self.rest, &self.whole)?;
                let title = calculate.results.first().map(|result| result.label.clone()).unwrap_or_default();
                (title, Live::Calculate(calculate))
            }
            "log" => {
                let tail = self.tail()?;
                (crate::clean!("Last {} lines of the log {}", tail.lines, tail.source), Live::Log(tail))
            }
            "when" => {
                let condition = self.when()?;
                (of(&condition), Live::When(condition))
            }
            _ => {
                let to = Clean::text(self.text("to")?);
                let say = self.rest.take::<String>("say")?.map(Clean::text);
                (crate::clean!("Call {to}"), Live::Escalate(Escalate { to, say }))
            }
        };
        let go = self.rest.take::<String>("go")?;
        let answer = match &live {
            Live::When(Condition { of: Subject::Answer(_), .. }) => Some("answer"),
            _ => None,
        };
        let marks = Marks {
            go: go.as_ref().map(|_| self.whole.fault_at("go", "")),
            answer: answer.map(|key| self.whole.fault_at(key, "")),
            set: matches!(live, Live::Action(..)).then(|| self.whole.fault_at("set", "")),
        };
        Ok(Block {
            title,
            live,
            show: self.show()?,
            facts: self.rest.take::<Vec<Arc<str>>>("facts")?.unwrap_or_default(),
            repeats: self.repeats()?,
            failed: self.rest.take::<String>("failed")?.map(Clean::text),
            go: go.map(Arc::from),
            valid_for: self.lasting("valid_for")?.unwrap_or(VALID_FOR),
            watch: if kind == "check" { self.lasting("watch")? } else { None },
            memory: self.rest.take("memory")?.unwrap_or_default(),
            marks,
        })
    }

    fn action(&mut self) -> Result<(Clean, Live), Fault> {
        let name = self.text("run")?;
        let mut set = Vec::new();
        if let Some(mut values) = self.rest.take_table("set")? {
            for key in values.keys() {
                let value = values.need::<Scalar>(&key)?;
                set.push((Clean::text(&key), value.text()));
            }
        }
        Ok((Clean::text(&name), Live::Action(name.into(), set)))
    }

    fn wait(&mut self) -> Result<(Clean, Live), Fault> {
        let lasts = self.lasting("for")?;
        let deadline = self.lasting("at_most")?;
        let until = self.condition()?;
        match (lasts, deadline, until) {
            (Some(at_most), None, None) => {
                Ok((crate::clean!("Wait {}", span(at_most)), Live::Wait(Wait { until: None, at_most })))
            }
            (None, Some(at_most), Some(until)) => {
                Ok((crate::clean!("Wait: {}", of(&until)), Live::Wait(Wait { until: Some(until), at_most })))
            }
            (None, None, Some(_)) => {
                Err(self.whole.fault("a wait for a condition ends some time: `at_most` is missing here."))
            }
            (None, _, None) => Err(self.whole.fault("a wait has either `for`, or `query`, `expect` and `at_most`.")),
            (Some(_), _, _) => Err(self
                .whole
                .fault_at("for", "a wait has either `for`, or `query`, `expect` and `at_most`: not both.")),
        }
    }

    fn ask(&mut self) -> Result<(Clean, Live), Fault> {
        let name = self.text("name")?;
        let choices = self.rest.take::<Vec<String>>("choices")?;
        let number = self.rest.take::<Vec<f64>>("number")?;
        let unit = self.rest.take::<Unit>("unit")?;
        let text = self.rest.take::<bool>("text")?.unwrap_or_default();
        let not_production = self.rest.take::<bool>("not_production")?.unwrap_or_default();
        if not_production && !text {
            return Err(self
                .whole
                .fault_at("not_production", "it is of the name of a host, which is a `text = true`."));
        }
        if self.rest.keys().iter().any(|key| key == "typed") {
            let word = Clean::text(self.text("typed")?);
            if number.is_some() || text {
                return Err(self
                    .whole
                    .fault_at("typed", "a word that is typed has `choices` beside it, and nothing else."));
            }
            let others: Vec<Clean> = choices.iter().flatten().map(Clean::text).collect();
            let same = |other: &Clean| other.as_str().eq_ignore_ascii_case(word.as_str());
            if others.iter().any(same) {
                return Err(self
                    .whole
                    .fault_at("choices", "the word that is typed is none of the choices: arrows would give it."));
            }
            let kind = Answer::Typed(word, others);
            return Ok((crate::clean!("{name}?"), Live::Ask(Ask { name: name.into(), kind, not_production })));
        }
        let paste = self.rest.take::<String>("paste")?;
        if unit.is_some() && number.is_none() {
            return Err(self.whole.fault_at("unit", "only an answer that is a number has a unit."));
        }
        let kind = match (choices, number, text, paste) {
            (Some(choices), None, false, None) if choices.len() > 1 => {
                Answer::Choice(choices.iter().map(Clean::text).collect())
            }
            (Some(_), None, false, None) => return Err(self.whole.fault_at("choices", "one choice is none.")),
            (None, Some(range), false, None) => match *range.as_slice() {
                [min, max] if min < max => Answer::Number(min, max, unit.unwrap_or_default()),
                _ => return Err(self.whole.fault_at("number", "write the least and the most: `number = [0, 100]`.")),
            },
            (None, None, true, None) => Answer::Text,
            (None, None, false, Some(word)) => Answer::Pasted(self.form(&word)?),
            _ => {
                return Err(self
                    .whole
                    .fault("a question has one of `choices`, `number`, `typed`, `text = true` and `paste`."));
            }
        };
        Ok((crate::clean!("{name}?"), Live::Ask(Ask { name: name.into(), kind, not_production })))
    }

    fn form(&self, word: &str) -> Result<Form, Fault> {
        Form::parse(word).ok_or_else(|| {
            let known = Form::ALL.iter().map(|(known, _)| *known);
            let fault = self.whole.fault_at("paste", format!("`{}` is nothing that is pasted.", Clean::text(word)));
            fault.hint(nearest(word, known))
        })
    }

    fn tail(&mut self) -> Result<Tail, Fault> {
        let lines = self.rest.take::<usize>("lines")?.unwrap_or(TOLD);
        if lines == 0 || lines > TOLD {
            return Err(self.whole.fault_at("lines", format!("a record keeps 1 to {TOLD} lines of a log.")));
        }
        Ok(Tail { source: self.text("source")?.into(), lines })
    }

    fn repeats(&mut self) -> Result<Option<Repeats>, Fault> {
        let Some(mut rest) = self.rest.take_table("repeats")? else { return Ok(None) };
        let whole = rest.clone();
        let source = rest.need::<String>("source")?.into();
        let within = rest.take::<String>("within")?.unwrap_or_else(|| WITHIN.to_owned());
        let most = rest.take::<usize>("most")?.unwrap_or(KINDS_OF_ERRORS);
        rest.done(&["source", "within", "most"])?;
        let within = lasting(&within)
            .filter(|within| !within.is_zero())
            .ok_or_else(|| whole.fault_at("within", "`within` is no length of time.").hint("Write it like `15m`."))?;
        if most == 0 || most > TOLD {
            return Err(whole.fault_at("most", format!("1 to {TOLD} kinds of errors are shown.")));
        }
        Ok(Some(Repeats { source, within, most }))
    }

    fn when(&mut self) -> Result<Condition, Fault> {
        let Some(answer) = self.rest.take::<String>("answer")? else {
            return self.need_condition();
        };
        let is = self.rest.take::<String>("is")?;
        let expect = self.rest.take::<String>("expect")?;
        let expect = match (is, expect) {
            (Some(is), None) => Expect::Text(Clean::text(is)),
            (None, Some(text)) => {
                let unit = self.rest.take::<Unit>("unit")?.unwrap_or_default();
                self.expect(&text, Some(unit))?
            }
            _ => return Err(self.whole.fault_at("answer", "an answer has one of `is` and `expect`.")),
        };
        Ok(Condition { of: Subject::Answer(answer.into()), expect, hold: Duration::ZERO })
    }

    fn need_condition(&mut self) -> Result<Condition, Fault> {
        self.condition()?.ok_or_else(|| self.whole.fault("`query` is missing here, or `sampler` and `fact`."))
    }

    /// A condition over a fact; nothing where the block names none.
    fn told(&mut self) -> Result<Option<Condition>, Fault> {
        let has = |key: &str| self.rest.keys().iter().any(|known| known == key);
        if !has("fact") {
            let odd = ["sampler", "is"].into_iter().find(|key| has(key));
            return odd.map_or(Ok(None), |key| {
                let with = if key == "is" { "`answer`, the name of a question, or with `fact`" } else { "`fact`" };
                Err(self.whole.fault_at(key, format!("`{key}` goes with {with}.")))
            });
        }
        if let Some(key) = ["query", "expect", "unit"].into_iter().find(|key| has(key)) {
            let what = format!("`{key}` is of a number, and a `fact` is a text.");
            return Err(self
                .whole
                .fault_at(key, what)
                .hint("Compare it with `is`; without it, that it is known will do."));
        }
        let (sampler, fact) = (self.text("sampler")?.into(), Clean::text(self.text("fact")?));
        let label = self.rest.take::<String>("label")?.map_or_else(|| fact.clone(), Clean::text);
        let expect = self.rest.take::<String>("is")?.map_or(Expect::Known, |is| Expect::Text(Clean::text(is)));
        let hold = self.lasting("hold")?.unwrap_or_default();
        Ok(Some(Condition { of: Subject::Fact(Told { label, sampler, fact }), expect, hold }))
    }

    fn condition(&mut self) -> Result<Option<Condition>, Fault> {
        if let Some(told) = self.told()? {
            return Ok(Some(told));
        }
        let Some(look) = look(&mut self.rest, &self.whole)? else {
            if let Some(key) =
                ["expect", "hold", "unit"].into_iter().find(|key| self.rest.keys().iter().any(|k| k == key))
            {
                return Err(self.whole.fault_at(key, format!("`{key}` is of a `query`, which is missing here.")));
            }
            return Ok(None);
        };
        let text = self.text("expect")?;
        let unit = look.unit;
        let known = unit.or_else(|| promised(&look.expr));
        let expect = self.expect(&text, known)?;
        let hold = self.lasting("hold")?.unwrap_or_default();
        let look = Look { label: look.label, expr: look.expr, unit: known.unwrap_or_default() };
        Ok(Some(Condition { of: Subject::Query(look), expect, hold }))
    }

    fn expect(&self, text: &str, unit: Option<Unit>) -> Result<Expect, Fault> {
        let read = expect::read(text, unit).map(|(comparison, value)| Expect::Number(comparison, value));
        read.map_err(|wrong| self.whole.fault_in("expect", (1, wrong.column), wrong.what).hint(wrong.hint))
    }

    fn show(&mut self) -> Result<Vec<Look>, Fault> {
        let mut looks = Vec::new();
        for mut row in self.rest.take_array("show")? {
            let whole = row.clone();
            let Some(raw) = look(&mut row, &whole)? else { return Err(whole.fault("`query` is missing here.")) };
            row.done(&["label", "query", "unit"])?;
            let unit = raw.unit.or_else(|| promised(&raw.expr)).unwrap_or_default();
            looks.push(Look { label: raw.label, expr: raw.expr, unit });
        }
        Ok(looks)
    }

    /// A text that must be there and say something.
    fn text(&mut self, key: &str) -> Result<String, Fault> {
        let text = self.rest.need::<String>(key)?;
        if text.trim().is_empty() {
            return Err(self.whole.fault_at(key, format!("`{key}` is empty.")));
        }
        Ok(text)
    }

    fn lasting(&mut self, key: &str) -> Result<Option<Duration>, Fault> {
        let Some(text) = self.rest.take::<String>(key)? else { return Ok(None) };
        lasting(&text).map(Some).ok_or_else(|| {
            self.whole.fault_at(key, format!("`{key}` is no length of time.")).hint("Write it like `60s` or `5m`.")
        })
    }
}

/// A value of a parameter.
#[derive(serde::Deserialize)]
#[serde(untagged, expecting = "a value of a parameter is a text, a number, true or false")]
enum Scalar {
    Text(String),
    Whole(i64),
    Number(f64),
    Truth(bool),
}

impl Scalar {
    fn text(&self) -> Clean {
        match self {
            Self::Text(text) => Clean::text(text),
            Self::Whole(number) => crate::clean!("{number}"),
            Self::Number(number) => crate::clean!("{number}"),
            Self::Truth(truth) => crate::clean!("{truth}"),
        }
    }
}

struct RawLook {
    label: Clean,
    expr: Expr,
    unit: Option<Unit>,
}

/// A fault of an expression, placed where its text stands.
pub(super) fn placed(whole: &Body, key: &str, fault: &Fault) -> Fault {
    let at = fault.at.as_ref().map_or((1, 1), |place| (place.line, place.column));
    let placed = whole.fault_in(key, at, &fault.what);
    match &fault.hint {
        Some(hint) => placed.hint(hint),
        None => placed,
    }
}

fn look(rest: &mut Body, whole: &Body) -> Result<Option<RawLook>, Fault> {
    let Some(query) = rest.take::<String>("query")? else { return Ok(None) };
    let expr = Expr::parse(&query).map_err(|fault| placed(whole, "query", &fault))?;
    let label = rest.take::<String>("label")?.map_or_else(|| expr.text().clone(), Clean::text);
    Ok(Some(RawLook { label, expr, unit: rest.take("unit")? }))
}

fn of(condition: &Condition) -> Clean {
    match &condition.of {
        Subject::Query(look) => look.label.clone(),
        Subject::Answer(name) => Clean::text(name.as_bytes()),
        Subject::Fact(told) => told.label.clone(),
    }
}

/// A length of time as files spell it: `60s`, `5m`, `1m 30s`. Days are refused: their length varies.
pub(super) fn lasting(text: &str) -> Option<Duration> {
    static PARSER: jiff::fmt::friendly::SpanParser = jiff::fmt::friendly::SpanParser::new();
    PARSER.parse_unsigned_duration(text.trim()).ok()
}

/// A length of time for a title: `60 s`, `5 min`.
fn span(time: Duration) -> String {
    match time.as_secs() {
        0 => format!("{} ms", time.as_millis()),
        minutes if minutes.is_multiple_of(60) => format!("{} min", minutes / 60),
        seconds => format!("{seconds} s"),
    }
}
