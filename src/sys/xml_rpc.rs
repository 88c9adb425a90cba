//! Answers of XML-RPC: an array of structs as rows of names and texts, the results of several calls, or the fault that it
//! sent. No document type, bounded depth and size; and the request that makes several calls. Pure.

use crate::base::Clean;
use roxmltree::{Document, Node, ParsingOptions};
use std::collections::BTreeMap;

/// Deeper documents are refused.
const DEPTH: usize = 64;
/// Nodes of a document.
const NODES: u32 = 200_000;

/// One struct: the text of each member.
pub type Row = BTreeMap<String, String>;

/// One call among several: its method, and its parameters, which are plain texts.
pub type Call<'a> = (&'a str, &'a [&'a str]);

/// A request of one call.
pub fn request((method, params): Call<'_>) -> String {
    let params: String = params.iter().map(|param| format!("<param>{}</param>", value(param))).collect();
    format!("<?xml version='1.0'?><methodCall><methodName>{method}</methodName><params>{params}</params></methodCall>")
}

fn value(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    format!("<value><string>{text}</string></value>")
}

/// One request for several calls, one after the other.
pub fn requests(calls: &[Call<'_>]) -> String {
    let member = |name: &str, value: &str| format!("<member><name>{name}</name>{value}</member>");
    let array = |values: String| format!("<value><array><data>{values}</data></array></value>");
    let one = |(method, params): &Call<'_>| {
        let params = array(params.iter().copied().map(value).collect());
        format!("<value><struct>{}{}</struct></value>", member("methodName", &value(method)), member("params", &params))
    };
    let all = array(calls.iter().map(one).collect());
    format!(
        "<?xml version='1.0'?><methodCall><methodName>system.multicall</methodName><params><param>{all}</param></params></methodCall>"
    )
}

/// Why one call among several was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The daemon's own number for it.
    pub code: i64,
    /// In its words.
    pub words: Clean,
}

/// What each call of [`requests`] came to.
///
/// # Errors
/// As [`rows`].
pub fn results(body: &[u8]) -> Result<Vec<Result<(), Refused>>, String> {
    let one = |value: Node<'_, '_>| {
        let Some(fault) = find(value, "struct").map(row).filter(|row| row.contains_key("faultCode")) else {
            return Ok(());
        };
        let code = fault.get("faultCode").and_then(|code| code.parse().ok()).unwrap_or_default();
        Err(Refused { code, words: fault.get("faultString").map_or_else(|| Clean::from("no words"), Clean::text) })
    };
    data(body, |data| data.children().filter(|node| node.has_tag_name("value")).map(one).collect())
}

/// The first value of a list, as text.
///
/// # Errors
/// As [`rows`].
pub fn first_text(body: &[u8]) -> Result<String, String> {
    let text = |value: Node<'_, '_>| value.descendants().filter(Node::is_text).filter_map(|node| node.text()).collect();
    data(body, |data| data.children().find(|node| node.has_tag_name("value")).map(text).unwrap_or_default())
}

/// Reads an answer; the error is the end of a sentence, without text of the document but for the fault's own words.
///
/// # Errors
/// It is no answer, none that is a list, or a fault.
pub fn rows(body: &[u8]) -> Result<Vec<Row>, String> {
    data(body, |data| data.children().filter_map(|value| find(value, "struct")).map(row).collect())
}

fn data<T>(body: &[u8], read: impl FnOnce(Node<'_, '_>) -> T) -> Result<T, String> {
    let text = core::str::from_utf8(body).map_err(|_| "sent XML that is not UTF-8".to_owned())?;
    if too_deep(text) {
        return Err(format!("sent XML nested deeper than {DEPTH} levels"));
    }
    let options = ParsingOptions { nodes_limit: NODES, ..ParsingOptions::default() };
    let document = Document::parse_with_options(text, options).map_err(|_| "sent what is no XML".to_owned())?;
    let root = document.root_element();
    if let Some(fault) = root.children().find(|node| node.has_tag_name("fault")) {
        let fault = find(fault, "struct").map(row).unwrap_or_default();
        let words = fault.get("faultString").map_or_else(|| Clean::from("without words"), Clean::text);
        return Err(format!("answered with a fault: {words}"));
    }
    let data = find(root, "data").filter(|_| root.has_tag_name("methodResponse"));
    let data = data.ok_or_else(|| "sent no answer of XML-RPC that is a list".to_owned())?;
    Ok(read(data))
}

