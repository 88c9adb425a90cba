//! What keys of a configuration may be set to, whoever gives the value.

use super::Scalar;
use crate::base::{Clean, Fault};
use serde::Deserialize;
use std::collections::BTreeMap;

/// By key, as a file names it.
pub type Limits = BTreeMap<String, Allowed>;

/// `{ int = [1, 4096] }`, `{ float = [0.01, 0.5] }`, `{ one_of = ["cpu", "cuda"] }`, or `{ by = "memory-pool" }`: set by
/// that action alone, because it looks at more than the value.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allowed {
    int: Option<(i64, i64)>,
    float: Option<(f64, f64)>,
    one_of: Option<Vec<Scalar>>,
    by: Option<String>,
}

/// Holds a new value against what its key may be.
///
/// # Errors
/// What it must be instead.
pub fn check(limits: &Limits, key: &str, to: &Scalar) -> Result<(), Fault> {
    let Some(allowed) = limits.get(key) else { return Ok(()) };
    let must = match allowed {
        Allowed { by: Some(action), .. } => {
            let what = format!("`{}` is set by the action `{}` alone.", Clean::text(key), Clean::text(action));
            return Err(Fault::new(what).hint("It looks at what the value needs."));
        }
        Allowed { int: Some((least, most)), .. } => match to {
            Scalar::Int(value) if (least..=most).contains(&value) => return Ok(()),
            _ => format!("a whole number from {least} to {most}"),
        },
        Allowed { float: Some((least, most)), .. } => match to {
            Scalar::Float(value) if (least..=most).contains(&value) => return Ok(()),
            #[expect(clippy::cast_precision_loss, reason = "limits are small")]
            Scalar::Int(value) if (least..=most).contains(&&(*value as f64)) => return Ok(()),
            _ => format!("a number from {least} to {most}"),
        },
        Allowed { one_of: Some(values), .. } if values.contains(to) => return Ok(()),
        Allowed { one_of: Some(values), .. } => {
            let words: Vec<String> = values.iter().map(ToString::to_string).collect();
            format!("one of {}", words.join(", "))
        }
        Allowed { .. } => return Ok(()),
    };
    Err(Fault::new(format!("`{}` must be {must}, and {to} is not.", Clean::text(key))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_set_to_what_it_may_be_and_to_nothing_else() {
        let limits: Limits = toml::from_str(
            "size = { int = [1, 10] }\nrate = { float = [0.01, 0.5] }\ndevice = { one_of = [\"cpu\", \"cuda\"] }\n\
             pool = { by = \"memory-pool\" }",
        )
        .unwrap();
        let text = |text: &str| Scalar::Text(text.to_owned());
        for (key, to, why) in [
            ("size", Scalar::Int(1), None),
            ("size", Scalar::Int(10), None),
            ("size", Scalar::Int(11), Some("`size` must be a whole number from 1 to 10, and 11 is not")),
            ("size", Scalar::Float(5.0), Some("a whole number")),
            ("rate", Scalar::Float(0.5), None),
            ("rate", Scalar::Float(0.9), Some("a number from 0.01 to 0.5")),
            ("device", text("cuda"), None),
            ("device", text("tpu"), Some("one of \"cpu\", \"cuda\"")),
            ("pool", text("20GB"), Some("by the action `memory-pool` alone")),
            ("other", Scalar::Int(-1), None),
        ] {
            let said = check(&limits, key, &to).err().map(|fault| fault.to_string());
            assert_eq!(said.is_some(), why.is_some(), "{key} {to}: {said:?}");
            assert!(said.unwrap_or_default().contains(why.unwrap_or_default()), "{key} {to}");
        }
    }
}
