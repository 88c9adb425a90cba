//! Every format against texts as people write them, and against any value.

use super::{Format, Scalar};
use proptest::prelude::*;
use std::path::Path;

fn set(format: Format, text: &str, key: &str, to: &Scalar) -> Result<Option<String>, String> {
    let file = Path::new("/etc/app");
    let said = |fault: crate::base::Fault| fault.to_string();
    let Some(spot) = format.find(text, key, to, file).map_err(said)? else { return Ok(None) };
    let old = text.get(spot.range.clone()).unwrap_or("");
    let new = format.write(to, old).map_err(said)?;
    let mut out = text.to_owned();
    out.replace_range(spot.range, &new);
    assert_eq!(format.find(&out, key, to, file).unwrap().unwrap().value.as_ref(), Some(to), "{out}");
    Ok(Some(out))
}

fn text(text: &str) -> Scalar {
    Scalar::Text(text.to_owned())
}

#[test]
fn json_keeps_its_spaces_and_order() {
    let file =
        "{\n  \"b\" : { \"size\":1024 , \"name\": \"x\\u0041\" },\r\n\t\"a\": [1, 2], \"rate\": 0.5, \"on\": true\n}\n";
    let done = |key: &str, to: &Scalar| set(Format::Json, file, key, to).unwrap().unwrap();
    assert_eq!(done("b.size", &Scalar::Int(512)), file.replace("1024", "512"));
    assert_eq!(done("b.name", &text("y \"z\"")), file.replace("\"x\\u0041\"", "\"y \\\"z\\\"\""));
    assert_eq!(done("rate", &Scalar::Float(0.25)), file.replace("0.5", "0.25"));
    assert_eq!(done("on", &Scalar::Bool(false)), file.replace("true", "false"));
    assert_eq!(set(Format::Json, file, "b.none", &Scalar::Int(1)), Ok(None));
    assert_eq!(set(Format::Json, file, "a.size", &Scalar::Int(1)), Ok(None));
    assert_eq!(Format::Json.find(file, "a", &Scalar::Int(1), Path::new("/x")).unwrap().unwrap().value, None, "a list");
}

#[test]
fn json_that_is_none_or_says_a_thing_twice_is_refused_with_its_line() {
    let refused = |text: &str| set(Format::Json, text, "a.b", &Scalar::Int(1)).unwrap_err();
    assert!(
        refused("{\n \"a\": {\n \"b\": 1,\n \"b\": 2 } }").starts_with("/etc/app:4: the member `b` stands there twice")
    );
    assert!(refused("{\n \"a\": }").starts_with("/etc/app:2: is not JSON"), "{}", refused("{\n \"a\": }"));
    assert!(refused("").contains("is not JSON"));
}

#[test]
fn env_lines_keep_their_quotes_and_comments() {
    let file = "# BATCH=9\nexport BATCH=1024 # tuned\r\nNAME=\"a b\"\nEMPTY=\nQ='x'\n";
    let done = |key: &str, to: &Scalar| set(Format::Env, file, key, to).unwrap().unwrap();
    assert_eq!(done("BATCH", &Scalar::Int(512)), file.replace("1024", "512"));
    assert_eq!(done("NAME", &text("c d")), file.replace("\"a b\"", "\"c d\""));
    assert_eq!(done("Q", &text("y")), file.replace("'x'", "'y'"));
    assert_eq!(done("EMPTY", &text("a b")), file.replace("EMPTY=", "EMPTY=\"a b\""));
    assert_eq!(set(Format::Env, file, "NONE", &Scalar::Int(1)), Ok(None));
    for (value, why) in [("a\nb", "cannot be written"), ("$(x)", "cannot be written"), ("a\"b", "cannot be written")] {
        let said = set(Format::Env, file, "NAME", &text(value)).unwrap_err();
        assert!(said.contains(why), "{said}");
    }
    let said = set(Format::Env, "A=1\nA=2\n", "A", &Scalar::Int(3)).unwrap_err();
    assert!(said.starts_with("/etc/app:2: `A` stands there twice"), "{said}");
    assert!(set(Format::Env, "A=\"x\n", "A", &text("y")).unwrap_err().contains("do not end"));
}

