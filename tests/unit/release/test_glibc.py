"""What a file asks of glibc."""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from endpoint_agent import _native

MODULE = Path(str(_native.__file__))


def test_a_module_needs_a_version(tool: Callable[[str], Any]) -> None:
    assert tool("glibc").needed(MODULE) >= (2, 2, 5)


@pytest.mark.parametrize("content", [b"", b"text", b"\x7fELF", b"\x7fELF\x02\x01" + b"\xff" * 99])
def test_what_is_no_program_needs_none(
    tool: Callable[[str], Any], tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "file").write_bytes(content)
    assert tool("glibc").needed(tmp_path / "file") is None


def test_the_newest_of_a_wheel_decides(
    tool: Callable[[str], Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with zipfile.ZipFile(tmp_path / "one.whl", "w") as wheel:
        wheel.write(MODULE, "package/module.so")
        wheel.writestr("package/text.py", "")
    glibc = tool("glibc")
    assert list(glibc.needed_in(tmp_path / "one.whl")) == [Path("package/module.so")]

    monkeypatch.setattr(sys, "argv", ["glibc.py", str(tmp_path / "one.whl")])
    for floor, status in (((9,), 0), ((1,), 1)):
        monkeypatch.setattr(glibc, "FLOOR", floor)
        assert glibc.main() == status
    assert "package/module.so" in capsys.readouterr().out
