from __future__ import annotations

import os
import signal
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from endpoint_agent import __version__, watches
from endpoint_agent.errors import AgentError, ConfigError, UnsupportedError
from endpoint_agent.service import files, versions
from endpoint_agent.service.configuration import Wish
from endpoint_agent.service.install import install
from endpoint_agent.service.places import COMMAND, NAME, PROGRAM, Places
from endpoint_agent.service.uninstall import uninstall

from .conftest import MockHost, MockTrial, tree

pytestmark = pytest.mark.usefixtures("mock_program")

KEY = "key-of-the-intake"


OLD_COPY = watches.copy().partition(" counts: ")[0] + (
    " counts: 9af80f312b80b968343ebc056b60c319c3857a729305865d2769e888f89168dc\nwatches: []\n"
)


class Unwell(MockTrial):
    reason = "the intake refuses the key"


def do(host: MockHost, wish: Wish | None = None, trial: type[MockTrial] = MockTrial) -> str:
    return install(wish or Wish(intake_key=KEY), host.places, host.call, trial)


def test_everything_is_in_its_place(host: MockHost, request: pytest.FixtureRequest) -> None:
    said = do(host)
    root = host.root
    assert f"run by {request.node.callspec.params['host']}: it captures by ebpf" in said
    assert (root / "usr/lib/endpoint-agent/current").readlink() == Path(__version__)
    command = root / "opt/endpoint-agent"
    assert command.readlink() == PROGRAM
    home = PROGRAM.parents[2] / __version__
    assert (root / str(PROGRAM).lstrip("/")).read_text() == f"the program of {home}"
    assert host.running
    assert host.enabled or request.node.callspec.params["host"] == "upstart"


def test_watches_are_there_to_be_edited_and_stay_so(host: MockHost) -> None:
    do(host)
    copy = host.root / "etc/endpoint-agent/watches.yaml"
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert copy.read_text() == watches.copy()
    # As an older version has left it, and as somebody has edited it.
    copy.write_text(OLD_COPY)
    do(host)
    assert copy.read_text() == watches.copy()
    copy.write_text(OLD_COPY + "# mine\n")
    do(host)
    assert copy.read_text() == OLD_COPY + "# mine\n"


def test_only_root_may_read_what_is_secret_or_change_anything(host: MockHost) -> None:
    before = os.umask(0)
    try:
        do(host)
    finally:
        os.umask(before)
    modes = {path: stat.S_IMODE(mode) for path, (mode, _) in tree(host.root).items()}
    assert modes["etc/endpoint-agent"] == 0o700
    assert modes["etc/endpoint-agent/config.yaml"] == 0o600
    assert modes["var/lib/endpoint-agent"] == 0o700
    assert modes["var/log/endpoint-agent"] == 0o750
    assert modes["usr/lib/endpoint-agent"] == 0o755
    (service,) = [
        path
        for path in modes
        if path.endswith((f"{NAME}.service", f"init.d/{NAME}", f"init/{NAME}.conf"))
    ]
    assert modes[service] in (0o644, 0o755)


def test_no_command_gets_the_key(host: MockHost) -> None:
    do(host)
    assert KEY not in str(host.calls)
    uninstall(True, host.places, host.call)
    assert KEY not in str(host.calls)


def test_nothing_is_left_after_purging(host: MockHost) -> None:
    before = tree(host.root)
    do(host)
    assert tree(host.root) != before
    uninstall(True, host.places, host.call)
    assert tree(host.root) == before
    assert not host.running


def test_configuration_and_log_are_left(host: MockHost) -> None:
    before = tree(host.root)
    do(host)
    uninstall(False, host.places, host.call)
    assert set(tree(host.root)) - set(before) == {
        "etc/endpoint-agent",
        "etc/endpoint-agent/config.yaml",
        "var/log/endpoint-agent",
        "etc/endpoint-agent/watches.yaml",
        "var/log/endpoint-agent/agent.log",
    }
    do(host, Wish())
    uninstall(True, host.places, host.call)
    assert tree(host.root) == before


