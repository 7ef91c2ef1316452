"""Tells what a bundle is made of, as CycloneDX JSON: `sbom.py BUNDLE FILE`.

The Python packages are those that lie in it, the crates those that the native module is linked from
by Cargo.lock, and the rest are the Debian sources of its Python.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import tarfile
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from email.parser import Parser
from pathlib import Path
from typing import Any

from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

HERE = Path(__file__).parent
MANIFEST = HERE.parents[1] / "native/Cargo.toml"

AGENT = "endpoint-agent"
TARGET = "x86_64-unknown-linux-gnu"

NAMESPACE = uuid.UUID("4f1f9a0e-6d0b-4d3a-9a55-4d5e1c0a7c55")
"""Of serial numbers, each of which is that of the bundle's hash."""


def main() -> int:
    """Writes the file."""
    bundle, target = Path(sys.argv[1]), Path(sys.argv[2])
    epoch = int(os.environ["SOURCE_DATE_EPOCH"])
    target.write_text(text(bundle, epoch), encoding="utf-8")
    return 0


def text(bundle: Path, epoch: int) -> str:
    """The bill of materials of a bundle."""
    digest = hashlib.sha256(bundle.read_bytes()).hexdigest()
    packages = dict(python_packages(bundle))
    agent = component(AGENT, packages.pop(AGENT), "pypi", ComponentType.APPLICATION)
    agent.hashes.add(HashType(alg=HashAlgorithm.SHA_256, content=digest))
    parts = [component(*one, "pypi") for one in packages.items()]
    parts += [component(*one, "cargo") for one in crates(metadata())]
    parts += [component(*one, "deb", namespace="debian") for one in sources()]
    bom = Bom(components=parts, serial_number=uuid.uuid5(NAMESPACE, digest))
    bom.metadata.component = agent
    bom.metadata.timestamp = datetime.fromtimestamp(epoch, UTC)
    bom.register_dependency(agent, parts)
    return JsonV1Dot6(bom).output_as_string(indent=2) + "\n"


def component(
    name: str,
    version: str,
    kind: str,
    type_: ComponentType = ComponentType.LIBRARY,
    namespace: str | None = None,
) -> Component:
    """One part, named as its registry does."""
    url = PackageURL(kind, namespace, name, version)
    return Component(name=name, version=version, type=type_, purl=url, bom_ref=url.to_string())


def python_packages(bundle: Path) -> Iterator[tuple[str, str]]:
    """Name and version of each Python package in a bundle."""
    with tarfile.open(bundle) as archived:
        for member in archived:
            is_metadata = re.fullmatch(r"[^/]+/packages/[^/]+\.dist-info/METADATA", member.name)
            if is_metadata and (file := archived.extractfile(member)):
                found = Parser().parsestr(file.read().decode("utf-8"), headersonly=True)
                yield re.sub(r"[-_.]+", "-", found["Name"]).lower(), found["Version"]


def crates(graph: dict[str, Any]) -> list[tuple[str, str]]:
    """Name and version of each crate that is linked into the native module.

    Args:
        graph: what `cargo metadata` says.
    """
    nodes = {node["id"]: node for node in graph["resolve"]["nodes"]}
    root = graph["resolve"]["root"]
    found: set[str] = set()
    wanted = [root]
    while wanted:
        one = wanted.pop()
        if one not in found:
            found.add(one)
            # Those of kind none: neither for building nor for tests.
            wanted += [
                needed["pkg"]
                for needed in nodes[one]["deps"]
                if any(kind["kind"] is None for kind in needed["dep_kinds"])
            ]
    return sorted(
        (package["name"], package["version"])
        for package in graph["packages"]
        if package["id"] in found - {root}
    )


def metadata() -> dict[str, Any]:
    """What cargo says of the native module."""
    command = [
        *("cargo", "metadata", "--format-version", "1", "--locked", "--features", "python"),
        *("--filter-platform", TARGET, "--manifest-path", MANIFEST),
    ]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    graph: dict[str, Any] = json.loads(done.stdout)
    return graph


def sources() -> list[tuple[str, str]]:
    """Name and version of each source of the bundle's Python."""
    lines = (HERE / "sources").read_text(encoding="utf-8").splitlines()
    return [(line.split()[0], line.split()[1]) for line in lines]


if __name__ == "__main__":
    sys.exit(main())
