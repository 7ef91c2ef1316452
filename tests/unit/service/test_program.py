"""A copy of the program that runs these tests, and what it does."""

from __future__ import annotations

import stat
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest

from endpoint_agent import __version__
from endpoint_agent.service import elf, manifest, program

# What the copy imports and maps, told by itself.
PROBE = """
import pathlib, sys
sys.path.append(sys.argv[1])
import endpoint_agent.agent, endpoint_agent.status, endpoint_agent.selftest
import endpoint_agent.service.install, endpoint_agent.service.uninstall
files = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
maps = pathlib.Path("/proc/self/maps").read_text().splitlines()
files |= {line.split(maxsplit=5)[5] for line in maps if ".so" in line or "bin/" in line}
print("\\n".join(sorted(filter(None, files))))
"""


FOLDER = """
import sys
sys.path.append(sys.argv[1])
from endpoint_agent.trust import program
print(program.folder())
"""


# As the one file `agent` runs it: from where that has unpacked it.
TAKE = """
import sys
from pathlib import Path
sys.path.append(sys.argv[1])
from endpoint_agent.service import program
program.UNPACKED = Path(sys.argv[2])
program.copy(Path(sys.argv[3]), Path("/elsewhere"))
"""

REFUSE = """
def refuse(source, target):
    raise OSError("these are two file systems")
program.os.link = refuse
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("program") / __version__
    program.copy(folder, folder)
    return folder


def test_it_runs(copy: Path) -> None:
    command = copy / "bin/endpoint-agent"
    done = subprocess.run([command, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"endpoint-agent {__version__}\n"


def test_it_uses_nothing_but_itself_and_libraries_of_the_host(copy: Path) -> None:
    (interpreter,) = (copy / "bin").glob("python*")
    words = [interpreter, "-IBS", "-c", PROBE, copy / "packages"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    used = [Path(line) for line in done.stdout.splitlines()]
    assert any(path.is_relative_to(copy / "packages") for path in used)
    elsewhere = [path for path in used if not path.is_relative_to(copy)]
    folders = tuple(map(Path, ("/lib", "/lib64", "/usr/lib", "/usr/lib64")))
    assert [path for path in elsewhere if not any(map(path.is_relative_to, folders))] == []
    assert [path for path in elsewhere if "python" in path.name] == []


@pytest.mark.skipif(find_spec("tuf") is None, reason="the extra `update` is not installed")
def test_what_updates_need_goes_along(copy: Path) -> None:
    (interpreter,) = (copy / "bin").glob("python*")
    code = "import sys; sys.path.append(sys.argv[1]); import endpoint_agent.update.client"
    subprocess.run([interpreter, "-IBS", "-c", code, copy / "packages"], check=True)


def test_nobody_but_its_owner_may_change_it(copy: Path) -> None:
    for path in (copy, *copy.rglob("*")):
        if not path.is_symlink():
            assert stat.S_IMODE(path.stat().st_mode) in (0o755, 0o644), path


def test_it_is_what_its_manifest_says(copy: Path) -> None:
    assert manifest.verify(copy) == []
    lines = (copy / manifest.NAME).read_text().splitlines()
    assert any(line.endswith("  bin/endpoint-agent") for line in lines)


def test_it_knows_the_folder_that_it_verifies(copy: Path) -> None:
    (interpreter,) = (copy / "bin").glob("python*")
    words = [interpreter, "-IBS", "-c", FOLDER, copy / "packages"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout == f"{copy}\n"


def test_nothing_is_left_to_compile(copy: Path) -> None:
    sources = list((copy / "packages/endpoint_agent").rglob("*.py"))
    assert sources
    for source in sources:
        assert list(source.parent.glob(f"__pycache__/{source.stem}.*.pyc")), source


@pytest.mark.parametrize("is_elsewhere", [False, True])
def test_what_is_unpacked_is_not_copied_again(
    copy: Path, tmp_path: Path, *, is_elsewhere: bool
) -> None:
    """But where links cannot be, between two file systems."""
    target = tmp_path / "target"
    code = TAKE
    if is_elsewhere:
        code = code.replace("program.UNP", f"{REFUSE}\nprogram.UNP")
    (interpreter,) = (copy / "bin").glob("python*")
    words = [interpreter, "-IBS", "-c", code, copy / "packages", copy.parent, target]
    subprocess.run(words, check=True)
    assert manifest.verify(target) == []
    both = (path / "bin/endpoint-agent" for path in (copy, target))
    first, second = (path.stat() for path in both)
    assert (first.st_ino == second.st_ino) is not is_elsewhere
    assert (first.st_mode, first.st_mtime) == (second.st_mode, second.st_mtime)


def test_a_copy_is_not_the_running_program(copy: Path) -> None:
    assert not program.is_running_from(copy)


@pytest.mark.parametrize(
    "data", [b"", b"\x7fELF", b"\x7fELF\x02\x01" + b"\xff" * 200, b"#!/bin/sh"]
)
def test_what_is_no_executable_file_is_left_alone(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    elf.set_library_path(path, "$ORIGIN/../lib")
    assert path.read_bytes() == data
