//! Parts of a shipped profile as they stand in it, over what a test puts behind them.

use crate::desk::Desk;
use crate::harness::Pty;
use std::fs;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// The part of a profile that a test looks at.
pub(crate) struct Part {
    system: &'static str,
    pub(crate) table: Table,
}

/// What is taken over, by title or by name.
#[derive(Default)]
pub(crate) struct Wanted<'a> {
    pub(crate) panes: &'a [&'a str],
    pub(crate) samplers: &'a [&'a str],
    pub(crate) logs: &'a [&'a str],
    pub(crate) actions: &'a [&'a str],
}

impl Part {
    /// Of this system's profile.
    pub(crate) fn of(system: &'static str, wanted: &Wanted<'_>) -> Self {
        let text = fs::read_to_string(folder(system).join("profile.toml")).unwrap();
        let mut table: Table = text.parse().unwrap();
        let kept = ["title", "settings", "samplers", "logs", "panes", "patterns", "actions"];
        table.retain(|key, _| kept.contains(&key));
        table.insert("environment".to_owned(), "test".into());
        for (key, names) in [("samplers", wanted.samplers), ("logs", wanted.logs), ("actions", wanted.actions)] {
            let Some(rows) = table.get_mut(key).and_then(Value::as_table_mut) else { continue };
            rows.retain(|name, _| names.contains(&name));
            assert_eq!(rows.len(), names.len(), "{system} has not all of {names:?}");
        }
        let panes = table.get_mut("panes").and_then(Value::as_array_mut).unwrap();
        panes.retain(|pane| {
            pane.get("title").and_then(Value::as_str).is_some_and(|title| wanted.panes.contains(&title))
        });
        assert_eq!(panes.len(), wanted.panes.len(), "{system} has not all of {:?}", wanted.panes);
        for pane in panes.iter_mut().filter_map(Value::as_table_mut) {
            pane.remove("action");
        }
        Self { system, table }
    }

    /// Says a key of one of its tables otherwise.
    pub(crate) fn set(&mut self, table: &str, key: &str, value: impl Into<Value>) {
        self.table_of(table).insert(key.to_owned(), value.into());
    }

    fn table_of(&mut self, path: &str) -> &mut Table {
        let inner = |table, name| Table::get_mut(table, name).and_then(Value::as_table_mut);
        path.split('.').try_fold(&mut self.table, inner).unwrap_or_else(|| panic!("no {path}"))
    }

    /// Leaves these keys of one of its tables out.
    pub(crate) fn without(&mut self, table: &str, keys: &[&str]) {
        self.table_of(table).retain(|key, _| !keys.contains(&key));
    }

    /// Lays it on the desk, with the rules and the procedures of the profile where the part has them.
    pub(crate) fn lay(&self, desk: &Desk, beside: bool) -> PathBuf {
        let mut table = self.table.clone();
        if beside {
            let rules = fs::read_to_string(folder(self.system).join("rules.yaml")).unwrap();
            // Half a minute would have to pass before such a window is judged.
            desk.write("part/rules.yaml", rules.replace("[30s]", "[12s]"));
            table.insert("rules".to_owned(), vec![Value::from("rules.yaml")].into());
            for page in fs::read_dir(folder(self.system).join("procedures")).unwrap().flatten() {
                let name = page.file_name().into_string().unwrap();
                desk.write(&format!("part/procedures/{name}"), fs::read(page.path()).unwrap());
            }
        }
        let file = desk.write("part/profile.toml", toml::to_string(&table).unwrap());
        file.parent().unwrap().to_owned()
    }

    /// A console on it, wide enough for every column of its tables.
    pub(crate) fn console(&self, desk: &Desk, beside: bool) -> Pty {
        let mut spec = desk.spec(&["--profile", self.lay(desk, beside).to_str().unwrap()]);
        spec.size = (140, 48);
        Pty::spawn(&spec)
    }

    /// What the plan of an action says, or why there is none.
    pub(crate) fn planned(&self, desk: &Desk, action: &str) -> String {
        let profile = self.lay(desk, false);
        let out = desk.run(&["run", action, "--dry-run", "--profile", profile.to_str().unwrap()]);
        [out.stdout, out.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat()
    }
}

fn folder(system: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("profiles").join(system)
}

/// A list of texts.
pub(crate) fn texts(of: &[&str]) -> Value {
    Value::Array(of.iter().map(|text| Value::from(*text)).collect())
}
