"""A copy of the running program with all it needs: the interpreter, its library, the packages.

    bin/endpoint-agent   the command; on Windows agent.exe, with Python's files beside it
    bin/python3.11       the interpreter
    lib/python3.11       Python's own library, and beside it the shared libraries it brings
    packages             the agent and the packages it depends on
    MANIFEST             the digest of each of these files

Nothing is downloaded, and of the host only its C library and those that Python's own modules are
linked to, such as OpenSSL's, are used by the copy.

What the one file `agent` has unpacked is such a copy already, and is not made a second time.
"""

from __future__ import annotations

import compileall
import os
import re
import shutil
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

import endpoint_agent
from endpoint_agent.errors import AgentError, UnsupportedError
from endpoint_agent.service import elf, manifest
from endpoint_agent.service.places import UNPACKED

DISTRIBUTION = "endpoint-agent"

# What of the optional packages goes along where it is installed: those that updates need.
EXTRA = "extra == 'update'"

# Of Python's library what no agent runs, which is two thirds of it; of packages, what runs nowhere.
LEFT_OUT = (
    ".gitignore",
    "__pycache__",
    "dist-packages",
    "distutils",
    "ensurepip",
    "idle_test",
    "idlelib",
    "lib2to3",
    "pydoc_data",
    "site-packages",
    "test",
    "tests",
    "tkinter",
    "turtledemo",
)

# -I -B -S: nothing of the environment, of the user or of the working folder; nothing written.
_COMMAND = """\
#!{home}/bin/{interpreter} -IBS
import sys

sys.path.append("{home}/packages")

from endpoint_agent.cli import main

sys.exit(main())
"""


def copy(target: Path, home: Path) -> None:
    """Copies the program into a new folder.

    Args:
        target: the folder, which does not exist.
        home: what its path will be when the copy runs.

    Raises:
        AgentError: a part of the running program cannot be found, or be moved.
        OSError: it cannot be written.
    """
    prefix = Path(sys.base_prefix)
    if prefix.parent == UNPACKED:
        _take(prefix, target)
        return
    if sys.platform == "win32":
        raise UnsupportedError("on Windows agent.exe alone can be installed; fetch that and run it")
    interpreter = Path(sys.executable).resolve()
    command = target / "bin" / DISTRIBUTION
    command.parent.mkdir(parents=True)
    _copy_file(interpreter, command.with_name(interpreter.name))
    _copy_libraries(prefix, target)
    _copy_standard_library(prefix, target)
    _copy_packages(target / "packages")
    text = _COMMAND.format(home=home, interpreter=interpreter.name)
    command.write_text(text, encoding="utf-8")
    # What is not yet: the copy writes nothing, and would compile at each of its starts.
    # It bears the names that the files will have, so that it is the same wherever it is made.
    compileall.compile_dir(target, ddir=str(home), quiet=2)
    for folder, _, names in os.walk(target):
        Path(folder).chmod(0o755)
        for path in (Path(folder, name) for name in names):
            if not path.is_symlink():
                path.chmod(0o755 if path == command or os.access(path, os.X_OK) else 0o644)
    try:
        manifest.write(target)
    except ValueError as error:
        raise AgentError(f"{error}: install the packages anew, or use another Python") from error


def is_running_from(folder: Path) -> bool:
    """Whether this process is a copy that lies in a folder."""
    return Path(sys.base_prefix).resolve() == folder.resolve()


def _take(unpacked: Path, target: Path) -> None:
    """Gives the files of a whole version other names, which stay when the first are removed."""
    # Windows removes no name of a file as long as another one of it runs.
    how = shutil.copy2 if sys.platform == "win32" else _link_file
    shutil.copytree(unpacked, target, symlinks=True, copy_function=how)


def _link_file(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # As where the versions are on a file system of their own.
        shutil.copy2(source, target)


def _copy_file(source: Path, target: Path) -> None:
    # With the time of its change, by which Python knows what it has compiled.
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target)


