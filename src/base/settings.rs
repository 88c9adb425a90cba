//! `[settings]`: what differs between sites, by name; `${name}` stands for it in the texts of a profile, its rules and
//! its procedures. `${NAME}` in capitals is nobody's but a shell's.

use super::body::nearest;
use super::{Body, Clean, Fault};
use std::collections::BTreeMap;
use toml::de::DeValue;

/// Settings may name settings, so deep.
const DEEPEST: usize = 8;

/// What is set, each with a fault without a sentence at its place.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    values: BTreeMap<String, (DeValue<'static>, Fault)>,
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
                let _unfilled = each_text(value, &mut |text| known.filled(text));
            }
        }
        let (known, mut faults) = (self.clone(), Vec::new());
        self.values.retain(|name, (value, place)| {
            let what = match each_text(value, &mut |text| known.filled(text)) {
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
        body.replace_texts(&mut |text| self.filled(text))
    }

    /// A text of another format: names that are set are filled in, whatever else looks like one is its own.
    pub fn fill_known(&self, text: &str) -> String {
        let known = |name: &str| Ok(self.values.get(name).map(|(value, _)| shown(value)));
        walk(text, known).ok().flatten().unwrap_or_else(|| text.to_owned())
    }

    /// What stands for a text with names in it; `None` where there are none.
    fn filled(&self, text: &str) -> Result<Option<DeValue<'static>>, Fault> {
        let whole = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
        if let Some((value, _)) = whole.and_then(|name| self.values.get(name)) {
            return Ok(Some(value.clone()));
        }
        let set = |name: &str| match self.values.get(name) {
            Some((value, _)) => Ok(Some(shown(value))),
            None => Err(Fault::new(format!("`${{{name}}}` is not set here."))
                .hint(nearest(name, self.values.keys().map(String::as_str)))),
        };
        Ok(walk(text, set)?.map(|filled| DeValue::String(filled.into())))
    }
}

/// The text with what `value_of` has for its names; `None` where it has nothing for any.
fn walk(text: &str, value_of: impl Fn(&str) -> Result<Option<String>, Fault>) -> Result<Option<String>, Fault> {
    let (mut out, mut rest, mut changed) = (String::new(), text, false);
    while let Some((before, inside)) = rest.split_once("${") {
        out.push_str(before);
        let named = inside.split_once('}').filter(|(name, _)| is_name(name));
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
        assert_eq!(settings.fill_known("of ${data} and ${daat}, $data"), "of /x and ${daat}, $data");
    }
}
