//! `[settings]`: what differs between sites, by name; `${name}` stands for it in the texts of a profile, its rules and
//! its procedures. `${NAME}` in capitals is nobody's but a shell's, and `$${name}` is the text `${name}` itself.

use super::body::{near, nearest};
use super::fault::Place;
use super::{Body, Clean, Fault};
use std::collections::BTreeMap;
use toml::de::DeValue;

/// Settings may name settings, so deep.
const DEEPEST: usize = 8;

/// What is set, each with a fault without a sentence at its place.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    values: BTreeMap<String, (DeValue<'static>, Fault)>,
    /// Where texts name what nobody has set.
    unset: Vec<Place>,
}

impl Settings {
    /// Lays a table of settings over what is known. A row that cannot be a setting is a fault and leaves the others.
    pub fn put(&mut self, rows: Body) -> Vec<Fault> {
        let mut faults = Vec::new();
        for (name, value, place) in rows.into_values() {
            if is_name(&name) {
                self.values.insert(name, (value, place));
            } else {
                let what = format!("`{name}` cannot be the name of a setting.");
                let fault = Fault { what: Clean::text(what), ..place };
                faults.push(fault.hint("Use a-z first, then a-z 0-9 _ -."));
            }
        }
        faults
    }

    /// Fills in what settings say of other settings. One that names what nobody has set, or itself, is a fault and gone.
    pub fn resolve(&mut self) -> Vec<Fault> {
        for _ in 0..DEEPEST {
            let known = self.clone();
            for (value, _) in self.values.values_mut() {
                // What cannot be filled in is told below.
                let _unfilled = each_text(value, &mut |text| known.filled(text, Escapes::Stay));
            }
        }
        let (known, mut faults) = (self.clone(), Vec::new());
        self.values.retain(|name, (value, place)| {
            let what = match each_text(value, &mut |text| known.filled(text, Escapes::Stay)) {
                Ok(false) => return true,
                Ok(true) => format!("the setting `{name}` is made of itself."),
                Err(fault) => fault.what.as_str().to_owned(),
            };
            faults.push(Fault { what: Clean::text(what), ..place.clone() });
            false
        });
        faults
    }

    /// Fills every text of a table in. A name that nobody has set is a fault at its place, and stays as it is.
    pub fn fill(&self, body: &mut Body) -> Vec<Fault> {
        body.replace_texts(&mut |text| self.filled(text, Escapes::End))
    }

    /// Keeps where texts name what nobody has set: what follows from that is no fault of its own.
    pub fn note_unset(&mut self, faults: &[Fault]) {
        self.unset.extend(faults.iter().filter_map(|fault| fault.at.clone()));
    }

    /// Whether this fault stands at or in a text that names what nobody has set, and is not the one that says so.
    pub fn follows(&self, fault: &Fault) -> bool {
        let told = fault.what.as_str().ends_with(NOT_SET);
        let within = |at: &Place| {
            let unset = self.unset.iter().filter(|unset| unset.file == at.file && unset.line == at.line);
            unset.map(|unset| unset.column).any(|column| column <= at.column)
        };
        !told && fault.at.as_ref().is_some_and(within)
    }

    /// A text of another format: names that are set are filled in, whatever else looks like one is its own.
    pub fn fill_known(&self, text: &str) -> String {
        let known = |name: &str| Ok(self.values.get(name).map(|(value, _)| shown(value)));
        walk(text, Escapes::End, known).ok().flatten().unwrap_or_else(|| text.to_owned())
    }

    /// Where a text of another format names what nobody has set. Some of it may be a shell's own.
    pub fn unset_in(&self, file: &str, text: &str) -> Vec<Fault> {
        let mut faults = Vec::new();
        for (line, number) in text.lines().zip(1..) {
            for (at, _) in line.match_indices("${") {
                let (before, inside) = (line.get(..at).unwrap_or_default(), line.get(at + 2..).unwrap_or_default());
                let Some((name, _)) = inside.split_once('}').filter(|(name, _)| is_name(name)) else { continue };
                if before.ends_with('$') || self.values.contains_key(name) {
                    continue;
                }
                let column = u32::try_from(before.chars().count()).unwrap_or(u32::MAX).saturating_add(1);
                let what = format!("`${{{name}}}`{NOT_SET}");
                faults.push(Fault::new(what).at(file, number, column).hint(self.mend(name)));
            }
        }
        faults
    }

