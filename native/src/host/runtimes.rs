//! What container runtimes write down about their containers: names and images.
//!
//! The files belong to the runtimes, but what stands in them was chosen by whoever started the
//! container: they are read up to a limit and nothing in them is followed.

use std::fs::OpenOptions;
use std::io::Read;
#[cfg(unix)]
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde_json::Value;

/// Bytes read of one container's description; the longest seen have a few ten thousand.
const MAX_DESCRIPTION: u64 = 1 << 20;
/// Bytes read of a list of all containers.
const MAX_LIST: u64 = 4 << 20;
/// Bytes of a name or image that are kept; registries allow less.
const MAX_TEXT: usize = 512;

/// What a runtime says about a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// Which runtime.
    pub runtime: &'static str,
    /// The container's name, if it has one.
    pub name: Option<String>,
    /// The image's name and tag, if it was made of one.
    pub image: Option<String>,
}

/// The first description of a container that a runtime below `root` has.
///
/// `id`: as the name of the control group has it; anything but ASCII letters and digits has none.
pub fn describe(root: &Path, id: &str) -> Option<Description> {
    if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    docker(root, id)
        .or_else(|| containerd(root, id))
        .or_else(|| crio(root, id))
        .or_else(|| podman(root, id))
}

fn docker(root: &Path, id: &str) -> Option<Description> {
    let path = root.join(format!("var/lib/docker/containers/{id}/config.v2.json"));
    let config = json(&path, MAX_DESCRIPTION)?;
    Some(Description {
        runtime: "docker",
        name: text(&config["Name"]).and_then(|name| kept(name.trim_start_matches('/'))),
        image: text(&config["Config"]["Image"]),
    })
}

/// Kubernetes' containers and nerdctl's, by the annotations of their bundles.
fn containerd(root: &Path, id: &str) -> Option<Description> {
    let bundles = root.join("run/containerd/io.containerd.runtime.v2.task");
    let bundle = |space: &str| {
        let path = bundles.join(space).join(id).join("config.json");
        json(&path, MAX_DESCRIPTION)
    };
    let config = bundle("k8s.io").or_else(|| bundle("default"))?;
    let notes = &config["annotations"];
    Some(Description {
        runtime: "containerd",
        name: first(notes, &["io.kubernetes.cri.container-name", "nerdctl/name"]),
        image: first(notes, &["io.kubernetes.cri.image-name"]),
    })
}

fn crio(root: &Path, id: &str) -> Option<Description> {
    let folder = root.join("var/lib/containers/storage/overlay-containers");
    let config = json(
        &folder.join(id).join("userdata/config.json"),
        MAX_DESCRIPTION,
    )?;
    let notes = &config["annotations"];
    let image = first(notes, &["io.kubernetes.cri-o.ImageName"])?;
    Some(Description {
        runtime: "cri-o",
        name: first(
            notes,
            &["io.kubernetes.container.name", "io.kubernetes.cri-o.Name"],
        ),
        image: Some(image),
    })
}

/// Its list has a text of JSON in the JSON.
fn podman(root: &Path, id: &str) -> Option<Description> {
    let folder = root.join("var/lib/containers/storage/overlay-containers");
    let entry = ["containers.json", "volatile-containers.json"]
        .iter()
        .find_map(|file| {
            let Value::Array(all) = json(&folder.join(file), MAX_LIST)? else {
                return None;
            };
            all.into_iter().find(|entry| entry["id"] == id)
        })?;
    let metadata = entry["metadata"].as_str().unwrap_or_default();
    let metadata: Value = serde_json::from_str(metadata).unwrap_or_default();
    Some(Description {
        runtime: "podman",
        name: text(&entry["names"][0]).or_else(|| text(&metadata["name"])),
        image: text(&metadata["image-name"]),
    })
}

fn first(notes: &Value, keys: &[&str]) -> Option<String> {
    keys.iter().find_map(|key| text(&notes[*key]))
}

fn text(value: &Value) -> Option<String> {
    kept(value.as_str()?)
}

fn kept(text: &str) -> Option<String> {
    let begin = &text[..text.floor_char_boundary(MAX_TEXT)];
    (!begin.is_empty()).then(|| begin.into())
}

