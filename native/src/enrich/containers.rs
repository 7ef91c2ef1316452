//! Which container a process is in, as its control group tells.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use lru::LruCache;

use crate::event::Group;
use crate::host::{procfs, runtimes};

/// Control groups that are remembered: more than the kernel side takes for told.
const MAX_GROUPS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(4_095);
/// Bytes of a container's name in its control group; the runtimes' own limits are lower.
const MAX_ID: usize = 128;

/// A container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// What its runtime calls it: 64 hexadecimal digits, or a name for lxc and systemd-nspawn.
    pub id: String,
    /// Which runtime, where the control group or the runtime's files tell.
    pub runtime: Option<&'static str>,
    /// Its name.
    pub name: Option<String>,
    /// The image that it was made of.
    pub image: Option<String>,
}

/// The containers of the control groups that processes are in.
#[derive(Debug)]
pub struct Containers {
    groups: LruCache<u64, Option<Arc<Container>>>,
    /// Below which /proc and the runtimes' files are found, if they may be asked.
    live: Option<PathBuf>,
}

impl Containers {
    /// Knows no group yet.
    pub fn new(live: Option<PathBuf>) -> Self {
        Self {
            groups: LruCache::new(MAX_GROUPS),
            live,
        }
    }

    /// The container of a control group, asked for a process in it. What a group is in stays so.
    pub fn of(&mut self, group: &Group, pid: u32) -> Option<Arc<Container>> {
        if group == &Group::default() {
            return None;
        }
        if group.path.is_empty()
            && let Some(known) = self.groups.get(&group.id)
        {
            return known.clone();
        }
        let path = if group.path.is_empty() {
            procfs::group_of(self.live.as_ref()?, pid)?
        } else {
            group.path.clone()
        };
        let container = self.identify(&path).map(Arc::new);
        if group.id != 0 {
            self.groups.put(group.id, container.clone());
        }
        container
    }

    fn identify(&self, path: &[u8]) -> Option<Container> {
        let (id, runtime) = identify(path)?;
        let described = self
            .live
            .as_ref()
            .and_then(|root| runtimes::describe(root, &id));
        let named = matches!(runtime, Some("lxc" | "systemd-nspawn")).then(|| id.clone());
        Some(match described {
            Some(told) => Container {
                id,
                runtime: runtime.or(Some(told.runtime)),
                name: told.name,
                image: told.image,
            },
            None => Container {
                id,
                runtime,
                name: named,
                image: None,
            },
        })
    }
}

/// The container's id and runtime in the path of a control group, absolute in the hierarchy.
///
/// Of nested containers the outermost counts: what is below, root in the container may have named.
pub fn identify(path: &[u8]) -> Option<(String, Option<&'static str>)> {
    let path = str::from_utf8(path).ok()?;
    let mut above = "";
    for part in path.split('/').filter(|part| !part.is_empty()) {
        if let Some(found) = container(above, part) {
            return Some(found);
        }
        above = part;
    }
    None
}

fn container(above: &str, part: &str) -> Option<(String, Option<&'static str>)> {
    if part.len() > MAX_ID * 2 {
        return None;
    }
    by_scope(part)
        .or_else(|| by_machine(part))
        .or_else(|| by_folder(above, part))
        .filter(|(id, _)| (1..=MAX_ID).contains(&id.len()))
}

/// `docker-ID.scope`, and `SLICE:cri-containerd:ID` where a runtime names folders as systemd does.
fn by_scope(part: &str) -> Option<(String, Option<&'static str>)> {
    const PREFIXES: [(&str, &str); 5] = [
        ("docker", "docker"),
        ("libpod", "podman"),
        ("crio", "cri-o"),
        ("cri-containerd", "containerd"),
        ("nerdctl", "containerd"),
    ];
    let name = part.strip_suffix(".scope").unwrap_or(part);
    let name = name.rsplit_once(':').map_or_else(
        || name.to_owned(),
        |(begin, id)| format!("{}-{id}", begin.rsplit(':').next().unwrap_or_default()),
    );
    PREFIXES.iter().find_map(|&(prefix, runtime)| {
        let id = name.strip_prefix(prefix)?.strip_prefix('-')?;
        is_id(id).then(|| (id.to_owned(), Some(runtime)))
    })
}

/// `lxc.payload.NAME`, `systemd-nspawn@NAME.service`, `machine-NAME.scope`.
fn by_machine(part: &str) -> Option<(String, Option<&'static str>)> {
    if let Some(name) = part.strip_prefix("lxc.payload.") {
        return Some((name.to_owned(), Some("lxc")));
    }
    let unit = |begin: &str, end: &str| part.strip_prefix(begin)?.strip_suffix(end).map(unescaped);
    if let Some(name) = unit("systemd-nspawn@", ".service") {
        return Some((name, Some("systemd-nspawn")));
    }
    let name = unit("machine-", ".scope")?;
    if let Some(name) = name.strip_prefix("lxc-") {
        return Some((name.to_owned(), Some("lxc")));
    }
    // What libvirt calls so is a virtual machine.
    (!name.starts_with("qemu-")).then_some((name, Some("systemd-nspawn")))
}

/// `docker/ID`, `libpod_parent/libpod-ID` (above), `lxc/NAME`; an id alone is of some runtime.
fn by_folder(above: &str, part: &str) -> Option<(String, Option<&'static str>)> {
    if above == "lxc" || above == "lxc.payload" {
        return Some((part.to_owned(), Some("lxc")));
    }
    is_id(part).then(|| (part.to_owned(), (above == "docker").then_some("docker")))
}