    /// What stands for a text with names in it; `None` where there are none.
    fn filled(&self, text: &str, escapes: Escapes) -> Result<Option<DeValue<'static>>, Fault> {
        let whole = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
        if let Some((value, _)) = whole.and_then(|name| self.values.get(name)) {
            let mut value = value.clone();
            if escapes == Escapes::End {
                each_text(&mut value, &mut |text| Ok(Some(DeValue::String(plain(text).into()))))?;
            }
            return Ok(Some(value));
        }
        let set = |name: &str| match self.values.get(name) {
            Some((value, _)) if escapes == Escapes::End => Ok(Some(plain(&shown(value)))),
            Some((value, _)) => Ok(Some(shown(value))),
            None => Err(Fault::new(format!("`${{{name}}}`{NOT_SET}")).hint(self.mend(name))),
        };
        Ok(walk(text, escapes, set)?.map(|filled| DeValue::String(filled.into())))
    }

    fn mend(&self, name: &str) -> String {
        let known = self.values.keys().map(String::as_str);
        match near(name, &known.clone().collect::<Vec<_>>()) {
            None if self.values.is_empty() => {
                format!("No setting is: write `{name} = …` under [settings], or `$${{{name}}}` for the text itself.")
            }
            _ => nearest(name, known),
        }
    }
}

/// What becomes of `$${name}`.
#[derive(Clone, Copy, PartialEq)]
enum Escapes {
    /// It is filled into another text first.
    Stay,
    /// It is the text `${name}`.
    End,
}

/// How a sentence ends that tells of a setting that nobody has set.
const NOT_SET: &str = " is not set here.";

/// A text as it can stand in a profile so that no part of it is taken for a setting.
pub fn escaped(text: &str) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some((before, inside)) = rest.split_once("${") {
        let named = inside.split_once('}').is_some_and(|(name, _)| is_name(name));
        out = out + before + if named { "$${" } else { "${" };
        rest = inside;
    }
    out + rest
}

/// The text without its escapes.
fn plain(text: &str) -> String {
    walk(text, Escapes::End, |_| Ok(None)).ok().flatten().unwrap_or_else(|| text.to_owned())
}

/// The text with what `value_of` has for its names; `None` where it has nothing for any.
fn walk(
    text: &str,
    escapes: Escapes,
    value_of: impl Fn(&str) -> Result<Option<String>, Fault>,
) -> Result<Option<String>, Fault> {
    let (mut out, mut rest, mut changed) = (String::new(), text, false);
    while let Some((before, inside)) = rest.split_once("${") {
        let named = inside.split_once('}').filter(|(name, _)| is_name(name));
        if let (Some(first), Some((name, after))) = (before.strip_suffix('$'), named) {
            out.push_str(if escapes == Escapes::End { first } else { before });
            out.extend(["${", name, "}"]);
            changed |= escapes == Escapes::End;
            rest = after;
            continue;
        }
        out.push_str(before);
        let value = named.map(|(name, after)| Ok((value_of(name)?, after))).transpose()?;
        rest = if let Some((Some(value), after)) = value {
            out.push_str(&value);
            changed = true;
            after
        } else {
            out.push_str("${");
            inside
        };
    }
    out.push_str(rest);
    Ok(changed.then_some(out))
}

/// Puts what `new` says in the place of every text in it; whether there was any.
fn each_text(
    value: &mut DeValue<'static>,
    new: &mut dyn FnMut(&str) -> Result<Option<DeValue<'static>>, Fault>,
) -> Result<bool, Fault> {
    let mut changed = false;
    match value {
        DeValue::String(text) => {
            if let Some(put) = new(text)? {
                (*value, changed) = (put, true);
            }
        }
        DeValue::Array(rows) => {
            for row in rows.iter_mut() {
                changed |= each_text(row.get_mut(), new)?;
            }
        }
        DeValue::Table(rows) => {
            for (_, row) in rows.iter_mut() {
                changed |= each_text(row.get_mut(), new)?;
            }
        }
        _ => {}
    }
    Ok(changed)
}

fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(plain)
}

