"""Versions that work and that do not, and an updater that is killed before each of its acts."""

from __future__ import annotations

import io
import itertools
import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from endpoint_agent.config import Settings
from endpoint_agent.errors import AgentError, HandoverError, UpdateError
from endpoint_agent.service import files, health, manifest, versions
from endpoint_agent.service.health import Trial
from endpoint_agent.service.places import Places
from endpoint_agent.update import bundle, change, installer, run, state
from endpoint_agent.update.choice import Offer
from endpoint_agent.update.run import How, update

from ..service.conftest import MANAGERS, MockHost, around, host, killed_before, tree

__all__ = ["around", "host"]

OLD, NEW = "0.1.0", "0.2.0"
PROGRAM = "bin/endpoint-agent"
SETTINGS = Settings(update_url="https://updates.example")


class MockTrial(Trial):
    """An agent that is well unless its version is not."""

    unwell: ClassVar[set[str]] = set()
    waited: ClassVar[list[str]] = []

    def wait(self, is_active: Callable[[], bool], timeout: float = 0, version: str = "") -> str:
        assert is_active()
        self.waited.append(version)
        if version in self.unwell:
            raise AgentError("it sees nothing")
        return "ebpf"


class MockRepository:
    """Offers versions, whose bundles are at hand."""

    versions: ClassVar[tuple[str, ...]] = (NEW,)
    broken: ClassVar[tuple[str, ...]] = ()

    def __init__(self, settings: Settings, folder: Path) -> None:
        pass

    def offers(self) -> list[Offer]:
        return [Offer(version, version, 100) for version in self.versions]

    def fetch(self, offer: Offer, path: Path) -> None:
        path.write_bytes(pack(offer.version, offer.version in self.broken))


def script(version: str) -> bytes:
    return f"#!/bin/sh\necho endpoint-agent {version}\n".encode()


def pack(version: str, broken: bool = False) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, content in ((PROGRAM, script(version)), ("lib/a", b"a"), ("lib/b", b"b")):
            for folder in (version, f"{version}/{Path(name).parent}"):
                info = tarfile.TarInfo(folder)
                info.type = tarfile.DIRTYPE
                if folder not in archive.getnames():
                    archive.addfile(info)
            info = tarfile.TarInfo(f"{version}/{name}")
            content = b"#!/bin/sh\nexit 1\n" if broken and name == PROGRAM else content
            info.size, info.mode = len(content), 0o755
            archive.addfile(info, io.BytesIO(content))
    return file.getvalue()


@pytest.fixture(autouse=True)
def mocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "sync_all", lambda folder: None)
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    monkeypatch.setattr(MockTrial, "unwell", set())
    monkeypatch.setattr(MockTrial, "waited", [])
    monkeypatch.setattr(MockRepository, "versions", (NEW,))
    monkeypatch.setattr(run, "_repository", lambda *given: MockRepository(SETTINGS, Path()))


