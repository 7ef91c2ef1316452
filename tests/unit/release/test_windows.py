"""What `make windows` makes of files, on any platform."""

from __future__ import annotations

import xml.etree.ElementTree as xml
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

BUNDLE = b"the bundle"


def test_the_launcher_is_told_what_is_behind_it(tool: Callable[[str], Any]) -> None:
    bundle = tool("windows_bundle")
    launcher = b"head" + bundle.MARK + bytes(bundle.PLACE.size) + b"tail" + bundle.MARK

    made = bundle.carrier(launcher, BUNDLE, "1.2.3")

    assert made.startswith(b"head" + bundle.MARK) and made.endswith(b"tail" + bundle.MARK + BUNDLE)
    at = len(b"head" + bundle.MARK)
    offset, length, digest, version = bundle.PLACE.unpack(made[at : at + bundle.PLACE.size])
    assert made[offset : offset + length] == BUNDLE and offset == len(launcher)
    assert digest == sha256(BUNDLE).digest() and version.rstrip(b"\0") == b"1.2.3"
    with pytest.raises(SystemExit, match="no launcher"):
        bundle.carrier(made, BUNDLE, "1.2.3")


def test_each_file_is_a_component_and_the_command_is_the_service(
    tool: Callable[[str], Any], tmp_path: Path
) -> None:
    msi = tool("windows_msi")
    for name in ("1.2.3/agent.exe", "1.2.3/packages/a b.py", "agent.exe", "current"):
        path = tmp_path / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)

    text = msi.describe(tmp_path / "tree", "1.2.3")

    assert text == msi.describe(tmp_path / "tree", "1.2.3")
    product = xml.fromstring(text)[0]
    kinds = {"wix": msi.NAMESPACE}
    components = product.findall(".//wix:Component", kinds)
    sources = [one.find("wix:File", kinds).attrib["Source"] for one in components]  # type: ignore[union-attr]
    assert sources == [
        "tree/1.2.3/agent.exe", "tree/1.2.3/packages/a b.py", "tree/agent.exe", "tree/current"
    ]  # fmt: skip
    assert len({one.attrib["Guid"] for one in components}) == 4
    references = product.findall(".//wix:ComponentRef", kinds)
    assert {one.attrib["Id"] for one in references} == {one.attrib["Id"] for one in components}
    (service,) = product.findall(".//wix:ServiceInstall", kinds)
    assert components[2].find("wix:ServiceInstall", kinds) is service
    assert service.attrib["Name"] == "SEKOIAEndpointAgent"
    assert service.attrib["Arguments"] == "service"
