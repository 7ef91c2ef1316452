"""A proxy is used where the settings say so, and nowhere else."""

from __future__ import annotations

import socket
import threading

import pytest

from .authority import Authority
from .delivery import assert_balance, delivering, events, settled, until
from .scripted_intake import Connection, scripted_intake


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


def tunnels_to(port: int):
    """The act of a proxy that takes every name for one loopback port."""

    def act(connection: Connection) -> None:
        connection.intake.note(connection.read_head())
        with socket.create_connection(("127.0.0.1", port)) as target:
            connection.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=pump, args=(target, connection.sock))
            back.start()
            pump(connection.sock, target)
            back.join()

    return act


def pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def refuses_the_tunnel(connection: Connection) -> None:
    connection.read_request()
    connection.answer(407, Proxy_Authenticate="Basic")


def test_events_go_through_the_proxy(queue, authority):
    spool = queue(300)
    with (
        scripted_intake(tls=authority.server("intake.example")) as intake,
        scripted_intake(refuses_the_tunnel, tunnels_to(intake.port)) as proxy,
        delivering(
            spool,
            "https://intake.example",
            ca_bundle_path=authority.bundle,
            http_proxy_url=f"http://user:secret@127.0.0.1:{proxy.port}",
        ) as deliverer,
    ):
        until(lambda: deliverer.state().last_error is not None)
        assert "407" in deliverer.state().last_error
        assert "secret" not in deliverer.state().last_error
        settled(spool)
    assert intake.accepted == events(300)
    assert proxy.requests[1].line == "CONNECT intake.example:443 HTTP/1.1"
    assert proxy.requests[1].headers["proxy-authorization"] == "Basic dXNlcjpzZWNyZXQ="
    assert not any("x-sekoiaio-intake-key" in request.headers for request in proxy.requests)
    assert_balance(spool, delivered=300)


def test_this_machine_is_reached_without_the_proxy(queue):
    spool = queue(10)
    with (
        scripted_intake() as intake,
        scripted_intake() as proxy,
        delivering(spool, intake.url, http_proxy_url=proxy.url),
    ):
        settled(spool)
    assert proxy.connections == 0
    assert_balance(spool, delivered=10)


def test_proxies_of_the_environment_are_ignored(queue, monkeypatch):
    spool = queue(10)
    with scripted_intake() as intake, scripted_intake() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        with delivering(spool, intake.url):
            settled(spool)
    assert proxy.connections == 0
    assert_balance(spool, delivered=10)