def install(root: Path, version: str = OLD) -> None:
    """As `install` leaves it."""
    places = Places(root)
    folder = places.versions / version
    for name, content in ((PROGRAM, script(version)), ("lib/a", b"a"), ("lib/b", b"b")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    (folder / PROGRAM).chmod(0o755)
    files.link(places.current, version)
    files.link(places.good, version)
    places.under(SETTINGS.state_directory).mkdir(mode=0o700, parents=True)


@pytest.fixture
def installed(host: MockHost) -> MockHost:
    install(host.root)
    host.running = True
    return host


def do(host: MockHost, settings: Settings = SETTINGS, **how: bool) -> str:
    return update(settings, How(**how), host.places, host.call, MockTrial)


def known(host: MockHost) -> state.State:
    return state.load(host.places.under(SETTINGS.state_directory))


def told(host: MockHost) -> list[str]:
    """The events that wait for the daemon."""
    folder = host.places.under(SETTINGS.state_directory) / "update/events"
    found = sorted(folder.glob("[0-9]*")) if folder.is_dir() else []
    return [state.msgspec.json.decode(path.read_bytes())["action"] for path in found]


def links(places: Places) -> tuple[str, str]:
    return versions.target(places.current), versions.target(places.good)


def test_a_version_that_proves_itself_stays(installed: MockHost) -> None:
    assert do(installed) == f"{NEW} has replaced {OLD}: it captures by ebpf and delivers"
    assert links(installed.places) == (NEW, NEW)
    assert told(installed) == ["update-started", "updated"]
    assert (installed.places.current / PROGRAM).read_bytes() == script(NEW)
    # The last good one stays, for who may need it.
    assert sorted(path.name for path in installed.places.versions.iterdir()) == [
        ".lock",
        OLD,
        NEW,
        "current",
        "good",
    ]
    assert do(installed) == f"{NEW} stays: there is no newer version"


def test_of_old_versions_the_last_good_one_stays(
    installed: MockHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    do(installed)
    monkeypatch.setattr(MockRepository, "versions", ("0.3.0",))
    do(installed)
    assert not (installed.places.versions / OLD).exists()
    assert (installed.places.versions / NEW).exists()


def test_a_version_that_does_not_leaves_the_one_before(
    installed: MockHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tree(installed.places.versions)
    MockTrial.unwell.add(f"v{NEW}")
    with pytest.raises(UpdateError, match=f"{NEW} does not work: it sees nothing; {OLD} is in use"):
        do(installed)
    after = tree(installed.places.versions)
    del after[".lock"]
    assert after == before
    assert installed.running
    assert told(installed) == ["update-started", "update-failed"]
    assert known(installed).failed == {NEW: "it sees nothing"}
    # And is not tried again, but on demand.
    assert "has failed here: it sees nothing" in do(installed)
    assert told(installed) == ["update-started", "update-failed"]
    MockTrial.unwell.clear()
    assert f"{NEW} has replaced" in do(installed, retry=True)


def test_what_no_version_can_do_is_nobodys_fault(installed: MockHost) -> None:
    MockTrial.unwell |= {f"v{OLD}", f"v{NEW}"}
    with pytest.raises(UpdateError, match=f"nor does {OLD}, which is in use again"):
        do(installed)
    assert links(installed.places) == (OLD, OLD)
    assert known(installed).failed == {}


def test_a_program_that_does_not_run_gets_no_trial(
    installed: MockHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MockRepository, "broken", (NEW,))
    with pytest.raises(UpdateError, match=f"the program of {NEW} does not run"):
        do(installed)
    assert links(installed.places) == (OLD, OLD)
    assert MockTrial.waited == []
    assert NEW in known(installed).failed
    do(installed)
    assert not (installed.places.versions / NEW).exists()


def test_a_bundle_that_is_not_what_its_manifest_says(
    installed: MockHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(archive: Path, version: str, target: Path) -> None:
        bundle.unpack(archive, version, target)
        manifest.write(target)
        (target / "lib/a").write_bytes(b"changed")

    monkeypatch.setattr(installer, "bundle", SimpleNamespace(unpack=damaged))
    with pytest.raises(UpdateError, match=f"the bundle of {NEW} is damaged: lib/a: changed"):
        do(installed)
    assert links(installed.places) == (OLD, OLD)
    assert NEW in known(installed).failed


def test_a_service_that_does_not_start(
    installed: MockHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(words: Any) -> str:
        if {"restart", "start"} & set(words) and links(installed.places)[0] == NEW:
            installed.call(words)
            raise AgentError("Job failed")
        return installed.call(words)

    with pytest.raises(UpdateError, match=f"{NEW} does not work: it does not start: .*Job failed"):
        update(SETTINGS, How(), installed.places, fails, MockTrial)
    assert links(installed.places) == (OLD, OLD)
    assert installed.running


@pytest.fixture
def request_(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The versions that were in use when an agent was asked to hand over, which it does."""
    asked: list[str] = []

    def request(folder: Path) -> bool:
        asked.append((folder.parents[2] / "usr/lib/endpoint-agent/current").readlink().name)
        return True

    monkeypatch.setattr(change, "request", request)
    return asked


FOLLOWS = pytest.mark.parametrize("host", ["systemd", "SysV init"], indirect=True)


@FOLLOWS
def test_an_agent_that_can_hands_over(installed: MockHost, request_: list[str]) -> None:
    assert f"{NEW} has replaced {OLD}" in do(installed)
    assert request_ == [NEW]
    assert installed.calls == []


@FOLLOWS
def test_a_version_that_took_over_and_does_not_work_hands_back(
    installed: MockHost, request_: list[str]
) -> None:
    MockTrial.unwell.add(f"v{NEW}")
    with pytest.raises(UpdateError, match=f"{NEW} does not work: it sees nothing; {OLD} is in use"):
        do(installed)
    assert request_ == [NEW, OLD]
    assert installed.calls == []


@FOLLOWS
def test_an_agent_that_could_not_hand_over_runs_on(
    installed: MockHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Path) -> bool:
        raise HandoverError("the agent in use goes on: it hangs")

    monkeypatch.setattr(change, "request", refuse)
    monkeypatch.setattr(
        health, "ask", lambda _: {"version": f"v{OLD}", "delivery": {"last_error": ""}}
    )
    with pytest.raises(UpdateError, match=f"{NEW} does not work: it does not take over: .* hangs"):
        do(installed)
    assert links(installed.places) == (OLD, OLD)
    assert installed.calls == []
    # Where it is the new one that cannot give way, it is ended.
    monkeypatch.setattr(
        health, "ask", lambda _: {"version": f"v{NEW}", "delivery": {"last_error": ""}}
    )
    MockTrial.unwell.add(f"v{NEW}")
    with pytest.raises(UpdateError, match=f"{NEW} does not work"):
        do(installed, retry=True)
    assert [words for words in installed.calls if "restart" in words]


def test_upstart_would_lose_sight_of_the_next_agent(tmp_path: Path, request_: list[str]) -> None:
    host = MockHost(tmp_path)
    MANAGERS["upstart"](host.root)
    install(host.root)
    host.running = True
    assert f"{NEW} has replaced {OLD}" in do(host)
    assert request_ == []
    assert [words for words in host.calls if "start" in words]


def test_a_full_disk_is_not_the_versions_fault(
    installed: MockHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("endpoint_agent.update.bundle.unpack", full)
        with pytest.raises(UpdateError, match="No space left"):
            do(installed)
    assert known(installed).failed == {}
    assert told(installed) == ["update-started", "update-failed"]
    assert f"{NEW} has replaced" in do(installed)


def test_nothing_is_tried_while_nothing_is_delivered(
    installed: MockHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        health, "ask", lambda folder: {"delivery": {"last_error": "refused"}, "version": "v0.1.0"}
    )
    with pytest.raises(UpdateError, match=f"{NEW} has to wait: .* refused"):
        do(installed)
    assert told(installed) == []
    assert installed.calls == []


def test_check_only_tells(installed: MockHost) -> None:
    assert do(installed, check=True) == f"{OLD} is in use; {NEW} is offered"
    assert links(installed.places) == (OLD, OLD)
    assert known(installed).offered == NEW
    assert installed.calls == []


def test_by_itself_only_where_it_may(installed: MockHost) -> None:
    off = Settings(update_url=SETTINGS.update_url, disable_auto_update=True)
    assert do(installed, off, automatic=True) == "automatic updates are off"
    assert do(installed, Settings(), automatic=True) == "automatic updates are off"
    assert links(installed.places) == (OLD, OLD)
    # But a trial is ended all the same.
    do(installed)
    files.link(installed.places.good, OLD)
    assert f"{NEW} has replaced" in do(installed, off, automatic=True)
    assert links(installed.places) == (NEW, NEW)


def test_a_service_that_was_stopped_is_not_started(installed: MockHost) -> None:
    installed.running = False
    assert "the service is stopped" in do(installed, automatic=True)
    assert not installed.running


def test_a_pinned_version_holds_and_may_be_older(installed: MockHost) -> None:
    at = Settings(update_url=SETTINGS.update_url, update_version=OLD)
    assert "kept at 0.1.0" in do(installed, at, automatic=True)
    do(installed)
    MockRepository.versions = (OLD, NEW)
    assert f"{OLD} has replaced {NEW}" in do(installed, at, automatic=True)


def test_two_at_a_time(installed: MockHost) -> None:
    with versions.alone(installed.places):
        with pytest.raises(UpdateError, match="is under way"):
            do(installed)
        assert "is under way" in do(installed, automatic=True)


def test_what_came_as_a_package_is_left_to_its_manager(installed: MockHost) -> None:
    installed.places.package.parent.mkdir(parents=True)
    installed.places.package.touch()
    with pytest.raises(UpdateError, match="came as a package of the host"):
        do(installed)
    assert "came as a package" in do(installed, automatic=True)
    assert links(installed.places) == (OLD, OLD)
    assert installed.calls == []
    assert do(installed, check=True) == f"{OLD} is in use; {NEW} is offered"


class Cut(BaseException):
    """The host goes down."""


def test_a_trial_that_is_cut_off_again_and_again_is_over(
    installed: MockHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(*_: object) -> str:
        raise Cut

    with monkeypatch.context() as down:
        down.setattr(MockTrial, "wait", cut)
        for _ in range(1 + installer.RESUMED):
            with pytest.raises(Cut):
                do(installed)
            assert links(installed.places) == (NEW, OLD)

    with pytest.raises(UpdateError, match=f"cut off {1 + installer.RESUMED} times"):
        do(installed)

    assert links(installed.places) == (OLD, OLD)
    assert told(installed) == ["update-started", "update-failed"]
    assert "cut off" in known(installed).failed[NEW]
    # Who tries it again nevertheless gives it as many chances.
    assert known(installed).resumed == {}


def test_a_trial_that_ends_well_is_not_counted_any_more(
    installed: MockHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(*_: object) -> str:
        raise Cut

    with monkeypatch.context() as down:
        down.setattr(MockTrial, "wait", cut)
        for times in range(2):
            with pytest.raises(Cut):
                do(installed)
            assert known(installed).resumed == ({NEW: times} if times else {})

    do(installed)

    assert links(installed.places) == (NEW, NEW)
    assert known(installed).resumed == {}


def test_nothing_is_installed(host: MockHost) -> None:
    with pytest.raises(UpdateError, match="is not installed as a service"):
        do(host)


def is_whole(folder: Path, version: str) -> bool:
    content = {PROGRAM: script(version), "lib/a": b"a", "lib/b": b"b"}
    return all((folder / name).read_bytes() == text for name, text in content.items())


@pytest.mark.parametrize("works", [True, False], ids=["works", "does-not"])
def test_killed_at_any_instant_a_version_that_starts_is_left(tmp_path: Path, works: bool) -> None:
    if not works:
        MockTrial.unwell.add(f"v{NEW}")
    for act in itertools.count():
        host = MockHost(tmp_path / str(act))
        MANAGERS["systemd"](host.root)
        install(host.root)
        host.running = True
        if not killed_before(act, lambda host=host: do(host)):
            break
        for version, link in zip(links(host.places), ("current", "good"), strict=True):
            assert is_whole(host.places.versions / link, version), act
            assert version in (OLD, NEW)
        assert works or links(host.places)[1] == OLD
        # Whoever comes next brings it to its end.
        for _ in range(2):
            try:
                do(host)
            except UpdateError as error:
                assert not works, (act, error)
        end = NEW if works else OLD
        assert links(host.places) == (end, end), act
        assert told(host)[-1] == ("updated" if works else "update-failed")
        assert (NEW in known(host).failed) is not works
        left = {path.name for path in host.places.versions.iterdir()}
        assert left == {".lock", "current", "good", OLD} | ({NEW} if works else set())
    assert act > 40
