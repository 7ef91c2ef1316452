"""What a bill of materials says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .conftest import EPOCH


def node(name: str, *needed: tuple[str, str | None]) -> dict[str, Any]:
    return {
        "id": name,
        "deps": [{"pkg": other, "dep_kinds": [{"kind": kind}]} for other, kind in needed],
    }


GRAPH = {
    "resolve": {
        "root": "agent",
        "nodes": [
            node("agent", ("a", None), ("b", "build"), ("d", "dev")),
            node("a", ("c", None)),
            node("b", ("e", None)),
            node("c", ("a", None)),
            node("d"),
            node("e"),
        ],
    },
    "packages": [{"id": name, "name": name, "version": "1"} for name in ("agent", *"abcde")],
}


def test_only_crates_that_are_linked_are_told(tool: Callable[[str], Any]) -> None:
    assert tool("sbom").crates(GRAPH) == [("a", "1"), ("c", "1")]


def test_a_bundle_is_told_with_all_its_parts(
    tool: Callable[[str], Any], bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sbom = tool("sbom")
    monkeypatch.setattr(sbom, "metadata", lambda: GRAPH)
    text = sbom.text(bundle, EPOCH)
    told = json.loads(text)
    assert told["bomFormat"] == "CycloneDX"
    assert told["metadata"]["timestamp"].startswith("2023-11-14T22:13:20")
    assert told["metadata"]["component"]["purl"] == "pkg:pypi/endpoint-agent@1.2.3"
    assert told["metadata"]["component"]["hashes"][0]["alg"] == "SHA-256"
    urls = {one["purl"] for one in told["components"]}
    assert {"pkg:pypi/one@2.0", "pkg:cargo/a@1"} < urls
    assert any(url.startswith("pkg:deb/debian/openssl@") for url in urls)
    assert text == sbom.text(bundle, EPOCH)
