//! One lint after the other, each with a document that has the hazard and one that has not.

use super::*;
use crate::procedure::parse;

fn ids(text: &str) -> Vec<&'static str> {
    let facts = |name: &str| {
        let facts = |kind: &str, verify, rollback| {
            Some(ActionFacts { kind: kind.to_owned(), safe: false, has_verify: verify, has_rollback: rollback })
        };
        match name {
            "clear" => facts("redis_clear", false, false),
            "start" => facts("service_start", false, true),
            "restart" => facts("service_restart", true, true),
            "back-up" => facts("file_backup", true, true),
            _ => None,
        }
    };
    let document = parse("x", "x.md", text);
    assert_eq!(document.faults, [], "{text}");
    let mut ids: Vec<&str> = lint(&document, &facts).iter().map(|found| found.lint.id).collect();
    ids.retain(|id| *id != "no-escalation");
    ids
}

fn commands(lines: &[&str]) -> Vec<&'static str> {
    let text: Vec<String> = lines.iter().map(|line| format!("## Step\n```bash\n{line}\n```\n")).collect();
    ids(&text.concat())
}

#[test]
fn what_is_removed_was_kept_and_the_copy_looked_at() {
    let bad = ["destructive-before-backup", "no-way-back", "removal-before-backup-check"];
    assert_eq!(commands(&["rm -rf /var/lib/x/models/"]), bad);
    assert_eq!(commands(&["find /srv/x -name .CondaPkg -exec rm -rf {} +"]), bad);
    let good =
        ["df -h", "cp -a /var/lib/x /var/lib/x.backup.1", "ls -l /var/lib/x.backup.1", "rm -rf /var/lib/x/models"];
    assert_eq!(commands(&good), ["no-way-back"]);
    assert_eq!(commands(&["df -h", "cp -a /etc/x /etc/x.bak", "cp /backup/y.toml /etc/y.toml"]), [bad[0]]);
    assert_eq!(commands(&["mv /var/lib/x/models /var/lib/x/models.old"]), [""; 0]);
    assert_eq!(ids("## Clear\n```action\nrun = \"clear\"\n```\n"), bad);
    assert!(!ids("## Clear\nIRREVERSIBLE\n```action\nrun = \"clear\"\n```\n").contains(&"no-way-back"));
}

#[test]
fn room_is_looked_at_before_it_is_used() {
    assert_eq!(commands(&["cp -r /var/lib/x /var/lib/x.backup.$(date +%s)", "df -h"]), ["backup-before-space"]);
    assert_eq!(commands(&["df -h", "cp -r /var/lib/x /var/lib/x.backup.$(date +%s)"]), [""; 0]);
    assert_eq!(commands(&["julia -e 'mapsize!(zi.store, 4096)'"]), ["backup-before-space"]);
    assert_eq!(ids("- [ ] Free space … 20 GiB\n\n```bash\ntar czf /backup/x.tgz /var/lib/x\n```\n"), [""; 0]);
    assert_eq!(ids("## Keep\n```action\nrun = \"back-up\"\n```\n"), [""; 0], "it looks for itself");
}

#[test]
fn an_edit_by_a_pattern_is_read_again_before_the_start() {
    let edit = "sed -i 's/a = 1/a = 2/' /etc/x.toml";
    assert_eq!(commands(&[edit]), ["edit-without-reread"]);
    assert_eq!(
        commands(&[edit, "systemctl start x", "grep a /etc/x.toml", "curl -f http://localhost/health"]),
        ["edit-without-reread"]
    );
    assert_eq!(commands(&[edit, "grep a /etc/x.toml"]), [""; 0]);
}

#[test]
fn a_start_is_verified_before_the_next_stop() {
    assert_eq!(commands(&["sudo systemctl restart x"]), ["restart-without-verify"]);
    assert_eq!(
        commands(&["systemctl start x", "systemctl stop x", "systemctl is-active x"]),
        ["restart-without-verify"]
    );
    assert_eq!(commands(&["systemctl start x", "curl -f http://localhost:8080/health"]), [""; 0]);
    assert_eq!(commands(&["systemctl start x && systemctl is-active x"]), [""; 0]);
    assert_eq!(ids("## Start\n```action\nrun = \"start\"\n```\n"), ["restart-without-verify"]);
    assert_eq!(
        ids("## Start\n```action\nrun = \"start\"\n```\n## Up\n```check\nquery = 'up'\nexpect = \"== 1\"\n```\n"),
        [""; 0]
    );
    assert_eq!(ids("## Start\n```action\nrun = \"restart\"\n```\n"), [""; 0], "it verifies for itself");
}

