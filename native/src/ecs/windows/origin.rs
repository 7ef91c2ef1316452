//! Which host a record is from: not always this one, as records are forwarded, and files are copied.

use serde_json::Value;

use crate::ecs::json::Json;

/// What the envelope says, and how its parts are used.
#[derive(Debug, Default)]
pub struct Origin {
    /// The member `agent` as JSON, or nothing.
    agent: Vec<u8>,
    /// Name of this host, if Windows runs on it.
    windows: Option<String>,
}

impl Origin {
    /// `envelope`: JSON members that every record has, without the outer braces.
    pub fn of(envelope: &[u8]) -> Self {
        let whole = [b"{", envelope, b"}"].concat();
        let members: Value = serde_json::from_slice(&whole).unwrap_or_default();
        let agent = &members["agent"];
        let host = &members["host"];
        let name = host["hostname"].as_str().map(str::to_owned);
        Self {
            agent: if agent.is_null() {
                Vec::new()
            } else {
                format!("\"agent\":{agent}").into_bytes()
            },
            windows: name.filter(|_| host["os"]["type"] == "windows"),
        }
    }

    /// Writes `agent` and `host` for a record of this host.
    pub fn write(&self, json: &mut Json, envelope: &[u8], host: &str) {
        if self
            .windows
            .as_ref()
            .is_some_and(|own| own.eq_ignore_ascii_case(host))
        {
            json.raw_members(envelope);
            return;
        }
        json.raw_members(&self.agent);
        json.open("host");
        json.text_if_known("hostname", host.as_bytes());
        json.open("os");
        json.word("type", "windows");
        json.close();
        json.close();
    }
}

/// The name of a host without its domain.
pub fn host_name(computer: &str) -> &str {
    let name = computer.split('.').next().unwrap_or_default();
    // An address has no domain.
    if computer.parse::<std::net::IpAddr>().is_ok() {
        computer
    } else {
        name
    }
}
