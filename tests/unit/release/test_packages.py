"""The packages of Debian's and Red Hat's kind, of a small bundle, and what their scripts do."""

from __future__ import annotations

import shutil
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .conftest import EPOCH, TOOLS, VERSION

NEEDS_RPM = pytest.mark.skipif(
    shutil.which("rpmbuild") is None, reason="rpmbuild is missing: Debian's package rpm"
)


@pytest.fixture
def tree(tool: Callable[[str], Any], bundle: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "work/tree"
    assert tool("packages").make_tree(bundle, folder) == VERSION
    return folder


def test_files_and_service_are_in_place(tree: Path) -> None:
    program = tree / "usr/lib/endpoint-agent"
    assert (program / "current").readlink() == Path(VERSION)
    assert (program / "current/bin/endpoint-agent").is_file()
    command = (tree / "opt/endpoint-agent").readlink()
    assert (tree / command.relative_to("/")).is_file()
    unit = (tree / "usr/lib/systemd/system/SEKOIAEndpointAgent.service").read_text()
    assert f"ExecStart={command} run" in unit
    assert "MemoryMax=512M" in unit
    for path in tree.rglob("*"):
        if not path.is_symlink():
            assert stat.S_IMODE(path.stat().st_mode) in (0o755, 0o644)


def test_a_package_of_debian(tool: Callable[[str], Any], tree: Path, tmp_path: Path) -> None:
    again = tmp_path / "again/tree"
    shutil.copytree(tree, again, symlinks=True)
    made = []
    for folder in (tree, again):
        out = folder.with_name("out")
        out.mkdir()
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SOURCE_DATE_EPOCH", str(EPOCH))
            tool("packages").make_deb(folder, VERSION, EPOCH, out)
        made.append(out / f"endpoint-agent_{VERSION}_amd64.deb")
    assert made[0].read_bytes() == made[1].read_bytes()

    def told(*words: str) -> str:
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout

    assert told("dpkg-deb", "--field", str(made[0]), "Version").strip() == VERSION
    content = told("dpkg-deb", "--contents", str(made[0]))
    assert all(" root/root " in line for line in content.splitlines())
    assert "./etc/" not in content and "./opt/" not in content


@NEEDS_RPM
def test_a_package_of_red_hat(
    tool: Callable[[str], Any], tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", str(EPOCH))
    made = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        tool("packages").make_rpm(tree, VERSION, tmp_path / name)
        made.append(tmp_path / name / f"endpoint-agent-{VERSION}-1.x86_64.rpm")
    assert made[0].read_bytes() == made[1].read_bytes()
    listed = subprocess.run(
        ["rpm", "-qp", "--qf", "[%{FILEMODES:perms} %{FILENAMES} %{FILEFLAGS:fflags}\n]", made[0]],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "-rw------- /etc/endpoint-agent/config.yaml cn" in listed
    assert "drwx------ /etc/endpoint-agent " in listed
    assert not (tree / "etc").exists()


@pytest.fixture
def scripts(tmp_path: Path) -> Callable[..., str]:
    """Runs a script of the package of Debian on a host below a folder; what it printed."""
    root = tmp_path / "host"
    for folder in ("etc", "run/systemd/system", "usr/share/endpoint-agent", "tools"):
        (root / folder).mkdir(parents=True)
    shutil.copy(TOOLS / "package/config.yaml", root / "usr/share/endpoint-agent")
    for name in ("deb-systemd-helper", "deb-systemd-invoke", "systemctl"):
        command = root / "tools" / name
        command.write_text(f'#!/bin/sh\necho "{name} $@" >>{root}/calls\n')
        command.chmod(0o755)

    def run(name: str, *words: str) -> str:
        text = (TOOLS / "package" / name).read_text()
        for folder in ("/etc", "/opt", "/usr/lib", "/usr/share", "/run", "/var"):
            text = text.replace(f" {folder}/", f" {root}{folder}/").replace(
                f"={folder}/", f"={root}{folder}/"
            )
        text = text.replace('"/etc/', f'"{root}/etc/').replace(" /opt\n", f" {root}/opt\n")
        done = subprocess.run(
            ["/bin/sh", "-c", text, name, *words],
            env={"PATH": f"{root}/tools:/usr/bin:/bin"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stderr == ""
        return done.stdout

    return run


def test_a_package_without_a_key_is_installed_and_says_what_to_do(
    scripts: Callable[..., str], tmp_path: Path
) -> None:
    said = scripts("postinst", "configure", "")
    config = tmp_path / "host/etc/endpoint-agent/config.yaml"
    assert f"Write IntakeKey into {config}" in said
    command = tmp_path / "host/opt/endpoint-agent"
    assert command.readlink().parts[-3:] == ("current", "bin", "endpoint-agent")
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    assert stat.S_IMODE(config.parent.stat().st_mode) == 0o700
    assert "invoke" not in (tmp_path / "host/calls").read_text()


def test_a_configuration_is_kept_and_its_agent_started(
    scripts: Callable[..., str], tmp_path: Path
) -> None:
    config = tmp_path / "host/etc/endpoint-agent/config.yaml"
    config.parent.mkdir()
    config.write_text("IntakeKey: K\n")
    assert scripts("postinst", "configure", VERSION) == ""
    assert config.read_text() == "IntakeKey: K\n"
    calls = (tmp_path / "host/calls").read_text()
    assert "deb-systemd-helper enable SEKOIAEndpointAgent.service" in calls
    assert "deb-systemd-invoke restart SEKOIAEndpointAgent.service" in calls


def test_removing_leaves_configuration_and_log_and_purging_nothing(
    scripts: Callable[..., str], tmp_path: Path
) -> None:
    host = tmp_path / "host"
    scripts("postinst", "configure", "")
    for folder in ("usr/lib/endpoint-agent", "var/lib/endpoint-agent", "var/log/endpoint-agent"):
        (host / folder / "something").mkdir(parents=True)
    unit = host / "etc/systemd/system/SEKOIAEndpointAgent.service"
    unit.parent.mkdir(parents=True)
    unit.touch()

    scripts("prerm", "upgrade", VERSION)
    assert "stop" not in (host / "calls").read_text()
    scripts("prerm", "remove")
    assert "deb-systemd-invoke stop" in (host / "calls").read_text()
    scripts("postrm", "remove")
    assert not unit.exists()
    assert list((host / "opt").iterdir()) == []
    assert [path.name for path in host.rglob("endpoint-agent") if path.is_dir()].count(
        "endpoint-agent"
    ) == 3  # The template's, the configuration's and the log's.
    scripts("postrm", "purge")
    assert not (host / "etc/endpoint-agent").exists()
    assert not (host / "var/log/endpoint-agent").exists()


def test_what_is_shipped_is_a_configuration() -> None:
    from endpoint_agent.config import parse

    path = TOOLS / "package/config.yaml"
    text = path.read_text()
    assert parse(path, text, key_required=False).disable_auto_update
    keyed = parse(path, text.replace("#IntakeKey", "IntakeKey").replace("#Region", "Region"))
    assert keyed.intake_key == "the-key-of-your-intake"
