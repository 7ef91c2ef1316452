"""What `make windows` has left: each part is what its kind has to be, and works under Wine."""

from __future__ import annotations

import gzip
import subprocess
import sys
import tarfile
from hashlib import sha256
from pathlib import Path

import orjson
import pytest

from endpoint_agent import __version__

from .wine import AGENT, ROOT, SERVICE, SHIPPED, TARGET, VERSIONS, Host

sys.path.insert(0, str(ROOT / "tools/release"))

import authenticode
import windows_bundle

WHEEL = SHIPPED / f"endpoint_agent-{__version__}-cp311-abi3-win_amd64.whl"
BUNDLE = SHIPPED / f"endpoint-agent-{__version__}-win_amd64.tar.gz"
MSI = SHIPPED / f"endpoint-agent-{__version__}-x64.msi"
LOG = next(iter(sorted((ROOT / "tests/golden/eventlog").glob("*.evtx.gz"))))


def output(*command: str | Path) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def bundled() -> dict[str, bytes]:
    """The files of the version folder."""
    with tarfile.open(BUNDLE) as archived:
        members = [member for member in archived if member.isfile()]
        return {
            member.name.partition("/")[2]: file.read()
            for member in members
            if (file := archived.extractfile(member))
        }


def test_the_sums_are_those_of_the_files() -> None:
    lines = (SHIPPED / "SHA256SUMS").read_text().splitlines()
    told = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    found = {path.name: sha256(path.read_bytes()).hexdigest() for path in SHIPPED.iterdir()}
    del found["SHA256SUMS"]
    assert told == found
    assert set(told) == {AGENT.name, WHEEL.name, BUNDLE.name, MSI.name}


def test_pip_takes_the_wheel_for_windows_alone(tmp_path: Path) -> None:
    def fetch(*platform: str) -> int:
        command = [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--no-index", "--no-deps"),
            *("--only-binary", ":all:", "--find-links", SHIPPED, "--dest", tmp_path),
            *(*platform, "endpoint-agent"),
        ]
        return subprocess.run(command, check=False, capture_output=True).returncode

    for version in ("3.11", "3.12", "3.13"):
        assert fetch("--platform", "win_amd64", "--python-version", version) == 0
    assert fetch("--platform", "win_amd64", "--python-version", "3.10") != 0
    assert fetch("--platform", "win_arm64", "--python-version", "3.11") != 0
    assert fetch() != 0


