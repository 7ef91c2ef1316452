"""`endpoint-agent doctor`: one archive with what a support engineer needs, and no secret in it.

Of the configuration only the values that are understood are taken, never its text. All else is
searched for its secrets, and for what looks like one.
"""

from __future__ import annotations

import base64
import io
import json
import os
import platform
import re
import stat
import sys
import tarfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import msgspec
import yaml

from endpoint_agent import support
from endpoint_agent.config import INTAKE_KEY_VARIABLE, SETTINGS, Settings, load
from endpoint_agent.configfile import MAX_BYTES, entries, read_private
from endpoint_agent.envelope import VERSION, timestamp
from endpoint_agent.errors import AgentError, ConfigError, NotPermittedError
from endpoint_agent.heartbeat import operating_system
from endpoint_agent.service import managers, manifest
from endpoint_agent.service.places import CURRENT, NAME, Places
from endpoint_agent.status import ask
from endpoint_agent.trust import program

assert sys.platform != "win32"  # noqa: S101

REMOVED = "[removed]"

# Bytes of the end of the log, and names of a listing.
TAIL = 1_000_000
MAX_NAMES = 1000

# Seconds that a command of the host may take.
PATIENCE = 20.0

# What systemd says of the service. Its environment may hold the key.
PROPERTIES = (
    "ActiveState,SubState,Result,UnitFileState,FragmentPath,DropInPaths,NRestarts,ExecMainPID,"
    "ExecMainStatus,ExecMainCode,ActiveEnterTimestamp,InactiveEnterTimestamp,MemoryCurrent,"
    "MemoryMax,CPUUsageNSec,TasksCurrent,WatchdogUSec"
)

# What looks like a secret, whatever the configuration says: what follows the first group.
_SUSPECTS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(://)[^/\s\"']*(?=@)",
        r"(-intake[_-]key(?:[ =]|\\x00))\S+",
        r"((?:intake[_-]?key|password|passwd|token|secret)[\"']?\s*[:=]\s*[\"']?)[^\s\"'&]+",
        r"(authorization[\"']?\s*[:=]\s*[\"']?(?:\w+\s+)?)[^\s\"']+",
    )
)


def doctor(config_path: Path, output: Path | None) -> int:
    """Writes the archive and says where it is; the exit status.

    Args:
        output: a new file; none for one in the working folder.

    Raises:
        NotPermittedError: the configuration is not for this user, so its secrets are not known.
        AgentError: the archive cannot be written.
    """
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    output = output or Path(f"endpoint-agent-doctor-{moment}.tar.gz")
    settings, complaint = _settings(config_path)
    known = [*_secrets(settings), *_hidden(config_path)] if settings else _words(config_path)
    scrub = Scrubber(known)
    members = {
        name: scrub(_told(tell)) for name, tell in _members(settings or Settings(), complaint)
    }
    try:
        _write(output, members)
    except OSError as error:
        raise AgentError(f"cannot write {output}: {error.strerror}; name a new file") from error
    print(f"{output} holds what support needs to know; what was known as secret is removed")
    return 0


class Scrubber:
    """Takes secrets out of texts."""

    def __init__(self, secrets: Iterable[str]) -> None:
        """Takes the secrets that are known."""
        forms = {form for secret in secrets if secret for form in _forms(secret)}
        # The longest first: one may be a part of another.
        ordered = sorted(forms, key=lambda form: (-len(form), form))
        self._known = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    def __call__(self, text: str) -> str:
        """The text without them, and without what looks like one."""
        if self._known:
            text = self._known.sub(REMOVED, text)
        for suspect in _SUSPECTS:
            text = suspect.sub(rf"\g<1>{REMOVED}", text)
        return text


def _forms(secret: str) -> Iterator[str]:
    """How a secret may stand in a text."""
    yield from (secret, quote(secret), quote(secret, safe=""), unquote(secret))
    yield json.dumps(secret)[1:-1]
    yield base64.b64encode(secret.encode("utf-8", "surrogateescape")).decode("ascii")


def _settings(path: Path) -> tuple[Settings | None, str]:
    """The settings, or why they are not known."""
    try:
        settings = load(path, key_required=False)
        return settings, "\n".join(settings.warnings)
    except ConfigError as error:
        if isinstance(error.__cause__, PermissionError):
            raise NotPermittedError(f"cannot read {path}; run as root") from error
        return None, str(error)


def _secrets(settings: Settings) -> Iterator[str]:
    yield settings.intake_key
    yield os.environ.get(INTAKE_KEY_VARIABLE, "")
    for url in filter(None, (settings.http_proxy_url, settings.intake_url)):
        parts = urlsplit(url)
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        yield from (password, f"{user}:{password}" if password else "", parts.query)
        yield parts.netloc.rpartition("@")[0]


def _hidden(path: Path) -> Iterator[str]:
    """What the file says itself, whatever of it the environment replaces."""
    secret = {setting.key for setting in SETTINGS if setting.secret}
    for key, entry in entries(path, read_private(path)[0]).items():
        if key in secret and entry.value is not None:
            yield str(entry.value)


