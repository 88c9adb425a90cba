//! Parameters of an action: typed, with a value, and put into its arguments as `{name}`. With `ask = true` the operator
//! gives the value; with `offer` what is seen now is offered in place of `value`. What does not fit its type is refused
//! before there is a plan.

use super::plan::Readings;
use crate::base::{Body, Clean, Fault};
use crate::rules::expr::Expr;
use serde::Deserialize;
use std::collections::BTreeMap;

/// A text is not longer, in bytes.
const LONGEST: usize = 128;

/// The parameters of one action, checked.
#[derive(Debug, Default)]
pub struct Params(BTreeMap<String, String>);

/// A parameter that the operator is asked for.
#[derive(Clone, Debug)]
pub struct Asked {
    /// As the profile names it.
    pub name: Clean,
    row: Row,
}

/// `{ int = [1, 30], value = 7, ask = true }`, `{ one_of = ["a", "b"], value = "a" }`, `{ matches = "[a-z]+", value = "x" }`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    int: Option<(i64, i64)>,
    one_of: Option<Vec<String>>,
    matches: Option<String>,
    value: Given,
    /// The operator gives the value; `value` is what it begins with.
    #[serde(default)]
    ask: bool,
    offer: Option<Offer>,
}

/// What is seen now and offered: a reading, or the values of one label of several, to choose from.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Offer {
    query: String,
    label: Option<String>,
    /// How a reading is written, with `{}` for the number; the number alone when absent.
    #[serde(rename = "as")]
    form: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, expecting = "the value of a parameter is a whole number or a text")]
enum Given {
    Number(i64),
    Text(String),
}

impl Params {
    /// Takes the key `params`; of those that are asked for, `given` has the operator's values.
    ///
    /// # Errors
    /// A row without a type, or a value that does not fit it.
    pub fn take(body: &mut Body, given: &[(Clean, Clean)]) -> Result<Self, Fault> {
        let table = body.clone();
        let rows: BTreeMap<String, Row> = body.take("params")?.unwrap_or_default();
        let checked = rows.into_iter().map(|(name, row)| {
            let given = given.iter().find(|(asked, _)| (row.ask || row.offer.is_some()) && asked.as_str() == name);
            let sound = row.offer.as_ref().map_or(Ok(()), Offer::check);
            let value = sound
                .and_then(|()| given.map_or_else(|| row.check(), |(_, text)| row.given(text.as_str()).check()))
                .map_err(|what| table.fault_at("params", format!("the parameter `{}` {what}.", Clean::text(&name))))?;
            Ok((name, value))
        });
        checked.collect::<Result<_, _>>().map(Self)
    }

    /// The arguments with every `{name}` replaced. An argument that begins with a parameter never becomes an option.
    ///
    /// # Errors
    /// A name that is no parameter.
    pub fn fill(&self, argv: &[String]) -> Result<Vec<String>, Fault> {
        argv.iter().map(|word| self.word(word)).collect()
    }

    /// The value of a text that is nothing but `{name}`; `None` of any other.
    ///
    /// # Errors
    /// A name that is no parameter.
    pub fn whole(&self, text: &str) -> Result<Option<&str>, Fault> {
        let name = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).filter(|name| is_name(name));
        let unknown = |name| Fault::new(format!("`{{{name}}}` is no parameter of this action."));
        name.map(|name| self.0.get(name).map(String::as_str).ok_or_else(|| unknown(name))).transpose()
    }

    /// A text with every `{name}` replaced by its value, as `form` writes it there. Other braces stay: a body has its own.
    ///
    /// # Errors
    /// A name that is no parameter, or a value that `form` refuses.
    pub fn put(&self, text: &str, form: &dyn Fn(&str) -> Result<String, Fault>) -> Result<String, Fault> {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            out.push_str(before);
            rest = match after.split_once('}') {
                Some((name, tail)) if is_name(name) => {
                    let unknown = || Fault::new(format!("`{{{name}}}` is no parameter of this action."));
                    out.push_str(&form(self.0.get(name).ok_or_else(unknown)?)?);
                    tail
                }
                _ => {
                    out.push('{');
                    after
                }
            };
        }
        Ok(out + rest)
    }

    fn word(&self, word: &str) -> Result<String, Fault> {
        let mut out = String::new();
        let mut rest = word;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, tail) = after
                .split_once('}')
                .ok_or_else(|| Fault::new(format!("`{}` has a `{{` without its `}}`.", Clean::text(word))))?;
            let value = self
                .0
                .get(name)
                .ok_or_else(|| Fault::new(format!("`{{{}}}` is no parameter of this action.", Clean::text(name))))?;
            out.push_str(before);
            // A number may be negative, but then it stands behind something: `--by={n}`.
            if out.is_empty() && value.starts_with('-') {
                return Err(Fault::new(format!("`{{{name}}}` is {value} at the beginning of an argument: an option.")));
            }
            out.push_str(value);
            rest = tail;
        }
        Ok(out + rest)
    }
}

