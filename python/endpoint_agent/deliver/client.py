"""One connection to the intake: posts a batch and says what came of it.

It works on httpcore, the transport below httpx, whose client would keep every cookie an intake
hands out, take half as much time again per request, and 4 MB. Redirects are not followed, since
the key would go with them; proxies of the environment are ignored, so that the settings say it all.
"""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes, urlsplit

import httpcore

from endpoint_agent import __version__
from endpoint_agent.addresses import is_loopback
from endpoint_agent.deliver.answer import Answer, Verdict, printable, refused_events, verdict_of
from endpoint_agent.deliver.backoff import retry_after
from endpoint_agent.deliver.tls import trusting, trusting_nobody
from endpoint_agent.errors import ConfigError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable

    from endpoint_agent.config import Settings

PATH = "/plain/batch"
MAX_ANSWER = 1_048_576

# Seconds. httpcore bounds one read or write; the last bounds an answer that comes in drips.
TIMEOUTS = {"connect": 10.0, "write": 30.0, "read": 30.0, "pool": 10.0}
ANSWER_TIMEOUT = 60.0

# A quiet agent sends a heartbeat a minute, and need not pay for a TLS handshake each time; many
# servers close an idle connection after 75 seconds.
KEEP = 70.0
KEEPALIVE = (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3))


class IntakeClient:
    """Posts batches to the intake of some settings over one keep-alive connection (HTTP/1.1).

    One thread may use it.
    """

    def __init__(self, settings: Settings) -> None:
        """Connects nothing yet.

        Raises:
            ConfigError: an address or the CA bundle cannot be used.
        """
        self.settings = settings
        try:
            self._url = httpcore.URL(settings.effective_intake_url + PATH)
            self._connection = connection(
                settings, settings.effective_intake_url, "IntakeURL", _keepalive()
            )
        except (TypeError, ValueError):
            # The text of these errors may quote the proxy's password.
            raise ConfigError(
                "IntakeURL or HTTPProxyURL: is no address; allowed: https://host, http://host:port"
            ) from None
        self._headers = [
            ("X-SEKOIAIO-INTAKE-KEY", settings.intake_key),
            ("Content-Type", "text/plain"),
            ("Content-Encoding", "gzip"),
            # What is not compressed cannot be a decompression bomb.
            ("Accept-Encoding", "identity"),
            ("User-Agent", f"endpoint-agent/{__version__}"),
        ]
        self._was_used = False

    def post(self, batch_id: str, body: bytes, patience: float) -> Answer:
        """Sends a batch once. Never raises: a failure is an answer too.

        Args:
            batch_id: lets the intake drop a batch that it has already.
            body: events, one JSON object a line, gzip-compressed.
            patience: seconds; no timeout is longer.
        """
        try:
            return self._exchange(batch_id, body, patience)
        # Whatever a hostile answer provokes in the libraries below, the delivery lives on.
        except Exception as error:
            return Answer(Verdict.UNAVAILABLE, self._shown(_explained(error)))

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()

    def _exchange(self, batch_id: str, body: bytes, patience: float) -> Answer:
        try:
            return self._exchange_once(batch_id, body, patience)
        except (httpcore.NetworkError, httpcore.RemoteProtocolError):
            if not self._was_used:
                raise
            # A peer may close an idle connection just as it is used again (RFC 9112 §9.3.1):
            # that says nothing about the intake.
            self._was_used = False
            return self._exchange_once(batch_id, body, patience)

    def _exchange_once(self, batch_id: str, body: bytes, patience: float) -> Answer:
        exchange = self._connection.stream(
            "POST",
            self._url,
            headers=[*self._headers, ("X-Batch-Id", batch_id)],
            content=body,
            extensions={"timeout": {k: min(limit, patience) for k, limit in TIMEOUTS.items()}},
        )
        with exchange as response:
            text = _read(response, time.monotonic() + patience)
        self._was_used = True
        status, verdict = response.status, verdict_of(response.status)
        if verdict is Verdict.TAKEN:
            refused = refused_events(text)
            return Answer(verdict, f"HTTP {status}, {len(refused)} refused", refused=refused)
        return Answer(
            verdict,
            self._shown(f"HTTP {status} {text.decode(errors='replace')}"),
            retry_after(_header(response, b"retry-after"), time.time()),
        )

    def _shown(self, text: str) -> str:
        return printable(text, self.settings.intake_key)


