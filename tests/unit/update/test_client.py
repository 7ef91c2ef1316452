"""What one can try who has the web server, some of the keys, or the way to it.

After the cases of The Update Framework's specification and of its reference implementation.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

import pytest

from endpoint_agent.config import Settings
from endpoint_agent.errors import AgentError, ConfigError, UpdateError
from endpoint_agent.update import client as client_module
from endpoint_agent.update.choice import Offer
from endpoint_agent.update.client import Repository

from .published import BUNDLE, Client, Publisher, Server, client, publisher, server, tool

__all__ = ["client", "publisher", "server"]

NAME = "endpoint-agent-0.2.0-linux-x86_64.tar.gz"
OFFER = Offer(NAME, "0.2.0", 100)
EXPIRED = timedelta(seconds=-1)


def newest(publisher: Publisher, role: str) -> Path:
    if role == "timestamp":
        return publisher.metadata / "timestamp.json"
    found = publisher.metadata.glob(f"*.{role}.json")
    return max(found, key=lambda path: int(path.name.partition(".")[0]))


def target(publisher: Publisher) -> Path:
    (path,) = (publisher.folder / "targets").glob(f"*.{NAME}")
    return path


def refused(client: Client, words: str) -> None:
    with pytest.raises(UpdateError, match=words):
        client().offers()


def test_a_bundle_is_offered_and_had(client: Client, tmp_path: Path) -> None:
    repository, temporary = client(), tempfile.gettempdir()
    assert repository.offers() == [OFFER]
    repository.fetch(OFFER, tmp_path / "bundle")
    assert (tmp_path / "bundle").read_bytes() == BUNDLE
    assert tempfile.gettempdir() == temporary
    assert client().offers() == [OFFER]


def test_without_the_package_cryptography(
    publisher: Publisher, server: Server, tmp_path: Path
) -> None:
    """An agent on a host whose C library is too old for it has only what is written in Python."""
    code = (
        "import sys; sys.modules['cryptography'] = None\n"
        "from pathlib import Path\n"
        "from endpoint_agent.config import Settings\n"
        "from endpoint_agent.update.client import Repository\n"
        "s = Settings(update_url=sys.argv[1], update_root=Path(sys.argv[2]))\n"
        "print(len(Repository(s, Path(sys.argv[3])).offers()))"
    )
    words = [sys.executable, "-c", code, server.url, publisher.root, tmp_path / "seen"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"


@pytest.mark.parametrize("role", tool.ROLES)
def test_keys_are_replaced(role: str, client: Client, publisher: Publisher) -> None:
    assert client().offers() == [OFFER]
    for version in ("0.3.0", "0.4.0"):
        publisher.repository.rotate(role)
        publisher.add(version)
        assert {offer.version for offer in client().offers()} >= {"0.2.0", version}


def test_a_host_that_was_off_for_years_follows_all_roots(
    client: Client, publisher: Publisher
) -> None:
    for _ in range(5):
        publisher.repository.rotate("root")
    assert client().offers() == [OFFER]


def test_a_root_that_the_one_before_did_not_sign(
    client: Client, publisher: Publisher, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = Publisher(tmp_path / "other")
    other.repository.renew()
    shutil.copy(other.metadata / "2.root.json", publisher.metadata)
    refused(client, "is not to be trusted")


def test_a_root_that_too_few_have_signed(tmp_path: Path) -> None:
    publisher = Publisher(tmp_path, root_keys=3)
    publisher.repository.renew()
    path = publisher.metadata / "2.root.json"
    server = Server(publisher.folder)
    settings = Settings(update_url=server.url, update_root=publisher.root)
    assert Repository(settings, tmp_path / "fine").offers() == []
    root = json.loads(path.read_bytes())
    # Of the three two have to.
    root["signatures"] = root["signatures"][:1]
    path.write_text(json.dumps(root))
    with pytest.raises(UpdateError, match="is not to be trusted"):
        Repository(settings, tmp_path / "seen").offers()
    # One signature, twice.
    root["signatures"] *= 2
    path.write_text(json.dumps(root))
    with pytest.raises(UpdateError, match="is not to be trusted"):
        Repository(settings, tmp_path / "seen").offers()
    server.stop()


@pytest.mark.parametrize("role", ["targets", "snapshot", "timestamp"])
def test_what_another_key_has_signed(
    role: str, client: Client, publisher: Publisher, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = Publisher(tmp_path / "other")
    other.add("0.2.0")
    path = newest(publisher, role)
    path.write_bytes(newest(other, role).read_bytes())
    refused(client, "is not to be trusted")


@pytest.mark.parametrize("role", tool.ROLES)
def test_what_is_changed_after_it_was_signed(
    role: str, client: Client, publisher: Publisher
) -> None:
    if role == "root":
        publisher.repository.renew()
    path = newest(publisher, role)
    metadata = json.loads(path.read_bytes())
    metadata["signed"]["expires"] = "2999-01-01T00:00:00Z"
    path.write_text(json.dumps(metadata))
    refused(client, "is not to be trusted")


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"{}", b"\xff", b'{"signed": {}}', b"[" * 9000]
)
@pytest.mark.parametrize("role", ["snapshot", "timestamp"])
def test_what_is_no_metadata(
    role: str, content: bytes, client: Client, publisher: Publisher
) -> None:
    newest(publisher, role).write_bytes(content)
    refused(client, "is not to be trusted")


@pytest.mark.parametrize("role", tool.ROLES)
def test_what_is_out_of_date(
    role: str, client: Client, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So who withholds what is newer (a freeze) is found out after a week."""
    monkeypatch.setitem(tool.LIFE, role, EXPIRED)
    if role == "root":
        publisher.repository.renew()
    publisher.add("0.3.0")
    refused(client, "is out of date, or someone withholds")


