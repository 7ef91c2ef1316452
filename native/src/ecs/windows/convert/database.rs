//! What values say of Microsoft's SQL server, which writes text where others have values.

use super::{Value, account, domain, ip};

/// The address of ` [CLIENT: 192.0.2.7]`.
pub fn client(value: &str) -> Option<Value<'_>> {
    let inner = value.trim().strip_prefix("[CLIENT:")?.strip_suffix(']')?;
    ip(inner)
}

/// Who did what is audited, of lines like `server_principal_name:DOMAIN\name`.
fn principal(value: &str) -> Option<&str> {
    let mut lines = value.lines();
    lines.find_map(|line| line.strip_prefix("server_principal_name:"))
}

/// The domain of that user.
pub fn audited_domain(value: &str) -> Option<Value<'_>> {
    principal(value).and_then(domain)
}

/// The name of that user.
pub fn audited_account(value: &str) -> Option<Value<'_>> {
    principal(value).and_then(account)
}
