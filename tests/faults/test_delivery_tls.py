"""The key and the events go to an intake that proves its name, and to no other."""

from __future__ import annotations

import ssl

import pytest

from endpoint_agent.deliver import client

from .authority import Authority
from .delivery import assert_balance, delivering, events, settings, settled, until
from .scripted_intake import Connection, scripted_intake


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


def test_events_arrive_over_verified_tls(queue, authority):
    spool = queue(300)
    with (
        scripted_intake(tls=authority.server()) as intake,
        delivering(spool, intake.url, ca_bundle_path=authority.bundle),
    ):
        settled(spool)
    assert intake.accepted == events(300)
    assert intake.connections == 1
    assert_balance(spool, delivered=300)


@pytest.mark.parametrize("fault", ["wrong name", "expired", "unknown authority"])
def test_an_intake_that_cannot_prove_its_name_gets_nothing(queue, authority, fault):
    server = {
        "wrong name": lambda: authority.server("intake.example"),
        "expired": lambda: authority.server(days=-1),
        "unknown authority": lambda: authority.server(),
    }[fault]()
    bundle = None if fault == "unknown authority" else authority.bundle
    spool = queue(10)
    with (
        scripted_intake(tls=server) as intake,
        scripted_intake(tls=authority.server()) as true_intake,
        delivering(spool, intake.url, ca_bundle_path=bundle) as deliverer,
    ):
        until(lambda: deliverer.state().consecutive_failures >= 3)
        assert "CERTIFICATE_VERIFY_FAILED" in deliverer.state().last_error
        assert "CABundlePath" in deliverer.state().last_error
        assert_balance(spool, queued=10)
        deliverer.reconfigure(settings(true_intake.url, ca_bundle_path=authority.bundle))
        settled(spool)
    assert intake.requests == []
    assert_balance(spool, delivered=10)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_an_old_protocol_is_refused(queue, authority):
    server = authority.server()
    server.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    server.maximum_version = ssl.TLSVersion.TLSv1_1
    spool = queue(10)
    with (
        scripted_intake(tls=server) as intake,
        delivering(spool, intake.url, ca_bundle_path=authority.bundle) as deliverer,
    ):
        until(lambda: deliverer.state().consecutive_failures >= 2)
    assert intake.requests == []
    assert_balance(spool, queued=10)


def test_a_server_that_speaks_no_tls(queue, authority):
    def answers_in_clear(connection: Connection) -> None:
        connection.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        connection.sock.close()

    spool = queue(10)
    with scripted_intake(*[answers_in_clear] * 9) as intake:
        url = intake.url.replace("http:", "https:")
        with delivering(spool, url, ca_bundle_path=authority.bundle) as deliverer:
            until(lambda: deliverer.state().last_error is not None)
            assert_balance(spool, queued=10)


def test_a_handshake_that_never_comes_costs_one_timeout(queue, authority, monkeypatch):
    monkeypatch.setitem(client.TIMEOUTS, "connect", 0.1)
    spool = queue(10)
    with scripted_intake() as intake:
        url = intake.url.replace("http:", "https:")
        with delivering(spool, url, ca_bundle_path=authority.bundle) as deliverer:
            until(lambda: deliverer.state().consecutive_failures >= 2)
            assert "ConnectTimeout" in deliverer.state().last_error
    assert_balance(spool, queued=10)


@pytest.mark.parametrize("content", [None, b"", b"not a certificate"])
def test_a_bundle_that_cannot_be_used_is_named(queue, authority, tmp_path, content):
    bundle = tmp_path / "bundle.pem"
    if content is not None:
        bundle.write_bytes(content)
    spool = queue(10)
    with (
        scripted_intake(tls=authority.server()) as intake,
        delivering(spool, intake.url, ca_bundle_path=bundle) as deliverer,
    ):
        until(lambda: deliverer.state().last_error is not None)
        assert f"CABundlePath: {bundle}" in deliverer.state().last_error
        bundle.write_bytes(authority.bundle.read_bytes())
        settled(spool)
    assert_balance(spool, delivered=10)