#[test]
fn what_two_programs_would_read_in_different_ways_is_refused_with_its_line() {
    let refused = |format, file: &str, key: &str| {
        let said = set(format, file, key, &text("new"));
        assert!(said.is_err(), "{file}: {said:?}");
        said.unwrap_err()
    };
    for (file, why) in [
        (r#"A="x\"y # z""#, "a backslash"),
        (r#"A="a"b"#, "put together"),
        (r#"A=a"b c""#, "put together"),
        ("A=a\\\nb", "several lines"),
        ("X=a\\\nA=b", "several lines"),
        ("X=\"one\nA=5\ntwo\"\nA=6\n", "do not end on their line"),
        ("B=1\nB=2\nA=3\n", "`B` stands there twice"),
    ] {
        assert!(refused(Format::Env, file, "A").contains(why), "{file}");
    }
    for (file, why) in [
        ("[db]\npool: 5\n", "by a colon"),
        ("[db]\npool = 5\n[web]\n[db]\npool = 6\n", "the section `db` stands there twice"),
        ("[db]\npool = 5\nPool = 6\n", "stands there twice"),
        ("[db]\nPool = 5\n", "some programs take for `pool`"),
        ("[db]\nhosts = a\n  pool = 5\n", "several lines"),
        ("[db]\npool = 5\n  6\n", "several lines"),
        ("[db]\npool = 5\nx = 1\nx = 2\n", "`x` stands there twice"),
    ] {
        assert!(refused(Format::Ini, file, "db.pool").contains(why), "{file}");
    }
    let said = refused(Format::Json, "{\"a\": 1,\n \"l\": [{\"b\": {\"c\": 1,\n \"c\": 2}}]}", "a");
    assert!(said.starts_with("/etc/app:3: the member `c` stands there twice"), "{said}");
}

#[test]
fn of_an_ini_file_the_section_counts() {
    let file = "size = 1\n[a.b]\n; size = 2\nsize = 3 ; three\n[c]\nsize= 4\n";
    let done = |key: &str| set(Format::Ini, file, key, &Scalar::Int(9)).unwrap();
    assert_eq!(done("size"), Some(file.replacen("size = 1", "size = 9", 1)));
    assert_eq!(done("a.b.size"), Some(file.replace("3 ; three", "9 ; three")));
    assert_eq!(done("c.size"), Some(file.replace("size= 4", "size= 9")));
    assert_eq!(done("d.size"), None);
    assert_eq!(Format::Ini.find(file, "c.size", &Scalar::Bool(true), Path::new("/x")).unwrap().unwrap().value, None);
}

#[test]
fn a_name_says_its_format() {
    let of = |name: &str| Format::of(Path::new(name));
    assert_eq!(of("/a/x.toml"), Some(Format::Toml));
    assert_eq!(
        (of("/a/.env"), of("/a/app.env"), of("/a/x.json"), of("/a/x.ini")),
        (Some(Format::Env), Some(Format::Env), Some(Format::Json), Some(Format::Ini))
    );
    assert_eq!(of("/a/config"), None);
}

proptest! {
    #[test]
    fn any_text_is_survived(text in "(?s).{0,200}", key in "[a-z.]{0,6}") {
        for format in [Format::Toml, Format::Json, Format::Env, Format::Ini] {
            if let Ok(Some(spot)) = format.find(&text, &key, &Scalar::Int(1), Path::new("/x")) {
                prop_assert!(text.get(spot.range).is_some());
            }
        }
    }

    #[test]
    fn any_json_value_reads_back(old in any::<i64>(), new in ".{0,20}") {
        let file = format!("{{\"a\": {{\"n\": {old}, \"s\": \"x\"}}, \"z\": null}}");
        let done = set(Format::Json, &file, "a.s", &text(&new)).unwrap().unwrap();
        prop_assert!(done.ends_with("}, \"z\": null}"), "{}", done);
        let number = format!("{{\"a\": {{\"n\": {old}");
        prop_assert!(done.starts_with(&number), "{}", done);
    }
}

#[test]
fn a_key_is_added_at_the_end_of_its_section() {
    let add = |format: Format, file: &str, key: &str| format.add(file, key, &Scalar::Int(7), Path::new("/x"));
    assert_eq!(add(Format::Env, "A=1", "B").unwrap(), "A=1\nB=7\n");
    let ini = "top=1\n[a]\nx=1 ; why\n\n[b]\ny=2\n";
    assert_eq!(add(Format::Ini, ini, "a.z").unwrap(), "top=1\n[a]\nx=1 ; why\nz=7\n\n[b]\ny=2\n");
    assert_eq!(add(Format::Ini, ini, "c.z").unwrap(), format!("{ini}[c]\nz=7\n"));
    assert_eq!(add(Format::Ini, ini, "z").unwrap(), "top=1\nz=7\n[a]\nx=1 ; why\n\n[b]\ny=2\n");
    assert!(add(Format::Json, "{}", "z").unwrap_err().to_string().contains("cannot be added to JSON"));
    assert!(add(Format::Toml, "a.b = 1\n", "a.c").unwrap_err().to_string().contains("no table of its own"));
    assert_eq!(add(Format::Toml, "[a.b]\nx = 1\n", "a.y").unwrap(), "[a.b]\nx = 1\n\n[a]\ny = 7\n");
}

proptest! {
    #[test]
    fn what_is_added_to_toml_changes_nothing_else(tables in proptest::collection::vec("[a-d]", 0..4), key in "[a-e](\\.[x-z])?") {
        let mut file = String::from("top = '''\n[a]\n'''\n");
        let mut seen = std::collections::BTreeSet::new();
        for name in tables {
            if seen.insert(name.clone()) {
                file += &["[", &name, "]\nq = [\n  1,\n]\n\n# end of ", &name, "\n"].concat();
            }
        }
        if let Ok(new) = Format::Toml.add(&file, &key, &Scalar::Int(7), Path::new("/x")) {
            let mut new: toml::Table = toml::from_str(&new).unwrap();
            let mut table = &mut new;
            let mut names: Vec<&str> = key.split('.').collect();
            let last = names.pop().unwrap();
            for name in &names {
                table = table.get_mut(*name).unwrap().as_table_mut().unwrap();
            }
            prop_assert_eq!(table.remove(last), Some(toml::Value::Integer(7)));
            let old: toml::Table = toml::from_str(&file).unwrap();
            new.retain(|name, rest| old.contains_key(name) || rest.as_table().is_none_or(|rest| !rest.is_empty()));
            prop_assert_eq!(new, old);
        }
    }
}
