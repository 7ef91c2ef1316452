//! What values say of the registry.

use super::{Value, some};

/// A key's path, and what it is called elsewhere: its hive, and the path below that.
fn hive_of(path: &str) -> Option<(&str, &str)> {
    const ROOTS: [(&str, &str); 2] = [
        ("\\REGISTRY\\MACHINE\\", "HKLM"),
        ("\\REGISTRY\\USER\\", "HKU"),
    ];
    let native = ROOTS.iter().find_map(|(root, hive)| {
        let head = path.get(..root.len())?;
        head.eq_ignore_ascii_case(root)
            .then(|| (*hive, &path[root.len()..]))
    });
    native.or_else(|| path.split_once('\\'))
}

/// The hive of a key's path.
pub fn hive(value: &str) -> Option<Value<'_>> {
    let (hive, _) = hive_of(value)?;
    some(hive)
}

/// The path of a key below its hive.
pub fn key(value: &str) -> Option<Value<'_>> {
    let (_, key) = hive_of(value)?;
    some(key)
}

/// The same, of a path that ends with a value.
pub fn key_of_value(value: &str) -> Option<Value<'_>> {
    let (key, _) = value.rsplit_once('\\')?;
    self::key(key)
}

/// The type of what Sysmon says was written to the registry; of texts it does not tell which.
pub fn data_type(value: &str) -> Option<Value<'_>> {
    if value.starts_with("DWORD (") {
        some("REG_DWORD")
    } else if value.starts_with("QWORD (") {
        some("REG_QWORD")
    } else if value == "Binary Data" {
        some("REG_BINARY")
    } else {
        None
    }
}

/// What was written to the registry.
pub fn data_strings(value: &str) -> Option<Value<'_>> {
    let inner = ["DWORD (", "QWORD ("]
        .iter()
        .find_map(|begin| value.strip_prefix(begin));
    let shown = match inner.and_then(|rest| rest.strip_suffix(')')) {
        Some(number) => number,
        None if value == "Binary Data" => return None,
        None => value,
    };
    Some(Value::Texts(vec![shown.into()]))
}

/// The name of a type of the registry's values.
pub fn registry_type(value: &str) -> Option<Value<'_>> {
    const NAMES: [&str; 12] = [
        "REG_NONE",
        "REG_SZ",
        "REG_EXPAND_SZ",
        "REG_BINARY",
        "REG_DWORD",
        "REG_DWORD_BIG_ENDIAN",
        "REG_LINK",
        "REG_MULTI_SZ",
        "REG_RESOURCE_LIST",
        "REG_FULL_RESOURCE_DESCRIPTOR",
        "REG_RESOURCE_REQUIREMENTS_LIST",
        "REG_QWORD",
    ];
    let number: usize = value.parse().ok()?;
    NAMES.get(number).copied().and_then(some)
}
