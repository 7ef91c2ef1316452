"""The repository of updates over HTTPS: by authorities of one's own, and through a proxy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from ssl import SSLContext

import pytest

from endpoint_agent.config import Settings
from endpoint_agent.errors import UpdateError

from .authority import Authority
from .scripted_intake import Act, Connection, scripted_intake
from .test_delivery_proxy import refuses_the_tunnel, tunnels_to

pytest.importorskip("tuf")

from endpoint_agent.update.choice import Offer
from endpoint_agent.update.client import Repository

from ..unit.update.published import BUNDLE, Publisher, Server, publisher

__all__ = ["publisher"]

OFFER = Offer("endpoint-agent-0.2.0-linux-x86_64.tar.gz", "0.2.0", 100)

Serve = Callable[[SSLContext], Server]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def serve(publisher: Publisher) -> Iterator[Serve]:
    """Serves the repository by a certificate."""
    servers = []

    def serve(tls: SSLContext) -> Server:
        servers.append(Server(publisher.folder, tls))
        return servers[-1]

    yield serve
    for server in servers:
        server.stop()


def always(act: Act) -> Act:
    """The same for each connection."""

    def again(connection: Connection) -> None:
        connection.intake._script.append(again)
        act(connection)

    return again


def repository(publisher: Publisher, folder: Path, url: str, **settings: object) -> Repository:
    given = Settings(update_url=url, update_root=publisher.root, **settings)  # type: ignore[arg-type]
    return Repository(given, folder / "metadata")


def test_by_an_authority_of_ones_own(
    publisher: Publisher, authority: Authority, serve: Serve, tmp_path: Path
) -> None:
    url = serve(authority.server()).url
    assert url.startswith("https://")
    one = repository(publisher, tmp_path, url, ca_bundle_path=authority.bundle)
    assert one.offers() == [OFFER]
    one.fetch(OFFER, tmp_path / "bundle")
    assert (tmp_path / "bundle").read_bytes() == BUNDLE


def test_the_hosts_authorities_do_not_know_it(
    publisher: Publisher, authority: Authority, serve: Serve, tmp_path: Path
) -> None:
    server = serve(authority.server())
    with pytest.raises(UpdateError, match="CERTIFICATE_VERIFY_FAILED"):
        repository(publisher, tmp_path, server.url).offers()
    assert server.asked == []


@pytest.mark.parametrize(
    ("name", "days"), [("updates.example", 1), ("127.0.0.1", -1)], ids=["name", "expired"]
)
def test_a_certificate_of_another_name_or_time(
    publisher: Publisher, authority: Authority, serve: Serve, tmp_path: Path, name: str, days: int
) -> None:
    server = serve(authority.server(name, days=days))
    one = repository(publisher, tmp_path, server.url, ca_bundle_path=authority.bundle)
    with pytest.raises(UpdateError, match="CERTIFICATE_VERIFY_FAILED"):
        one.offers()
    assert server.asked == []


def test_through_a_proxy(
    publisher: Publisher, authority: Authority, serve: Serve, tmp_path: Path
) -> None:
    server = serve(authority.server("updates.example"))
    with scripted_intake(always(tunnels_to(server.http.server_address[1]))) as proxy:
        one = repository(
            publisher,
            tmp_path,
            "https://updates.example/",
            ca_bundle_path=authority.bundle,
            http_proxy_url=f"http://user:secret@127.0.0.1:{proxy.port}",
        )
        assert one.offers() == [OFFER]
        one.fetch(OFFER, tmp_path / "bundle")
    assert (tmp_path / "bundle").read_bytes() == BUNDLE
    assert {request.line for request in proxy.requests} == {"CONNECT updates.example:443 HTTP/1.1"}
    assert all("proxy-authorization" in request.headers for request in proxy.requests)
    assert len(proxy.requests) == len(server.asked)


def test_a_proxy_that_refuses(publisher: Publisher, authority: Authority, tmp_path: Path) -> None:
    with scripted_intake(always(refuses_the_tunnel)) as proxy:
        one = repository(
            publisher,
            tmp_path,
            "https://updates.example/",
            ca_bundle_path=authority.bundle,
            http_proxy_url=f"http://127.0.0.1:{proxy.port}",
        )
        with pytest.raises(UpdateError, match="407"):
            one.offers()
