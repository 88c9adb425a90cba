//! What a kind takes, found out by asking it: which keys it knows, which of them it needs, and of which types their values
//! may be. So the schema says what the kinds themselves say, and no list is kept twice.

use crate::base::{Body, Fault};
use serde_json::{Map, Value as Json, json};
use toml::{Table, Value};

/// The first fault of a table, or none.
pub(super) type Judge<'a> = dyn Fn(&Body) -> Option<Fault> + 'a;

/// What a table says where a value is put.
type Put<'a> = dyn Fn(Value) -> Option<Fault> + 'a;

/// A name that no kind knows.
const NOBODY: &str = "\u{2205}";
/// Tables in tables are asked about so deep.
const DEEPEST: usize = 3;
/// No table needs more keys.
const MOST: usize = 12;

/// What one answer tells.
enum Said {
    /// It knows these keys.
    Keys(Vec<String>),
    /// This key is missing.
    Missing(String),
    /// It takes one of these words.
    Words(Vec<String>),
    /// Nothing that helps.
    Nothing,
}

/// A text of a profile that a setting stands for.
pub(super) fn setting() -> Json {
    json!({ "type": "string", "pattern": "^\\$\\{" })
}

/// A table that this kind would judge, without and with the keys that all kinds have in common. Examples help where a
/// value cannot be guessed. `None` where the kind does not say what it takes.
pub(super) fn of_kind(
    judge: &Judge<'_>,
    start: &Table,
    examples: &[Table],
    common: &Map<String, Json>,
) -> Option<Json> {
    let put = |value: Value| match value {
        Value::Table(table) => Body::of(&table).map_or_else(Some, |body| judge(&body)),
        _ => None,
    };
    let mut asked = table(&put, start, examples, 0)?;
    if let Some(keys) = asked.pointer_mut("/properties").and_then(Json::as_object_mut) {
        for (name, known) in common {
            keys.insert(name.clone(), known.clone());
        }
    }
    Some(asked)
}

/// The tables of a documentation's blocks, each without its `kind`, and the keys that stand in them by themselves.
pub(super) fn examples(lines: &[String], header: &str) -> Vec<Table> {
    let mut all = Vec::new();
    for block in lines.split(|line| line.starts_with("```")).skip(1).step_by(2) {
        let Ok(mut block) = block.join("\n").parse::<Table>() else { continue };
        let named = block.remove(header).and_then(|named| named.as_table().cloned()).unwrap_or_default();
        let tables = named.into_iter().filter_map(|(_, table)| table.as_table().cloned());
        for mut table in tables.chain([block]) {
            table.remove("kind");
            all.push(table);
        }
    }
    all
}

fn with(table: &Table, key: &str, value: Value) -> Table {
    let mut table = table.clone();
    table.insert(key.to_owned(), value);
    table
}

fn said(fault: Option<Fault>) -> Said {
    let Some(fault) = fault else { return Said::Nothing };
    let what = fault.what.as_str();
    let names = || {
        let hint = fault.hint.as_ref().map_or("", |hint| hint.as_str());
        let list = hint.strip_prefix("Known here: ").and_then(|list| list.strip_suffix('.'));
        list.map(|list| list.split(", ").map(str::to_owned).collect::<Vec<_>>()).unwrap_or_default()
    };
    let missing = what.strip_prefix("missing field `").and_then(|rest| rest.split('`').next());
    let missing = missing.or_else(|| what.strip_suffix("` is missing here.")?.strip_prefix('`'));
    match missing {
        Some(name) => Said::Missing(name.to_owned()),
        None if what == format!("unknown key `{NOBODY}`.") => Said::Keys(names()),
        None if what == format!("unknown value `{NOBODY}`.") => Said::Words(names()),
        None => Said::Nothing,
    }
}

