"""Makes what Windows is given: `windows_bundle.py WHEEL LAUNCHER PYTHON FOLDER`.

The bundle is one version folder, with python.org's own Python for Windows in it; `agent.exe` is the
launcher with the bundle behind it. PYTHON is the archive of that Python, as PyPI has it.
SOURCE_DATE_EPOCH is the time of all their files. What is the agent's own is signed, as
`authenticode.py` says.
"""

from __future__ import annotations

import compileall
import hashlib
import os
import py_compile
import shutil
import struct
import sys
import tarfile
import tempfile
import zipfile
from io import BytesIO
from pathlib import Path

import archive
import authenticode
import bundle

from endpoint_agent.service import manifest

PLATFORM = "win_amd64"
PROGRAM = "agent.exe"
SERIES = (3, 11)

# Of that Python, what no agent imports, and its own programs: the launcher takes their place.
LEFT_OUT = (
    *("python.exe", "pythonw.exe", "python.cat", "python311._pth"),
    *("_bz2.pyd", "_elementtree.pyd", "_lzma.pyd", "_msi.pyd", "_sqlite3.pyd"),
    *("_uuid.pyd", "_zoneinfo.pyd", "pyexpat.pyd", "sqlite3.dll", "winsound.pyd"),
)

# All that it looks through for modules, with nothing of the host's.
PATHS = "python311.zip\n.\npackages\n"

# In the launcher; it reads what follows: offset and length of the bundle, its digest, the version.
MARK = b"endpoint-agent's bundle:"
PLACE = struct.Struct("<QQ32s32s")


def main() -> int:
    """Makes both."""
    wheel, launcher, python, out = map(Path, sys.argv[1:])
    if sys.version_info[:2] != SERIES:
        raise SystemExit("what is compiled ahead is for Python 3.11: build by that")
    epoch = int(os.environ["SOURCE_DATE_EPOCH"])
    version = wheel.name.split("-")[1]
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bundle-") as work:
        folder = Path(work, version)
        make_folder(wheel, launcher, python, folder)
        archived = out / f"endpoint-agent-{version}-{PLATFORM}.tar.gz"
        archive.write(folder, version, archived, epoch)
    agent = out / PROGRAM
    agent.write_bytes(carrier(launcher.read_bytes(), archived.read_bytes(), version))
    authenticode.sign_if_asked(agent)
    return 0


def make_folder(wheel: Path, launcher: Path, python: Path, folder: Path) -> None:
    """Makes the version folder: Python, the packages, the agent, and the launcher beside them."""
    unpack_python(python, folder)
    packages = folder / "packages"
    bundle.install_packages(packages, [PLATFORM])
    # The programs of packages, which nobody calls.
    shutil.rmtree(packages / "bin", ignore_errors=True)
    with zipfile.ZipFile(wheel) as archived:
        archived.extractall(packages)  # noqa: S202 - it was built just now
    # It writes nothing, and would compile at each of its starts. The times of files are not asked.
    compileall.compile_dir(
        packages,
        ddir="packages",
        quiet=2,
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )
    shutil.copyfile(launcher, folder / PROGRAM)
    authenticode.sign_if_asked(folder / PROGRAM, packages / "endpoint_agent/_native.pyd")
    manifest.write(folder)


def unpack_python(sdist: Path, folder: Path) -> None:
    """Python's own files out of the archive, whose signatures have been verified.

    Raises:
        SystemExit: one is not as python.org has signed it.
    """
    with tarfile.open(sdist) as archived:
        (member,) = [one for one in archived if one.name.endswith("/data.zip")]
        data = archived.extractfile(member)
        content = data.read() if data else b""
    folder.mkdir()
    with zipfile.ZipFile(BytesIO(content)) as unzipped:
        for name in unzipped.namelist():
            kind, _, file = name.partition("/")
            if kind == "cp311" and file and file not in LEFT_OUT:
                (folder / file).write_bytes(unzipped.read(name))
    authenticode.verify_python(folder)
    (folder / "python311._pth").write_text(PATHS, encoding="ascii", newline="\n")


def carrier(launcher: bytes, archived: bytes, version: str) -> bytes:
    """The launcher with a bundle behind it, which it knows of."""
    empty = MARK + bytes(PLACE.size)
    if launcher.count(empty) != 1:
        raise SystemExit("this is no launcher: it has no place for a bundle")
    at = launcher.index(empty) + len(MARK)
    digest = hashlib.sha256(archived).digest()
    place = PLACE.pack(len(launcher), len(archived), digest, version.encode("ascii"))
    return launcher[:at] + place + launcher[at + len(place) :] + archived


if __name__ == "__main__":
    sys.exit(main())
