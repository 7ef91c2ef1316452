//! What holds for every record.

use std::collections::BTreeSet;
use std::net::IpAddr;

use endpoint_agent_native::ecs::MAX_RECORD;
use endpoint_agent_native::ecs::fields::{self, Type};
use serde_json::Value;

/// Asserts what holds for every record.
pub fn check(record: &[u8]) {
    let value: Value = serde_json::from_slice(record).unwrap();
    // White space or a member that occurs twice would make the record longer than its value.
    assert_eq!(serde_json::to_vec(&value).unwrap().len(), record.len());
    assert!(record.len() <= MAX_RECORD, "{} bytes", record.len());
    fields_of(&value);
}

/// Dotted names of the fields of a record, all of which are in the table and of its types.
pub fn fields_of(record: &Value) -> BTreeSet<String> {
    let mut record = record.clone();
    let mut names = BTreeSet::new();
    // The values of an event log's record have names of their own.
    if record.get("winlog").is_some() {
        let action = record["action"].as_object_mut().unwrap();
        let properties = action["properties"].as_object_mut().unwrap();
        properties.retain(|_, value| {
            let is_value = is(Type::Keyword, value) || value.is_array();
            assert!(is_value || value.is_object(), "{value}");
            !is_value
        });
        if properties.is_empty() {
            action.remove("properties");
        }
    }
    visit(&mut Vec::new(), &record, &mut names);
    names
}

fn visit<'a>(path: &mut Vec<&'a str>, value: &'a Value, names: &mut BTreeSet<String>) {
    if let Value::Array(items) = value
        && items.iter().any(Value::is_object)
    {
        items.iter().for_each(|item| visit(path, item, names));
        return;
    }
    let Value::Object(members) = value else {
        let name = path.join(".");
        let field = fields::find(&name).unwrap_or_else(|| panic!("{name} is not in the table"));
        let values = value
            .as_array()
            .map_or(std::slice::from_ref(value), Vec::as_slice);
        let typed = values.iter().all(|value| is(field.kind, value));
        assert!(
            typed,
            "{name} is not of type {}: {value}",
            field.kind.name()
        );
        names.insert(name);
        return;
    };
    assert!(!members.is_empty(), "{} is an empty object", path.join("."));
    for (key, value) in members {
        path.push(key);
        visit(path, value, names);
        path.pop();
    }
}

fn is(kind: Type, value: &Value) -> bool {
    match kind {
        Type::Keyword => value.is_string(),
        Type::Long => value.is_u64(),
        Type::Float => value.is_number(),
        Type::Boolean => value.is_boolean(),
        Type::Ip => value
            .as_str()
            .is_some_and(|text| text.parse::<IpAddr>().is_ok()),
        Type::Date => value.as_str().is_some_and(is_date),
    }
}

fn is_date(text: &str) -> bool {
    let digits = |byte: u8| if byte.is_ascii_digit() { b'0' } else { byte };
    text.bytes()
        .map(digits)
        .eq(b"0000-00-00T00:00:00.000Z".iter().copied())
        || is_exact_date(text)
}

/// As of the event log: up to seven digits of a second.
fn is_exact_date(text: &str) -> bool {
    let Some((second, fraction)) = text
        .strip_suffix('Z')
        .and_then(|text| text.split_at_checked(19))
    else {
        return false;
    };
    let digits = fraction.strip_prefix('.').unwrap_or("0");
    is_date(&format!("{second}.000Z"))
        && (1..=7).contains(&digits.len())
        && digits.bytes().all(|digit| digit.is_ascii_digit())
}