def _copy_standard_library(prefix: Path, target: Path) -> None:
    """Python's own modules, at the same place below the interpreter's folder."""
    places = {"platbase": str(prefix)}
    for source in {
        Path(sysconfig.get_path(name, vars=places)) for name in ("stdlib", "platstdlib")
    }:
        if not source.is_relative_to(prefix):
            raise AgentError(f"{source} is not below {prefix}; use another Python")
        _copy_tree(source, target / source.relative_to(prefix))


def _copy_libraries(prefix: Path, target: Path) -> None:
    """The shared libraries that came with the interpreter and not with the host."""
    libraries = () if prefix == Path("/usr") else set(_libraries(prefix))
    for library in libraries:
        place = target / library.relative_to(prefix)
        _copy_file(library, place)
        for other in library.parent.iterdir():
            if other.is_symlink() and other.resolve() == library:
                place.with_name(other.name).symlink_to(library.name)
    if libraries:
        for path in (target / "bin").iterdir():
            try:
                elf.set_library_path(path, "$ORIGIN/../lib")
            except ValueError as error:
                raise AgentError(f"this Python cannot be copied: {error}; use another") from error


def _libraries(prefix: Path) -> Iterator[Path]:
    """What this process has mapped of the interpreter's folder besides modules of Python's."""
    modules = [Path(sysconfig.get_path("stdlib")), Path(endpoint_agent.__file__).parent.parent]
    for line in Path("/proc/self/maps").read_text(errors="surrogateescape").splitlines():
        fields = line.split(maxsplit=5)
        path = Path(fields[5]) if len(fields) == 6 else Path()
        is_library = ".so" in path.name and path.is_relative_to(prefix)
        if is_library and not any(path.is_relative_to(folder) for folder in modules):
            yield path


def _copy_packages(target: Path) -> None:
    for one in _distributions():
        files = one.files
        if files is None:
            raise AgentError(
                f"the package {one.name} does not tell its files; "
                "install endpoint-agent by pip into a virtual environment and run that"
            )
        for file in files:
            if _is_wanted(file.parts) and file.suffix != ".pth":
                _copy_file(Path(str(file.locate())), target / file)
    package = Path(endpoint_agent.__file__).parent
    _copy_tree(package, target / package.name)


def _distributions() -> Iterable[Distribution]:
    """The agent's distribution and all that it depends on, for updates too if they are there."""
    found: dict[str, Distribution] = {}
    wanted = [DISTRIBUTION]
    while wanted:
        requirement = wanted.pop()
        match = re.match(r"[\w.-]+", requirement)
        name = re.sub(r"[-_.]+", "-", match[0] if match else "").lower()
        _, _, condition = requirement.partition(";")
        if name in found or ("extra" in condition and EXTRA not in condition.replace('"', "'")):
            continue
        try:
            found[name] = distribution(name)
        except PackageNotFoundError as error:
            if condition:
                continue  # Of another platform or version of Python, or for updates.
            raise AgentError(
                f"the package {name} is not installed; run: pip install endpoint-agent"
            ) from error
        wanted += found[name].requires or ()
    return found.values()


def _copy_tree(source: Path, target: Path) -> None:
    tag = sys.implementation.cache_tag
    for folder, folders, names in os.walk(source):
        folders[:] = [name for name in folders if _is_wanted([name])]
        for name in names:
            path = Path(folder, name)
            compiled = path.parent / "__pycache__" / f"{path.stem}.{tag}.pyc"
            for one in (path, compiled) if path.suffix == ".py" else (path,):
                if _is_wanted([name]) and one.is_file():
                    _copy_file(one, target / one.relative_to(source))


def _is_wanted(parts: Iterable[str]) -> bool:
    return not any(
        part in LEFT_OUT or part.startswith(("..", "_test", "config-")) for part in parts
    )
