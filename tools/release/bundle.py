"""Makes the bundle and the executable: `bundle.py WHEEL RUNTIME FOLDER`.

The bundle is one version folder as `endpoint-agent install` makes it, with a Python of its own; the
executable is the bundle behind a shell script that installs it. SOURCE_DATE_EPOCH is the time of
all their files.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import archive
import glibc

from endpoint_agent.service import program
from endpoint_agent.service.places import VERSIONS

HERE = Path(__file__).parent
LOCK = HERE.parents[1] / "requirements.lock"

HEAD = 4096
"""Bytes of the executable before the bundle."""

# What pip calls the wheels that run with the glibc that is promised, and with older ones.
PLATFORMS = ("manylinux_2_17_x86_64", "manylinux2014_x86_64")

PYTHON = "python3.11"

COPY = """\
import sys
from pathlib import Path
packages, target, home = sys.argv[1:]
sys.path.append(packages)
from endpoint_agent.service import program
program.copy(Path(target), Path(home))
"""


def main() -> int:
    """Makes both."""
    wheel, runtime, out = map(Path, sys.argv[1:])
    epoch = int(os.environ["SOURCE_DATE_EPOCH"])
    version = wheel.name.split("-")[1]
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bundle-") as work:
        folder = Path(work, version)
        make_folder(wheel, runtime, Path(work), folder, epoch)
        bundle = out / f"endpoint-agent-{version}-linux-x86_64.tar.gz"
        archive.write(folder, version, bundle, epoch)
    agent = out / "agent"
    agent.write_bytes(executable(version, bundle.read_bytes()))
    agent.chmod(0o755)
    return 0


def make_folder(wheel: Path, runtime: Path, work: Path, folder: Path, epoch: int) -> None:
    """Makes the version folder of a wheel and what it depends on, by the program's own way to copy
    itself."""
    python, packages = work / "python", work / "packages"
    shutil.copytree(runtime, python)
    install_packages(packages, PLATFORMS)
    with zipfile.ZipFile(wheel) as archived:
        archived.extractall(packages)
    for path in (*python.rglob("*"), *packages.rglob("*")):
        # What Python compiles bears the time of its source.
        os.utime(path, (epoch, epoch))
    command = [
        python / "bin" / PYTHON,
        "-IBS",
        "-c",
        COPY,
        packages,
        folder,
        VERSIONS / folder.name,
    ]
    subprocess.run(command, env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}, check=True)
    newer = {
        path: version
        for path, version in glibc.needed_below(folder).items()
        if version > glibc.FLOOR
    }
    if newer:
        raise SystemExit(f"these files need a newer glibc than is promised: {newer}")


def install_packages(target: Path, names: Sequence[str]) -> None:
    """Installs what the agent depends on, as pinned, from wheels for platforms of these names."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write(pinned(LOCK.read_text(encoding="utf-8"), needed()))
        file.flush()
        platforms = [word for platform in names for word in ("--platform", platform)]
        command = [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
            *("--no-deps", "--no-compile", "--only-binary", ":all:", "--require-hashes"),
            *("--implementation", "cp", "--python-version", "3.11", *platforms),
            *("--target", target, "--requirement", file.name),
        ]
        subprocess.run(command, check=True)


def needed() -> set[str]:
    """The names of the packages that the agent depends on."""
    return {_normal(one.name) for one in program._distributions()} - {program.DISTRIBUTION}


def pinned(lock: str, names: set[str]) -> str:
    """The lines of a lock file that pin some packages.

    Raises:
        SystemExit: one is not pinned.
    """
    blocks = re.findall(r"^[\w.-]+==[^#]*?(?=^\S|^    #|\Z)", lock, re.MULTILINE)
    found = {_normal(block.partition("==")[0]): block for block in blocks}
    if missing := sorted(names - found.keys()):
        raise SystemExit(f"{LOCK.name} does not pin {', '.join(missing)}; run: make lock")
    return "".join(found[name] for name in sorted(names))


def executable(version: str, bundle: bytes) -> bytes:
    """The bundle behind a script that installs it."""
    head = (HERE / "agent.sh").read_text(encoding="utf-8")
    values = {
        "VERSION": version,
        "SUM": hashlib.sha256(bundle).hexdigest(),
        "HEAD": str(HEAD),
        "PYTHON": PYTHON,
    }
    for name, value in values.items():
        head = head.replace(f"@{name}@", value)
    script = head.encode("utf-8")
    if len(script) > HEAD:
        raise SystemExit(f"agent.sh is longer than {HEAD} bytes")
    return script.ljust(HEAD, b"\n") + bundle


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    sys.exit(main())
