//! Records of Windows made by hand: what the original agent makes of them, and odd ones.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use endpoint_agent_native::counters::Counter;
use endpoint_agent_native::ecs::fields::{self, FIELDS};
use endpoint_agent_native::ecs::windows::{kinds, moves, providers};
use endpoint_agent_native::event::LogRecord;
use endpoint_agent_native::filter::drops::{Drop, Filter, Operand, Operator};
use endpoint_agent_native::filter::{Drops, Rules};
use serde_json::{Value, json};

use crate::logged::{record, samples, security};
use crate::scene::{BEGIN, Scene};

/// Asserts that all members of one are in the other; `action` has to be the same.
pub fn assert_within(expected: &Value, seen: &Value, at: &str) {
    match expected {
        Value::Object(members) if at != ".action" => {
            for (name, value) in members {
                assert_within(value, &seen[name], &format!("{at}.{name}"));
            }
        }
        _ => assert_eq!(expected, seen, "{at}"),
    }
}

fn told(record: LogRecord) -> Value {
    let mut scene = Scene::new();
    scene.event(Box::new(record).into_event(BEGIN));
    scene.records().remove(0)
}

#[test]
fn records_are_told_as_the_original_agent_tells_them() {
    for (record, expected) in samples() {
        let seen = told(record);
        assert_within(&expected, &seen, "");
        assert_eq!(
            seen["host"],
            json!({"hostname": "SRV-FOO", "os": {"type": "windows"}})
        );
    }
}

#[test]
fn times_have_what_the_log_has_of_them() {
    for (time, shown) in [
        (1_749_209_595_742_271_100, "2025-06-06T11:33:15.7422711Z"),
        (1_721_398_228_962_733_000, "2024-07-19T14:10:28.962733Z"),
        (1_721_398_228_000_000_000, "2024-07-19T14:10:28Z"),
    ] {
        let mut scene = Scene::new();
        scene.event(Box::new(security(4624, true, &[])).into_event(time));
        assert_eq!(scene.records()[0]["@timestamp"], shown);
    }
}

/// Rows that no record of the files has.
pub fn scene() -> Scene {
    let mut scene = Scene::new();
    for (record, _) in samples() {
        scene.event(Box::new(record).into_event(BEGIN));
    }
    for record in others().into_iter().chain([connection()]) {
        scene.event(Box::new(record).into_event(BEGIN));
    }
    scene
}

#[test]
fn what_the_sql_server_writes_as_text_is_read() {
    let mut scene = Scene::new();
    let mut told = |id: u32, data: &[(&str, &str)]| {
        scene.event(Box::new(record("MSSQL$RADAR", "", id, data)).into_event(BEGIN));
        scene.records().pop().unwrap()
    };
    let reason = " Reason: Password did not match that for the login provided.";
    let client = " [CLIENT: 10.23.23.9]";
    let failed = told(
        18456,
        &[("param1", "sa"), ("param2", reason), ("param3", client)],
    );
    assert_eq!(failed["event"]["action"], "database-logon-failed");
    assert_eq!(failed["event"]["outcome"], "failure");
    assert_eq!(failed["event"]["provider"], "MSSQL$RADAR");
    assert_eq!(
        failed["source"],
        json!({"address": "10.23.23.9", "ip": "10.23.23.9"})
    );
    assert_eq!(failed["user"]["name"], "sa");
    let lines =
        "session_server_principal_name:A\\b\nserver_principal_name:OFFSEC\\admin\nstatement:";
    let audited = told(33205, &[("param1", lines)]);
    assert_eq!(
        audited["user"],
        json!({"domain": "OFFSEC", "name": "admin"})
    );
    let local = told(
        18454,
        &[("param1", "sa"), ("param2", " [CLIENT: <local machine>]")],
    );
    assert_eq!(local.get("source"), None);
}

/// A connection as Sysmon tells it, and the id that other sensors give it.
fn connection() -> LogRecord {
    let data = [
        ("Protocol", "tcp"),
        ("SourceIp", "128.232.110.120"),
        ("SourcePort", "34855"),
        ("DestinationIp", "66.35.250.204"),
        ("DestinationPort", "80"),
    ];
    record(providers::SYSMON, "", 3, &data)
}

#[test]
fn a_connection_has_its_community_id() {
    let told = |record: LogRecord| {
        let mut scene = Scene::new();
        scene.event(Box::new(record).into_event(BEGIN));
        scene.records()[0]["network"]["community_id"].clone()
    };
    assert_eq!(told(connection()), "1:LQU9qZlK+B5F3KDmev6m5PMibrg=");
    let with = |name: &str, value: &str| {
        let data = connection().data;
        let others = data.iter().filter(|(other, _)| *other != name);
        let data: Vec<_> = others.chain([(name, value)]).collect();
        record(providers::SYSMON, "", 3, &data)
    };
    assert_eq!(told(with("Protocol", "icmp")), Value::Null);
    assert_eq!(told(with("SourcePort", "70000")), Value::Null);
    assert_eq!(told(with("DestinationIp", "-")), Value::Null);
}

