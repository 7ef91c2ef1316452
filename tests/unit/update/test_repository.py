"""tools/repository as its user calls it."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from .published import Client, Publisher, client, publisher, server, tool

__all__ = ["client", "publisher", "server"]


def test_keys_are_their_owners_alone(publisher: Publisher) -> None:
    for path in publisher.keys.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)


def test_a_version_is_offered_to_more_and_more_and_withdrawn(
    publisher: Publisher, client: Client
) -> None:
    words = [str(publisher.keys), str(publisher.folder), "0.2.0"]
    assert tool.main(["stage", *words, "5"]) == 0
    assert [offer.percentage for offer in client().offers()] == [5]
    assert tool.main(["stage", *words, "100"]) == 0
    assert [offer.percentage for offer in client().offers()] == [100]
    assert tool.main(["withdraw", *words]) == 0
    assert client().offers() == []


@pytest.mark.parametrize("percentage", ["-1", "101", "many", "0.5"])
def test_a_share_is_a_whole_number(publisher: Publisher, percentage: str) -> None:
    with pytest.raises(SystemExit):
        tool.main(["stage", str(publisher.keys), str(publisher.folder), "0.2.0", percentage])


def test_what_is_no_bundle_is_not_added(publisher: Publisher, tmp_path: Path) -> None:
    (tmp_path / "endpoint-agent.tar.gz").touch()
    with pytest.raises(SystemExit, match="is no bundle"):
        publisher.repository.add([tmp_path / "endpoint-agent.tar.gz"], 100)


def test_the_online_keys_are_enough_to_refresh_and_for_nothing_else(
    publisher: Publisher, client: Client
) -> None:
    for role in ("root", "targets"):
        (publisher.keys / role).rename(publisher.keys.with_name(f"offline-{role}"))
    publisher.repository.refresh()
    assert len(client().offers()) == 1
    before = {path: path.read_bytes() for path in publisher.metadata.iterdir()}
    for act in (
        lambda: publisher.add("0.3.0"),
        publisher.repository.renew,
        lambda: publisher.repository.rotate("timestamp"),
    ):
        with pytest.raises(SystemExit, match="keys are missing"):
            act()
    assert {path: path.read_bytes() for path in publisher.metadata.iterdir()} == before


def test_a_repository_is_not_made_twice(publisher: Publisher) -> None:
    with pytest.raises(SystemExit, match="is a repository already"):
        publisher.repository.init(1)