@pytest.mark.parametrize("role", ["targets", "snapshot", "timestamp"])
def test_less_than_was_seen_before(role: str, client: Client, publisher: Publisher) -> None:
    """A rollback: what was good once, with all its signatures."""
    before = publisher.folder.with_name("before")
    shutil.copytree(publisher.folder, before)
    publisher.add("0.3.0")
    assert len(client().offers()) == 2
    shutil.rmtree(publisher.folder)
    shutil.copytree(before, publisher.folder)
    # With the online keys, too, who gets past the timestamp or the snapshot.
    if role == "snapshot":
        timestamp = publisher.repository._read("timestamp")
        timestamp.signed.version += 9
        publisher.repository._write(timestamp)
    elif role == "targets":
        for _ in range(9):
            publisher.repository.refresh()
    refused(client, "is not to be trusted")


def test_parts_of_different_times(client: Client, publisher: Publisher) -> None:
    """Mix and match: each signed, but never together."""
    old = newest(publisher, "targets").read_bytes()
    publisher.add("0.3.0")
    newest(publisher, "targets").write_bytes(old)
    refused(client, "is not to be trusted")


def test_a_snapshot_of_another_time(client: Client, publisher: Publisher) -> None:
    old = newest(publisher, "snapshot").read_bytes()
    publisher.add("0.3.0")
    newest(publisher, "snapshot").write_bytes(old)
    refused(client, "is not to be trusted")


def endless() -> Iterable[bytes]:
    while True:
        yield b" " * 65536


@pytest.mark.parametrize("role", tool.ROLES)
def test_metadata_without_an_end(
    role: str, client: Client, publisher: Publisher, server: Server
) -> None:
    name = "2.root.json" if role == "root" else newest(publisher, role).name
    server.answers[f"metadata/{name}"] = endless
    refused(client, "cannot be read")


def test_a_bundle_without_an_end(
    client: Client, publisher: Publisher, server: Server, tmp_path: Path
) -> None:
    server.answers[f"targets/{target(publisher).name}"] = endless
    repository = client()
    repository.offers()
    with pytest.raises(UpdateError, match="cannot be read"):
        repository.fetch(OFFER, tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


@pytest.mark.parametrize("content", [BUNDLE[:-1], BUNDLE[:-1] + b"!", b""])
def test_another_bundle_than_was_signed(
    content: bytes, client: Client, publisher: Publisher, tmp_path: Path
) -> None:
    target(publisher).write_bytes(content)
    repository = client()
    repository.offers()
    with pytest.raises(UpdateError, match="sent something else than was signed"):
        repository.fetch(OFFER, tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_what_comes_in_drips(
    client: Client, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def drips() -> Iterable[bytes]:
        for _ in range(1000):
            time.sleep(0.05)
            yield b" "

    monkeypatch.setattr(client_module, "METADATA_TIMEOUT", 0.2)
    server.answers["metadata/timestamp.json"] = drips
    refused(client, "it was not there after")


@pytest.mark.parametrize("status", [301, 302, 307, 401, 500])
def test_nobody_leads_it_elsewhere(status: int, client: Client, server: Server) -> None:
    server.answers["metadata/timestamp.json"] = lambda: [b""]
    server.statuses["metadata/timestamp.json"] = status
    refused(client, f"cannot be read: HTTP {status}")
    assert "elsewhere" not in server.asked


def test_nobody_is_there(client: Client, server: Server) -> None:
    server.stop()
    refused(client, "cannot be read: ConnectError")


def test_the_root_of_trust_is_nobody_elses(
    publisher: Publisher, server: Server, tmp_path: Path
) -> None:
    publisher.root.chmod(0o620)
    with pytest.raises(ConfigError, match="is writable by group or others"):
        Repository(Settings(update_url=server.url, update_root=publisher.root), tmp_path)


def test_there_is_no_root_of_trust(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "ROOT", tmp_path / "none")
    with pytest.raises(ConfigError, match="UpdateRoot: is not set"):
        Repository(Settings(update_url=server.url), tmp_path)


def test_a_build_may_bring_its_root(
    publisher: Publisher, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "ROOT", publisher.root)
    assert Repository(Settings(update_url=server.url), tmp_path / "seen").offers() == [OFFER]


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff"])
def test_what_is_no_root_of_trust(
    content: bytes, publisher: Publisher, server: Server, tmp_path: Path
) -> None:
    publisher.root.write_bytes(content)
    with pytest.raises(AgentError):
        Repository(Settings(update_url=server.url, update_root=publisher.root), tmp_path)


def test_there_is_no_address(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="UpdateURL: is not set"):
        Repository(Settings(), tmp_path)


def test_clear_text_stays_on_this_machine(publisher: Publisher, tmp_path: Path) -> None:
    settings = Settings(update_url="http://updates.example", update_root=publisher.root)
    with pytest.raises(ConfigError, match="UpdateURL: must be https"):
        Repository(settings, tmp_path)


def test_the_daemon_imports_none_of_it() -> None:
    code = (
        "import sys, endpoint_agent.agent, endpoint_agent.cli, endpoint_agent.update.schedule\n"
        "heavy = {'tuf', 'securesystemslib', 'cryptography', 'urllib3', 'tarfile', 'ctypes'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