def check(settings: Settings) -> None:
    """Makes sure that the intake of the settings could be talked to; connects nothing.

    Raises:
        ConfigError: an address or the CA bundle cannot be used.
    """
    IntakeClient(settings).close()


def _keepalive() -> list[tuple[int, int, int]]:
    """What has a dead connection found out, as far as this host takes it: not before Windows 10."""
    options = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
    with socket.socket() as trial:
        for name, value in KEEPALIVE:
            with suppress(AttributeError, OSError):
                option = (socket.IPPROTO_TCP, getattr(socket, name), value)
                trial.setsockopt(*option)
                options.append(option)
    return options


def _explained(error: Exception) -> str:
    text = f"{type(error).__name__}: {error}"
    if "CERTIFICATE_VERIFY_FAILED" not in text:
        return text
    return f"{text}; name the authority of the intake in CABundlePath if it is a private one"


def connection(
    settings: Settings,
    address: str,
    key: str,
    socket_options: list[tuple[int, int, int]] | None = None,
) -> httpcore.ConnectionPool:
    """One connection to an address, by the proxy and the authorities of the settings.

    Args:
        key: of the setting that holds the address, for messages.

    Raises:
        ConfigError: the address is not safe, or the CA bundle cannot be used.
        ValueError: the proxy's address is none. The text may quote its password.
    """
    url = urlsplit(address)
    host = url.hostname or ""
    if url.scheme != "https" and not (url.scheme == "http" and is_loopback(host)):
        raise ConfigError(f"{key}: must be https, or it would travel in clear text")
    trust = trusting(settings.ca_bundle_path) if url.scheme == "https" else trusting_nobody()
    return httpcore.ConnectionPool(
        ssl_context=trust,
        proxy=_proxy(settings, host, trust),
        max_connections=1,
        max_keepalive_connections=1,
        keepalive_expiry=KEEP,
        socket_options=socket_options,
    )


def _proxy(settings: Settings, host: str, trust: ssl.SSLContext) -> httpcore.Proxy | None:
    if settings.http_proxy_url is None or not needs_proxy(host, settings.no_proxy_domains):
        return None
    url = urlsplit(settings.http_proxy_url)
    if url.scheme not in ("http", "https"):
        raise ValueError(url.scheme)
    user, password = (unquote_to_bytes(text or "") for text in (url.username, url.password))
    return httpcore.Proxy(
        settings.http_proxy_url,
        auth=(user, password) if user or password else None,
        ssl_context=trust if url.scheme == "https" else None,
    )


def needs_proxy(host: str, no_proxy_domains: Iterable[str]) -> bool:
    """Whether a host is reached through the proxy: not this machine, and in none of the domains.

    A domain names itself and its subdomains, with or without a leading dot.
    """
    if is_loopback(host):
        return False
    dotted = f".{host.lower()}"
    return not any(dotted.endswith(f".{d.lower().lstrip('.')}") for d in no_proxy_domains)


def _read(response: httpcore.Response, deadline: float) -> bytes:
    """As much of the body as comes, at most 1 MiB, as far as it comes until the deadline.

    The status has already decided what becomes of the batch.
    """
    body = bytearray()
    try:
        for chunk in response.iter_stream():
            body += chunk
            if len(body) >= MAX_ANSWER or time.monotonic() > deadline:
                break
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException):
        pass
    return bytes(body[:MAX_ANSWER])


def _header(response: httpcore.Response, name: bytes) -> str | None:
    """The value of a header, by its name in small letters."""
    values = (value for key, value in response.headers if key.lower() == name)
    value = next(values, None)
    return None if value is None else value.decode("latin-1")
