"""What is in the archive, and that no secret is, wherever one was planted."""

from __future__ import annotations

import base64
import io
import os
import stat
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from endpoint_agent import cli, doctor
from endpoint_agent.config import INTAKE_KEY_VARIABLE
from endpoint_agent.doctor import REMOVED, Scrubber
from endpoint_agent.errors import AgentError
from endpoint_agent.status import StatusServer

KEY = "4f7c1d1e-planted/key+of=an~intake"
PASSWORD = "pl@nted:pass word"
QUOTED = "pl%40nted%3Apass%20word"
OTHER = "another-planted-key"
ENVIRONMENT = "planted-in-the-environment"

SECRETS = (
    KEY,
    PASSWORD,
    QUOTED,
    OTHER,
    ENVIRONMENT,
    base64.b64encode(f"agent:{PASSWORD}".encode()).decode(),
    base64.b64encode(KEY.encode()).decode(),
)

CONFIGURATION = f"""\
# IntakeKey: {OTHER}
IntakeKey: "{KEY}"
HTTPProxyURL: http://agent:{QUOTED}@proxy.example:3128
IntakeURL: https://intake.example/x
"""

# As a careless dependency might log it.
LINES = f"""\
2026-01-19T12:50:54.116Z ERROR proxy http://agent:{QUOTED}@proxy.example:3128 refused
2026-01-19T12:50:54.116Z ERROR sent X-SEKOIAIO-INTAKE-KEY: {KEY} in vain
2026-01-19T12:50:54.116Z ERROR Proxy-Authorization: Basic {SECRETS[5]}
2026-01-19T12:50:54.116Z ERROR bare {KEY} and {PASSWORD} and {SECRETS[6]}
2026-01-19T12:50:54.116Z ERROR IntakeKey={OTHER} --intake-key {OTHER}
2026-01-19T12:50:54.116Z INFO a line as any other
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration, its state folder and its log, with secrets in all of them."""
    monkeypatch.setenv(INTAKE_KEY_VARIABLE, ENVIRONMENT)
    monkeypatch.chdir(tmp_path)
    state, log = tmp_path / "state", tmp_path / "agent.log"
    (state / "queue").mkdir(parents=True)
    (state / f"left-{ENVIRONMENT}").touch()
    (state / "queue/00.seg").write_text(f"what is queued, {KEY} too")
    log.write_text(LINES + f"from the environment: {ENVIRONMENT}\n")
    path = tmp_path / "config.yaml"
    path.write_text(f"{CONFIGURATION}StateDirectory: {state}\nLogFile: {log}\n")
    path.chmod(0o600)
    return path


def run(config: Path, *words: str) -> dict[str, str]:
    """The members of the archive that the command makes."""
    archive = config.parent / "doctor.tar.gz"
    assert cli.main(["doctor", "--config", str(config), "--output", str(archive), *words]) == 0
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600
    return members(archive)


def members(archive: Path) -> dict[str, str]:
    found = {}
    with tarfile.open(archive) as file:
        for member in file:
            assert member.isreg()
            assert member.mode == 0o600
            content = file.extractfile(member)
            assert content is not None
            found[member.name.removeprefix("endpoint-agent-doctor/")] = content.read().decode()
    return found


def assert_no_secret(found: dict[str, str]) -> None:
    for name, text in found.items():
        for secret in SECRETS:
            assert secret not in text, name


def test_it_holds_what_support_needs_and_no_secret(config: Path) -> None:
    def snapshot() -> dict[str, Any]:
        return {"version": "v1", "pid": os.getpid(), "delivery": {"last_error": LINES}}

    server = StatusServer(config.parent / "state", snapshot)
    try:
        found = run(config)
    finally:
        server.stop()

    assert_no_secret(found)
    assert found.keys() == {
        "about.txt",
        "config.yaml",
        "host.txt",
        "log.txt",
        "process.txt",
        "program.txt",
        "service.txt",
        "state.txt",
        "status.json",
    }
    assert f"IntakeKey: '{REMOVED}'" in found["config.yaml"]
    assert "IntakeURL: https://intake.example/x" in found["config.yaml"]
    assert "a line as any other" in found["log.txt"]
    assert '"version": "v1"' in found["status.json"]
    assert "Max open files" in found["process.txt"]
    assert "queue/00.seg" in found["state.txt"]
    assert "capabilities" in found["host.txt"]


