"""What `make release` has left in dist/: sizes, tags, the glibc it needs, what linters say."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from endpoint_agent import __version__

from .conftest import ROOT, shipped

pytest.importorskip("tuf")

from ..unit.update.published import Server

sys.path.append(str(ROOT / "tools/release"))

import glibc

MB = 1_000_000

IMPORTS = """
import importlib, pkgutil, sys
sys.path.append(sys.argv[1])
import endpoint_agent
# What needs extras that no bundle has, what would run, and what runs on Windows alone.
elsewhere = tuple(
    "endpoint_agent." + name for name in ("server", "live", "__main__", "service.windows")
)
for one in pkgutil.walk_packages(endpoint_agent.__path__, "endpoint_agent."):
    if not one.name.startswith(elsewhere):
        importlib.import_module(one.name)
outside = [one for one in sys.path if not one.startswith((sys.base_prefix, sys.argv[1]))]
assert not outside, outside
"""

# What an agent does that looks for an update: it gets one bundle, and prints its version.
FETCH = """
import sys
from pathlib import Path
sys.path.append(sys.argv[1])
from endpoint_agent.config import Settings
from endpoint_agent.update.client import Repository
url, root, folder, version = sys.argv[2:]
client = Repository(Settings(update_url=url, update_root=Path(root)), Path(folder, "seen"))
(offer,) = (one for one in client.offers() if one.version == version)
client.fetch(offer, Path(folder, "bundle"))
print(offer.version)
"""


def told(*words: object, **options: str) -> str:
    """What a command prints; it succeeds."""
    done = subprocess.run(
        [str(word) for word in words],
        capture_output=True,
        text=True,
        check=False,
        env=options or None,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked bundle."""
    bundle = shipped("endpoint-agent-*-linux-x86_64.tar.gz")
    folder = tmp_path_factory.mktemp("bundle")
    with tarfile.open(bundle) as archived:
        archived.extractall(folder, filter="tar")
    return folder / __version__


def test_the_wheel_runs_from_centos_7_on_with_any_python() -> None:
    wheel = shipped("*.whl")
    tags = "cp311-abi3-manylinux2014_x86_64.manylinux_2_17_x86_64"
    assert wheel.name == f"endpoint_agent-{__version__}-{tags}.whl"
    assert wheel.stat().st_size < 8 * MB
    assert max(glibc.needed_in(wheel).values()) <= glibc.FLOOR


def test_no_file_of_the_bundle_needs_a_newer_glibc(program: Path) -> None:
    needed = glibc.needed_below(program)
    assert program / "bin/python3.11" in needed
    assert len(needed) > 5
    assert {path: version for path, version in needed.items() if version > glibc.FLOOR} == {}


def test_the_bundle_has_all_that_it_imports(program: Path) -> None:
    told(program / "bin/python3.11", "-IBS", "-c", IMPORTS, program / "packages", PATH="/nowhere")


def test_the_bundles_python_verifies_tls(program: Path) -> None:
    text = "import ssl; print(ssl.OPENSSL_VERSION, repr(ssl.create_default_context().verify_mode))"
    said = told(program / "bin/python3.11", "-IBS", "-c", text)
    assert said.startswith("OpenSSL 3.0.") and "CERT_REQUIRED" in said


def test_the_bundles_python_gets_the_bundle_from_the_repository(
    program: Path, tmp_path: Path
) -> None:
    # That of KEYS, else the one for trials.
    repository = Path(os.environ.get("REPOSITORY") or shipped("repository"))
    root = tmp_path / "root.json"
    root.write_bytes((repository / "metadata/1.root.json").read_bytes())
    root.chmod(0o600)
    server = Server(repository)
    try:
        words = [program / "packages", server.url, root, tmp_path, __version__]
        said = told(program / "bin/python3.11", "-IBS", "-c", FETCH, *words, PATH="/nowhere")
    finally:
        server.stop()
    assert said.strip() == __version__
    bundle = shipped("endpoint-agent-*-linux-x86_64.tar.gz")
    assert (tmp_path / "bundle").read_bytes() == bundle.read_bytes()


def test_downloads_stay_small() -> None:
    for pattern in ("agent", "*.deb", "*.rpm"):
        assert shipped(pattern).stat().st_size < 40 * MB


def test_every_file_is_in_the_checksums() -> None:
    sums = shipped("SHA256SUMS")
    told("sh", "-c", f"cd {sums.parent} && sha256sum --check --strict SHA256SUMS")
    names = {line.split()[1] for line in sums.read_text().splitlines()}
    files = {path.name for path in sums.parent.iterdir() if path.is_file()}
    assert names == files - {sums.name}


def test_the_bill_of_materials_names_what_is_inside(program: Path) -> None:
    bill = json.loads(shipped("*.cdx.json").read_text())
    urls = {one["purl"].partition("@")[0] for one in bill["components"]}
    assert {"pkg:pypi/orjson", "pkg:cargo/aya", "pkg:deb/debian/openssl"} < urls
    metadata = (program / "packages").glob("*.dist-info")
    assert len([url for url in urls if "pypi" in url]) == len(list(metadata)) - 1


def test_lintian_is_content() -> None:
    if shutil.which("lintian") is None:
        pytest.skip("lintian is missing")
    package = shipped("*.deb")
    told("lintian", "--allow-root", "--fail-on", "error,warning,info", "--info", package)


def test_rpmlint_is_content() -> None:
    if shutil.which("rpmlint") is None:
        pytest.skip("rpmlint is missing")
    config = ROOT / "tools/release/package/rpmlint.toml"
    said = told("rpmlint", "--config", config, shipped("*.rpm"))
    assert " 0 errors, 0 warnings" in said


def test_the_rpm_is_installed_and_removed_below_a_root(tmp_path: Path) -> None:
    busybox = shutil.which("busybox")
    if shutil.which("rpm") is None or busybox is None:
        pytest.skip("rpm or busybox is missing")
    root = tmp_path / "root"
    (root / "bin").mkdir(parents=True)
    shutil.copy(busybox, root / "bin/busybox")
    for name in ("sh", "grep", "rm", "echo"):
        (root / "bin" / name).symlink_to("busybox")
    # What it would otherwise say is that this host's own packages are Debian's.
    rpm = ["rpm", "--force-debian", "--root", root]
    package = shipped("*.rpm")
    told("rpm", "--root", root, "--initdb")

    said = told(*rpm, "--install", "--nodeps", package)
    assert "Write IntakeKey into" in said
    assert (root / "usr/lib/endpoint-agent/current/bin/endpoint-agent").is_file()
    config = root / "etc/endpoint-agent/config.yaml"
    assert config.stat().st_mode & 0o7777 == 0o600
    assert told(*rpm, "--verify", "--nodeps", "endpoint-agent") == ""
    config.write_text(config.read_text() + "IntakeKey: K\n")
    told(*rpm, "--upgrade", "--replacepkgs", "--nodeps", package)
    assert "IntakeKey: K" in config.read_text()

    told(*rpm, "--erase", "endpoint-agent")
    left = [path.name for path in (root / "etc/endpoint-agent").iterdir()]
    assert left == ["config.yaml.rpmsave"]
    for path in ("usr/lib/endpoint-agent", "opt/endpoint-agent", "usr/share/endpoint-agent"):
        assert not (root / path).exists()
