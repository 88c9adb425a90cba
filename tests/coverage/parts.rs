//! Which parts of a profile bear an item's id: it stands in a comment of the part, or in the words that find a page. The
//! tables `tests/coverage/SYSTEM.md` are written from that.

use std::collections::BTreeMap;
use std::fs;

/// A part of a profile and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Part {
    /// `sampler`, `pane`, `rule` …
    pub(crate) kind: String,
    pub(crate) name: String,
    /// Below the profile's folder, and the line of its id.
    pub(crate) place: (String, usize),
}

/// By id.
pub(crate) type Parts = BTreeMap<String, Vec<Part>>;

/// What each id stands at in a profile of the repository.
pub(crate) fn parts(system: &str, prefix: &str) -> Parts {
    let folder = format!("profiles/{system}");
    let read = |file: &str| fs::read_to_string(format!("{folder}/{file}")).unwrap_or_default();
    let mut found = Parts::new();
    let mut keep = |file: &str, blocks: Vec<Block>| {
        for block in blocks {
            for (id, line) in block.ids {
                let part = Part { kind: block.kind.clone(), name: block.name.clone(), place: (file.to_owned(), line) };
                let of: &mut Vec<Part> = found.entry(id).or_default();
                if !of.iter().any(|known| (&known.kind, &known.name) == (&part.kind, &part.name)) {
                    of.push(part);
                }
            }
        }
    };
    keep("profile.toml", tables(&read("profile.toml"), prefix));
    for file in ["rules.yaml", "rules-project.yaml"] {
        keep(file, rules(&read(file), prefix));
    }
    let mut pages: Vec<String> = fs::read_dir(format!("{folder}/procedures"))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    pages.sort();
    for page in pages {
        let file = format!("procedures/{page}");
        let text = read(&file);
        let ids = numbered(&text).flat_map(|(line, text)| ids_in(text, prefix).map(move |id| (id, line)));
        let block =
            Block { kind: "procedure".to_owned(), name: page.trim_end_matches(".md").to_owned(), ids: ids.collect() };
        keep(&file, vec![block]);
    }
    found
}

/// A part and the ids in its text, with their lines.
struct Block {
    kind: String,
    name: String,
    ids: Vec<(String, usize)>,
}

fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    (1..).zip(text.lines())
}

/// Ids in a text.
pub(crate) fn ids_in<'a>(text: &'a str, prefix: &str) -> impl Iterator<Item = String> + use<'a> {
    let prefix = format!("{prefix}-");
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '.'));
    words.filter_map(move |word| {
        let (section, item) = word.trim_end_matches('.').strip_prefix(&prefix)?.split_once('.')?;
        let number = |text: &str| text.parse::<u8>().is_ok();
        (number(section) && number(item)).then(|| format!("{prefix}{section}.{item}"))
    })
}

/// The tables of a profile: `[samplers.NAME]`, `[[panes]]` with its title. A setting is a part of its own.
fn tables(text: &str, prefix: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    for (line, row) in numbered(text) {
        let header = row.strip_prefix('[').and_then(|rest| rest.trim_start_matches('[').split_once(']'));
        if let Some((header, _)) = header {
            let (kind, name) = header.split_once('.').unwrap_or((header, ""));
            blocks.push(Block { kind: singular(kind), name: name.to_owned(), ids: Vec::new() });
        }
        let Some(block) = blocks.last_mut() else { continue };
        if let Some((key, value)) = row.split_once('=')
            && ["title", "name", "pack"].contains(&key.trim())
            && block.name.is_empty()
        {
            let value = value.trim().trim_start_matches('"').split('"').next().unwrap_or_default();
            block.name = if key.trim() == "pack" { format!("pack:{value}") } else { value.to_owned() };
        }
        block.ids.extend(ids_in(row, prefix).map(|id| (id, line)));
        // In `[settings]` an id stands above its key.
        if block.kind == "setting" && !block.ids.is_empty() && !row.starts_with('#') {
            row.split('=').next().unwrap_or_default().trim().clone_into(&mut block.name);
            blocks.push(Block { kind: "setting".to_owned(), name: String::new(), ids: Vec::new() });
        }
    }
    blocks
}

fn singular(kind: &str) -> String {
    if kind == "escalation" { kind.to_owned() } else { kind.trim_end_matches('s').to_owned() }
}

/// The rules of a file: `- alert: NAME`.
fn rules(text: &str, prefix: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    for (line, row) in numbered(text) {
        let name = ["- alert: ", "- record: "].into_iter().find_map(|head| row.trim_start().strip_prefix(head));
        if let Some(name) = name {
            let name = name.split("  #").next().unwrap_or_default().trim().to_owned();
            blocks.push(Block { kind: "rule".to_owned(), name, ids: Vec::new() });
        }
        if let Some(block) = blocks.last_mut() {
            block.ids.extend(ids_in(row, prefix).map(|id| (id, line)));
        }
    }
    blocks
}