/// Values that are seen now, of the parameters that are offered them and that nobody has given.
pub fn offered(body: &Body, given: &[(Clean, Clean)], seen: &dyn Readings) -> Vec<(Clean, Clean)> {
    let rows = rows(body).into_iter().map(|(name, row)| (Clean::text(name), row));
    let open = rows.filter(|(name, _)| !given.iter().any(|(known, _)| known == name));
    open.filter_map(|(name, row)| Some((name, Clean::text(row.offered(seen)?)))).collect()
}

/// What the parameters of an action's table look at.
pub fn queries(body: &Body) -> Vec<String> {
    rows(body).into_values().filter_map(|row| Some(row.offer?.query)).collect()
}

/// A table that cannot be read has none: its plan says why.
fn rows(body: &Body) -> BTreeMap<String, Row> {
    body.clone().take("params").ok().flatten().unwrap_or_default()
}

impl Asked {
    /// Those of an action's table that are asked for, in the order of the file. A table that cannot be read asks for
    /// nothing: its plan says why.
    pub fn of(body: &Body) -> Vec<Self> {
        let names = body.clone().take_table("params").ok().flatten().map(|table| table.keys());
        let mut rows = rows(body);
        let declared = names.unwrap_or_default().into_iter().filter_map(|name| rows.remove_entry(&name));
        let asked = declared.filter(|(_, row)| row.ask);
        asked.map(|(name, row)| Self { name: Clean::text(name), row }).collect()
    }

    /// What it looks at, to offer something.
    pub fn query(&self) -> Option<&str> {
        self.row.offer.as_ref().map(|offer| offer.query.as_str())
    }

    /// What it begins with.
    pub fn value(&self, seen: &dyn Readings) -> Clean {
        Clean::text(self.row.offered(seen).unwrap_or_else(|| self.row.value.text()))
    }

    /// What may be given, and where what it begins with comes from.
    pub fn about(&self, seen: &dyn Readings) -> Clean {
        let typed = match (self.row.int, &self.row.one_of, &self.row.matches) {
            (Some((least, most)), ..) => crate::clean!("a whole number from {least} to {most}"),
            (_, Some(known), _) => crate::clean!("arrows choose: {}", known.join(", ")),
            (.., Some(pattern)) => crate::clean!("must match {pattern}"),
            _ => Clean::default(),
        };
        match (&self.row.offer, self.row.offered(seen)) {
            (None, _) => typed,
            (Some(Offer { label: Some(_), .. }), Some(_)) => {
                crate::clean!("arrows choose from {} that are seen now; {typed}", self.choices(seen).len())
            }
            (Some(_), Some(_)) => crate::clean!("from what is seen now; {typed}"),
            (Some(_), None) => crate::clean!("the profile's value, for nothing is seen that could be offered; {typed}"),
        }
    }

