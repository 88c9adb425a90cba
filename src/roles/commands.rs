//! Commands of a procedure's text as an action of the kind `command`, read by a shell: taken from the file that the
//! profile trusts, only where the profile allows it, and behind the same gate as any other.

use crate::app::Model;
use crate::app::commands::{NOT_ALLOWED, action};
use crate::base::{Body, Clean, Fault};
use crate::clean;
use crate::config::profile::{ActionSpec, Profile, Trust};
use crate::procedure::document::Live;
use crate::procedure::{Document, parse};
use std::sync::Arc;

/// The action of this name, if the current item of a walk here has such commands.
///
/// # Errors
/// No walk is there, or why what it is at may not be run.
pub(super) fn spec(name: &Arc<str>, model: &Model, profile: &Profile) -> Result<ActionSpec, Fault> {
    let asks = model.procedures.walks.iter().filter(|working| working.only_look.is_none()).find_map(|working| {
        let (walk, item) = (&working.walk, working.walk.needs_commands()?);
        (action(&walk.document, item) == *name).then(|| (Arc::clone(&walk.document), Arc::clone(&item.id)))
    });
    let none = || Fault::new(format!("the profile has no action `{}`.", Clean::text(&**name)));
    let (document, item) = asks.ok_or_else(none)?;
    made(name, (&document, &item), profile)
}

fn made(name: &Arc<str>, (document, id): (&Document, &str), profile: &Profile) -> Result<ActionSpec, Fault> {
    if !profile.procedures.run_commands {
        return Err(Fault::new(NOT_ALLOWED));
    }
    let spec = profile.procedures.specs.iter().find(|spec| spec.sha256 == document.sha256);
    let spec = spec.ok_or_else(|| {
        Fault::new("the text of this run is not that of the profile's file any more: commands of a copy are not run.")
            .hint("Copy them, or begin the procedure anew.")
    })?;
    if let Trust::DisplayOnly(fault) = &spec.trust {
        return Err(fault.clone());
    }
    let read = parse(&spec.id, spec.file.as_str(), &spec.text);
    let item = read.items.iter().find(|item| *item.id == *id);
    let Some((Live::Command(lines), item)) = item.map(|item| (&item.live, item)) else {
        return Err(Fault::new("this item has no commands."));
    };
    // What is shown is what is run: a line that cannot be shown as it is written is not run.
    if let Some(line) = lines.iter().find(|line| !spec.text.contains(line.as_str())) {
        let what = format!("`{line}` holds characters that cannot be shown as they are: it is not run.");
        return Err(Fault::new(what).at(spec.file.as_str(), item.line, 0));
    }
    let script: Vec<&str> = lines.iter().map(Clean::as_str).collect();
    let script = toml::Value::from(script.join("\n")).to_string();
    let body = Body::parse(spec.file.as_str(), &format!("verb = \"commands\"\ndanger = \"C2\"\nscript = {script}\n"))?;
    let title = clean!("{}: {}", document.title, item.title);
    Ok(ActionSpec { name: Arc::clone(name), kind: "command".to_owned(), title, body })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Handbook, ProcedureSpec};

    const TEXT: &str =
        "# Old guide\n\n## Look\n\n```bash\n# what is there\nls \"/tmp\" | wc -l\necho 'a\\b' '''\n```\n";

    fn profile(text: &str) -> (Profile, Document) {
        let document = parse("old", "old.md", text);
        let spec = ProcedureSpec {
            id: "old".into(),
            file: "old.md".into(),
            text: text.to_owned(),
            sha256: document.sha256.clone(),
            trust: Trust::Trusted,
            unset: Vec::new(),
        };
        let procedures = Handbook { specs: vec![spec], run_commands: true, ..Handbook::default() };
        (Profile { procedures, ..Profile::empty("p", Vec::new()) }, document)
    }

    fn asked(profile: &Profile, document: &Document) -> Result<ActionSpec, Fault> {
        let item = document.items.iter().find(|item| matches!(item.live, Live::Command(_))).expect("commands");
        made(&action(document, item), (document, &item.id), profile)
    }

    #[test]
    fn the_script_is_the_block_of_the_file_letter_by_letter() {
        let (profile, document) = profile(TEXT);
        let made = asked(&profile, &document).expect("an action");
        assert_eq!((&*made.name, made.kind.as_str()), ("commands:old/what-is-there", "command"));
        assert_eq!(made.title.as_str(), "Old guide: what is there");
        let script = made.body.clone().need::<String>("script").expect("a script");
        assert_eq!(script, "# what is there\nls \"/tmp\" | wc -l\necho 'a\\b' '''");
    }

    #[test]
    fn without_the_key_or_trust_or_the_very_text_nothing_is_made_and_it_says_why() {
        let (good, document) = profile(TEXT);
        let why = |profile: &Profile, document: &Document| asked(profile, document).expect_err("refused").to_string();
        let mut silent = good.clone();
        silent.procedures.run_commands = false;
        assert!(why(&silent, &document).contains("run_commands = true"));
        let mut open = good.clone();
        open.procedures.specs[0].trust = Trust::DisplayOnly(Fault::new("others may write to this file."));
        assert!(why(&open, &document).contains("others may write"));
        let other = parse("old", "old.md", &TEXT.replace("wc -l", "wc -c"));
        assert!(why(&good, &other).contains("not that of the profile's file"));
        let (odd, document) = profile("## A\n```bash\nrm /a\u{202e}b\n```\n");
        assert!(why(&odd, &document).contains("cannot be shown"));
    }
}
