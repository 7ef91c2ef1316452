"""Makes the packages of Debian's and Red Hat's kind: `packages.py BUNDLE FOLDER`.

Both install the tree of one bundle and the service's unit, and ask nothing. SOURCE_DATE_EPOCH is
the time of all their files.
"""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

from endpoint_agent.config import DEFAULT_PATH, Settings
from endpoint_agent.service import places, systemd

PARTS = Path(__file__).with_name("package")
UNIT = Path("usr/lib/systemd/system", systemd.UNIT)
SHARED = places.PACKAGE.parent.relative_to("/")
DOCS = Path("usr/share/doc/endpoint-agent")
# Nobody may be named: the project has no address.
MAINTAINER = "endpoint-agent <endpoint-agent@localhost.localdomain>"

CONTROL = """\
Package: endpoint-agent
Version: {version}
Section: admin
Priority: optional
Architecture: amd64
Maintainer: {maintainer}
Installed-Size: {size}
Depends: libc6 (>= 2.17), init-system-helpers (>= 1.50)
Description: endpoint detection agent
 Sees which programs start and end, what happens to files and folders, who
 talks to whom, who logs in, and what processes do to each other and to the
 kernel, and delivers each act as one ECS JSON event to an intake over HTTPS.
 .
 It brings its own Python.
"""

CHANGES = """\
endpoint-agent ({version}) stable; urgency=medium

  * See CHANGELOG.md of the project.

 -- {maintainer}  {date}
"""


def main() -> int:
    """Makes both."""
    bundle, out = Path(sys.argv[1]), Path(sys.argv[2])
    epoch = int(os.environ["SOURCE_DATE_EPOCH"])
    with tempfile.TemporaryDirectory(prefix="packages-") as work:
        tree = Path(work, "tree")
        version = make_tree(bundle, tree)
        make_rpm(tree, version, out)
        make_deb(tree, version, epoch, out)
    return 0


def make_tree(bundle: Path, tree: Path) -> str:
    """Lays out the files that both install; the agent's version."""
    versions = tree / places.VERSIONS.relative_to("/")
    versions.mkdir(parents=True)
    with tarfile.open(bundle) as archived:
        archived.extractall(versions, filter="tar")
    (folder,) = versions.iterdir()
    (versions / places.CURRENT.name).symlink_to(folder.name)
    command = tree / places.COMMAND.relative_to("/")
    command.parent.mkdir(parents=True)
    command.symlink_to(places.PROGRAM)
    put(tree / UNIT, systemd.unit(Settings(), systemd.UNIT))
    put(tree / SHARED / "config.yaml", (PARTS / "config.yaml").read_text(encoding="utf-8"))
    put(tree / DOCS / "copyright", (PARTS / "copyright").read_text(encoding="utf-8"))
    for path in (tree, *tree.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)
    return folder.name


def make_rpm(tree: Path, version: str, out: Path) -> None:
    """Makes the package of Red Hat's kind; adds the configuration to the tree for as long."""
    config = tree / DEFAULT_PATH.relative_to("/")
    put(tree / places.PACKAGE.relative_to("/"), "rpm -e endpoint-agent\n")
    put(config, (PARTS / "config.yaml").read_text(encoding="utf-8"))
    defines = {
        "_topdir": tree.with_name("rpm"),
        "_rpmdir": tree.with_name("rpm"),
        "_rpmfilename": "%{NAME}-%{VERSION}-%{RELEASE}.%{ARCH}.rpm",
        "tree": tree,
        "agent_version": version,
        # The times of the files are those of the source, and so is that of the build, on no host.
        "use_source_date_epoch_as_buildtime": "1",
        "clamp_mtime_to_source_date_epoch": "1",
        "_buildhost": "localhost",
        # What rpm of CentOS 7 reads.
        "_binary_payload": "w9.gzdio",
    }
    words = [word for name, value in defines.items() for word in ("--define", f"{name} {value}")]
    spec = PARTS / "endpoint-agent.spec"
    subprocess.run(["rpmbuild", "-bb", "--quiet", "--target", "x86_64", *words, spec], check=True)
    (made,) = tree.with_name("rpm").glob("*.rpm")
    shutil.copyfile(made, out / made.name)
    shutil.rmtree(config.parent)
    config.parent.parent.rmdir()


def make_deb(tree: Path, version: str, epoch: int, out: Path) -> None:
    """Makes the package of Debian's kind, whose scripts make the command's link, of this tree."""
    put(tree / places.PACKAGE.relative_to("/"), "apt-get purge endpoint-agent\n")
    shutil.rmtree(tree / places.COMMAND.parent.relative_to("/"))
    overrides = tree / "usr/share/lintian/overrides/endpoint-agent"
    put(overrides, (PARTS / "lintian-overrides").read_text(encoding="utf-8"))
    date = format_datetime(datetime.fromtimestamp(epoch, UTC))
    changes = CHANGES.format(version=version, maintainer=MAINTAINER, date=date)
    (tree / DOCS / "changelog.gz").write_bytes(gzip.compress(changes.encode("utf-8"), 9, mtime=0))
    size = sum(path.lstat().st_size for path in tree.rglob("*") if path.is_file()) // 1024
    control = CONTROL.format(version=version, maintainer=MAINTAINER, size=size)
    put(tree / "DEBIAN/control", control)
    for name in ("postinst", "prerm", "postrm"):
        shutil.copyfile(PARTS / name, tree / "DEBIAN" / name)
        (tree / "DEBIAN" / name).chmod(0o755)
    target = out / f"endpoint-agent_{version}_amd64.deb"
    command = ["dpkg-deb", "--root-owner-group", "-Zxz", "--build", tree, target]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def put(path: Path, text: str) -> None:
    """Writes a file that everybody may read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o644)


if __name__ == "__main__":
    sys.exit(main())
