//! Names in a document that nobody on the system has: each a sentence with its place and the nearest name.

use watchkeeper::procedure::{Known, check, parse};

#[test]
fn names_that_nobody_has_are_told_with_their_line_and_the_nearest_one() {
    let text = "+++\nalerts = [\"GpuFul\"]\n+++\n## A\n```action\nrun = \"reduce-batch-sise\"\n```\n\n## B\n```check\nquery = 'queue_dept'\nexpect = \"< 5\"\n```\n\n## C\n```escalate\nto = \"Robin\"\n```\n\n## D\n```escalate\nto = \"L2\"\n```\n\n## E\n```ask\nname = \"a\"\ntext = true\nfacts = [\"comit\"]\n```\n\n## F\n```calculate\nname = \"b\"\ninputs = [{ name = \"n\", number = [1, 9] }]\nresults = [{ label = \"of it\", query = \"$n * queue_depht\" }]\n```\n\n## G\n```log\nsource = \"kernl\"\n```\n";
    let metric = |name: &str| match name {
        "queue_depth" => Ok(()),
        _ => Err(Some("queue_depth".to_owned())),
    };
    let known = Known {
        actions: &["reduce-batch-size", "put-back"],
        alerts: &["GpuFull"],
        logs: &["kernel"],
        contacts: &["Robin Example"],
        levels: &["L1", "L2"],
        samplers: Some(&["commit"]),
        metric: Some(&metric),
    };
    let document = parse("x", "x.md", text);
    assert_eq!(document.faults, []);
    let faults: Vec<String> = check(&document, &known).iter().map(ToString::to_string).collect();
    let expected = [
        "x.md: no rule makes the alert `GpuFul`, which it answers. Did you mean `GpuFull`?",
        "x.md:4: the profile has no action `reduce-batch-sise`. Did you mean `reduce-batch-size`?",
        "x.md:9: no sampler of the profile makes the metric `queue_dept`. Did you mean `queue_depth`?",
        "x.md:15: `Robin` is neither a support level nor a contact. Did you mean `Robin Example`?",
        "x.md:25: the profile has no sampler `comit`. Did you mean `commit`?",
        "x.md:32: no sampler of the profile makes the metric `queue_depht`. Did you mean `queue_depth`?",
        "x.md:39: the profile has no log `kernl`. Did you mean `kernel`?",
    ];
    assert_eq!(faults, expected);
    assert_eq!(check(&document, &Known { metric: None, ..known }).len(), 5, "what is not known is held against nobody");
}
