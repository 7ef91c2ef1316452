"""A machine into which Ansible installs the agent, by the role of deploy/, over SSH."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..live.daemon import KEY, Intake
from .conftest import ROOT, make_image, shipped
from .machine import PASSED, Machine, await_markers, disk

ANSIBLE = ROOT / "target/deploy/bin"
PLAYBOOK = ROOT / "deploy/ansible/site.yml"

# Seconds: SSH is slow in an emulated machine.
PATIENCE = 300

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="the files of a disk have to be root's"),
    pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is missing"),
    pytest.mark.skipif(not ANSIBLE.is_dir(), reason="Ansible is missing: run make test-deploy"),
]


class Fleet:
    """One machine, and what is done to it over SSH."""

    def __init__(self, folder: Path, port: int, variables: dict[str, Any]) -> None:
        """Writes the inventory. The keys are in the folder."""
        self._folder = folder
        self._variables = variables
        known = folder / "known_hosts"
        known.write_text(f"[127.0.0.1]:{port} {(folder / 'host_key.pub').read_text()}")
        options = ["-o", f"UserKnownHostsFile={known}", "-o", f"ConnectTimeout={PATIENCE}"]
        self._ssh = ["ssh", *options, "-i", folder / "key", "-p", str(port), "root@127.0.0.1"]
        (folder / "hosts").write_text(
            f"machine ansible_host=127.0.0.1 ansible_port={port} ansible_user=root "
            f"ansible_ssh_private_key_file={folder}/key "
            f"ansible_ssh_common_args='{' '.join(options)}'\n"
        )

    def play(self, **variables: Any) -> int:
        """Plays the example of deploy/; how many tasks have changed something."""
        values = self._folder / "values.json"
        values.write_text(json.dumps(self._variables | variables))
        environment = {
            "PATH": f"{ANSIBLE}:{os.environ['PATH']}",
            "HOME": str(self._folder),
            "LANG": "C.UTF-8",
            "ANSIBLE_TIMEOUT": str(PATIENCE),
            "ANSIBLE_ROLES_PATH": str(PLAYBOOK.parent / "roles"),
        }
        words = ("ansible-playbook", "-v", "--inventory", self._folder / "hosts")
        done = subprocess.run(
            [*words, "--extra-vars", f"@{values}", PLAYBOOK],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert KEY not in done.stdout + done.stderr
        found = re.search(r"^machine +:.* changed=(\d+) ", done.stdout, re.MULTILINE)
        assert found, done.stdout
        return int(found[1])

    def do(self, command: str) -> str:
        """Runs a command of the shell there."""
        done = subprocess.run([*self._ssh, command], capture_output=True, text=True, check=False)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        return done.stdout.strip()

    def status(self) -> dict[str, Any]:
        """What the agent there answers."""
        return dict(json.loads(self.do("/opt/endpoint-agent status --json")))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With the keys of both sides."""
    for name in ("key", "host_key"):
        words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / name]
        subprocess.run(words, check=True)
    return tmp_path


@pytest.fixture
def machine(folder: Path, intake: Intake) -> Iterator[tuple[Machine, int]]:
    """Where SSH lets in, and the port of this host that leads there."""
    image = make_image("openssh-server", "python3")
    trial = folder / "trial"
    trial.mkdir()
    shutil.copy(folder / "key.pub", trial / "authorized_keys")
    shutil.copy(folder / "host_key", trial)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    path = disk(trial, "trial-host", intake)
    machine = Machine(image, path, ports=f",hostfwd=tcp:127.0.0.1:{port}-:22")
    with machine.on():
        machine.wait_word("let in")
        yield machine, port


def test_the_role_installs_changes_and_removes(
    machine: tuple[Machine, int], folder: Path, intake: Intake
) -> None:
    one, port = machine
    settings = {"IntakeURL": "http://127.0.0.1:8080", "DisableAutoUpdate": True}
    variables = {
        "endpoint_agent_program": str(shipped("agent")),
        "endpoint_agent_intake_key": KEY,
        "endpoint_agent_settings": settings,
    }
    fleet = Fleet(folder, port, variables)
    assert fleet.play() >= 4
    status = fleet.status()
    assert status["heartbeat_delivered"]
    assert fleet.do("stat -c '%a %U' /etc/endpoint-agent/config.yaml") == "600 root"
    fleet.do("touch /var/marker-installed")

    # Once is enough.
    assert fleet.play() == 0
    assert fleet.status()["pid"] == status["pid"]

    # Another configuration restarts it.
    assert fleet.play(endpoint_agent_settings=settings | {"LogLevel": "warning"}) == 2
    assert fleet.do("grep LogLevel /etc/endpoint-agent/config.yaml") == "LogLevel: warning"
    fleet.do("until /opt/endpoint-agent status >/dev/null; do sleep 1; done")
    assert fleet.status()["pid"] != status["pid"]
    fleet.do("touch /var/marker-changed; sleep 5")

    assert fleet.play(endpoint_agent_present=False) == 2
    assert fleet.play(endpoint_agent_present=False) == 0
    fleet.do("touch /var/over")
    one.wait_off()
    assert PASSED in one.said(), one.said()
    await_markers(intake, ("installed", "changed"))
