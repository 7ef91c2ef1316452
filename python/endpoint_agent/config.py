"""The settings: each declared once, with its key, default, limits, unit and text.

`load` reads them from a file. docs/configuration.md is made from `SETTINGS`.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, get_args

import msgspec
from msgspec import Meta

from endpoint_agent import eventlogs, paths, rules
from endpoint_agent.addresses import is_proxy_url, is_server_url
from endpoint_agent.configfile import Entry, check_folder, entries, read_private
from endpoint_agent.errors import ConfigError

DEFAULT_PATH = paths.CONFIG
INTAKE_KEY_VARIABLE = "ENDPOINT_AGENT_INTAKE_KEY"

# Keys of the original agent for what this version cannot do.
NOT_AVAILABLE = (
    "RemoteOptimizationRules",
    "logfiles",
    "roles",
)

CaptureSource = Literal["auto", "ebpf", "audit", "eventlog"]
CaptureTier = Literal["auto", "kprobe", "tracepoint"]
Region = Literal["fra1", "fra2", "mco1", "uae1", "usa1", "sgp1"]


_Address = Annotated[str, Meta(pattern=r"\A[!-~]{1,2048}\Z")]
_Path = Annotated[str, Meta(pattern=r"\A/[^\x00]{0,4095}\Z")]
_Host = Annotated[str, Meta(pattern=r"\A[^\s,]{1,253}\Z")]


def _is_absolute(path: Path) -> bool:
    return path.is_absolute() and str(path).isprintable()


def _is_log_file(path: Path) -> bool:
    return path == Path("-") or _is_absolute(path)


def _setting(
    description: str,
    *,
    allowed: str = "",
    unit: str = "",
    check: Callable[[Any], bool] | None = None,
    secret: bool = False,
    **limits: Any,
) -> Meta:
    """What is said about a setting.

    `allowed` is needed where the type and its limits do not say it; `check` refines the type;
    the value of a `secret` is never shown.
    """
    extra = {"allowed": allowed, "unit": unit, "check": check, "secret": secret}
    return Meta(description=description, extra=extra, **limits)


def _key_name(attribute: str) -> str:
    capitals = {"cpu": "CPU", "url": "URL", "http": "HTTP", "ca": "CA", "dns": "DNS"}
    return "".join(capitals.get(word, word.capitalize()) for word in attribute.split("_"))


class Settings(msgspec.Struct, frozen=True, kw_only=True, rename=_key_name):
    """The settings of one agent. `load` has checked them; the constructor does not."""

    intake_key: Annotated[
        str,
        _setting(
            "The intake's key. It may stand in the environment instead.",
            allowed="1 to 256 printable ASCII characters without spaces",
            secret=True,
            pattern=r"\A[!-~]{1,256}\Z",
        ),
    ] = ""
    intake_url: Annotated[
        _Address | None,
        _setting(
            "The intake's address. When it is not given, `Region` tells it.",
            allowed="an https:// address; http:// to this machine only (localhost, 127.0.0.1)",
            check=is_server_url,
        ),
    ] = None
    region: Annotated[
        Region, _setting("The region whose public intake is used when `IntakeURL` is not given.")
    ] = "fra1"
    http_proxy_url: Annotated[
        _Address | None,
        _setting(
            "A proxy on the way to the intake: `http://user:password@host:port`.",
            allowed="an http:// or https:// address with a host",
            check=is_proxy_url,
            secret=True,
        ),
    ] = None
    no_proxy_domains: Annotated[
        tuple[_Host, ...],
        _setting(
            "Intake hosts that are reached without the proxy; a domain includes its subdomains.",
            allowed="a list of at most 1000 host names, domains or addresses",
            max_length=1000,
        ),
    ] = ()
    ca_bundle_path: Annotated[
        Path | None,
        _setting(
            "A PEM file of the authorities that may sign the intake's certificate, "
            "instead of the usual ones.",
            allowed="an absolute path",
            check=_is_absolute,
        ),
    ] = None
    capture_source: Annotated[
        CaptureSource,
        _setting(
            "Where events come from. `auto`: eBPF, or the audit system on a kernel that eBPF "
            "cannot capture; on Windows the event log and event tracing. `eventlog`: the log alone."
        ),
    ] = "auto"
    capture_tier: Annotated[
        CaptureTier,
        _setting(
            "The best tier of eBPF programs that is tried on files and on calls of 32-bit "
            "programs. `auto` begins with fentry and falls back to kprobes, then to tracepoints."
        ),
    ] = "auto"
    event_log_channels: Annotated[
        tuple[eventlogs.Channel, ...],
        _setting(
            "On Windows: the channels of the event log that are read ([windows.md](windows.md)).",
            allowed=eventlogs.ALLOWED,
        ),
    ] = eventlogs.DEFAULT
    enable_dns_resolutions: Annotated[
        bool, _setting("Report what processes ask of DNS servers, and the answers.")
    ] = True
    event_buffer_cache_size: Annotated[
        int,
        _setting(
            "Size of the queue on disk. Beyond it the oldest events are evicted and counted.",
            unit="MB",
            ge=1,
            le=100_000,
        ),
    ] = 100
    event_buffer_sync_interval: Annotated[
        float,
        _setting(
            "Time between two fsyncs of the queue: what a power failure may cost. "
            "0 syncs every write.",
            unit="seconds",
            ge=0,
            le=60,
        ),
    ] = 1.0
    state_directory: Annotated[
        Path,
        _setting(
            "Where the queue, the agent's identity and its socket live.",
            allowed="an absolute path",
            check=_is_absolute,
        ),
    ] = paths.STATE
    cpu_quota: Annotated[
        int,
        _setting(
            "How much of a CPU systemd lets the agent use. Read by `install`.",
            unit="percent",
            ge=5,
            le=10_000,
        ),
    ] = 100
    memory_max: Annotated[
        int,
        _setting(
            "Memory beyond which systemd has the agent ended and started anew. Read by `install`.",
            unit="MB",
            ge=100,
            le=100_000,
        ),
    ] = 512
    disable_auto_update: Annotated[
        bool, _setting("Stay at this version until `update` is called.")
    ] = False
    update_url: Annotated[
        _Address | None,
        _setting(
            "The signed repository that updates come from; see [updates.md](updates.md). "
            "When it is not given, there are none.",
            allowed="an https:// address; http:// to this machine only (localhost, 127.0.0.1)",
            check=is_server_url,
        ),
    ] = None
    update_root: Annotated[
        Path | None,
        _setting(
            "The `root.json` of that repository: whose signatures count. When it is not given, "
            "it is the one that this build has been made with.",
            allowed="an absolute path",
            check=_is_absolute,
        ),
    ] = None
    update_version: Annotated[
        str | None,
        _setting(
            "The only version to use, also if it is older than the one in use.",
            allowed="three numbers, as 1.20.3",
            pattern=r"\A(0|[1-9][0-9]{0,5})(\.(0|[1-9][0-9]{0,5})){2}\Z",
        ),
    ] = None
    log_file: Annotated[
        Path,
        _setting(
            "The agent's own log; `-` for standard error.",
            allowed="an absolute path, or -",
            check=_is_log_file,
        ),
    ] = paths.LOG
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], _setting("The least level that is logged.")
    ] = "info"
    log_max_size: Annotated[
        int, _setting("Size at which the log is rotated.", unit="MB", ge=1, le=10_000)
    ] = 100
    log_max_backups: Annotated[int, _setting("Rotated logs that are kept.", ge=0, le=1000)] = 5
    log_compress: Annotated[bool, _setting("Compress rotated logs with gzip.")] = True
    hashes_max_size: Annotated[
        int,
        _setting(
            "Size of the largest executed or written file whose MD5, SHA-1 and SHA-256 are told, "
            "and on Windows of an executed one its signature. 0 for none.",
            unit="MB",
            ge=0,
            le=10_000,
        ),
    ] = 50
    hashes_excluded_paths: Annotated[
        tuple[_Path, ...],
        _setting(
            "Files that are not hashed or verified, and folders below which none is.",
            allowed="a list of at most 1000 absolute paths",
            max_length=1000,
        ),
    ] = ()
    stats_interval: Annotated[
        float, _setting("Time between two heartbeats.", unit="seconds", ge=1, le=3600)
    ] = 60.0
    optimization_rules: Annotated[
        tuple[rules.Rule, ...],
        _setting(
            "Events that are dropped on the host. A bad rule is logged and ignored.",
            allowed=rules.ALLOWED,
        ),
    ] = ()

    warnings: tuple[str, ...] = ()
    """Not a setting: what `load` found that the user should know."""

    @property
    def effective_intake_url(self) -> str:
        """The base address of the intake, without a slash at its end."""
        if self.intake_url is not None:
            return self.intake_url.rstrip("/")
        if self.region == "fra1":
            return "https://intake.sekoia.io"
        return f"https://intake.{self.region}.sekoia.io/api/v1/intake-http"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        values = [(setting, getattr(self, setting.attribute)) for setting in SETTINGS]
        return [(s.attribute, "…" if s.secret and value else value) for s, value in values]

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.__rich_repr__())
        return f"Settings({shown})"


class Setting(NamedTuple):
    """One entry of the declaration above."""

    attribute: str
    key: str
    type: Any
    default: Any
    description: str
    allowed: str
    check: Callable[[Any], bool] | None
    secret: bool


def _settings() -> Iterator[Setting]:
    for field in msgspec.structs.fields(Settings):
        meta = next((arg for arg in get_args(field.type) if isinstance(arg, Meta)), None)
        if meta is None or meta.description is None or meta.extra is None:
            continue
        yield Setting(
            field.name,
            field.encode_name,
            field.type,
            field.default,
            meta.description,
            meta.extra["allowed"] or _allowed(field.type, meta.extra["unit"]),
            meta.extra["check"],
            meta.extra["secret"],
        )


def _allowed(type_: Any, unit: str) -> str:
    info = msgspec.inspect.type_info(type_)
    while isinstance(info, msgspec.inspect.Metadata):
        info = info.type
    match info:
        case msgspec.inspect.BoolType():
            return "true or false"
        case msgspec.inspect.LiteralType():
            return "one of " + ", ".join(get_args(get_args(type_)[0]))
        case msgspec.inspect.IntType(ge=least, le=most):
            return f"a whole number from {least} to {most} {unit}".rstrip()
        case msgspec.inspect.FloatType(ge=least, le=most):
            return f"a number from {least:g} to {most:g} {unit}".rstrip()
    raise TypeError(f"say what {type_} allows")


SETTINGS = tuple(_settings())
_BY_KEY = {setting.key: setting for setting in SETTINGS}


def load(path: Path, *, key_required: bool = True) -> Settings:
    """The settings of a YAML file, with the intake key of the environment if there is one.

    Raises:
        ConfigError: with the file, the line, the key, what was found and what is allowed.
    """
    text, warnings = read_private(path)
    check_folder(path)
    settings = parse(path, text, key_required=key_required)
    return msgspec.structs.replace(settings, warnings=warnings + settings.warnings)


def parse(path: Path, text: str, *, key_required: bool = True) -> Settings:
    """The settings of the text of a file, whose path is for messages only; otherwise as `load`."""
    warnings: tuple[str, ...] = ()
    values: dict[str, Any] = {}
    for key, entry in entries(path, text).items():
        setting = _BY_KEY.get(key)
        if setting is None:
            raise ConfigError(f"{path}:{entry.line}: {key}: {_unknown(key)}")
        if key == "OptimizationRules":
            values[setting.attribute], complaints = _rules(path, entry)
            warnings += complaints
        elif key == "EventLogChannels":
            values[setting.attribute] = _channels(path, entry)
        elif entry.value is not None:
            place = f"{path}:{entry.line}: {key}"
            values[setting.attribute] = _checked(setting, entry.value, place, entry.found)
    if key_text := os.environ.get(INTAKE_KEY_VARIABLE):
        setting = _BY_KEY["IntakeKey"]
        values[setting.attribute] = _checked(setting, key_text, INTAKE_KEY_VARIABLE, "")
    if key_required and "intake_key" not in values:
        raise ConfigError(
            f"{path}: IntakeKey: is missing; add it to the file, "
            f"or set {INTAKE_KEY_VARIABLE} in the environment"
        )
    return Settings(**values, warnings=warnings)


def _rules(path: Path, entry: Entry) -> tuple[tuple[rules.Rule, ...], tuple[str, ...]]:
    """The good rules, and what is wrong with the others."""
    if entry.value is None:
        return (), ()
    if not isinstance(entry.value, list):
        found = f"found {entry.found}; allowed: a list of rules"
        return (), (f"{path}:{entry.line}: OptimizationRules: is ignored: {found}",)
    good: list[rules.Rule] = []
    complaints: list[str] = []
    for line, rule in zip(entry.lines, rules.read(entry.value), strict=False):
        if isinstance(rule, str):
            complaints.append(f"{path}:{line}: OptimizationRules: this rule is ignored: {rule}")
        else:
            good.append(rule)
    return tuple(good), tuple(complaints)


def _channels(path: Path, entry: Entry) -> tuple[eventlogs.Channel, ...]:
    """All of them: of a channel that is not read, nobody would miss the events."""
    if not isinstance(entry.value, list):
        raise ConfigError(
            f"{path}:{entry.line}: EventLogChannels: found {entry.found}; "
            f"allowed: {eventlogs.ALLOWED}"
        )
    good: list[eventlogs.Channel] = []
    try:
        good.extend(eventlogs.read(entry.value))
    except rules.BadRuleError as error:
        line = entry.lines[len(good)]
        raise ConfigError(f"{path}:{line}: EventLogChannels: {error}") from None
    return tuple(good)


def _checked(setting: Setting, value: object, place: str, found: str) -> Any:
    try:
        converted = msgspec.convert(value, setting.type, dec_hook=_to_path)
    except (msgspec.ValidationError, UnicodeError):
        # The latter for a lone surrogate, which YAML can escape and msgspec cannot encode.
        converted = None
    if converted is None or (setting.check is not None and not setting.check(converted)):
        raise ConfigError(f"{place}: found {_shown(setting, found)}; allowed: {setting.allowed}")
    return converted


def _shown(setting: Setting, found: str) -> str:
    # An address may carry a password before its @ or a key after its ?.
    if setting.secret or "@" in found or "?" in found:
        return "a value that is not allowed"
    return found


def _to_path(type_: type, value: object) -> Path:
    if type_ is Path and isinstance(value, str):
        return Path(value)
    raise ValueError("not a path")


def _unknown(key: str) -> str:
    if key.lower() in map(str.lower, NOT_AVAILABLE):
        return "is known to the original agent, but not available in this version; remove it"
    by_lower = {known.lower(): known for known in _BY_KEY}
    close = difflib.get_close_matches(key.lower(), by_lower, n=1)
    if close:
        return f"is no setting; did you mean {by_lower[close[0]]}?"
    return f"is no setting; allowed: {', '.join(_BY_KEY)}"
