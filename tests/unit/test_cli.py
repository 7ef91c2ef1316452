"""The command line up to the rooms behind it, which are stand-ins here."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import endpoint_agent
from endpoint_agent import support
from endpoint_agent.cli import main
from endpoint_agent.config import DEFAULT_PATH, Settings
from endpoint_agent.errors import AgentError, ConfigError, NotPermittedError, UnsupportedError
from endpoint_agent.service.configuration import Wish
from endpoint_agent.service.places import Places
from endpoint_agent.spelling import modern
from endpoint_agent.update.run import How

Calls = list[tuple[Any, ...]]
Effect = Callable[..., Any]
MockRoom = Callable[..., Calls]


@pytest.fixture(autouse=True)
def no_key_in_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ENDPOINT_AGENT_INTAKE_KEY", raising=False)


@pytest.fixture(autouse=True)
def able_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """The host lacks nothing, whoever runs the tests."""
    monkeypatch.setattr(support, "facts", list)
    monkeypatch.setattr(support, "audit_facts", list)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text("IntakeKey: abc\n")
    path.chmod(0o600)
    return path


@pytest.fixture
def mock_room(monkeypatch: pytest.MonkeyPatch) -> MockRoom:
    """Puts a mock in place of one function of a room; gives the list of its calls."""

    def put(module: str, function: str, effect: Effect = lambda *args: 0) -> Calls:
        calls: Calls = []

        def called(*args: Any) -> Any:
            calls.append(args)
            return effect(*args)

        room = ModuleType(module)
        setattr(room, function, called)
        monkeypatch.setitem(sys.modules, f"endpoint_agent.{module}", room)
        return calls

    return put


def test_run_hands_over_settings_and_paths(mock_room: MockRoom, config: Path) -> None:
    calls = mock_room("agent", "run")
    assert main(["run", "--config", str(config), "--record", "/tmp/new"]) == 0
    ((settings, path, record),) = calls
    assert (settings.intake_key, path, record) == ("abc", config, Path("/tmp/new"))


def test_the_go_spelling_of_an_option_is_the_same(mock_room: MockRoom, config: Path) -> None:
    calls = mock_room("agent", "run")
    assert main(["run", "-config", str(config)]) == 0
    assert main(["run", f"-config={config}"]) == 0
    assert [path for _, path, _ in calls] == [config, config]


def test_the_default_configuration_is_in_etc(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["run", "--help"])
    assert "/etc/endpoint-agent/config.yaml" in capsys.readouterr().out


def test_nothing_starts_with_a_wrong_configuration(
    mock_room: MockRoom, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config.write_text("IntakeKey: abc\nLogMaxSize: big\n")
    calls = mock_room("agent", "run")
    assert main(["run", "--config", str(config)]) == 2
    assert calls == []
    assert capsys.readouterr().err == (
        f"endpoint-agent: {config}:2: LogMaxSize: found 'big'; "
        "allowed: a whole number from 1 to 10000 MB\n"
    )


def test_a_host_that_cannot_work_is_told_before_the_configuration_is_read(
    mock_room: MockRoom,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    fact = support.Fact("capabilities", False, "CAP_BPF missing")
    monkeypatch.setattr(support, "facts", lambda: [fact])
    monkeypatch.setattr(support, "audit_facts", lambda: [fact])
    calls = mock_room("agent", "run")
    assert main(["run", "--config", str(tmp_path / "for-root-alone")]) == 3
    assert calls == []
    assert capsys.readouterr().err == (
        "endpoint-agent: capabilities: CAP_BPF missing: "
        "run as root, or give the process CAP_BPF and CAP_PERFMON\n"
    )


def test_warnings_about_the_configuration_are_told(
    mock_room: MockRoom, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mock_room("status", "show")
    config.chmod(0o644)
    assert main(["status", "--config", str(config)]) == 0
    assert capsys.readouterr().err.startswith(f"endpoint-agent: warning: {config}: is readable")


def test_check(mock_room: MockRoom) -> None:
    calls = mock_room("selftest", "check", lambda settings, as_json: 1)
    assert main(["check"]) == 1
    assert main(["check", "--json"]) == 1
    assert calls == [(Settings(), False), (Settings(), True)]


def test_check_as_a_configuration_says(mock_room: MockRoom, config: Path) -> None:
    config.write_text("CaptureTier: kprobe\n")
    calls = mock_room("selftest", "check", lambda settings, as_json: 0)
    assert main(["check", "--config", str(config)]) == 0
    ((settings, _),) = calls
    assert settings.capture_tier == "kprobe"


def test_status_needs_no_key(mock_room: MockRoom, config: Path) -> None:
    config.write_text("StateDirectory: /state\n")
    calls = mock_room("status", "show")
    assert main(["status", "--json", "--config", str(config)]) == 0
    ((settings, as_json),) = calls
    assert settings.state_directory == Path("/state")
    assert as_json


def test_replay_delivers_only_with_a_configuration(mock_room: MockRoom, config: Path) -> None:
    calls = mock_room("replay", "replay")
    assert main(["replay", "a.rec"]) == 0
    assert main(["replay", "a.rec", "--config", str(config)]) == 0
    (path, nothing, usual), (_, settings, path_given) = calls
    assert (path, usual) == (Path("a.rec"), DEFAULT_PATH)
    assert nothing is None
    assert settings.intake_key == "abc"
    assert path_given == config


def test_live(mock_room: MockRoom) -> None:
    calls = mock_room("live", "live")
    assert main(["live"]) == 0
    assert main(["live", "--seconds", "2.5"]) == 0
    assert calls == [(None,), (2.5,)]


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf", "soon", "86401"])
def test_live_refuses_a_strange_time(seconds: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["live", f"--seconds={seconds}"]) == 2
    assert "is not a number of seconds up to 86400" in capsys.readouterr().err


def test_serve_takes_keys_from_everywhere(
    mock_room: MockRoom, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mock_room("server", "unused")
    calls = mock_room("server.main", "serve", lambda *args: None)
    keys = tmp_path / "keys"
    keys.write_text("in-file\n\nalso-in-file\n")
    keys.chmod(0o600)
    monkeypatch.setenv("ENDPOINT_AGENT_INTAKE_KEY", "in-environment")
    words = "serve --data D --listen [::1]:1 --intake-key A -intake_key B --intake-key-file"
    assert main([*words.split(), str(keys), "--tls-cert", "C", "--tls-key", "K"]) == 0
    ((data, listen, found, cert, key, self_signed),) = calls
    assert (data, listen, cert, key) == (Path("D"), "[::1]:1", Path("C"), Path("K"))
    assert found == ["A", "B", "in-file", "also-in-file", "in-environment"]
    assert self_signed is False


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("serve --intake-key K", "the following arguments are required: --data"),
        ("", "the following arguments are required: COMMAND"),
        ("dance", "invalid choice: 'dance'"),
        ("check --jso", "unknown option --jso; see endpoint-agent check --help"),
        ("run --intake-key=abcd", "unknown option --intake-key; see endpoint-agent run --help"),
        ("check abcd", "a word too many; see endpoint-agent check --help"),
        ("replay", "the following arguments are required: FILE"),
        ("run --config", "argument --config: expected one argument"),
        ("--intake-key abcd run", "unknown option --intake-key before the command; see endpoint"),
        ("-intake-key abcd", "unknown option --intake-key before the command"),
        ("-intake_key=abcd run", "unknown option --intake-key before the command"),
        ("--help=abcd", "unknown option --help before the command"),
        ("run --intake-key abcd", "unknown option --intake-key; see endpoint-agent run --help"),
        ("replay --intake-key abcd", "unknown option --intake-key"),
        ("check --json=abcd", "argument --json: takes no value; see endpoint-agent check --help"),
        ("serve --data D --tls-self-signed=abcd", "argument --tls-self-signed: takes no value"),
        ("live --seconds abcd", "is not a number of seconds up to 86400"),
    ],
)
def test_wrong_usage_is_told_with_status_2(
    words: str, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words.split()) == 2
    output = capsys.readouterr()
    assert output.err.startswith("endpoint-agent: ")
    assert why in output.err
    assert output.err.count("\n") == 1
    assert "abcd" not in output.err
    assert output.out == ""


def test_a_key_file_that_others_can_write_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = tmp_path / "keys"
    keys.write_text("key\n")
    keys.chmod(0o606)
    assert main(["serve", "--data", "D", "--intake-key-file", str(keys)]) == 2
    assert "is writable by group or others" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (AgentError, 1),
        (ConfigError, 2),
        (NotPermittedError, 3),
        (UnsupportedError, 3),
    ],
)
def test_an_error_becomes_one_line_and_its_status(
    error: type[AgentError], status: int, mock_room: MockRoom, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(settings: Settings, as_json: bool) -> None:
        raise error("this failed: because; do that")

    mock_room("selftest", "check", fail)
    assert main(["check"]) == status
    assert capsys.readouterr().err == "endpoint-agent: this failed: because; do that\n"


def test_an_interrupt_is_status_130(
    mock_room: MockRoom, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(settings: Settings, as_json: bool) -> None:
        raise KeyboardInterrupt

    mock_room("selftest", "check", interrupt)
    assert main(["check"]) == 130
    assert capsys.readouterr().err == ""


def test_a_missing_extra_is_named(mock_room: MockRoom, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(seconds: float | None) -> None:
        raise ModuleNotFoundError("No module named 'rich'", name="rich")

    mock_room("live", "live", fail)
    assert main(["live"]) == 1
    assert capsys.readouterr().err == (
        "endpoint-agent: the Python package rich is missing; "
        "run: pip install 'endpoint-agent[server,console]'\n"
    )


@pytest.mark.parametrize(
    ("words", "how"),
    [
        ("-update", How()),
        ("update", How()),
        ("update --check", How(check=True)),
        ("update --retry", How(retry=True)),
        ("update --automatic", How(automatic=True)),
    ],
)
def test_update(
    words: str,
    how: How,
    config: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    calls: Calls = []
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr("endpoint_agent.update.run.update", lambda *given: calls.append(given))
    config.write_text("UpdateURL: https://updates.example\n")
    assert main([*words.split(), "--config", str(config)]) == 0
    ((settings, given),) = calls
    assert settings.update_url == "https://updates.example"
    assert given == how
    assert capsys.readouterr().out == "None\n"


def test_only_root_updates(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert main(["update"]) == 3
    assert "only root" in capsys.readouterr().err


def test_what_updates_need_is_named(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(Places, "is_installed", lambda places: True)
    monkeypatch.setattr("endpoint_agent.service.managers.detect", lambda *given: None)
    monkeypatch.setattr(
        "endpoint_agent.service.versions.alone", lambda places: contextlib.nullcontext(True)
    )
    # As if what it imports were missing.
    monkeypatch.setitem(sys.modules, "endpoint_agent.update.client", None)
    assert main(["update", "--check", "--config", str(config)]) == 1
    assert "run: pip install 'endpoint-agent[update]'" in capsys.readouterr().err


@pytest.fixture
def service(mock_room: MockRoom, monkeypatch: pytest.MonkeyPatch) -> tuple[Calls, Calls]:
    """The calls of what installs and of what uninstalls, on a host of root's."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    return (
        mock_room("service.install", "install", lambda *args: "it is installed"),
        mock_room("service.uninstall", "uninstall", lambda *args: None),
    )