def test_what_is_elsewhere_is_removed_but_nothing_beside_it(host: MockHost, tmp_path: Path) -> None:
    for folder in ("data", "logs"):
        (host.root / folder).mkdir()
        (host.root / folder / "of-others").touch()
    before = tree(host.root)
    file = tmp_path / "mine.yaml"
    file.write_text(f"IntakeKey: {KEY}\nStateDirectory: /data\nLogFile: /logs/a.log\n")
    file.chmod(0o600)
    do(host, Wish(file=file))
    (host.root / "logs/a.log.1.gz").touch()
    uninstall(True, host.places, host.call)
    assert tree(host.root) == before


def test_a_log_on_standard_error_is_no_file(host: MockHost, tmp_path: Path) -> None:
    before = tree(host.root)
    file = tmp_path / "mine.yaml"
    file.write_text(f"IntakeKey: {KEY}\nLogFile: '-'\n")
    file.chmod(0o600)
    with pytest.raises(AgentError, match="refuses the key"):
        do(host, Wish(file=file), Unwell)
    assert tree(host.root) == before
    do(host, Wish(file=file))
    assert not (host.root / "var/log/endpoint-agent").exists()
    uninstall(True, host.places, host.call)
    assert tree(host.root) == before


def test_a_failure_changes_nothing(host: MockHost) -> None:
    before = tree(host.root)
    with pytest.raises(AgentError, match=r"refuses the key; nothing is installed$"):
        do(host, trial=Unwell)
    assert tree(host.root) == before
    assert not host.running
    assert not host.enabled


def test_whatever_command_fails_all_is_as_before(host: MockHost) -> None:
    do(host)
    count = len(host.calls)
    for wish, installed in ((Wish(intake_key=KEY), False), (Wish(intake_key="another"), True)):
        uninstall(True, host.places, host.call)
        if installed:
            do(host)
        before = tree(host.root)
        failed = 0
        for number in range(count + 3):
            host.calls.clear()
            host.fails_at = number
            try:
                do(host, wish)
            except AgentError:
                failed += 1
                host.fails_at = -1
                assert tree(host.root) == before
                assert host.running == installed
            else:
                # A question was not answered, or nothing failed.
                host.fails_at = -1
                uninstall(True, host.places, host.call)
                if installed:
                    do(host)
        assert failed


def test_twice_is_a_repair(host: MockHost) -> None:
    do(host)
    before = tree(host.root)
    for path in ("opt/endpoint-agent", f"usr/lib/endpoint-agent/{__version__}/bin/endpoint-agent"):
        (host.root / path).unlink()
    (host.root / "usr/lib/endpoint-agent/0.0.1").mkdir()
    do(host, Wish())
    assert tree(host.root) == before
    assert host.running


def test_another_key_changes_the_key_alone(host: MockHost, around: Path) -> None:
    config = around / "config.yaml"
    config.write_text(f"# ours\nIntakeKey: {KEY}\nLogMaxSize: 7\n")
    config.chmod(0o600)
    do(host, Wish())
    config.unlink()
    do(host, Wish(intake_key="another"))
    assert host.places.config.read_text() == '# ours\nIntakeKey: "another"\nLogMaxSize: 7\n'


def test_a_failed_change_of_the_key_leaves_the_agent_running(host: MockHost) -> None:
    do(host)
    before = tree(host.root)
    with pytest.raises(AgentError, match="all is as it was before"):
        do(host, Wish(intake_key="another"), Unwell)
    assert tree(host.root) == before
    assert host.running
    assert host.enabled or "initctl" in str(host.calls)


