from __future__ import annotations

import hashlib

import pytest

from endpoint_agent.update.choice import Choice, Offer, choose, falls_in, offers

SAID = {"version": "0.2.0", "platform": "linux-x86_64", "percentage": 100}
HOST = "ab" * 32


def offer(version: str, percentage: int = 100) -> Offer:
    return Offer(f"endpoint-agent-{version}", version, percentage)


def chosen(*found: Offer, running: str = "0.1.0", wanted: str | None = None) -> Choice:
    return choose(found, running, wanted, HOST, {"0.9.0": "it fails"})


@pytest.mark.parametrize(
    "said",
    [
        None,
        [],
        {},
        SAID | {"version": 2},
        SAID | {"version": "0.2"},
        SAID | {"version": "0.2.0/../.."},
        SAID | {"version": "0.02.0"},
        SAID | {"version": "1234567.0.0"},
        SAID | {"platform": "linux-aarch64"},
        SAID | {"percentage": "100"},
    ],
)
def test_what_is_not_said_as_it_should_be_is_no_offer(said: object) -> None:
    assert list(offers([("a", 1, said), ("b", 1, SAID)])) == [Offer("b", "0.2.0", 100)]


def test_a_bundle_that_is_too_large_is_no_offer() -> None:
    assert list(offers([("a", 300_000_001, SAID)])) == []


def test_the_newest_is_chosen_by_its_numbers() -> None:
    found = chosen(offer("0.2.0"), offer("0.10.0"), offer("0.9.1"))
    assert found == Choice(offer("0.10.0"), "0.10.0", "")


def test_nothing_older_or_the_same_is_chosen() -> None:
    found = chosen(offer("0.2.0"), offer("0.1.9"), running="0.2.0")
    assert found == Choice(None, "0.2.0", "there is no newer version")
    assert chosen() == Choice(None, "", "there is no newer version")


def test_a_version_that_has_failed_is_not_chosen_again() -> None:
    assert chosen(offer("0.9.0")).reason == "0.9.0 has failed here: it fails"
    assert chosen(offer("0.9.0"), offer("0.2.0")).offer == offer("0.2.0")
    assert chosen(offer("0.9.0"), wanted="0.9.0").reason == "0.9.0 has failed here: it fails"


def test_a_pinned_version_holds_whatever_is_offered() -> None:
    found = chosen(offer("0.2.0"), wanted="0.1.0")
    assert (found.offer, found.newest) == (None, "0.2.0")
    assert found.reason == "it is kept at 0.1.0 by UpdateVersion"


def test_only_a_pinned_version_may_be_older() -> None:
    assert chosen(offer("0.0.9", 0), offer("0.2.0"), wanted="0.0.9").offer == offer("0.0.9", 0)
    assert "0.0.8, which" in chosen(offer("0.2.0"), wanted="0.0.8").reason


def test_a_share_of_the_hosts() -> None:
    hosts = [hashlib.sha256(bytes([n % 256, n // 256])).hexdigest() for n in range(2000)]
    for share in (0, 10, 50, 100):
        inside = {host for host in hosts if falls_in(host, "0.2.0", share)}
        assert abs(len(inside) / len(hosts) - share / 100) < 0.05
        more = {host for host in hosts if falls_in(host, "0.2.0", share + 1)}
        assert inside <= more
    first = {host for host in hosts if falls_in(host, "0.2.0", 10)}
    assert first != {host for host in hosts if falls_in(host, "0.3.0", 10)}


def test_a_host_that_is_not_among_the_first_takes_what_all_have() -> None:
    found = chosen(offer("0.3.0", 0), offer("0.2.0"))
    assert (found.offer, found.newest) == (offer("0.2.0"), "0.3.0")
    assert chosen(offer("0.3.0", 0)).reason == "0.3.0 is not for this host yet: 0 % have it"