/// A record of each kind that has rows, with values that the rows take.
fn others() -> Vec<LogRecord> {
    const WORDS: [&str; 16] = [
        "7",
        "true",
        "%%14592",
        "Valid",
        r"DOMAIN\name",
        "2001:db8::1",
        "2022-06-02 12:23:18.607",
        "MD5=AB,SHA1=CD,SHA256=EF,IMPHASH=0A",
        "DWORD (0x00000001)",
        "UserId=DOMAIN\\name\nHostApplication=a.exe b",
        r"file:_C:\a\b.exe; process:_pid:1",
        r"\REGISTRY\MACHINE\a\b",
        "CN=a\\,b,DC=c",
        "tcp",
        " [CLIENT: 192.0.2.7]",
        "succeeded:true\nserver_principal_name:DOMAIN\\name",
    ];
    let mut values: BTreeMap<(&str, u32), Vec<(&str, &str)>> = BTreeMap::new();
    // Those of what the agent knows besides are for event tracing.
    for row in moves::ALL.iter().filter(|row| row.provider != moves::FOUND) {
        let word = WORDS
            .into_iter()
            .find(|word| (row.how.make)(word).is_some());
        let word = word.unwrap_or_else(|| panic!("nothing for {} of {}", row.from, row.provider));
        for &id in if row.ids.is_empty() { &[0] } else { row.ids } {
            let all = values.entry((row.provider, id)).or_default();
            all.extend(row.when);
            if !all.iter().any(|(name, _)| *name == row.from) {
                all.push((row.from, word));
            }
        }
    }
    let made = values.into_iter().map(|((provider, id), data)| LogRecord {
        user: "S-1-5-18".into(),
        activity: "{1}".into(),
        related_activity: "{2}".into(),
        ..record(provider, "", id, &data)
    });
    made.collect()
}

#[test]
fn every_field_of_the_rows_is_in_the_table_and_each_row_differs() {
    let mut seen = HashSet::new();
    for row in moves::ALL {
        assert!(fields::find(row.to).is_some(), "{}", row.to);
        let key = (row.provider, row.ids, row.when, row.from, row.to);
        assert!(seen.insert(key), "{key:?} occurs twice");
    }
    for (field, list) in moves::RELATED {
        assert!(
            fields::find(field).is_some() && fields::find(list).is_some(),
            "{field}"
        );
    }
    let kinds: HashSet<_> = kinds::ALL
        .iter()
        .map(|kind| (kind.provider, kind.id))
        .collect();
    assert_eq!(kinds.len(), kinds::ALL.len());
}

#[test]
fn the_fields_of_an_object_stand_together() {
    let parent = |name: &'static str| name.rsplit_once('.').map(|(parent, _)| parent);
    let mut left = HashSet::new();
    let mut open: Vec<&str> = Vec::new();
    for field in FIELDS {
        let mut parents = Vec::new();
        let mut name = field.name;
        while let Some(parent) = parent(name) {
            parents.push(parent);
            name = parent;
        }
        for gone in open.iter().filter(|one| !parents.contains(one)) {
            left.insert(*gone);
        }
        for one in &parents {
            assert!(
                !left.contains(one),
                "{} is apart from the others of {one}",
                field.name
            );
        }
        open = parents;
    }
}

#[test]
fn an_unknown_record_is_told_as_it_is() {
    let seen = told(LogRecord {
        level: 2,
        user: "S-1-5-20".into(),
        activity: "{1}".into(),
        ..record(
            "Some-Provider",
            "",
            9,
            &[("a", "1"), ("b", "-"), ("a", "2"), ("Severity", "own")],
        )
    });
    assert_eq!(
        seen["action"],
        json!({"id": 9, "properties": {"a": ["1", "2"], "b": "-", "Severity": "own",
            "Keywords": "0x0", "SourceName": "Some-Provider"}})
    );
    assert_eq!(
        seen["event"],
        json!({"kind": "event", "code": 9, "provider": "Some-Provider", "sequence": 1})
    );
    assert_eq!(seen["winlog"]["user"]["identifier"], "S-1-5-20");
    assert_eq!(seen["winlog"]["record_id"], "4711");
    assert_eq!(seen.get("user"), None);
}

#[test]
fn a_record_is_cut_to_what_an_intake_takes() {
    let long = "\u{1}".repeat(60_000);
    let names: Vec<String> = (0..512).map(|number| format!("\"{number}")).collect();
    let mut data: Vec<(&str, &str)> = names.iter().map(|name| (&**name, "y")).collect();
    data[7].1 = &long;
    data.push(("CommandLine", &long));
    let seen = told(record(providers::SYSMON, "", 1, &data));
    let cut = seen["action"]["properties"]["truncated"]
        .as_array()
        .unwrap();
    for name in [
        "process.command_line",
        "action.properties.\"7",
        "action.properties.CommandLine",
    ] {
        assert!(cut.contains(&name.into()), "{name}");
    }
    let name = "\u{2}".repeat(8_000);
    let long = "x".repeat(1000);
    let all: Vec<(&str, &str)> = (0..512)
        .map(|_| ("n", &*long))
        .chain([(&*name, "v")])
        .collect();
    told(record(&name, &name, 1, &all));
}

#[test]
fn rules_may_drop_records_by_any_field() {
    let drops = vec![Drop {
        uuid: "u".into(),
        filters: vec![Filter {
            field: "winlog.channel".into(),
            operator: Operator::Equal,
            operands: vec![Operand::Text("Some/Channel".into())],
        }],
    }];
    let mut scene = Scene::new();
    scene.engine.set_rules(Arc::new(Rules {
        drops: Drops::new(drops, None),
        ..Rules::default()
    }));
    scene.event(Box::new(security(4624, true, &[])).into_event(BEGIN));
    let other = LogRecord {
        channel: "Other".into(),
        ..security(4624, true, &[])
    };
    scene.event(Box::new(other).into_event(BEGIN));
    let kept = scene.records();
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0]["event"]["sequence"], 1);
    assert_eq!(scene.counted(Counter::Captured), 2);
    assert_eq!(scene.counted(Counter::Filtered), 1);
}
