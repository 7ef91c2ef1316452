"""The TLS side of the listening socket."""

from __future__ import annotations

import ssl
from pathlib import Path

from endpoint_agent.errors import ServerError


def context(cert: Path, key: Path) -> ssl.SSLContext:
    """A server context for a certificate chain and its key.

    Raises:
        ServerError: a file cannot be read, is not PEM, is encrypted, or they do not match.
    """
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.set_alpn_protocols(["http/1.1"])
    try:
        # An empty password, for else OpenSSL would ask for one at the terminal.
        made.load_cert_chain(cert, key, password=lambda: b"")
    except OSError as error:
        raise ServerError(
            f"the certificate {cert} with the key {key} cannot be used: "
            f"{error.strerror or error}: both are PEM files this user may read, the key belongs "
            "to the certificate and has no password"
        ) from error
    return made