fn find<'a, 'd>(node: Node<'a, 'd>, name: &str) -> Option<Node<'a, 'd>> {
    node.descendants().find(|node| node.has_tag_name(name))
}

fn row(structure: Node<'_, '_>) -> Row {
    let child = |node: Node<'_, '_>, name| {
        let found = node.children().find(|node| node.has_tag_name(name))?;
        Some(found.descendants().filter(Node::is_text).filter_map(|node| node.text()).collect::<String>())
    };
    let members = structure.children().filter(|node| node.has_tag_name("member"));
    members.filter_map(|member| Some((child(member, "name")?, child(member, "value")?.trim().to_owned()))).collect()
}

/// Tags that are open at once; comments and text with `<` only make it stricter.
fn too_deep(text: &str) -> bool {
    let mut depth = 0_usize;
    for tag in text.split('<').skip(1) {
        let end = tag.find('>').unwrap_or(tag.len());
        match tag.as_bytes().first() {
            Some(b'/') => depth = depth.saturating_sub(1),
            Some(b'?' | b'!') => {}
            _ if tag.get(..end).is_some_and(|tag| tag.ends_with('/')) => {}
            _ => depth += 1,
        }
        if depth > DEPTH {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn answer(inner: &str) -> String {
        format!("<?xml version='1.0'?>\n<methodResponse>\n{inner}\n</methodResponse>")
    }

    #[test]
    fn rows_and_faults_are_read() {
        let list = answer(
            "<params><param><value><array><data><value><struct>\n<member>\n<name>name</name><value><string>a&lt;b</string></value></member>\
            <member><name>pid</name><value><int>12</int></value></member><member><name>plain</name><value>x</value></member></struct></value></data></array></value></param></params>",
        );
        let rows = rows(list.as_bytes()).expect("a list");
        assert_eq!(rows.len(), 1);
        assert_eq!(["name", "pid", "plain"].map(|name| rows[0][name].as_str()), ["a<b", "12", "x"]);
        let empty = answer("<params><param><value><array><data/></array></value></param></params>");
        assert_eq!(super::rows(empty.as_bytes()), Ok(Vec::new()));
        let fault = answer(
            "<fault><value><struct><member><name>faultCode</name><value><int>1</int></value></member>\
            <member><name>faultString</name><value><string>UNKNOWN_METHOD</string></value></member></struct></value></fault>",
        );
        assert_eq!(super::rows(fault.as_bytes()), Err("answered with a fault: UNKNOWN_METHOD".to_owned()));
    }

    #[test]
    fn several_calls_are_one_request_and_each_has_its_result() {
        let asked = requests(&[("a.stop", &["x<y"]), ("a.start", &["x<y"])]);
        assert!(asked.contains("<string>a.stop</string>") && asked.contains("<string>x&lt;y</string>"), "{asked}");
        let came = answer(
            "<params><param><value><array><data><value><struct><member><name>faultCode</name><value><int>70</int></value></member>\
            <member><name>faultString</name><value><string>NOT_RUNNING: x</string></value></member></struct></value>\
            <value><boolean>1</boolean></value></data></array></value></param></params>",
        );
        let refused = Refused { code: 70, words: "NOT_RUNNING: x".into() };
        assert_eq!(results(came.as_bytes()), Ok(vec![Err(refused), Ok(())]));
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        for (body, said) in [
            ("<html><body>data</body></html>".to_owned(), "sent no answer of XML-RPC that is a list"),
            ("not xml".to_owned(), "sent what is no XML"),
            ("<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>".to_owned(), "sent what is no XML"),
            ("<a>".repeat(100_000), "sent XML nested deeper than 64 levels"),
        ] {
            assert_eq!(rows(body.as_bytes()), Err(said.to_owned()));
        }
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in "[<>/a&;!?\"' ]{0,200}") {
            let _all = rows(text.as_bytes());
        }
    }
}
