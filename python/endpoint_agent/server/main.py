"""`endpoint-agent serve`: checks what it was given, opens, listens, runs until a signal."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from endpoint_agent.errors import ServerError, UsageError
from endpoint_agent.server import keys, tls
from endpoint_agent.server import listen as listening
from endpoint_agent.server.store import Store

if TYPE_CHECKING:
    import uvicorn

MAX_CONNECTIONS = 500
"""Open connections; beyond it requests are answered with 503."""
MAX_HEAD = 16_384
"""Bytes of a request's line and headers."""
KEEP_ALIVE = 75
"""Seconds an idle connection stays open: agents send every 5 s to 60 s."""
GRACE = 5
"""Seconds that requests under way have when the intake is told to end."""


def serve(
    data: Path,
    listen: str,
    intake_keys: Sequence[str],
    tls_cert: Path | None = None,
    tls_key: Path | None = None,
    tls_self_signed: bool = False,
) -> None:
    """Runs the intake in the main thread until SIGTERM or SIGINT.

    Prints `intake listening on URL` when it takes connections; before it, with a certificate of
    its own, the line that agents need in their configuration.

    Args:
        data: folder of the events; made with mode 0700.
        listen: HOST:PORT; port 0 takes a free one. Plain http on loopback only.
        intake_keys: every key that senders may present.
        tls_cert: PEM file of the certificate chain; `tls_key` belongs to it.
        tls_key: PEM file of its private key.
        tls_self_signed: makes a certificate in `data` once and uses it.

    Raises:
        UsageError: the values do not make sense together.
        ServerError: the intake cannot start; the message says why and what to do.
    """
    _require_extra()
    keys.check(intake_keys)
    encrypted = _encrypted(tls_cert, tls_key, tls_self_signed)
    with (
        listening.bind(listen, tls=encrypted) as listener,
        contextlib.closing(Store(data)) as store,
    ):
        if tls_self_signed:
            tls_cert, tls_key = _own_certificate(data, listen)
        context = tls.context(tls_cert, tls_key) if tls_cert and tls_key else None
        _run(store, intake_keys, listener, context)


def _require_extra() -> None:
    try:
        import cryptography  # noqa: F401
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise ServerError(
            f"the intake needs the package {error.name}: pip install 'endpoint-agent[server]'"
        ) from error


def _encrypted(cert: Path | None, key: Path | None, self_signed: bool) -> bool:
    if (cert is None) != (key is None):
        raise UsageError("--tls-cert and --tls-key belong together: give both")
    if cert is not None and self_signed:
        raise UsageError("--tls-self-signed makes its own certificate: leave out --tls-cert")
    return self_signed or cert is not None


def _own_certificate(data: Path, listen: str) -> tuple[Path, Path]:
    from endpoint_agent.server.self_signed import self_signed

    host, _ = listening.split(listen)
    made = self_signed(data / "tls", host)
    print(f"CABundlePath: {made.ca.resolve()}", flush=True)
    return made.cert, made.key


def _run(
    store: Store,
    intake_keys: Sequence[str],
    listener: socket.socket,
    context: ssl.SSLContext | None,
) -> None:
    server = _server(store, keys.IntakeKeys(intake_keys, store.intakes), context)

    def end(*_: object) -> None:
        server.should_exit = True

    # uvicorn has its own handlers while it serves, and raises the signal again for these after it.
    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    print(f"intake listening on {listening.url(listener, tls=context is not None)}", flush=True)
    asyncio.run(server.serve(sockets=[listener]))


def _server(
    store: Store, intake_keys: keys.IntakeKeys, context: ssl.SSLContext | None
) -> uvicorn.Server:
    import uvicorn

    from endpoint_agent.server.app import Intake

    return uvicorn.Server(
        uvicorn.Config(
            Intake(store, intake_keys).app(),
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="error",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=MAX_CONNECTIONS,
            h11_max_incomplete_event_size=MAX_HEAD,
            timeout_keep_alive=KEEP_ALIVE,
            timeout_graceful_shutdown=GRACE,
            ssl_context_factory=None if context is None else lambda *_: context,
        )
    )
