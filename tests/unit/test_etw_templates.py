"""The tables of event tracing's layouts are made of its facts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).parent.parent.parent / "tools/etw_templates.py"


def test_the_tables_are_current() -> None:
    """If not: `tools/etw_templates.py` makes them."""
    subprocess.run([sys.executable, TOOL, "--check"], check=True)


def test_facts_of_no_kind_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(TOOL.parent))
    from etw_templates import generate  # type: ignore[import-not-found]

    with pytest.raises(SystemExit, match=r"providers.txt:2: thing is no kind of fact"):
        generate("# fine\nthing 1\n")
    made = generate(
        "provider SOME Some-Name 22fb2cd6-0e7b-422b-a0c7-2fad1fd0e716\nkeyword ONE 0x10\n"
        "event 2 0 UInt16 Size, Binary[Size] Bytes\nevent 1 0 SID Who\n"
    )
    assert 'shown_guid: "{22FB2CD6-0E7B-422B-A0C7-2FAD1FD0E716}"' in made
    assert 'keywords: &[("ONE", 0x10)]' in made
    assert made.index("template(1, 0") < made.index("template(2")
    assert 'field("Bytes", Binary(0))' in made