/// 64 hexadecimal digits, as all runtimes of OCI containers make them.
fn is_id(text: &str) -> bool {
    text.len() == 64
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// systemd writes `-` in a unit's name as `\x2d`.
fn unescaped(name: &str) -> String {
    name.replace("\\x2d", "-")
}

#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests {
    use super::{Containers, identify};
    use crate::event::Group;
    use std::fs;

    fn id() -> String {
        "0f".repeat(32)
    }

    fn found(path: &str) -> Option<(String, Option<&'static str>)> {
        let (found, runtime) = identify(path.replace("ID", &id()).as_bytes())?;
        Some((found.replace(&id(), "ID"), runtime))
    }

    #[test]
    fn knows_the_groups_of_every_runtime() {
        let pod = "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1_2.slice";
        for (path, name, runtime) in [
            ("/system.slice/docker-ID.scope", "ID", Some("docker")),
            ("/docker/ID", "ID", Some("docker")),
            ("/docker/ID/init.scope", "ID", Some("docker")),
            ("/ecs/task/ID", "ID", None),
            (
                &format!("{pod}/cri-containerd-ID.scope"),
                "ID",
                Some("containerd"),
            ),
            (
                &format!("{pod}/crio-ID.scope/container"),
                "ID",
                Some("cri-o"),
            ),
            (
                "/kubepods-pod1.slice:cri-containerd:ID",
                "ID",
                Some("containerd"),
            ),
            ("/kubepods/besteffort/pod1-2/ID", "ID", None),
            (
                "/machine.slice/libpod-ID.scope/container",
                "ID",
                Some("podman"),
            ),
            (
                "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-ID.scope",
                "ID",
                Some("podman"),
            ),
            ("/libpod_parent/libpod-ID", "ID", Some("podman")),
            ("/lxc.payload.web-1/init.scope", "web-1", Some("lxc")),
            ("/lxc/web", "web", Some("lxc")),
            (
                r"/machine.slice/machine-my\x2dbox.scope/payload",
                "my-box",
                Some("systemd-nspawn"),
            ),
            (
                "/machine.slice/systemd-nspawn@box.service/payload",
                "box",
                Some("systemd-nspawn"),
            ),
            (
                r"/machine.slice/machine-lxc\x2d12\x2dbox.scope",
                "12-box",
                Some("lxc"),
            ),
        ] {
            assert_eq!(found(path), Some((name.into(), runtime)), "{path}");
        }
    }

    #[test]
    fn does_not_take_for_a_container_what_is_none() {
        for path in [
            "",
            "/",
            "/system.slice/ssh.service",
            "/system.slice/docker.service",
            "/user.slice/user-0.slice/session-3.scope",
            "/machine.slice/libpod-conmon-ID.scope",
            "/system.slice/crio-conmon-ID.scope",
            r"/machine.slice/machine-qemu\x2d1\x2dvm.scope/libvirt",
            "/system.slice/docker-short.scope",
            "/docker/ID0",
            "/lxc.payload.",
            "/lxc.monitor.web",
            ":::",
        ] {
            assert_eq!(found(path), None, "{path}");
        }
        assert_eq!(identify(b"/docker/\xff"), None);
        assert_eq!(found(&format!("/lxc/{}", "x".repeat(200))), None);
    }

    #[test]
    fn the_outermost_container_counts() {
        let inner = format!("/docker/ID/docker/{}", "ab".repeat(32));
        assert_eq!(found(&inner), Some(("ID".into(), Some("docker"))));
    }

    #[test]
    fn a_group_is_looked_at_once() {
        let root = tempfile::tempdir().unwrap();
        let process = root.path().join("proc/7");
        fs::create_dir_all(&process).unwrap();
        fs::write(process.join("cgroup"), "0::/lxc.payload.web\n").unwrap();
        let mut containers = Containers::new(Some(root.path().into()));
        let mut name = |id, path: &[u8], pid| {
            let group = Group {
                id,
                path: path.into(),
            };
            containers.of(&group, pid).map(|it| it.id.clone())
        };
        assert_eq!(name(5, b"/lxc/box", 0).unwrap(), "box");
        assert_eq!(name(5, b"", 7).unwrap(), "box");
        assert_eq!(name(6, b"", 7).unwrap(), "web");
        fs::remove_file(process.join("cgroup")).unwrap();
        assert_eq!(name(6, b"", 7).unwrap(), "web");
        assert_eq!(name(8, b"", 7), None);
        assert_eq!(name(5, b"/system.slice", 0), None);
        assert_eq!(name(5, b"", 0), None);
    }

    #[test]
    fn a_container_has_the_name_and_image_that_its_runtime_wrote_down() {
        let root = tempfile::tempdir().unwrap();
        let folder = root
            .path()
            .join(format!("var/lib/docker/containers/{}", id()));
        fs::create_dir_all(&folder).unwrap();
        let config = r#"{"Name":"/web","Config":{"Image":"nginx"}}"#;
        fs::write(folder.join("config.v2.json"), config).unwrap();
        let group = Group {
            id: 3,
            path: format!("/kubepods/pod1/{}", id()).into(),
        };
        let of = |live| Containers::new(live).of(&group, 0).unwrap();
        let container = of(Some(root.path().into()));
        assert_eq!(container.runtime, Some("docker"));
        assert_eq!(container.name.as_deref(), Some("web"));
        assert_eq!(container.image.as_deref(), Some("nginx"));
        let alone = of(None);
        assert_eq!((alone.runtime, alone.name.clone()), (None, None));
    }
}