/// Whether the fault is that a value of another type stands there.
fn other_type(fault: Option<Fault>) -> bool {
    let wrong = |fault: Fault| {
        ["invalid type", "invalid length", "wanted string or table"]
            .iter()
            .any(|how| fault.what.as_str().starts_with(how))
    };
    fault.is_some_and(wrong)
}

/// A way in which a table can be written: as much of it as must be there, and the keys that are known beside that.
type Form = (Table, Vec<String>);

/// A table, from one that has what must be said first.
fn table(put: &Put<'_>, start: &Table, examples: &[Table], deep: usize) -> Option<Json> {
    let judge = |table: Table| put(Value::Table(table));
    let (forms, required) = forms(&judge, start, examples);
    let (base, _) = forms.first()?;
    let mut names: Vec<&String> = forms.iter().flat_map(|(_, keys)| keys).chain(start.keys()).collect();
    // Keys that are taken out before the others are judged are not in those lists.
    for (name, value) in examples.iter().flatten().filter(|(name, _)| !start.contains_key(*name)) {
        let unknown = |fault: &Fault| fault.what.as_str() == format!("unknown key `{name}`.");
        if !names.contains(&name) && !judge(with(base, name, value.clone())).as_ref().is_some_and(unknown) {
            names.push(name);
        }
    }
    let mut properties = Map::new();
    for name in names {
        let example = examples.iter().find_map(|example| example.get(name));
        let (base, _) = forms.iter().find(|(_, keys)| keys.contains(name)).or(forms.first())?;
        let at = |value: Value| judge(with(base, name, value));
        properties.insert(name.clone(), value(&at, example, deep));
    }
    Some(json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false }))
}

/// The ways in which a table can be written, and the keys that none of them goes without.
fn forms(judge: &dyn Fn(Table) -> Option<Fault>, start: &Table, examples: &[Table]) -> (Vec<Form>, Vec<String>) {
    let nobody = |table: &Table| said(judge(with(table, NOBODY, Value::Integer(0))));
    let (mut base, mut required, mut known) = (start.clone(), Vec::new(), None);
    for _ in 0..MOST {
        // A key that nobody knows is told first by some, what is missing first by others.
        let answer = if known.is_none() { nobody(&base) } else { said(judge(base.clone())) };
        match answer {
            Said::Keys(keys) => known = Some(keys),
            Said::Missing(name) if !required.contains(&name) => {
                let shown = examples.iter().find_map(|example| example.get(&name).cloned());
                if let Some(value) = shown.or_else(|| guess(judge, &base, &name)) {
                    base = with(&base, &name, value);
                }
                required.push(name);
            }
            _ => break,
        }
    }
    if let Some(keys) = known {
        required.retain(|name| !keys.iter().any(|key| stands_for(judge, &base, name, key)));
        return (vec![(base, keys)], required);
    }
    // Where more than one key is missing at once no sentence names it: a whole example has them all.
    let answer = |table: Table| match nobody(&table) {
        Said::Keys(keys) => Some((table, keys)),
        _ => None,
    };
    let whole = |example: &Table| {
        let rows = start.iter().chain(example).map(|(name, value)| (name.clone(), value.clone()));
        let table: Table = rows.collect();
        // It may show a key that stands instead of another one.
        let less = |name: &String| {
            let mut less = table.clone();
            less.remove(name).and_then(|_| answer(less))
        };
        answer(table.clone()).or_else(|| example.keys().find_map(less))
    };
    (examples.iter().filter_map(whole).collect(), required)
}

/// Whether a table can do without `name` where it has `key`. What is wrong with that key in any case tells nothing.
fn stands_for(judge: &dyn Fn(Table) -> Option<Fault>, base: &Table, name: &str, key: &str) -> bool {
    if base.contains_key(key) {
        return false;
    }
    let mut without = base.clone();
    without.remove(name);
    let Some(value) = guess(judge, base, key) else { return false };
    let [here, gone] = [base, &without].map(|table| judge(with(table, key, value.clone())));
    let what = |fault: &Option<Fault>| fault.as_ref().map(|fault| fault.what.clone());
    let anyway = here.is_some() && what(&here) == what(&gone);
    !anyway && !matches!(said(gone), Said::Missing(missing) if missing == name)
}

