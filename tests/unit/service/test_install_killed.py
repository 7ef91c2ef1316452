"""An installation that is killed before each of its acts, and what comes after it."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from endpoint_agent.service.configuration import Wish
from endpoint_agent.service.install import install
from endpoint_agent.service.places import PROGRAM
from endpoint_agent.service.uninstall import uninstall

from .conftest import MockHost, MockTrial, Tree, killed_before, make_host, tree

pytestmark = pytest.mark.usefixtures("mock_program")

KEY = "key-of-the-intake"


@pytest.fixture(autouse=True)
def _nothing_is_synced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


def do(host: MockHost, key: str) -> None:
    def call(words: Sequence[str]) -> str:
        sys.audit("endpoint_agent.call")
        return host.call(words)

    install(Wish(intake_key=key), host.places, call, MockTrial)


@pytest.mark.parametrize(
    ("manager", "before"),
    [("systemd", None), ("systemd", "the-key-before"), ("SysV init", "the-key-before")],
)
def test_killed_at_any_instant_the_next_installation_repairs(
    tmp_path: Path, manager: str, before: str | None
) -> None:
    """Nor is anything left by an `uninstall` after it."""

    def prepare(name: str) -> tuple[MockHost, Tree]:
        host = make_host(tmp_path / name, manager)
        bare = tree(host.root)
        if before is not None:
            do(host, before)
        return host, bare

    clean, _ = prepare("clean")
    do(clean, KEY)
    for act in itertools.count():
        host, _ = prepare(f"repaired-{act}")
        if not killed_before(act, lambda host=host: do(host, KEY)):
            break
        if before is not None:
            assert (host.root / str(PROGRAM).lstrip("/")).is_file(), act
            assert any(key in host.places.config.read_text() for key in (before, KEY)), act
        do(host, KEY)
        assert tree(host.root) == tree(clean.root), act
        assert host.running

        host, bare = prepare(f"removed-{act}")
        killed_before(act, lambda host=host: do(host, KEY))
        uninstall(True, host.places, host.call)
        assert tree(host.root) == bare, act
    assert act > 20