def test_the_wheel_works_in_windows_python(host: Host, tmp_path: Path) -> None:
    folder = tmp_path / "packages"
    command = [
        *(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile"),
        *("--only-binary", ":all:", "--platform", "win_amd64", "--python-version", "3.11"),
        *("--target", folder, WHEEL),
    ]
    subprocess.run(command, check=True)
    code = (
        f"import sys; sys.path.insert(0, {str(folder)!r}); "
        "from endpoint_agent import _native, __version__; print(_native.__file__, __version__)"
    )
    ran = host.run(TARGET / "python/cp311/python.exe", "-c", code)
    path, version = ran.stdout.split()
    assert path.endswith(r"packages\endpoint_agent\_native.pyd") and version == __version__, ran


def test_the_bundle_is_whole_and_nothing_of_this_host_is_in_it() -> None:
    files = bundled()
    listed = dict(line.split("  ", 1)[::-1] for line in files["MANIFEST"].decode().splitlines())
    found = {name: sha256(data).hexdigest() for name, data in files.items() if name != "MANIFEST"}
    assert found == listed
    assert {"agent.exe", "python311.dll", "packages/endpoint_agent/_native.pyd"} <= found.keys()
    assert not [name for name in found if name.endswith((".so", "/python.exe"))]
    for name, data in files.items():
        assert str(ROOT).encode() not in data, name


def test_it_carries_the_launcher_and_the_bundle_and_nothing_else() -> None:
    carried = AGENT.read_bytes()
    length = len(BUNDLE.read_bytes())
    bare = bytearray(carried[:-length])
    at = bytes(bare).index(windows_bundle.MARK + (len(carried) - length).to_bytes(8, "little"))
    at += len(windows_bundle.MARK)
    bare[at : at + windows_bundle.PLACE.size] = bytes(windows_bundle.PLACE.size)
    assert bare == bundled()["agent.exe"]
    again = windows_bundle.carrier(bytes(bare), BUNDLE.read_bytes(), __version__)
    assert again == carried


def test_a_file_of_python_that_was_changed_is_not_taken(tmp_path: Path) -> None:
    python = TARGET / "python/cp311"
    for name in ("python311.dll", "vcruntime140.dll", "python311.zip"):
        data = bytearray((python / name).read_bytes())
        (tmp_path / name).write_bytes(data)
        authenticode.verify_python(tmp_path)
        data[len(data) // 2] ^= 1
        (tmp_path / name).write_bytes(data)
        with pytest.raises(SystemExit, match=name):
            authenticode.verify_python(tmp_path)
        (tmp_path / name).unlink()


def test_a_signature_that_holds_until_a_byte_is_changed(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, certificate, der = (tmp_path / name for name in ("key.pem", "cert.pem", "cert.der"))
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    usage = ["-addext", "extendedKeyUsage=codeSigning", "-subj", "/CN=A maker of agents"]
    subprocess.run(
        [*command, *usage, "-keyout", key, "-out", certificate], check=True, capture_output=True
    )
    subprocess.run(
        ["openssl", "x509", "-in", certificate, "-outform", "DER", "-out", der], check=True
    )
    own = sha256(der.read_bytes()).hexdigest()
    monkeypatch.setenv("SIGNING_CERTIFICATE", str(certificate))
    monkeypatch.setenv("SIGNING_KEY", str(key))
    for shipped in (AGENT, MSI):
        path = tmp_path / shipped.name
        path.write_bytes(shipped.read_bytes())
        assert authenticode.verify(path, str(certificate), own)
        authenticode.sign_if_asked(path)
        assert not authenticode.verify(path, str(certificate), own)
        assert "leaf" in authenticode.verify(path, str(certificate), "0" * 64).lower()
    # It finds what it carries, with a signature behind that.
    signed = tmp_path / AGENT.name
    log = tmp_path / "log.evtx"
    log.write_bytes(gzip.decompress(LOG.read_bytes()))
    ran = host.run(signed, "replay", log)
    assert ran.returncode == 0 and orjson.loads(ran.stdout.splitlines()[0])["host"]
    data = bytearray(signed.read_bytes())
    data[len(data) // 2] ^= 1
    signed.write_bytes(data)
    assert authenticode.verify(signed, str(certificate), own)
    ran = host.run(signed, "replay", log)
    assert ran.returncode == 1 and "is damaged; fetch it again" in ran.stderr


def test_the_msi_tells_windows_installer_what_it_is_to_do() -> None:
    def rows(table: str) -> list[list[str]]:
        lines = output("msiinfo", "export", MSI, table).splitlines()[3:]
        return [line.split("\t") for line in lines]

    properties = dict(rows("Property"))
    assert properties["ProductVersion"] == __version__
    assert properties["ALLUSERS"] == "1"
    (service,) = rows("ServiceInstall")
    assert service[1] == SERVICE
    # A process of its own that starts with the host, as the system.
    assert service[3:5] == ["16", "2"] and service[8] == "" and service[10] == "service"
    (control,) = rows("ServiceControl")
    # Stopped by both, deleted when it is removed, and started by the agent alone, if it has a key.
    assert control[1] == SERVICE and int(control[2]) == 0x2 | 0x20 | 0x80
    components = {row[5]: row[0] for row in rows("Component")}
    files = {row[0]: row[2] for row in rows("File")}
    program = components_key(components, service[11])
    assert files[program].endswith("agent.exe")
    (action,) = rows("CustomAction")
    # The installed program, in the script (0x400) and as the system (0x800); it has to end well.
    assert action[1:4] == [str(18 | 0x400 | 0x800), program, "service --register"]
    steps = {row[0]: (row[1], int(row[2])) for row in rows("InstallExecuteSequence")}
    condition, at = steps[action[0]]
    assert condition == 'NOT REMOVE="ALL"'
    assert steps["InstallServices"][1] < at < steps["InstallFinalize"][1]


def components_key(components: dict[str, str], wanted: str) -> str:
    return next(key for key, component in components.items() if component == wanted)


def test_the_msi_has_the_files_of_the_bundle(tmp_path: Path) -> None:
    subprocess.run(["msiextract", "-C", tmp_path, MSI], check=True, capture_output=True)
    folder = next(tmp_path.rglob("EndpointAgent"))
    found = {
        path.relative_to(folder / __version__).as_posix(): path.read_bytes()
        for path in (folder / __version__).rglob("*")
        if path.is_file()
    }
    assert found == bundled()
    for name in ("current", "good"):
        assert (folder / name).read_text() == f"{__version__}\n"
    assert (folder / "agent.exe").read_bytes() == found["agent.exe"]


def test_the_msi_installs_and_removes_under_wine(host: Host) -> None:
    before = host.files()
    assert host.call("msiexec", "/i", MSI, "/qn") == 0
    command, is_automatic, *_ = host.ask("service_known", SERVICE)
    assert "agent.exe" in command and command.endswith("service") and is_automatic
    assert (host.status() or ())[0] == "stopped"
    installed = r"C:\Program Files\EndpointAgent\agent.exe"
    assert host.run(installed, "--version").stdout == f"endpoint-agent {__version__}\n"
    ran = host.run(installed, "uninstall")
    assert ran.returncode == 1 and "remove it with: msiexec" in ran.stderr, ran

    assert host.call("msiexec", "/x", MSI, "/qn") == 0

    assert host.status() is None
    assert not (host.drive / VERSIONS).exists()
    assert host.files() == before