def _words(path: Path) -> Iterator[str]:
    """All that may be a secret in a configuration that cannot be understood."""
    yield os.environ.get(INTAKE_KEY_VARIABLE, "")
    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES).decode("utf-8", "replace")
    except OSError:
        return
    known = {setting.key for setting in SETTINGS}
    for word in re.findall(r"[^\s'\",\[\]{}]{4,}", text):
        for part in (word, *re.split(r"[:@=]", word)):
            if len(part) >= 4 and part not in known and not part.startswith("/"):
                yield part


def _members(settings: Settings, complaint: str) -> Iterator[tuple[str, Callable[[], str]]]:
    yield "about.txt", _about
    yield "config.yaml", lambda: _config(settings, complaint)
    yield "host.txt", _host
    yield "status.json", lambda: _json(ask(settings.state_directory))
    yield "process.txt", lambda: _process(settings.state_directory)
    yield "service.txt", _service
    yield "program.txt", _program
    yield "state.txt", lambda: "\n".join(_listing(settings.state_directory))
    yield "log.txt", lambda: _tail(settings.log_file)


def _told(tell: Callable[[], str]) -> str:
    """What can be told; else why it cannot."""
    try:
        return tell() + "\n"
    except (AgentError, OSError, ValueError) as error:
        return f"cannot be told: {error}\n"


def _about() -> str:
    return "\n".join(
        (
            f"endpoint-agent {VERSION}",
            f"at {timestamp()}",
            f"on {operating_system()}, Linux {support.kernel()}, host {os.uname().nodename}",
            f"by Python {platform.python_version()}, {sys.executable}",
            f"up for {int(time.clock_gettime(time.CLOCK_BOOTTIME))} s, "
            f"load {' '.join(f'{load:.2f}' for load in os.getloadavg())}, "
            f"{os.cpu_count()} CPUs, {os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGESIZE')} "
            "bytes of memory",
        )
    )


def _config(settings: Settings, complaint: str) -> str:
    """The settings in force, secrets apart."""
    values: dict[str, Any] = {}
    for setting in SETTINGS:
        value = getattr(settings, setting.attribute)
        is_hidden = setting.secret and value
        values[setting.key] = REMOVED if is_hidden else msgspec.to_builtins(value, enc_hook=str)
    notes = "".join(f"# {line}\n" for line in complaint.splitlines())
    return notes + yaml.safe_dump(values, sort_keys=False)


def _host() -> str:
    facts = [*support.facts(), *support.audit_facts()]
    words = {True: "ok", False: "--", None: "??"}
    return "\n".join(f"{words[fact.met]}  {fact.name:26} {fact.detail}" for fact in facts)


def _json(value: Any) -> str:
    return json.dumps(value, indent=2)


def _process(state: Path) -> str:
    """Limits and figures of the running agent, as the kernel knows them."""
    folder = Path("/proc") / str(int(ask(state)["pid"]))
    names = ("limits", "status", "cgroup")
    return "\n".join(f"{name}:\n{(folder / name).read_text()}" for name in names)


def _service() -> str:
    manager = managers.detect(Places(), _call)
    text = f"{manager.name}: {'active' if manager.is_active() else 'not active'}, "
    text += f"{'enabled' if manager.is_enabled() else 'not enabled'}\n"
    if manager.name == "systemd":
        text += _call(["systemctl", "show", f"--property={PROPERTIES}", f"{NAME}.service"])
        text += _call(["journalctl", f"--unit={NAME}.service", "--lines=200", "--no-pager"])
    return text


def _call(words: Sequence[str]) -> str:
    return managers.call(words, PATIENCE)


def _program() -> str:
    folder = program.folder() or CURRENT.resolve()
    if not folder.is_dir():
        return "the agent is not installed as a service"
    differences = manifest.verify(folder)
    told = "\n".join(map(str, differences)) or f"as its {manifest.NAME} says"
    return f"{folder}:\n{told}"


def _listing(folder: Path, depth: int = 2) -> Iterator[str]:
    """Mode, owner, bytes, time of change and path of all below a folder."""
    with os.scandir(folder) as entries:
        ordered = sorted(entries, key=lambda entry: entry.name)
    for number, entry in enumerate(ordered):
        if number == MAX_NAMES:
            yield f"… {len(ordered) - MAX_NAMES} more"
            return
        status = entry.stat(follow_symlinks=False)
        changed = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(status.st_mtime))
        yield (
            f"{stat.filemode(status.st_mode)} {status.st_uid} {status.st_size:>12} {changed} "
            f"{entry.path!r}"
        )
        if depth > 1 and entry.is_dir(follow_symlinks=False):
            yield from _listing(Path(entry.path), depth - 1)


def _tail(path: Path) -> str:
    """The end of the log. What a link leads to is no log of the agent's."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise AgentError(f"{path} is no regular file")
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - TAIL))
        if size > TAIL:
            file.readline()  # The rest of a line, whose begin may be what tells a secret.
        return file.read(TAIL).decode("utf-8", "replace")


def _write(path: Path, members: dict[str, str]) -> None:
    """An archive that its owner alone may read."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o600)
    with os.fdopen(descriptor, "wb") as file, tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, text in members.items():
            data = text.encode("utf-8", "replace")
            member = tarfile.TarInfo(f"endpoint-agent-doctor/{name}")
            member.size, member.mode, member.mtime = len(data), 0o600, int(time.time())
            archive.addfile(member, io.BytesIO(data))
