//! The name of a process that no other process shares, on any host, at any time.

use uuid::{Uuid, uuid};

use crate::event::ProcessKey;

/// Names in this namespace have the form that [`Identity::guid`] describes. Changing either makes
/// every process another one for the readers of old events.
pub const NAMESPACE: Uuid = uuid!("5d0c4f5e-93a6-4d5b-8f0e-6d3a1c0b7e42");

/// One boot of one host.
#[derive(Clone, Debug)]
pub struct Identity {
    prefix: String,
}

impl Identity {
    /// `agent_id`: 64 lower-case hexadecimal digits. `boot_id`: `/proc/sys/kernel/random/boot_id`.
    pub fn new(agent_id: &str, boot_id: [u8; 16]) -> Self {
        Self {
            prefix: format!("{agent_id}/{}/", Uuid::from_bytes(boot_id)),
        }
    }

    /// The UUID, version 5, of the name `AGENT/BOOT/PID/START` in [`NAMESPACE`].
    ///
    /// AGENT is the agent's id, BOOT the boot's UUID in its usual lower-case form with hyphens, PID
    /// and START are the members of the [`ProcessKey`] in decimal. So the guid is the same from
    /// every source and after a restart of the agent.
    pub fn guid(&self, process: ProcessKey) -> Uuid {
        let name = format!("{}{}/{}", self.prefix, process.pid, process.start);
        Uuid::new_v5(&NAMESPACE, name.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::{Identity, NAMESPACE};
    use crate::event::ProcessKey;
    use uuid::Uuid;

    const BOOT: [u8; 16] = [
        0x6f, 0x1e, 0x2d, 0x3c, 0x4b, 0x5a, 0x46, 0x97, 0x88, 0x79, 0x6a, 0x5b, 0x4c, 0x3d, 0x2e,
        0x1f,
    ];

    #[test]
    fn is_the_version_5_uuid_of_the_documented_name() {
        let agent = "00e6e72665d9b4db937d50043df348d0db6e00bbd778df07cf154c0f01748879";
        let guid = Identity::new(agent, BOOT).guid(ProcessKey {
            pid: 4321,
            start: 987_654,
        });
        let name = format!("{agent}/6f1e2d3c-4b5a-4697-8879-6a5b4c3d2e1f/4321/987654");
        assert_eq!(guid, Uuid::new_v5(&NAMESPACE, name.as_bytes()));
        assert_eq!(guid.get_version_num(), 5);
        // Asked of Python: uuid.uuid5(NAMESPACE, name).
        assert_eq!(guid.to_string(), "36841215-f7c6-5326-9910-4332523e6d5a");
    }

    #[test]
    fn tells_agents_boots_pids_and_starts_apart() {
        let key = ProcessKey { pid: 1, start: 2 };
        let guids = [
            Identity::new("a", BOOT).guid(key),
            Identity::new("b", BOOT).guid(key),
            Identity::new("a", [0; 16]).guid(key),
            Identity::new("a", BOOT).guid(ProcessKey { pid: 2, ..key }),
            Identity::new("a", BOOT).guid(ProcessKey { start: 1, ..key }),
        ];
        for (index, guid) in guids.iter().enumerate() {
            assert!(!guids[..index].contains(guid));
        }
    }
}