/// A value of the type that this key wants.
fn guess(judge: &dyn Fn(Table) -> Option<Fault>, base: &Table, name: &str) -> Option<Value> {
    let ways = [
        Value::from("x"),
        Value::from(1),
        Value::from(true),
        Value::from(vec![Value::from("x")]),
        Value::Array(Vec::new()),
        Value::Table(Table::new()),
    ];
    ways.into_iter().find(|way| !other_type(judge(with(base, name, way.clone()))))
}

/// What may stand where this puts values.
fn value(put: &Put<'_>, example: Option<&Value>, deep: usize) -> Json {
    let takes = |value: Value| !other_type(put(value));
    let text = takes(Value::from(NOBODY));
    let (number, whole, switch) = (takes(Value::from(5.5)), takes(Value::from(5)), takes(Value::from(true)));
    let (list, rows) = (takes(Value::Array(Vec::new())), takes(Value::Table(Table::new())));
    let all = [text, number, whole, switch, list, rows];
    if all.iter().all(|takes| *takes) || !all.iter().any(|takes| *takes) {
        return json!({});
    }
    let mut ways = Vec::new();
    match said(put(Value::from(NOBODY))) {
        Said::Words(words) if !words.is_empty() => ways.extend([json!({ "enum": words }), setting()]),
        _ if text => ways.push(json!({ "type": "string" })),
        _ => ways.push(setting()),
    }
    match (number, whole) {
        (true, _) => ways.push(json!({ "type": "number" })),
        (_, true) => ways.push(json!({ "type": "integer" })),
        _ => {}
    }
    if switch {
        ways.push(json!({ "type": "boolean" }));
    }
    if list {
        let first = example.and_then(Value::as_array).and_then(|rows| rows.first());
        let item = |value: Value| put(Value::Array(vec![value]));
        let items = if deep < DEEPEST { value(&item, first, deep + 1) } else { json!({}) };
        ways.push(json!({ "type": "array", "items": items }));
    }
    if rows {
        ways.push(if deep < DEEPEST { nested(put, example, deep + 1) } else { json!({ "type": "object" }) });
    }
    if ways.len() == 1 { ways.remove(0) } else { json!({ "anyOf": ways }) }
}

/// A table in a table: of one form, or of one for each `kind`.
fn nested(put: &Put<'_>, example: Option<&Value>, deep: usize) -> Json {
    let examples: Vec<Table> = example.and_then(Value::as_table).cloned().into_iter().collect();
    let of_kind = |kind: &str| with(&Table::new(), "kind", Value::from(kind));
    let Said::Words(kinds) = said(put(Value::Table(of_kind(NOBODY)))) else {
        return table(put, &Table::new(), &examples, deep).unwrap_or_else(|| json!({ "type": "object" }));
    };
    let forms = kinds.iter().filter_map(|kind| {
        let mut same = examples.clone();
        same.retain(|example| example.get("kind").and_then(Value::as_str) == Some(kind));
        Some((kind.clone(), table(put, &of_kind(kind), &same, deep)?))
    });
    by_kind(&kinds, forms.collect())
}

/// A table whose `kind` says what else stands in it.
pub(super) fn by_kind(kinds: &[String], forms: Vec<(String, Json)>) -> Json {
    let when = |(kind, form): (String, Json)| json!({ "if": { "properties": { "kind": { "const": kind } }, "required": ["kind"] }, "then": form });
    json!({
        "type": "object",
        "properties": { "kind": { "anyOf": [{ "enum": kinds }, setting()] } },
        "required": ["kind"],
        "allOf": forms.into_iter().map(when).collect::<Vec<_>>(),
    })
}
