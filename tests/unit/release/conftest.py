"""The tools that make what ships, as they import each other, and a program of a few files."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

TOOLS = Path(__file__).parents[3] / "tools/release"
EPOCH = 1_700_000_000
VERSION = "1.2.3"

# What the interpreter of the folder does instead of running Python: tells what it was called with.
INTERPRETER = """\
#!/bin/sh
[ "$3" ] || exit 0
shift 3
echo "$@"
[ "${3-}" != fail ] || exit 7
"""


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    for needed in ("cyclonedx", "elftools"):
        pytest.importorskip(needed, reason="it comes with the extra `dev`")
    monkeypatch.syspath_prepend(str(TOOLS))
    before = set(sys.modules)

    def load(name: str) -> Any:
        module = importlib.import_module(name)
        assert Path(str(module.__file__)).parent == TOOLS
        for one in set(sys.modules) - before:
            # Their names are common ones: the next test has its own.
            monkeypatch.delitem(sys.modules, one)
        return module

    return load


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """The folder of one version."""
    folder = tmp_path / VERSION
    for name, text, mode in (
        ("bin/endpoint-agent", "#!/usr/lib/endpoint-agent/1.2.3/bin/python3.11 -IBS\n", 0o755),
        ("bin/python3.11", INTERPRETER, 0o755),
        ("packages/one-2.0.dist-info/METADATA", "Name: One\nVersion: 2.0\n\nName: no\n", 0o644),
        (
            "packages/endpoint_agent-1.2.3.dist-info/METADATA",
            "Name: endpoint-agent\nVersion: 1.2.3\n",
            0o644,
        ),
    ):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
    return folder


@pytest.fixture
def bundle(tool: Callable[[str], Any], program: Path, tmp_path: Path) -> Path:
    path = tmp_path / f"endpoint-agent-{VERSION}-linux-x86_64.tar.gz"
    tool("archive").write(program, VERSION, path, EPOCH)
    return path
