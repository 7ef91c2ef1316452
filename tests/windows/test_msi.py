"""The MSI over another version: the service is as it is to be, and goes on."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from threading import Thread

from tests.live.daemon import KEY, Intake, wait

from .test_install import DELIVERED, INSTALLED
from .test_shipped import MSI
from .test_update import NEWER, bundle
from .wine import ROOT, SERVICE, STATE, VERSIONS, Host, processes

REGISTER = "service --register"


def make_msi(folder: Path, version: str) -> Path:
    """The package of another version, as `make windows` makes it."""
    command = [sys.executable, ROOT / "tools/release/windows_msi.py"]
    environment = os.environ | {"SOURCE_DATE_EPOCH": "1"}
    subprocess.run([*command, bundle(folder, version), folder], env=environment, check=True)
    return folder / f"endpoint-agent-{version}-x64.msi"


def install(host: Host, msi: Path) -> None:
    """Has Windows' installer install it, and sees that it calls what it has installed."""
    seen: set[str] = set()
    done: list[bool] = []

    def look() -> None:
        while not done:
            seen.update(processes(REGISTER))
            time.sleep(0.01)

    watcher = Thread(target=look)
    watcher.start()
    status = host.call("msiexec", "/i", msi, "/qn")
    done.append(True)
    watcher.join()
    assert status == 0
    assert any(f"{INSTALLED} {REGISTER}" in line for line in seen), seen


def test_the_msi_over_another_version(host: Host, intake: Intake, tmp_path: Path) -> None:
    before = host.files()
    install(host, MSI)
    assert (host.status() or ())[0] == "stopped", "there is no key yet"
    words = ("install", "--intake-url", intake.url, "--intake-key-file", "-")
    ran = host.run(INSTALLED, *words, given=f"{KEY}\n")
    assert ran.returncode == 0, ran.stderr

    newer = make_msi(tmp_path, NEWER)
    install(host, newer)

    wait(lambda: (host.status() or ())[0] == "running", DELIVERED)
    command, is_automatic, *_ = host.ask("service_known", SERVICE)
    assert (command, is_automatic) == (f'"{INSTALLED}" service', True)
    wait(lambda: f"v{NEWER}" in {e["agent"]["version"] for e in intake.events()}, DELIVERED)

    assert host.call("msiexec", "/x", newer, "/qn") == 0
    assert host.status() is None
    # Wine's installer does not wait for the service's end, and leaves files that are in use.
    for folder in (VERSIONS, STATE):
        shutil.rmtree(host.drive / folder, ignore_errors=True)
    assert host.files() == before