    /// The values that arrows offer.
    pub fn choices(&self, seen: &dyn Readings) -> Vec<Clean> {
        let offered = self.row.offer.iter().filter_map(|offer| Some(seen.labels(&offer.query, offer.label.as_ref()?)));
        let fits = |text: &Clean| self.row.given(text.as_str()).check().is_ok();
        self.row.one_of.iter().flatten().map(Clean::text).chain(offered.flatten().filter(fits)).collect()
    }

    /// Whether this may be given.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, text: &str) -> Result<(), Clean> {
        self.row.given(text).check().map(|_| ()).map_err(|why| crate::clean!("{} {why}.", self.name))
    }
}

impl Given {
    fn text(&self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Text(text) => text.clone(),
        }
    }
}

impl Offer {
    fn check(&self) -> Result<(), String> {
        match (&self.label, &self.form) {
            (Some(_), Some(_)) => {
                return Err("has an `offer` with `label` and `as`: a label is taken as it is".to_owned());
            }
            (None, Some(form)) if !form.contains("{}") => {
                return Err("has an `offer` whose `as` lacks `{}`, where the number stands".to_owned());
            }
            _ => {}
        }
        let wrong = |fault: Fault| {
            format!("has an `offer` whose `query` cannot be read: {}", fault.what.as_str().trim_end_matches('.'))
        };
        Expr::parse(&self.query).map(|_| ()).map_err(wrong)
    }
}

impl Row {
    /// What is seen now, if it fits.
    fn offered(&self, seen: &dyn Readings) -> Option<String> {
        let Offer { query, label, form } = self.offer.as_ref()?;
        let text = match label {
            Some(label) => seen.labels(query, label).first()?.to_string(),
            None => {
                let (value, _) = seen.reading(query).ok().filter(|(value, _)| value.is_finite())?;
                form.as_deref().unwrap_or("{}").replace("{}", &value.to_string())
            }
        };
        self.given(&text).check().ok()
    }

    /// The same with another value.
    fn given(&self, text: &str) -> Self {
        let number = self.int.and_then(|_| text.parse().ok());
        Self { value: number.map_or_else(|| Given::Text(text.to_owned()), Given::Number), ..self.clone() }
    }

    fn check(&self) -> Result<String, String> {
        let text = self.value.text();
        match (self.int, &self.one_of, &self.matches) {
            (Some((least, most)), None, None) => match self.value {
                Given::Number(number) if (least..=most).contains(&number) => Ok(text),
                _ => Err(format!("is {}, expected a whole number from {least} to {most}", Clean::text(&text))),
            },
            (None, Some(known), None) if known.contains(&text) => plain(text),
            (None, Some(known), None) => {
                Err(format!("is `{}`, expected one of {}", Clean::text(&text), known.join(", ")))
            }
            (None, None, Some(pattern)) => {
                let whole = regex::RegexBuilder::new(&format!("^(?:{pattern})$")).size_limit(256 << 10).build();
                let whole = whole.map_err(|_| "has a `matches` that is no regular expression".to_owned())?;
                if whole.is_match(&text) {
                    plain(text)
                } else {
                    Err(format!("is `{}`, which does not match", Clean::text(&text)))
                }
            }
            _ => Err("needs one of `int`, `one_of` and `matches`".to_owned()),
        }
    }
}

/// What may stand between braces as the name of a parameter.
pub fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}

