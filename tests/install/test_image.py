"""The image of deploy/, built by podman on a base of Debian's packages, and run as on a node."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from endpoint_agent.config import DEFAULT_PATH, INTAKE_KEY_VARIABLE

from ..live.daemon import KEY, Intake, wait
from .conftest import MAKE, ROOT, shipped

AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
BASE = "docker.io/library/debian:trixie-slim"
NAME = "endpoint-agent-trial"

# Seconds, on a busy machine.
START = 180.0

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(os.geteuid() != 0, reason="capturing needs root"),
    pytest.mark.skipif(shutil.which("podman") is None, reason="podman is missing"),
]


class Podman:
    """Images and containers in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        """Makes nothing yet."""
        self._words = [
            *("podman", "--root", folder / "root", "--runroot", folder / "run"),
            *("--tmpdir", folder / "tmp", "--cgroup-manager", "cgroupfs", "--runtime", "runc"),
        ]

    def words(self, *words: str | Path) -> list[str | Path]:
        """The words that run a command of it."""
        return [*self._words, *words]

    def run(self, *words: str | Path) -> str:
        """Runs a command of it; what it printed."""
        done = subprocess.run(self.words(*words), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        return done.stdout


@pytest.fixture
def podman() -> Iterator[Podman]:
    # It refuses a path of over 50 characters, and pytest's grow with each test session.
    with tempfile.TemporaryDirectory(prefix="podman.") as folder:
        podman = Podman(Path(folder))
        yield podman
        podman.run("system", "reset", "--force")


@pytest.fixture
def image(podman: Podman, tmp_path: Path) -> str:
    """Built as docs/deploy.md says, but for the base, which no registry gives here."""
    made = subprocess.run(
        [ROOT / "tools/base-image", "trixie"],
        capture_output=True,
        text=True,
        timeout=MAKE,
        check=False,
    )
    if made.returncode:
        pytest.skip(f"no base: {made.stderr.strip()[-300:]}")
    podman.run("import", made.stdout.strip(), BASE)
    context = tmp_path / "context"
    (context / "dist").mkdir(parents=True)
    shutil.copy(shipped("endpoint_agent-*.whl"), context / "dist")
    # Whom this host trusts, the index of packages is reached through.
    trusted = Path("/authorities.crt")
    podman.run(
        *("build", "--quiet", "--network=host", "--pull=never", "--tag", NAME),
        *(f"--volume={AUTHORITIES}:{trusted}:ro", f"--env=PIP_CERT={trusted}"),
        *("--file", ROOT / "deploy/Dockerfile", context),
    )
    return NAME


def container() -> dict[str, Any]:
    """The one of the DaemonSet."""
    with (ROOT / "deploy/kubernetes/daemonset.yaml").open() as file:
        objects = {one["kind"]: one for one in yaml.safe_load_all(file)}
    (found,) = objects["DaemonSet"]["spec"]["template"]["spec"]["containers"]
    return dict(found)


def limits() -> Iterator[str]:
    """Some that this process can set: podman's own may be beyond its own, which it cannot raise."""
    for name in ("nofile", "nproc"):
        yield f"--ulimit={name}=4096:4096"


# Whoever takes podman's rules for system calls gives no audit socket without it.
AUDIT_WRITE = "AUDIT_WRITE"


class Container:
    """One, as of the DaemonSet, and perhaps with a capability more."""

    def __init__(self, podman: Podman, folder: Path, url: str, *more: str) -> None:
        """Starts it, and waits until it has delivered."""
        self._podman = podman
        one = container()
        self._probe = one["livenessProbe"]["exec"]["command"]
        self.capabilities = [*one["securityContext"]["capabilities"]["add"], *more]
        config, state = folder / "config.yaml", folder / "state"
        config.write_text(f'IntakeURL: {url}\nLogFile: "-"\nDisableAutoUpdate: true\n')
        config.chmod(0o400)
        state.mkdir(0o700, exist_ok=True)
        words = podman.words(
            *("run", "--rm", "--name", NAME, "--pull=never", *limits()),
            *("--pid=host", "--network=host", "--cgroupns=host", "--read-only", "--cap-drop=ALL"),
            *(f"--cap-add={name}" for name in self.capabilities),
            *("--security-opt=apparmor=unconfined", "--security-opt=no-new-privileges"),
            *(f"--volume={config}:{DEFAULT_PATH}:ro", f"--volume={state}:/var/lib/endpoint-agent"),
            *(f"--env={INTAKE_KEY_VARIABLE}", NAME, *one["args"]),
        )
        environment = os.environ | {INTAKE_KEY_VARIABLE: KEY}
        self._log = folder / "log"
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                words, env=environment, stdout=log, stderr=subprocess.STDOUT
            )
        try:
            wait(lambda: (self.status() or {}).get("heartbeat_delivered"), START)
        except AssertionError:
            self.stop()
            raise

    def status(self) -> dict[str, Any] | None:
        """What it answers to the probe."""
        assert self._process.poll() is None, self._log.read_text()
        with suppress(AssertionError):
            return dict(json.loads(self._podman.run("exec", NAME, *self._probe)))
        return None

    def stop(self) -> int:
        """Ends it; its exit status."""
        self._podman.run("stop", "--ignore", "--time", "60", NAME)
        return self._process.wait(START)


def hooks(answer: dict[str, Any]) -> dict[str, str]:
    """The state of each, by its name."""
    return {name: state for name, state, _ in answer["coverage"]}


def test_the_container_watches_the_host(
    podman: Podman, image: str, intake: Intake, tmp_path: Path
) -> None:
    one = Container(podman, tmp_path, intake.url)
    try:
        answer = wait(one.status)
        assert answer["source"] == "ebpf"
        assert hooks(answer)["audit user records"] != "attached"
        fields = Path(f"/proc/{answer['pid']}/status").read_text().splitlines()
        (bounding,) = (line.split()[1] for line in fields if line.startswith("CapBnd"))
        assert int(bounding, 16).bit_count() == len(one.capabilities)
        assert "NoNewPrivs:\t1" in fields
        assert "Seccomp:\t2" in fields

        # What happens on the host, by one that is in no container.
        def created() -> dict[str, Any] | None:
            """With the digest, which is had in time where the host is not too busy."""
            subprocess.run(["touch", tmp_path / "marker"], check=True)
            found = intake.events(text=str(tmp_path / "marker"), action="process-created")
            return next((event for event in found if "hash" in event["process"]), None)

        event = wait(created, START)
        touch = Path(event["process"]["executable"])
        assert event["process"]["hash"]["sha256"] == hashlib.sha256(touch.read_bytes()).hexdigest()
        assert intake.events(text=str(tmp_path / "marker"), action="file-created")
    finally:
        status = one.stop()
    assert status == 0

    one = Container(podman, tmp_path, intake.url, AUDIT_WRITE)
    try:
        assert hooks(wait(one.status))["audit user records"] == "attached"
    finally:
        one.stop()
