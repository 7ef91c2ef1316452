//! What values say of PowerShell's host.

use super::{Value, account, arguments, arguments_count, domain, is_nothing, text};

/// Of lines like `HostApplication=powershell.exe`, or with blanks, the value of one.
fn line<'a>(value: &'a str, name: &str) -> Option<&'a str> {
    value.lines().find_map(|line| {
        let (key, value) = line.split_once('=')?;
        let is_it = key
            .chars()
            .filter(|char| *char != ' ' && *char != '\t')
            .eq(name.chars());
        (is_it && !is_nothing(value)).then(|| value.trim())
    })
}

/// The command line of PowerShell's host.
pub fn host_application(value: &str) -> Option<Value<'_>> {
    line(value, "HostApplication").and_then(text)
}

/// Its arguments.
pub fn host_arguments(value: &str) -> Option<Value<'_>> {
    line(value, "HostApplication").and_then(arguments)
}

/// How many there are.
pub fn host_arguments_count(value: &str) -> Option<Value<'_>> {
    line(value, "HostApplication").and_then(arguments_count)
}

/// The domain of PowerShell's user.
pub fn host_domain(value: &str) -> Option<Value<'_>> {
    line(value, "UserId")
        .or_else(|| line(value, "User"))
        .and_then(domain)
}

/// The name of PowerShell's user.
pub fn host_account(value: &str) -> Option<Value<'_>> {
    line(value, "UserId")
        .or_else(|| line(value, "User"))
        .and_then(account)
}
