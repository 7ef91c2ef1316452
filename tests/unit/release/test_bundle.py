"""What a bundle takes along."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import endpoint_agent

# What the runtime's script leaves out of Python, as those call it who import it.
LEFT_OUT = {
    "bz2",
    "ctypes",
    "curses",
    "dbm",
    "lzma",
    "pyexpat",
    "readline",
    "sqlite3",
    "tkinter",
    "xml",
}

LOCK = """\
one==1.0 \\
    --hash=sha256:aa \\
    --hash=sha256:bb
    # via endpoint-agent (pyproject.toml)
other==2.0 \\
    --hash=sha256:cc
    # via
    #   endpoint-agent (pyproject.toml)
    #   one
three-four==3.0.1 \\
    --hash=sha256:dd
"""


def test_only_what_is_needed_is_taken_as_pinned(tool: Callable[[str], Any]) -> None:
    assert tool("bundle").pinned(LOCK, {"three-four", "one"}) == (
        "one==1.0 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\n"
        "three-four==3.0.1 \\\n    --hash=sha256:dd\n"
    )


def test_what_is_not_pinned_is_refused(tool: Callable[[str], Any]) -> None:
    with pytest.raises(SystemExit, match="does not pin five; run: make lock"):
        tool("bundle").pinned(LOCK, {"one", "five"})


def test_all_that_the_agent_needs_is_pinned(tool: Callable[[str], Any]) -> None:
    bundle = tool("bundle")
    lock = bundle.LOCK.read_text()
    text = bundle.pinned(lock, bundle.needed())
    assert "orjson==" in text and "--hash=" in text
    assert "endpoint-agent" not in text and "pytest" not in text


def test_what_is_not_in_the_runtime_is_nowhere_imported() -> None:
    """Nor inside a function, where it would be missed by the first host that calls it.

    What is Windows' alone has Windows' own Python, of which nothing is left out.
    """
    package = Path(endpoint_agent.__file__).parent
    files = [
        path
        for path in package.rglob("*.py")
        if path.parent.name not in ("live", "server") and "windows" not in path.name
    ]
    assert len(files) > 50
    for path in files:
        for node in ast.walk(ast.parse(path.read_text())):
            names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names.append(node.module or "")
            found = LEFT_OUT & {name.partition(".")[0] for name in names}
            assert not found, f"{path}: {found}"
