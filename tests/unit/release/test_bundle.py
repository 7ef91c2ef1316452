"""What a bundle takes along."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

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