@pytest.mark.parametrize(
    ("words", "wish"),
    [
        ("install --intake-key K --region fra1", Wish("K", "fra1")),
        ("-install -intake-key K", Wish("K")),
        ("-install -intake_key K -disable-auto-update", Wish("K", disable_auto_update=True)),
        ("-intake_key=K -install", Wish("K")),
        (
            "install --intake-url https://a --config C",
            Wish(None, None, "https://a", file=Path("C")),
        ),
        ("install", Wish()),
    ],
)
def test_every_spelling_of_install(
    words: str, wish: Wish, service: tuple[Calls, Calls], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words.split()) == 0
    assert service == ([(wish,)], [])
    assert capsys.readouterr().out == "it is installed\n"


def test_the_key_need_not_be_on_the_command_line(
    service: tuple[Calls, Calls], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = tmp_path / "key"
    keys.write_text("in-file\n")
    keys.chmod(0o600)
    monkeypatch.setattr(sys, "stdin", io.StringIO("on-stdin\nmore"))
    monkeypatch.setenv("ENDPOINT_AGENT_INTAKE_KEY", "in-environment")
    for words in (["--intake-key-file", str(keys)], ["--intake-key-file", "-"], []):
        assert main(["install", *words]) == 0
    assert [wish.intake_key for (wish,) in service[0]] == ["in-file", "on-stdin", "in-environment"]


@pytest.mark.parametrize(
    ("words", "purge"),
    [("-uninstall", False), ("uninstall", False), ("-uninstall -purge", True)],
)
def test_every_spelling_of_uninstall(
    words: str, purge: bool, service: tuple[Calls, Calls], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words.split()) == 0
    assert service == ([], [(purge,)])
    assert ("are left" in capsys.readouterr().out) is not purge


@pytest.mark.parametrize("word", ["install", "uninstall"])
def test_only_root_changes_services(
    word: str,
    service: tuple[Calls, Calls],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert main([word]) == 3
    assert service == ([], [])
    assert "only root may change the services of a host" in capsys.readouterr().err


def test_an_unknown_region_is_refused(
    service: tuple[Calls, Calls], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["install", "--region", "mars"]) == 2
    assert service == ([], [])


@pytest.mark.parametrize("word", ["--version", "-version"])
def test_version(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([word])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"endpoint-agent {endpoint_agent.__version__}\n"


@pytest.mark.parametrize(
    "command", ["", "run", "check", "replay", "status", "live", "serve", "install", "uninstall"]
)
@pytest.mark.parametrize("word", ["-h", "-help", "--help"])
def test_help_is_everywhere(command: str, word: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([*command.split(), word])
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: endpoint-agent {command}")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (["-install", "-intake_key", "a_b"], ["install", "--intake-key", "a_b"]),
        (["-intake_key=a_b", "-install"], ["install", "--intake-key=a_b"]),
        (["--tls_self_signed"], ["--tls-self-signed"]),
        (["-h"], ["-h"]),
        (["-"], ["-"]),
        (["-5"], ["-5"]),
        (["run", "--", "-install"], ["run", "--", "-install"]),
        (["replay", "some_file-a_b"], ["replay", "some_file-a_b"]),
        ([], []),
    ],
)
def test_old_spellings(old: list[str], new: list[str]) -> None:
    assert modern(old) == new


def test_the_module_is_the_command() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "endpoint_agent", "-version"],
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(Path(endpoint_agent.__file__).parents[1])},
    )
    assert (run.returncode, run.stderr) == (0, b"")
    assert run.stdout == f"endpoint-agent {endpoint_agent.__version__}\n".encode()


def test_a_room_is_imported_only_by_its_command() -> None:
    code = (
        "import sys, endpoint_agent.cli; "
        "heavy = {'httpcore', 'psutil', 'orjson', 'endpoint_agent.agent'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"