def test_a_signal_undoes_it(host: MockHost) -> None:
    class Interrupted(MockTrial):
        def wait(self, is_active: Callable[[], bool], timeout: float = 0, version: str = "") -> str:
            signal.raise_signal(signal.SIGHUP)
            return "ebpf"

    before = tree(host.root)
    handlers = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    with pytest.raises(AgentError, match="SIGHUP; nothing is installed"):
        do(host, trial=Interrupted)
    assert tree(host.root) == before
    assert handlers == [
        signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    ]


def test_why_an_agent_does_not_start_is_told(host: MockHost) -> None:
    def fails(words: tuple[str, ...]) -> str:
        result = host.call(words)
        if {"restart", "start"} & set(words) and "-update." not in str(words):
            (host.root / "var/log/endpoint-agent/agent.log").write_text(
                "2999-01-01T00:00:00.000Z INFO it starts\n"
                "2999-01-01T00:00:00.000Z ERROR it cannot open the queue\n"
            )
            raise AgentError("Job failed")
        return result

    before = tree(host.root)
    with pytest.raises(
        AgentError, match=r"does not start: it cannot open the queue \(Job failed\)"
    ):
        install(Wish(intake_key=KEY), host.places, fails, MockTrial)
    assert tree(host.root) == before


def test_the_folder_of_another_agent_is_not_touched(host: MockHost) -> None:
    (host.root / "opt/endpoint-agent").mkdir()
    before = tree(host.root)
    with pytest.raises(AgentError, match=f"{COMMAND} is a folder"):
        do(host)
    assert tree(host.root) == before


def test_a_bad_configuration_changes_nothing(host: MockHost, around: Path) -> None:
    before = tree(host.root)
    config = around / "config.yaml"
    config.write_text("IntakeKey: k\n")
    config.chmod(0o620)
    with pytest.raises(ConfigError, match="is writable by group or others"):
        do(host)
    assert tree(host.root) == before
    assert not host.running


def test_a_host_without_a_manager_is_told(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="endpoint-agent run"):
        install(Wish(intake_key=KEY), Places(tmp_path), MockHost(tmp_path).call)


def test_there_is_nothing_to_uninstall(tmp_path: Path) -> None:
    before = tree(tmp_path)
    uninstall(True, Places(tmp_path), MockHost(tmp_path).call)
    assert tree(tmp_path) == before


def test_the_last_good_version_stays_and_no_other(host: MockHost) -> None:
    do(host)
    for version in ("0.0.1", "0.0.2"):
        (host.places.versions / version).mkdir()
    files.link(host.places.good, "0.0.2")
    files.link(host.places.current, "0.0.2")
    do(host, Wish())
    left = {path.name for path in host.places.versions.iterdir()}
    assert left == {".lock", "current", "good", "0.0.2", __version__}
    assert versions.target(host.places.good) == __version__


def test_the_last_good_version_is_named_until_the_new_one_has_proved_itself(
    host: MockHost,
) -> None:
    do(host)
    files.link(host.places.good, "0.0.2")
    files.link(host.places.current, "0.0.2")

    class Killed(MockTrial):
        def wait(self, is_active: Callable[[], bool], timeout: float = 0, version: str = "") -> str:
            assert versions.target(host.places.good) == "0.0.2"
            assert versions.target(host.places.current) == __version__
            raise AgentError("it is killed")

    with pytest.raises(AgentError, match="it is killed"):
        do(host, Wish(), Killed)
    assert versions.target(host.places.current) == "0.0.2"


def test_two_at_a_time(host: MockHost) -> None:
    do(host)
    before = tree(host.root)
    with versions.alone(host.places), pytest.raises(AgentError, match="is under way"):
        do(host, Wish())
    assert tree(host.root) == before


def test_what_came_as_a_package_is_removed_as_one(host: MockHost) -> None:
    host.places.package.parent.mkdir(parents=True)
    host.places.package.write_text("apt-get purge endpoint-agent\n")
    before = tree(host.root)
    with pytest.raises(AgentError, match="remove it with: apt-get purge endpoint-agent"):
        uninstall(True, host.places, host.call)
    assert tree(host.root) == before
    assert host.calls == []