/// A regular file of JSON that is no longer than the limit.
fn json(path: &Path, limit: u64) -> Option<Value> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    let file = options.open(path).ok()?;
    let status = file.metadata().ok()?;
    if !status.is_file() || status.len() > limit {
        return None;
    }
    let mut text = Vec::new();
    file.take(limit).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::{Description, MAX_DESCRIPTION, MAX_TEXT, describe};
    use std::fs;
    use tempfile::TempDir;

    fn id() -> String {
        "a1".repeat(32)
    }

    fn root(path: &str, content: &str) -> TempDir {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join(path.replace("ID", &id()));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content.replace("ID", &id())).unwrap();
        root
    }

    fn described(path: &str, content: &str) -> Option<(&'static str, String, String)> {
        let Description {
            runtime,
            name,
            image,
        } = describe(root(path, content).path(), &id())?;
        let shown = |text: Option<String>| text.unwrap_or_else(|| "-".into());
        Some((runtime, shown(name), shown(image)))
    }

    #[test]
    fn reads_what_each_runtime_writes() {
        let docker = described(
            "var/lib/docker/containers/ID/config.v2.json",
            r#"{"ID":"ID","Config":{"Image":"nginx:1.25"},"Image":"sha256:1","Name":"/web"}"#,
        );
        assert_eq!(
            docker.unwrap(),
            ("docker", "web".into(), "nginx:1.25".into())
        );
        let containerd = described(
            "run/containerd/io.containerd.runtime.v2.task/k8s.io/ID/config.json",
            r#"{"annotations":{"io.kubernetes.cri.container-name":"app",
                "io.kubernetes.cri.image-name":"registry/app:2"}}"#,
        );
        assert_eq!(
            containerd.unwrap(),
            ("containerd", "app".into(), "registry/app:2".into())
        );
        let crio = described(
            "var/lib/containers/storage/overlay-containers/ID/userdata/config.json",
            r#"{"annotations":{"io.kubernetes.container.name":"db",
                "io.kubernetes.cri-o.ImageName":"postgres:17"}}"#,
        );
        assert_eq!(crio.unwrap(), ("cri-o", "db".into(), "postgres:17".into()));
        let podman = described(
            "var/lib/containers/storage/overlay-containers/containers.json",
            r#"[{"id":"other"},{"id":"ID","names":["job"],
                "metadata":"{\"image-name\":\"alpine:3\",\"name\":\"job\"}"}]"#,
        );
        assert_eq!(podman.unwrap(), ("podman", "job".into(), "alpine:3".into()));
    }

    #[test]
    fn survives_what_is_no_description() {
        const DOCKER: &str = "var/lib/docker/containers/ID/config.v2.json";
        for odd in ["[]", "7", r#"{"Name":7,"Config":[]}"#, r#"{"Name":"/"}"#] {
            let nameless = ("docker", "-".into(), "-".into());
            assert_eq!(described(DOCKER, odd), Some(nameless));
        }
        let deep = "[".repeat(100_000);
        let huge = " ".repeat(MAX_DESCRIPTION as usize + 1);
        for broken in ["", "{", "\u{1}", &deep, &huge] {
            assert_eq!(described(DOCKER, broken), None);
        }
        let long = format!(r#"{{"Name":"{}"}}"#, "é".repeat(MAX_TEXT));
        assert!(described(DOCKER, &long).unwrap().1.len() <= MAX_TEXT);
    }

    #[test]
    fn leaves_its_folders_for_no_id_and_opens_only_files() {
        let root = root("var/lib/docker/containers/ID/config.v2.json", "{}");
        for odd in ["", "..", "../containers", "a/b", "\0"] {
            assert_eq!(describe(root.path(), odd), None);
        }
        let folder = root
            .path()
            .join(format!("var/lib/docker/containers/{}", id()));
        let file = folder.join("config.v2.json");
        fs::rename(&file, folder.join("elsewhere")).unwrap();
        std::os::unix::fs::symlink(folder.join("elsewhere"), &file).unwrap();
        assert_eq!(describe(root.path(), &id()), None);
        fs::remove_file(&file).unwrap();
        fs::create_dir(&file).unwrap();
        assert_eq!(describe(root.path(), &id()), None);
    }
}
