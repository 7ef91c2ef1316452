"""Makes the package of Windows' own installer: `windows_msi.py BUNDLE FOLDER`.

It lays out the version folder of one bundle as `agent.exe install` does, with the command and the
names of the version in use beside it, and has the service registered. It asks nothing, and starts
the service only where a key is configured: without one there is no intake to deliver to.
SOURCE_DATE_EPOCH is the time of its files.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import tempfile
import uuid
import xml.etree.ElementTree as xml
from datetime import UTC, datetime
from pathlib import Path

import authenticode

from endpoint_agent.service import versions
from endpoint_agent.service.places import NAME

NAMESPACE = "http://schemas.microsoft.com/wix/2006/wi"

# From which all other ids come; the product's own is the same for every version.
PRODUCT = uuid.UUID("4f0b0f3e-6a0c-5b34-9d55-3b8d1a0f2c71")

TITLE = "Endpoint agent"
DESCRIPTION = "Sees what happens on this host and delivers it as ECS events to an intake."
MAKER = "endpoint-agent"

# What an update or a removal says that this installer has to do instead.
REMOVAL = "msiexec /x endpoint-agent.msi, or Windows' settings for programs"


def main() -> int:
    """Makes it."""
    bundle, out = Path(sys.argv[1]), Path(sys.argv[2])
    epoch = int(os.environ["SOURCE_DATE_EPOCH"])
    with tempfile.TemporaryDirectory(prefix="msi-") as work:
        tree = Path(work, "tree")
        version = lay_out(bundle, tree)
        for path in tree.rglob("*"):
            os.utime(path, (epoch, epoch))
        source = Path(work, "agent.wxs")
        source.write_bytes(describe(tree, version))
        msi = out / f"endpoint-agent-{version}-x64.msi"
        command = ["wixl", "--arch", "x64", "--output", msi, source]
        subprocess.run(command, check=True, cwd=work)
        tell(msi, version, epoch)
    authenticode.sign_if_asked(msi)
    return 0


def lay_out(bundle: Path, tree: Path) -> str:
    """The files as they are to lie in the folder of versions; the agent's version."""
    tree.mkdir()
    with tarfile.open(bundle) as archived:
        archived.extractall(tree, filter="tar")
    (folder,) = tree.iterdir()
    for name in ("current", "good"):
        (tree / name).write_text(f"{folder.name}\n", encoding="ascii", newline="\n")
    # Who installs or updates makes it; as one of the package's files it goes with them.
    (tree / versions.LOCK).touch()
    (tree / "package").write_text(f"{REMOVAL}\n", encoding="ascii", newline="\n")
    (tree / "agent.exe").write_bytes((folder / "agent.exe").read_bytes())
    return folder.name


def describe(tree: Path, version: str) -> bytes:
    """What wixl makes the package of: each file is a component, so that each can be repaired."""
    root = xml.Element("Wix", xmlns=NAMESPACE)
    product = _in(
        *(root, "Product"),
        Id=str(uuid.uuid5(PRODUCT, f"product {version}")).upper(),
        UpgradeCode=str(PRODUCT).upper(),
        Name=TITLE,
        Version=version,
        Manufacturer=MAKER,
        Language="1033",
    )
    _in(
        *(product, "Package"),
        InstallerVersion="500",
        Compressed="yes",
        InstallScope="perMachine",
        Description=f"{TITLE} {version}",
        Manufacturer=MAKER,
    )
    _in(product, "MajorUpgrade", DowngradeErrorMessage="A newer version is installed.")
    _in(product, "Media", Id="1", Cabinet="agent.cab", EmbedCab="yes")
    target = _in(product, "Directory", Id="TARGETDIR", Name="SourceDir")
    programs = _in(target, "Directory", Id="ProgramFiles64Folder")
    folder = _in(programs, "Directory", Id="VERSIONS", Name="EndpointAgent")
    feature = _in(product, "Feature", Id="Agent", Level="1", Title=TITLE)
    _add_folder(tree, tree, folder, feature)
    _have_it_registered(product)
    return bytes(xml.tostring(root, encoding="utf-8", xml_declaration=True))


def _add_folder(tree: Path, where: Path, parent: xml.Element, feature: xml.Element) -> None:
    for path in sorted(where.iterdir()):
        name = path.relative_to(tree).as_posix()
        # Names of files may have what ids may not.
        id_ = _id(name)
        if path.is_dir():
            folder = _in(parent, "Directory", Id=id_, Name=path.name)
            _add_folder(tree, path, folder, feature)
            continue
        guid = str(uuid.uuid5(PRODUCT, f"component {name}")).upper()
        component = _in(parent, "Component", Id=f"c{id_}", Guid=guid, Win64="yes")
        _in(component, "File", Id=id_, Source=f"{tree.name}/{name}", Name=path.name, KeyPath="yes")
        if path == tree / "agent.exe":
            _add_service(component)
        _in(feature, "ComponentRef", Id=f"c{id_}")


def _id(name: str) -> str:
    return "f" + uuid.uuid5(PRODUCT, name).hex


def _have_it_registered(product: xml.Element) -> None:
    """Has the installed command add restarts after a failure, and the delay of its start.

    The installer's own table of them (MsiServiceConfigFailureActions) does not do what it says.
    """
    _in(
        *(product, "CustomAction"),
        Id="Register",
        FileKey=_id("agent.exe"),
        ExeCommand="service --register",
        Execute="deferred",
        Impersonate="no",
        Return="check",
    )
    sequence = _in(product, "InstallExecuteSequence")
    # Behind InstallServices; named as its place, wixl has it too late.
    action = _in(sequence, "Custom", Action="Register", Sequence="5850")
    action.text = 'NOT REMOVE="ALL"'


def _add_service(component: xml.Element) -> None:
    _in(
        *(component, "ServiceInstall"),
        Id="Service",
        Name=NAME,
        DisplayName=TITLE,
        Description=DESCRIPTION,
        Type="ownProcess",
        Start="auto",
        ErrorControl="normal",
        Arguments="service",
    )
    _in(component, "ServiceControl", Id="Stop", Name=NAME, Stop="both", Remove="uninstall")


def tell(msi: Path, version: str, epoch: int) -> None:
    """Replaces what would be another one each time: the package's own id, and when it was made."""
    moment = datetime.fromtimestamp(epoch, UTC).strftime("%Y/%m/%d %H:%M:%S")
    own = str(uuid.uuid5(PRODUCT, f"package {version} {epoch}")).upper()
    told = subprocess.run(
        ["msiinfo", "export", msi, "_SummaryInformation"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    told = re.sub(r"^9\t.*$", f"9\t{{{own}}}", told, flags=re.MULTILINE)
    told = re.sub(r"^(12|13)\t.*$", rf"\1\t{moment}", told, flags=re.MULTILINE)
    with tempfile.TemporaryDirectory() as work:
        table = Path(work, "_SummaryInformation.idt")
        table.write_text(told, encoding="utf-8", newline="\n")
        subprocess.run(["msibuild", msi, "-i", table], check=True)


def _in(parent: xml.Element, name: str, **attributes: str) -> xml.Element:
    return xml.SubElement(parent, name, attributes)


if __name__ == "__main__":
    sys.exit(main())
