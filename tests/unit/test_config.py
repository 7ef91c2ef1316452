"""The settings: what is read, and what is refused with which words."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from endpoint_agent import eventlogs
from endpoint_agent.config import NOT_AVAILABLE, SETTINGS, Settings, load
from endpoint_agent.configfile import MAX_BYTES, with_values
from endpoint_agent.errors import ConfigError
from endpoint_agent.rules import Filter, Rule

ROOT = Path(__file__).parents[2]
Write = Callable[..., Path]

UUID = "6d7d1b3e-0f1c-4a7b-9a64-1f6f7a1f9a01"
SECRET = "s3cret-of-the-intake"


@pytest.fixture(autouse=True)
def no_key_in_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ENDPOINT_AGENT_INTAKE_KEY", raising=False)


@pytest.fixture
def config(tmp_path: Path) -> Write:
    """Writes a configuration file, private unless told otherwise."""

    def write(content: str | bytes, mode: int = 0o600) -> Path:
        path = tmp_path / "config.yaml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        path.chmod(mode)
        return path

    return write


def error(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        load(path)
    return str(caught.value)


def test_a_key_is_enough(config: Write) -> None:
    settings = load(config("IntakeKey: abc\n"))
    assert settings == Settings(intake_key="abc")
    assert settings.effective_intake_url == "https://intake.sekoia.io"
    assert settings.warnings == ()


def test_every_setting_is_read(config: Write, tmp_path: Path) -> None:
    settings = load(
        config(f"""\
            IntakeKey: abc
            IntakeURL: https://intake.example.org/base/
            Region: usa1
            HTTPProxyURL: http://user:password@proxy:3128
            NoProxyDomains: [example.org, 10.0.0.1]
            CABundlePath: {tmp_path}/ca.pem
            EventBufferCacheSize: 7
            EventBufferSyncInterval: 0.5
            StateDirectory: {tmp_path}/state
            LogFile: "-"
            LogLevel: debug
            LogMaxSize: 1
            LogMaxBackups: 0
            LogCompress: false
            StatsInterval: 5
            OptimizationRules:
            - {{uuid: {UUID}, action: 1, filters: [{{field: tags, operator: ==, value: cron}}]}}
            """)
    )
    assert settings == Settings(
        intake_key="abc",
        intake_url="https://intake.example.org/base/",
        region="usa1",
        http_proxy_url="http://user:password@proxy:3128",
        no_proxy_domains=("example.org", "10.0.0.1"),
        ca_bundle_path=tmp_path / "ca.pem",
        event_buffer_cache_size=7,
        event_buffer_sync_interval=0.5,
        state_directory=tmp_path / "state",
        log_file=Path("-"),
        log_level="debug",
        log_max_size=1,
        log_max_backups=0,
        log_compress=False,
        stats_interval=5.0,
        optimization_rules=(Rule(UUID, (Filter("tags", "==", ("cron",)),)),),
    )
    assert settings.effective_intake_url == "https://intake.example.org/base"


def test_a_bad_rule_is_told_with_its_line_and_ignored(config: Write) -> None:
    path = config(f"""\
        IntakeKey: abc
        OptimizationRules:
          - uuid: {UUID}
            action: 1
            filters:
              - {{field: process.name, operator: in, value: [curl, wget]}}
          - uuid: {UUID}
          - {{uuid: {UUID}, action: 2, filters: []}}
        """)
    settings = load(path)
    assert settings.optimization_rules == (
        Rule(UUID, (Filter("process.name", "in", ("curl", "wget")),)),
    )
    prefix = "OptimizationRules: this rule is ignored:"
    assert settings.warnings == (
        f"{path}:7: {prefix} action is missing",
        f"{path}:8: {prefix} action: found 2; allowed: 1, which drops the event",
    )


def test_rules_that_are_no_list_are_ignored(config: Write) -> None:
    path = config("IntakeKey: abc\nOptimizationRules: 7\n")
    assert load(path).optimization_rules == ()
    (warning,) = load(path).warnings
    assert warning == f"{path}:2: OptimizationRules: is ignored: found 7; allowed: a list of rules"
    assert load(config("IntakeKey: abc\nOptimizationRules:\n")).warnings == ()


def test_the_region_tells_the_address() -> None:
    assert Settings(region="mco1").effective_intake_url == (
        "https://intake.mco1.sekoia.io/api/v1/intake-http"
    )


def test_a_key_without_a_value_keeps_its_default(config: Write) -> None:
    assert load(config("IntakeKey: abc\nHTTPProxyURL:\nLogMaxSize:\n")).log_max_size == 100


def test_the_key_may_stand_in_the_environment(
    config: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = config("Region: fra1\n")
    assert "IntakeKey: is missing; add it to the file" in error(path)
    assert load(path, key_required=False).intake_key == ""
    monkeypatch.setenv("ENDPOINT_AGENT_INTAKE_KEY", "from-environment")
    assert load(path).intake_key == "from-environment"
    assert load(config("IntakeKey: in-file\n")).intake_key == "from-environment"


def test_a_bad_key_in_the_environment_is_named_but_not_shown(
    config: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENDPOINT_AGENT_INTAKE_KEY", f"{SECRET} with spaces")
    message = error(config(""))
    assert message.startswith("ENDPOINT_AGENT_INTAKE_KEY: found a value that is not allowed")
    assert SECRET not in message


@pytest.mark.parametrize(
    ("line", "found", "allowed"),
    [
        ("EventBufferCacheSize: 0", "0", "a whole number from 1 to 100000 MB"),
        ("EventBufferCacheSize: 100001", "100001", "a whole number from 1 to 100000 MB"),
        ("EventBufferCacheSize: '100'", "'100'", "a whole number from 1 to 100000 MB"),
        ("EventBufferCacheSize: 1.5", "1.5", "a whole number from 1 to 100000 MB"),
        ("EventBufferCacheSize: yes", "yes", "a whole number from 1 to 100000 MB"),
        (f"EventBufferCacheSize: {'9' * 5000}", "9" * 60, "a whole number from 1 to 100000 MB"),
        ("EventBufferSyncInterval: 60.5", "60.5", "a number from 0 to 60 seconds"),
        ("EventBufferSyncInterval: .nan", ".nan", "a number from 0 to 60 seconds"),
        ("StatsInterval: .inf", ".inf", "a number from 1 to 3600 seconds"),
        ("Region: fra9", "'fra9'", "one of fra1, fra2, mco1, uae1, usa1, sgp1"),
        ("LogLevel: off", "off", "one of debug, info, warning, error"),
        ("LogCompress: 1", "1", "true or false"),
        ("StateDirectory: state", "'state'", "an absolute path"),
        ("StateDirectory: 2026-99-99", "2026-99-99", "an absolute path"),
        ('StateDirectory: "/a\\0b"', "'/a\\x00b'", "an absolute path"),
        ('StateDirectory: "/\\ud800"', "'/\\ud800'", "an absolute path"),
        ('LogMaxBackups: "\\ud800"', "'\\ud800'", "a whole number from 0 to 1000"),
        ("LogFile: [a]", "a list", "an absolute path, or -"),
        ("NoProxyDomains: a.example", "'a.example'", "a list of at most 1000 host names"),
        ("NoProxyDomains: [1]", "a list", "a list of at most 1000 host names"),
        ("NoProxyDomains: {a: b}", "a mapping", "a list of at most 1000 host names"),
        ("IntakeURL: ftp://intake.example", "'ftp://intake.example'", "an https:// address"),
        (f"IntakeURL: https://{'a' * 3000}", f"'https://{'a' * 52}'…", "an https:// address"),
    ],
)
def test_a_wrong_value_names_place_finding_and_what_is_allowed(
    config: Write, line: str, found: str, allowed: str
) -> None:
    path = config(f"IntakeKey: abc\n\n{line}\n")
    key = line.split(":")[0]
    assert error(path).startswith(f"{path}:3: {key}: found {found}; allowed: {allowed}")


@pytest.mark.parametrize(
    "line",
    [
        f"IntakeKey: [{SECRET}]",
        f"IntakeKey: {SECRET} with spaces",
        f"HTTPProxyURL: socks5://user:{SECRET}@proxy",
        f"HTTPProxyURL: http://user:{SECRET}@proxy:port",
        f"IntakeURL: https://:{SECRET}@intake.example",
        f"IntakeURL: https://intake.example/plain?intake_key={SECRET}",
        f"IntakeKey:{SECRET}",
        f"{{IntakeKey:{SECRET}}}",
        f"IntakeKey: 'a' {SECRET}",
        f"IntakeKey: *{SECRET}",
        f"IntakeKey: !{SECRET} a",
        f"IntakeKey: '{SECRET}",
    ],
)
def test_secrets_are_not_repeated(config: Write, line: str) -> None:
    for content in (f"{line}\n", f"Region: fra1\n{line}\n"):
        message = error(config(content))
        assert SECRET not in message
        assert "config.yaml:" in message


def test_secrets_are_not_in_the_representation() -> None:
    settings = Settings(intake_key=SECRET, http_proxy_url=f"http://u:{SECRET}@proxy")
    assert SECRET not in repr(settings)
    assert SECRET not in str(settings.__rich_repr__())
    assert "region='fra1'" in repr(settings)


@pytest.mark.parametrize(
    ("url", "accepted"),
    [
        ("http://127.0.0.1:8080", True),
        ("http://127.9.9.9", True),
        ("http://[::1]:8080/base", True),
        ("http://localhost:8080", True),
        ("https://10.0.0.1", True),
        ("http://10.0.0.1", False),
        ("http://localhost.example.org", False),
        ("http://127.0.0.1.example.org", False),
        ("http://127.0.0.1\\.example.org", False),
        ("http://0.0.0.0", False),
        ("https://", False),
        ("https://[::1", False),
        ("https://intake.example:99999", False),
        ("https://intake.example/#part", False),
        ("intake.example", False),
    ],
)
def test_plain_http_is_for_this_machine_only(config: Write, url: str, accepted: bool) -> None:
    path = config(f"IntakeKey: abc\nIntakeURL: '{url}'\n")
    if accepted:
        assert load(path).effective_intake_url == url
    else:
        assert "IntakeURL: found" in error(path)


@pytest.mark.parametrize(
    ("key", "remedy"),
    [
        ("IntakeURI", "did you mean IntakeURL?"),
        ("intakekey", "did you mean IntakeKey?"),
        ("log_level", "did you mean LogLevel?"),
        ("Warnings", "allowed: IntakeKey, IntakeURL, Region, "),
    ],
)
def test_an_unknown_key_is_refused_with_a_remedy(config: Write, key: str, remedy: str) -> None:
    path = config(f"IntakeKey: abc\n{key}: 1\n")
    assert error(path).startswith(f"{path}:2: {key}: is no setting; {remedy}")


@pytest.mark.parametrize("key", [*NOT_AVAILABLE, "LogFiles"])
def test_a_key_of_the_original_that_is_not_built_yet_says_so(config: Write, key: str) -> None:
    path = config(f"IntakeKey: abc\n{key}: [a]\n")
    assert error(path) == (
        f"{path}:2: {key}: is known to the original agent, "
        "but not available in this version; remove it"
    )


def test_a_key_given_twice_is_refused(config: Write) -> None:
    path = config("Region: fra1\nLogLevel: info\nRegion: fra2\n")
    assert error(path) == f"{path}:3: Region: is given twice, first on line 1; remove one"


@pytest.mark.parametrize(
    ("content", "line", "problem"),
    [
        ("- a\n- b\n", 1, "is not a mapping; allowed: lines of `Key: value`"),
        ("\njust text\n", 2, "is not a mapping"),
        ("42\n", 1, "is not a mapping"),
        ("Region: fra1\n---\nRegion: fra2\n", 2, "is not valid YAML: but found another document"),
        ("Region: &a fra1\nLogLevel: *a\n", 2, "an alias is not allowed"),
        ("Region: !!python/name:os.system a\n", 1, "a tag is not allowed"),
        ("a: &a [x]\n<<: *a\n", 2, "an alias is not allowed"),
        ("<<: {Region: fra2}\n", 1, "holds a key that is no setting's name"),
        ("Region: fra1\n[a]: b\n", 2, "holds a key that is no setting's name"),
        (f"Region: fra1\n{'k' * 90_000}: b\n", 2, ""),
        ("Region: fra1\nLogLevel: {[a]: b}\n", 2, "is not valid YAML: found unhashable key"),
        (f"LogLevel: {'[' * 5000}", 1, "is not valid YAML: nested deeper than 16 levels"),
        (f"LogLevel: [{'1,' * 20_001}]", 1, "is not valid YAML: more than 20000 values"),
        ("Region: fra1\n\tLogLevel: info\n", 2, "is not valid YAML"),
        ("Region: fra1\nLogLevel: 'info\n", 3, "is not valid YAML"),
        ("Region: fra1\nLogLevel: \x07\n", 2, "holds a character that YAML forbids"),
        (b"Region: fra1\nLogLevel: \xff\n", 2, "is not UTF-8; save the file as UTF-8"),
        ("Region: fra1\n".encode("utf-16"), 1, "is not UTF-8"),
    ],
)
def test_what_is_no_plain_mapping_is_refused_with_its_line(
    config: Write, content: str | bytes, line: int, problem: str
) -> None:
    path = config(content)
    message = error(path)
    assert message.startswith(f"{path}:{line}: ")
    assert problem in message
    assert len(message) < len(str(path)) + 200


def test_a_byte_order_mark_is_accepted(config: Write) -> None:
    assert load(config(b"\xef\xbb\xbfIntakeKey: abc\n")).intake_key == "abc"


def test_a_huge_file_is_refused(config: Write) -> None:
    path = config(b"#" * (MAX_BYTES + 1))
    assert error(path) == f"{path}: is longer than 1 MB; allowed: at most 1000000 bytes"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "none.yaml"
    assert error(path) == f"{path}: no such file; create it or name another"


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    assert error(tmp_path) == f"{tmp_path}: is not a regular file; name one"
    assert error(Path("/dev/zero")) == "/dev/zero: is not a regular file; name one"


def test_an_unreadable_file_says_why(config: Write) -> None:
    path = config("IntakeKey: abc\n") / "below"
    assert error(path) == f"{path}: cannot be read: Not a directory; run as its owner"


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777])
def test_a_file_that_others_can_replace_is_refused(
    config: Write, tmp_path: Path, mode: int
) -> None:
    path = config("IntakeKey: abc\n")
    tmp_path.chmod(mode)
    expected = (
        f"{path}: its folder is writable by group or others (mode {mode:04o}); "
        f"run: chmod go-w {tmp_path}"
    )
    assert error(path) == expected


def test_nobody_can_replace_a_file_in_a_sticky_folder(config: Write, tmp_path: Path) -> None:
    path = config("IntakeKey: abc\n")
    tmp_path.chmod(0o1777)
    assert load(path).intake_key == "abc"


def test_a_link_is_as_good_as_the_folder_it_leads_to(config: Write, tmp_path: Path) -> None:
    path = config("IntakeKey: abc\n")
    other = tmp_path / "open"
    other.mkdir()
    path.rename(other / "target")
    path.symlink_to(other / "target")
    assert load(path).intake_key == "abc"
    other.chmod(0o777)
    assert error(path).endswith(f"run: chmod go-w {other}")


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_can_write_is_refused(config: Write, mode: int) -> None:
    path = config("IntakeKey: abc\n", mode)
    assert error(path) == (
        f"{path}: is writable by group or others (mode {mode:04o}); run: chmod 0600 {path}"
    )


def test_a_file_that_others_can_read_gives_a_warning(config: Write) -> None:
    assert load(config("IntakeKey: abc\n", 0o640)).warnings == ()
    (warning,) = load(config("IntakeKey: abc\n", 0o644)).warnings
    assert "is readable by every user of this host" in warning
    assert "run: chmod 0600" in warning


def test_every_default_is_itself_allowed(config: Write) -> None:
    for setting in SETTINGS:
        if setting.default not in (None, "", ()):
            value = str(setting.default).lower() if setting.type is bool else setting.default
            if setting.default is eventlogs.DEFAULT:
                value = [channel.name for channel in eventlogs.DEFAULT]
            path = config(f"IntakeKey: abc\n{setting.key}: {value}\n")
            assert getattr(load(path), setting.attribute) == setting.default


def test_the_documentation_is_what_the_declaration_says() -> None:
    path = ROOT / "docs/configuration.md"
    run = subprocess.run(
        [sys.executable, ROOT / "tools/configuration.py"], capture_output=True, check=True
    )
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_bytes(run.stdout)
    assert path.read_bytes() == run.stdout, "run: make golden"


def test_channels_are_names_or_have_numbers(config: Write) -> None:
    path = config(
        "IntakeKey: abc\nEventLogChannels:\n  - System\n"
        "  - channel: Microsoft-Windows-Sysmon/Operational\n"
        "    event_ids: [1, 4720-4767, '3 - 5']\n"
    )

    assert load(path).event_log_channels == (
        ("System", ()),
        ("Microsoft-Windows-Sysmon/Operational", ((1, 1), (4720, 4767), (3, 5))),
    )
    assert load(config("IntakeKey: abc\nEventLogChannels: []\n")).event_log_channels == ()


@pytest.mark.parametrize(
    ("channels", "line", "message"),
    [
        ("Security", 2, "found 'Security'; allowed: a list of at most 256 channels"),
        ("\n  - System\n  - 7", 4, "found 7; allowed: a mapping with channel, event_ids"),
        ("\n  - a<b", 3, "channel: found 'a<b'; allowed: the name of a channel"),
        ("\n  - System\n  - system", 4, "system is given twice; remove one"),
        ("\n  - {channel: System}", 3, "event_ids is missing"),
        ("\n  - {channel: System, event_ids: 7}", 3, "event_ids: found 7; allowed: a list of 1"),
        ("\n  - {channel: System, event_ids: []}", 3, "event_ids: found a list of 0"),
        ("\n  - {channel: System, event_ids: [x]}", 3, "event_ids: found 'x'; allowed: a number"),
        (
            "\n  - {channel: System, event_ids: [true]}",
            3,
            "event_ids: found True; allowed: a number",
        ),
        (
            "\n  - {channel: System, event_ids: [9-8]}",
            3,
            "event_ids: found '9-8'; allowed: a number",
        ),
        (
            "\n  - {channel: System, event_ids: [65536]}",
            3,
            "event_ids: found 65536; allowed: a number",
        ),
        ("\n  - {channel: System, ids: [1]}", 3, "found the key 'ids'; allowed: channel, event"),
    ],
)
def test_a_bad_channel_is_told_with_its_line(
    config: Write, channels: str, line: int, message: str
) -> None:
    path = config(f"IntakeKey: abc\nEventLogChannels: {channels}\n")

    with pytest.raises(ConfigError) as raised:
        load(path)
    assert str(raised.value).startswith(f"{path}:{line}: EventLogChannels: {message}")


def test_the_channels_of_the_default_are_documented() -> None:
    page = (ROOT / "docs/windows.md").read_text()

    assert [name for name, _ in eventlogs.DEFAULT if f"`{name}`" not in page] == []


CHANGED = "# ours\nIntakeKey: a  # a note\n\nLogMaxSize: 7"


@pytest.mark.parametrize(
    ("text", "values", "changed"),
    [
        ("", {"IntakeKey": '"b"'}, 'IntakeKey: "b"\n'),
        (CHANGED, {"IntakeKey": '"b"'}, '# ours\nIntakeKey: "b"\n\nLogMaxSize: 7\n'),
        (CHANGED, {"IntakeKey": None}, "# ours\n\nLogMaxSize: 7\n"),
        (CHANGED, {"LogMaxSize": "8", "Region": "usa1"}, CHANGED[:-1] + "8\nRegion: usa1\n"),
        (CHANGED, {"Region": None}, f"{CHANGED}\n"),
        ("IntakeKey:\nRegion: a\n", {"IntakeKey": "b"}, "IntakeKey: b\nRegion: a\n"),
        ("IntakeKey: >\n  a\n  b\nRegion: a\n", {"IntakeKey": "b"}, "IntakeKey: b\nRegion: a\n"),
        ("IntakeKey: a\n  b\n\nRegion: a\n", {"IntakeKey": "b"}, "IntakeKey: b\n\nRegion: a\n"),
        ("IntakeKey:\n- a\n- b\n", {"IntakeKey": "b"}, "IntakeKey: b\n"),
    ],
)
def test_values_are_changed_and_nothing_else(
    text: str, values: dict[str, str | None], changed: str
) -> None:
    assert with_values(Path("f"), text, values) == changed


@pytest.mark.parametrize("text", ["IntakeKey: a\n...\n", "{Region: a}\n"])
def test_what_cannot_be_changed_is_told(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^f(:\d+)?: "):
        with_values(Path("f"), text, {"IntakeKey": "b", "LogMaxSize": "7"})
