from __future__ import annotations

import gzip
import io
import stat
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from endpoint_agent.errors import UpdateError
from endpoint_agent.update import bundle
from endpoint_agent.update.bundle import unpack

VERSION = "0.2.0"
Change = Callable[[tarfile.TarInfo], None]


def member(name: str, kind: bytes = tarfile.REGTYPE, **said: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    info.mode = 0o777 if kind == tarfile.DIRTYPE else 0o666
    for attribute, value in said.items():
        setattr(info, attribute, value)
    return info


def pack(path: Path, *members: tarfile.TarInfo, content: bytes = b"text") -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for info in members:
            if info.isreg():
                info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


TOP = member(VERSION, tarfile.DIRTYPE)
BIN = member(f"{VERSION}/bin", tarfile.DIRTYPE)


def refused(tmp_path: Path, words: str, *members: tarfile.TarInfo) -> None:
    before = {path for path in tmp_path.rglob("*") if path.name != "b"}
    with pytest.raises(UpdateError, match=words):
        unpack(pack(tmp_path / "b", *members), VERSION, tmp_path / "new")
    left = {path for path in tmp_path.rglob("*") if path.name != "b"}
    assert all(path.is_relative_to(tmp_path / "new") for path in left - before)


def test_what_is_unpacked(tmp_path: Path) -> None:
    archive = pack(
        tmp_path / "b",
        TOP,
        BIN,
        member(f"{VERSION}/bin/program", mode=0o6777, uid=1000, mtime=1_000_000),
        member(f"{VERSION}/file", mode=0o666),
        member(f"{VERSION}/bin/link", tarfile.SYMTYPE, linkname="../file"),
    )
    new = tmp_path / "new"
    unpack(archive, VERSION, new)
    modes = {str(p.relative_to(new)): stat.S_IMODE(p.lstat().st_mode) for p in new.rglob("*")}
    assert modes == {"bin": 0o755, "bin/program": 0o755, "file": 0o644, "bin/link": 0o777}
    assert (new / "bin/program").stat().st_mtime == 1_000_000
    assert (new / "bin/program").stat().st_uid == new.stat().st_uid
    assert (new / "bin/link").read_text() == "text"


@pytest.mark.parametrize(
    "name",
    ["/etc/passwd", f"{VERSION}/../../file", "0.3.0/file", "file", f"{VERSION}0/file", ".."],
)
def test_nothing_is_written_elsewhere(tmp_path: Path, name: str) -> None:
    refused(tmp_path, "is no name in it|is not below", TOP, member(name))


@pytest.mark.parametrize("leads_to", ["/etc", "../..", "bin/../../..", "bin/../../0.1.0"])
def test_no_link_leads_out(tmp_path: Path, leads_to: str) -> None:
    link = member(f"{VERSION}/link", tarfile.SYMTYPE, linkname=leads_to)
    refused(tmp_path, "leads out of it", TOP, BIN, link)


def test_no_link_leads_out_by_another(tmp_path: Path) -> None:
    above = member(f"{VERSION}/bin/above", tarfile.SYMTYPE, linkname="..")
    link = member(f"{VERSION}/link", tarfile.SYMTYPE, linkname="bin/above/../file")
    refused(tmp_path, "leads out of it", TOP, BIN, above, link)


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    link = member(f"{VERSION}/link", tarfile.SYMTYPE, linkname="bin")
    refused(tmp_path, "in no folder of it", TOP, BIN, link, member(f"{VERSION}/link/file"))


def test_nothing_is_written_twice(tmp_path: Path) -> None:
    link = member(f"{VERSION}/file", tarfile.SYMTYPE, linkname="bin")
    with pytest.raises(FileExistsError):
        unpack(
            pack(tmp_path / "b", TOP, link, member(f"{VERSION}/file")), VERSION, tmp_path / "new"
        )


@pytest.mark.parametrize(
    "kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.LNKTYPE]
)
def test_devices_pipes_and_hard_links_are_refused(tmp_path: Path, kind: bytes) -> None:
    odd = member(f"{VERSION}/odd", kind, linkname=f"{VERSION}/bin")
    refused(tmp_path, "neither a file, a folder nor a link", TOP, BIN, odd)


def test_it_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "MAX_BYTES", 100_000)
    archive = pack(tmp_path / "b", TOP, member(f"{VERSION}/file"), content=bytes(200_000))
    with pytest.raises(UpdateError, match="more than 100000 bytes"):
        unpack(archive, VERSION, tmp_path / "new")
    monkeypatch.setattr(bundle, "MAX_MEMBERS", 2)
    many = [member(f"{VERSION}/{n}") for n in range(3)]
    with pytest.raises(UpdateError, match="more than 2 files"):
        unpack(pack(tmp_path / "b", TOP, *many), VERSION, tmp_path / "newer")


def test_damaged_bytes(tmp_path: Path) -> None:
    whole = pack(tmp_path / "b", TOP, BIN, member(f"{VERSION}/file")).read_bytes()
    short = gzip.compress(gzip.decompress(whole)[:1800])
    for n, data in enumerate((b"", b"no gzip", whole[:-20], short, gzip.compress(b"\xff" * 4096))):
        (tmp_path / "b").write_bytes(data)
        with pytest.raises(UpdateError, match="is damaged"):
            unpack(tmp_path / "b", VERSION, tmp_path / str(n))