def test_without_an_agent_it_says_so(config: Path) -> None:
    found = run(config)
    assert_no_secret(found)
    assert found["status.json"].startswith("cannot be told: no agent runs")


@pytest.mark.parametrize(
    "line",
    [f"IntakeKey:{KEY}", f"IntakeKeyy: {KEY}", f"IntakeKey: [{KEY}", f"Nonsense: '{KEY}'"],
)
def test_a_configuration_that_is_wrong_tells_no_secret(config: Path, line: str) -> None:
    log = config.parent / "agent.log"
    text = config.read_text().replace(f'IntakeKey: "{KEY}"', line)
    config.write_text(text)
    settings = doctor.Settings(log_file=log, state_directory=config.parent / "state")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(doctor, "Settings", lambda: settings)
        found = run(config)

    assert found["config.yaml"].startswith("# ")
    assert "a line as any other" in found["log.txt"]
    for name, told in found.items():
        for secret in (KEY, QUOTED, OTHER, ENVIRONMENT):
            assert secret not in told, name


def test_the_original_agents_spelling(config: Path) -> None:
    assert cli.main(["--doctor", "--config", str(config)]) == 0
    (archive,) = config.parent.glob("endpoint-agent-doctor-*.tar.gz")
    assert_no_secret(members(archive))


def link_log(config: Path) -> None:
    log = config.parent / "agent.log"
    log.rename(config.parent / "elsewhere")
    log.symlink_to("elsewhere")


def pipe_log(config: Path) -> None:
    log = config.parent / "agent.log"
    log.unlink()
    os.mkfifo(log)


@pytest.mark.parametrize("trap", [link_log, pipe_log])
def test_a_log_that_is_none_is_not_read(config: Path, trap: Callable[[Path], None]) -> None:
    trap(config)
    found = run(config)
    assert found["log.txt"].startswith("cannot be told: ")
    assert "a line as any other" not in found["log.txt"]


def test_a_link_in_the_state_folder_is_named_and_not_followed(config: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/inside").touch()
    (tmp_path / "state/link").symlink_to("../outside")
    found = run(config)
    assert "state/link" in found["state.txt"]
    assert "inside" not in found["state.txt"]


def test_only_the_end_of_a_long_log_is_told(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "TAIL", 50)
    found = run(config)
    assert found["log.txt"] == f"from the environment: {REMOVED}\n\n"


def test_what_exists_is_not_replaced(config: Path, tmp_path: Path) -> None:
    output = tmp_path / "link"
    output.symlink_to("target")
    with pytest.raises(AgentError, match="name a new file"):
        doctor.doctor(config, output)
    assert not (tmp_path / "target").exists()


def test_a_wish_is_no_reason_to_fail(config: Path, tmp_path: Path) -> None:
    with pytest.raises(AgentError, match="cannot write"):
        doctor.doctor(config, tmp_path / "no/folder")


def test_a_secret_that_is_part_of_another_leaves_nothing_of_it() -> None:
    scrub = Scrubber(["planted", "planted-and-more", ""])
    assert scrub("planted-and-more, planted") == f"{REMOVED}, {REMOVED}"


def test_the_archive_is_one_of_plain_files(config: Path) -> None:
    run(config)
    data = (config.parent / "doctor.tar.gz").read_bytes()
    with tarfile.open(fileobj=io.BytesIO(data)) as file:
        assert all(member.name.count("/") == 1 for member in file)