#[test]
fn a_second_copy_and_a_name_that_the_kernel_cuts_are_seen() {
    assert_eq!(commands(&["valgrind --leak-check=full ./x"]), ["second-copy"]);
    assert_eq!(commands(&["systemctl status x", "x --config /etc/x.toml"]), ["second-copy"]);
    assert_eq!(commands(&["systemctl status x", "x --config /etc/x.toml --validate-only"]), [""; 0]);
    assert_eq!(commands(&["perf record -p 42 -g"]), [""; 0]);
    assert_eq!(commands(&["perf record -g ./x"]), ["second-copy"]);
    assert_eq!(commands(&["top -p $(pgrep cerebellar-norse)"]), ["long-process-name"], "inside another command");
    assert_eq!(commands(&["pgrep cerebellar-norse"]), ["long-process-name"]);
    assert_eq!(commands(&["pgrep -f cerebellar-norse", "pidof cerebellar-nors"]), [""; 0]);
}

#[test]
fn numbers_fit_the_unit_of_their_value() {
    let check = |query: &str, more: &str| ids(&format!("## A\n```check\nquery = '{query}'\n{more}\n```\n"));
    assert_eq!(check("processing_time_ns", "expect = \"< 10\""), ["unit-slip"]);
    assert_eq!(check("processing_time_ns", "expect = \"< 10 us\"\nunit = \"seconds\""), ["unit-slip"]);
    assert_eq!(check("processing_time_ns", "expect = \"< 10000\""), [""; 0]);
    assert_eq!(check("used_ratio", "expect = \"< 90\""), ["unit-slip"]);
    assert_eq!(check("used_ratio", "expect = \"< 90 %\""), [""; 0]);
    assert_eq!(check("used_percent", "expect = \"< 0.9\""), ["unit-slip"]);
    assert_eq!(check("memory_bytes", "expect = \"< 16000000000\""), ["unit-slip"]);
    assert_eq!(check("memory_bytes", "expect = \"< 16 GiB\""), [""; 0]);
    assert_eq!(check("memory_bytes", "expect = \"< 10 s\"\nunit = \"seconds\""), ["unit-slip"]);
    assert_eq!(check("wait_seconds", "expect = \"< 10000000\""), ["unit-slip"]);
}

#[test]
fn pages_are_short_and_memory_items_come_first() {
    let items = |n: usize| (0..n).map(|at| format!("## Item {at}\nx\n")).collect::<String>();
    assert_eq!(ids(&items(9)), [""; 0]);
    assert_eq!(ids(&items(10)), ["too-long-page"]);
    assert_eq!(ids(&(items(9) + "\n---\n" + &items(9))), [""; 0]);
    assert_eq!(ids("+++\nmemory = [\"b\"]\n+++\n## A\nx\n## B\nx\n"), ["memory-items"]);
    assert_eq!(ids("+++\nmemory = [\"a\", \"b\", \"c\", \"d\"]\n+++\n## A\n## B\n## C\n## D\nx\n"), ["memory-items"]);
}

#[test]
fn a_read_only_list_changes_nothing_and_work_ends_with_a_call() {
    let text = "+++\nread_only = true\n+++\n## A\n```bash\nredis-cli FLUSHALL\n```\n";
    assert!(ids(text).contains(&"mutating-in-read-only"));
    assert_eq!(ids("+++\nread_only = true\n+++\n## A\n```bash\ndf -h; free -h; dmesg\n```\n"), [""; 0]);
    let all =
        |text: &str| lint(&parse("x", "x.md", text), &|_| None).iter().map(|found| found.lint.id).collect::<Vec<_>>();
    assert_eq!(all("## A\n```bash\nsystemctl stop x\n```\n"), ["no-escalation"]);
    assert_eq!(all("## A\n```bash\nsystemctl stop x\n```\n## Call\n```escalate\nto = \"L2\"\n```\n"), [""; 0]);
    assert_eq!(all("## A\n```bash\ndf -h\n```\n"), [""; 0]);
}

#[test]
fn every_lint_explains_itself_and_a_wrong_id_says_which_was_meant() {
    for lint in LINTS {
        assert!(explain(lint.id).is_ok_and(|lines| lines.iter().all(|line| line.as_str().len() > 20)), "{}", lint.id);
    }
    let fault = explain("unit-slipp").expect_err("no lint").to_string();
    assert!(fault.ends_with("Did you mean `unit-slip`?"), "{fault}");
}
