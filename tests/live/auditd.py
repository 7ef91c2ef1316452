"""An audit daemon with a configuration of its own, as others run one beside the agent."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .audit import Client
from .capture import PATIENCE
from .daemon import wait

CONFIGURATION = """\
log_file = {folder}/audit.log
log_format = RAW
flush = INCREMENTAL_ASYNC
freq = 50
max_log_file = 100
max_log_file_action = IGNORE
space_left = 75
space_left_action = IGNORE
admin_space_left = 50
admin_space_left_action = IGNORE
disk_full_action = IGNORE
disk_error_action = IGNORE
plugin_dir = {folder}/plugins
"""


@contextmanager
def audit_daemon(folder: Path, audit: Client) -> Iterator[Path]:
    """A running auditd with a configuration of its own; its log."""
    program = shutil.which("auditd", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if program is None:
        pytest.skip("needs auditd")
    (folder / "plugins").mkdir(parents=True)
    configuration = folder / "auditd.conf"
    configuration.write_text(CONFIGURATION.format(folder=folder))
    configuration.chmod(0o640)
    command = [program, "-n", "-s", "nochange", "-c", folder]

    def start() -> subprocess.Popen[bytes]:
        with (folder / "output").open("wb") as output:
            daemon = subprocess.Popen(command, stdout=output, stderr=output)
        wait(lambda: audit.status()["pid"] == daemon.pid or daemon.poll() is not None)
        return daemon

    daemon = start()
    if daemon.poll() is not None:
        # It may have found the agent in its place, which makes room for the next.
        daemon = start()
    if daemon.poll() is not None:
        pytest.skip(f"auditd does not start: {(folder / 'output').read_text()[-300:]}")
    try:
        yield folder / "audit.log"
        assert audit.status()["pid"] == daemon.pid
    finally:
        daemon.terminate()
        daemon.wait(20 * PATIENCE)