/// A value inside a text.
fn shown(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => text.clone().into_owned(),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(yes) => yes.to_string(),
        DeValue::Array(rows) => rows.iter().map(|row| shown(row.get_ref())).collect::<Vec<_>>().join(", "),
        DeValue::Datetime(at) => at.to_string(),
        // There is no short way to say it: it is seen to be wrong.
        DeValue::Table(_) => "{…}".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> (Settings, Vec<String>) {
        let mut settings = Settings::default();
        let mut faults = settings.put(Body::parse("s.toml", text).expect("parses"));
        faults.extend(settings.resolve());
        (settings, faults.iter().map(Fault::to_string).collect())
    }

    #[test]
    fn names_become_what_is_set_and_a_text_of_one_name_takes_its_type() {
        let text = "unit = \"x\"\nmanager = { kind = \"systemd\", unit = \"${unit}.service\" }";
        let mut body = Body::parse("p.toml", "service = \"${manager}\"").expect("parses");
        assert!(settings(text).0.fill(&mut body).is_empty());
        let mut service = body.take_table("service").expect("a table").expect("there");
        assert_eq!(service.take::<String>("unit").expect("a text").as_deref(), Some("x.service"));
        let (settings, faults) =
            settings("root = \"/srv\"\ndata = \"${root}/data\"\nport = 8080\nnames = [\"a\", \"b\"]");
        assert!(faults.is_empty(), "{faults:?}");
        let text = "path = \"${data}/x-${port}\"\nport = \"${port}\"\nrows = [{ of = \"${names}\" }]\nshell = \"${HOME} $x ${\"";
        let mut body = Body::parse("p.toml", text).expect("parses");
        assert!(settings.fill(&mut body).is_empty());
        assert_eq!(body.take::<String>("path").expect("a text").as_deref(), Some("/srv/data/x-8080"));
        assert_eq!(body.take::<u16>("port").expect("a number"), Some(8080));
        assert_eq!(body.take::<String>("shell").expect("a text").as_deref(), Some("${HOME} $x ${"));
        let mut rows = body.take_array("rows").expect("rows");
        assert_eq!(rows.remove(0).need::<Vec<String>>("of").expect("a list"), ["a", "b"]);
    }

    #[test]
    fn an_escaped_name_is_the_text_itself_wherever_it_comes_from() {
        let (settings, faults) = settings("x = \"1\"\nwhole = \"a $${x}\"\nin = \"<${whole}>\"");
        assert!(faults.is_empty(), "{faults:?}");
        for text in ["A ${x}", "$${x}", "${HOME} ${", "$$${x}${x}", "plain", "${no} $"] {
            let mut body = Body::parse("p.toml", &format!("t = {:?}", escaped(text))).expect("parses");
            assert!(settings.fill(&mut body).is_empty(), "{text}");
            assert_eq!(body.take::<String>("t").expect("a text").as_deref(), Some(text));
            assert_eq!(settings.fill_known(&escaped(text)), text);
        }
        let mut body = Body::parse("p.toml", "a = \"${whole}\"\nb = \"${in}, ${whole}\"").expect("parses");
        assert!(settings.fill(&mut body).is_empty());
        assert_eq!(body.take::<String>("a").expect("a text").as_deref(), Some("a ${x}"));
        assert_eq!(body.take::<String>("b").expect("a text").as_deref(), Some("<a ${x}>, a ${x}"));
    }

    #[test]
    fn what_is_not_set_or_made_of_itself_is_a_fault_at_its_place() {
        let (settings, faults) = settings("data = \"/x\"\na = \"${b}\"\nb = \"${a}\"\nc = [\"${daat}\"]\nD = 1");
        assert_eq!(
            faults,
            [
                "s.toml:5:5: `D` cannot be the name of a setting. Use a-z first, then a-z 0-9 _ -.",
                "s.toml:2:5: the setting `a` is made of itself.",
                "s.toml:3:5: the setting `b` is made of itself.",
                "s.toml:4:5: `${daat}` is not set here.",
            ]
        );
        let mut body = Body::parse("p.toml", "x = 1\nin = [\"${daat}\"]").expect("parses");
        let faults: Vec<String> = settings.fill(&mut body).iter().map(Fault::to_string).collect();
        assert_eq!(faults, ["p.toml:2:7: `${daat}` is not set here. Did you mean `data`?"]);
        let text = "of ${data}, $${daat} and\nµ ${HOME} ${daat} ${data";
        let faults: Vec<String> = settings.unset_in("x.md", text).iter().map(Fault::to_string).collect();
        assert_eq!(faults, ["x.md:2:11: `${daat}` is not set here. Did you mean `data`?"]);
        assert_eq!(settings.fill_known("of ${data} and ${daat}, $data"), "of /x and ${daat}, $data");
    }
}
