//! `action.properties`: the system call, in the words of the audit system.

use crate::ecs::errno;
use crate::ecs::json::Json;
use crate::event::SystemCall;

/// Writes the call, its arguments in hexadecimal digits, and what it returned.
pub fn write_properties(json: &mut Json, call: &SystemCall) {
    json.word("syscall", call.name);
    json.word("arch", call.arch);
    for (key, argument) in ["a0", "a1", "a2", "a3"].into_iter().zip(call.arguments) {
        json.plain(key, format_args!("{argument:x}"));
    }
    match u16::try_from(call.exit.unsigned_abs()) {
        Ok(error) if call.exit < 0 => json.plain("exit", errno::name(error)),
        _ => json.plain("exit", call.exit),
    }
    json.text_if_known("tty", &call.terminal);
    json.text_if_known("key", &call.key);
    if let Some(socket) = call.socket {
        let family = if socket.is_ipv4() { "ipv4" } else { "ipv6" };
        json.word("socket_family", family);
        json.plain("socket_addr", socket.ip());
        json.digits("socket_port", socket.port().into());
    }
}
