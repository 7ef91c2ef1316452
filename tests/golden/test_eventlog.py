"""Files of the Windows event log: the agent's reader and another one see the same.

The other is the package `evtx`. Set EVENT_LOGS to a folder to have its files read as well.
"""

from __future__ import annotations

import gzip
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import evtx
import orjson
import pytest

from endpoint_agent._native import replay
from endpoint_agent.cli import main

HERE = Path(__file__).parent
PAGE = HERE.parent.parent / "docs/windows.md"
PACKED = sorted((HERE / "eventlog").glob("*.evtx.gz"))
OTHERS = sorted(Path(folder).glob("*.evtx")) if (folder := os.environ.get("EVENT_LOGS")) else []

# What the agent tells of a record's head among its values.
OWN = {"EventType", "Keywords", "ProviderGuid", "Severity", "SourceName"}

# XML has no word for these characters.
UNTOLD = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
TIME = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(?: ?UTC|Z|\+00:00)")


@pytest.fixture
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A file, unpacked."""
    path: Path = request.param
    if path.suffix != ".gz":
        return path
    unpacked = tmp_path / path.stem
    unpacked.write_bytes(gzip.decompress(path.read_bytes()))
    return unpacked


@pytest.mark.parametrize("log", PACKED + OTHERS, indirect=True, ids=lambda path: path.name)
def test_another_reader_sees_the_same(log: Path) -> None:
    moved = moved_values()
    ours = [orjson.loads(event) for event in events(log)]
    theirs = [document(record["data"]) for record in evtx.PyEvtxParser(str(log)).records()]
    for mine, other in zip(ours, theirs, strict=True):
        compare(mine, other, moved)


@pytest.mark.parametrize("log", PACKED, indirect=True, ids=lambda path: path.name)
def test_the_golden_xml_is_another_readers(log: Path) -> None:
    """What the reader of XML is compared with (`native/tests/records/xml.rs`)."""
    records = evtx.PyEvtxParser(str(log)).records()
    made = "\0".join(record["data"] for record in records).encode()
    path = HERE / "eventlog" / f"{log.stem}.xml.gz"
    if os.environ.get("UPDATE_GOLDEN") == "1":
        path.write_bytes(gzip.compress(made, mtime=0))
    assert gzip.decompress(path.read_bytes()) == made


def events(path: Path) -> Iterator[bytes]:
    yield from replay(str(path), agent_id="0" * 64, envelope=b'"agent":{"id":"0"}')


def moved_values() -> set[tuple[str, str]]:
    """Providers and names of the values that are told as fields alone."""
    rows = (line.split(" | ") for line in PAGE.read_text().splitlines())
    return {(row[0].lstrip("| "), row[2]) for row in rows if row[-1] == "moved |"}


def document(xml: str) -> ElementTree.Element:
    """The event of an XML text, without namespaces."""
    root = ElementTree.fromstring(UNTOLD.sub("", xml))
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root


def text(event: ElementTree.Element, name: str) -> str:
    return event.findtext(f"System/{name}") or ""


def attribute(event: ElementTree.Element, name: str, key: str) -> str:
    element = event.find(f"System/{name}")
    return "" if element is None else element.get(key, "")


def compare(ours: dict[str, Any], theirs: ElementTree.Element, moved: set[tuple[str, str]]) -> None:
    """Asserts that both say the same of a record."""
    log, properties = ours["winlog"], ours["action"]["properties"]
    provider = attribute(theirs, "Provider", "Name")
    for mine, other in (
        (ours["event"]["provider"], provider),
        (ours["event"]["code"], text(theirs, "EventID")),
        (ours["@timestamp"], attribute(theirs, "TimeCreated", "SystemTime")),
        (properties.get("ProviderGuid", ""), attribute(theirs, "Provider", "Guid")),
        (properties["Keywords"], text(theirs, "Keywords") or "0x0"),
        (log["record_id"], text(theirs, "EventRecordID") or log["record_id"]),
        (log.get("channel", ""), text(theirs, "Channel")),
        (log["computer_name"], text(theirs, "Computer")),
        (log["version"], text(theirs, "Version") or "0"),
        (log["level"], text(theirs, "Level") or "0"),
        (log["task"], text(theirs, "Task") or "0"),
        (log["opcode"], text(theirs, "Opcode") or "0"),
        (log["process"]["pid"], attribute(theirs, "Execution", "ProcessID") or "0"),
        (log["process"]["thread"]["id"], attribute(theirs, "Execution", "ThreadID") or "0"),
        (log.get("user", {}).get("identifier", ""), attribute(theirs, "Security", "UserID")),
        (log.get("activity_id", ""), attribute(theirs, "Correlation", "ActivityID")),
    ):
        assert plain(mine) == plain(other)
    expected: dict[str, list[str]] = {}
    for name, value in values(theirs):
        expected.setdefault(name, []).append(value)
    for name, told in expected.items():
        if name in properties:
            mine = properties[name]
            listed = mine if isinstance(mine, list) else [mine]
            assert [plain(one) for one in listed] == [plain(one) for one in told], name
        else:
            assert (provider, name) in moved
    assert set(properties) - set(expected) <= OWN


def values(event: ElementTree.Element) -> Iterator[tuple[str, str]]:
    """What the record says, by the names that the agent has for it."""
    unnamed = 0
    for data in event.findall("EventData/*"):
        name = data.get("Name", "") if data.tag == "Data" else data.tag
        if not name:
            unnamed += 1
            name = f"param{unnamed}"
        yield name, data.text or ""
    for data in event.findall("UserData//*"):
        if not len(data):
            yield data.tag, data.text or ""


def plain(value: str | int) -> str:
    """A value without what readers show differently: capitals, braces, digits of a second."""
    shown = UNTOLD.sub("", str(value)).replace("\r\n", "\n").strip().lower()
    shown = TIME.sub(
        lambda found: f"{found[1]} {found[2]}.{(found[3] or '')[:6]:0<6}", shown.upper()
    )
    return shown.strip("{}").lower()


@pytest.mark.parametrize("log", PACKED[:1], indirect=True)
def test_the_command_prints_all_and_fails_where_the_file_is_damaged(
    log: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert main(["replay", str(log)]) == 0
    whole, _ = capfdbinary.readouterr()
    damaged = bytearray(log.read_bytes())
    damaged[4096 + 512 + 24] = 0x77  # The first token of the first record.
    log.write_bytes(damaged)
    assert main(["replay", str(log)]) == 1
    rest, told = capfdbinary.readouterr()
    *events, loss = map(orjson.loads, rest.splitlines())
    assert len(events) == len(whole.splitlines()) - 1
    assert loss["event"]["action"] == "events-lost"
    assert b"1 records and 0 chunks of records cannot be read" in told