/// Nothing that a program could take for an option, a line of its own, or another text than is seen.
fn plain(text: String) -> Result<String, String> {
    if text.len() > LONGEST {
        Err(format!("is longer than {LONGEST} bytes"))
    } else if text.starts_with('-') {
        Err("begins with `-`, which a program would read as an option".to_owned())
    } else if text.bytes().any(|byte| byte.is_ascii_control()) || !text.is_ascii() {
        Err("holds characters that are not plain ASCII".to_owned())
    } else {
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::prepare::Any;
    use crate::base::Mono;
    use core::time::Duration;

    /// One value, and some labels.
    struct Seen(Option<f64>, &'static [&'static str]);

    impl Readings for Seen {
        fn reading(&self, _: &str) -> Result<(f64, Duration), Fault> {
            self.0.map(|value| (value, Duration::ZERO)).ok_or_else(|| Fault::new("stale."))
        }

        fn recent(&self, _: &str, _: Duration) -> Vec<(Mono, f64)> {
            Vec::new()
        }

        fn labels(&self, _: &str, label: &str) -> Vec<Clean> {
            self.1.iter().filter(|_| label == "id").map(|text| Clean::from(*text)).collect()
        }
    }

    #[test]
    fn what_is_seen_now_is_offered_where_it_fits_and_else_the_profiles_value_which_is_said() {
        let table = |row: &str| Body::parse("p.toml", &format!("params = {{ n = {{ {row}, ask = true }} }}")).unwrap();
        let told = |row: &str, seen: &Seen| {
            let asked = Asked::of(&table(row)).remove(0);
            (asked.value(seen).to_string(), asked.about(seen).to_string(), asked.choices(seen))
        };
        let size = "matches = '[1-9][0-9]*GB', value = \"28GB\", offer = { query = \"x - 4\", as = \"{}GB\" }";
        let (value, about, _) = told(size, &Seen(Some(17.0), &[]));
        assert!(value.as_str() == "17GB" && about.starts_with("from what is seen now; "), "{value}: {about}");
        for seen in [Seen(None, &[]), Seen(Some(0.0), &[]), Seen(Some(f64::NAN), &[])] {
            let (value, about, _) = told(size, &seen);
            assert!(
                value == "28GB" && about.starts_with("the profile's value, for nothing is seen"),
                "{value} {about}"
            );
        }
        let which = "int = [-99, 99], value = 1, offer = { query = \"y\", label = \"id\" }";
        let (value, about, choices) = told(which, &Seen(None, &["-7", "100", "8"]));
        assert_eq!((value.as_str(), choices), ("-7", ["-7", "8"].map(Clean::from).into()));
        assert!(about.starts_with("arrows choose from 2 that are seen now; "), "{about}");

        // Whoever is asked nothing is offered it too; what is given counts before it.
        let of = |given: &[(Clean, Clean)]| {
            let offered = offered(&table(size), given, &Seen(Some(17.0), &[]));
            let all = [given, &offered].concat();
            Params::take(&mut table(size), &all).and_then(|params| params.word("{n}"))
        };
        assert_eq!((of(&[]).as_deref(), of(&[("n".into(), "9GB".into())]).as_deref()), (Ok("17GB"), Ok("9GB")));
        assert_eq!(queries(&table(size)), ["x - 4"]);
        for (offer, why) in [
            ("{ query = \"1 +\" }", "cannot be read"),
            ("{ query = \"x\", as = \"GB\" }", "lacks `{}`"),
            ("{ query = \"x\", as = \"{}\", label = \"id\" }", "`label` and `as`"),
            ("{ question = \"x\" }", "unknown key `question`"),
        ] {
            let row = format!("matches = '.*', value = \"1\", offer = {offer}");
            let said = Params::take(&mut table(&row), &[]).unwrap_err().to_string();
            assert!(said.starts_with("p.toml:1:") && said.contains(why), "{said}");
        }
    }

    fn fill(params: &str, word: &str) -> Result<String, String> {
        let mut body = Body::parse("p.toml", &format!("params = {params}")).expect("TOML");
        let params = Params::take(&mut body, &[]).map_err(|fault| fault.to_string())?;
        params.word(word).map_err(|fault| fault.to_string())
    }

    #[test]
    fn a_value_is_put_where_its_name_stands() {
        let params = "{ keep = { int = [1, 30], value = 7 }, mode = { one_of = [\"a\", \"b\"], value = \"b\" } }";
        assert_eq!(fill(params, "--keep={keep}/{mode}"), Ok("--keep=7/b".into()));
        let below = "{ n = { int = [-9, 9], value = -5 } }";
        assert_eq!(fill(below, "--by={n}"), Ok("--by=-5".into()));
        assert!(fill(below, "{n}").is_err_and(|said| said.contains("an option")));
        assert_eq!(fill(params, "{kept}"), Err("`{kept}` is no parameter of this action.".into()));
    }

    #[test]
    fn the_operator_gives_what_is_asked_for_and_nothing_else() {
        let text =
            "params = { keep = { int = [1, 30], value = 7, ask = true }, mode = { one_of = [\"a\"], value = \"a\" } }";
        let body = Body::parse("p.toml", text).expect("TOML");
        let asked = Asked::of(&body);
        assert_eq!(asked.iter().map(|asked| asked.name.as_str()).collect::<Vec<_>>(), ["keep"]);
        assert_eq!(
            (asked[0].value(&Any).as_str(), asked[0].about(&Any).as_str()),
            ("7", "a whole number from 1 to 30")
        );
        assert_eq!(asked[0].check("30"), Ok(()));
        for (wrong, why) in
            [("31", "from 1 to 30"), ("x", "from 1 to 30"), ("1;", "from 1 to 30"), ("-1", "from 1 to 30")]
        {
            assert!(asked[0].check(wrong).is_err_and(|said| said.as_str().contains(why)), "{wrong}");
        }
        let given = [("keep".into(), "9".into()), ("mode".into(), "b".into())];
        let filled =
            |given: &[(Clean, Clean)]| Params::take(&mut body.clone(), given).and_then(|it| it.word("{keep}{mode}"));
        assert_eq!(filled(&given).as_deref(), Ok("9a"));
        assert!(filled(&[("keep".into(), "31".into())]).is_err());
    }

    #[test]
    fn what_is_asked_for_stands_in_the_order_of_the_profile() {
        let row = |name: &str, ask| format!("{name} = {{ int = [1, 9], value = 7, ask = {ask} }}");
        let rows = [("to", true), ("from", true), ("not", false), ("by", true)].map(|(name, ask)| row(name, ask));
        for text in [format!("params = {{ {} }}", rows.join(", ")), format!("[params]\n{}", rows.join("\n"))] {
            let asked = Asked::of(&Body::parse("p.toml", &text).expect("TOML"));
            assert_eq!(asked.iter().map(|asked| asked.name.as_str()).collect::<Vec<_>>(), ["to", "from", "by"]);
        }
    }

    #[test]
    fn braces_of_a_body_stay_and_a_misspelt_name_is_refused() {
        let mut body = Body::parse("p.toml", "params = { n = { int = [1, 9], value = 7 } }").expect("TOML");
        let params = Params::take(&mut body, &[]).expect("good");
        let put = |text: &str| params.put(text, &|value| Ok(format!("<{value}>"))).map_err(|fault| fault.to_string());
        assert_eq!(put("{\"a\": {\"b\": {n}}, \"c\": {}}"), Ok("{\"a\": {\"b\": <7>}, \"c\": {}}".into()));
        assert_eq!(put("{\"a\": {m}}"), Err("`{m}` is no parameter of this action.".into()));
    }

    #[test]
    fn what_does_not_fit_its_type_is_refused() {
        for (row, why) in [
            ("{ int = [1, 30], value = 31 }", "is 31, expected a whole number from 1 to 30"),
            ("{ int = [1, 30], value = \"7\" }", "is 7, expected a whole number"),
            ("{ one_of = [\"a\"], value = \"c\" }", "is `c`, expected one of a"),
            ("{ matches = \"[a-z]+\", value = \"a1\" }", "does not match"),
            ("{ matches = \".*\", value = \"-x\" }", "begins with `-`"),
            ("{ matches = \"(?s).*\", value = \"a\\nb\" }", "not plain ASCII"),
            ("{ matches = \".*\", value = \"wеb\" }", "not plain ASCII"),
            ("{ matches = \"(\", value = \"a\" }", "no regular expression"),
            ("{ value = \"a\" }", "needs one of"),
        ] {
            let said = fill(&format!("{{ x = {row} }}"), "{x}").expect_err(row);
            assert!(said.starts_with("p.toml:1:") && said.contains(why), "{said}");
        }
    }
}
