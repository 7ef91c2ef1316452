"""Whom the agent trusts to be the intake."""

from __future__ import annotations

import ssl
import sys
from pathlib import Path

import certifi

from endpoint_agent.errors import ConfigError


def trusting(ca_bundle_path: Path | None) -> ssl.SSLContext:
    """A context that verifies certificates and host names.

    Against the authorities of a PEM file, else those of the system, else, on a system that has
    none, those of Mozilla, from certifi; on Windows both.

    Raises:
        ConfigError: the file cannot be used.
    """
    if ca_bundle_path is not None:
        try:
            return ssl.create_default_context(cafile=ca_bundle_path)
        except OSError as error:
            raise ConfigError(
                f"CABundlePath: {ca_bundle_path} cannot be used: {error.strerror or error}; "
                "name a readable PEM file of certificates"
            ) from error
    context = ssl.create_default_context()
    if sys.platform == "win32":
        # Windows has an authority in its store only once a program of its own has met it.
        context.load_verify_locations(cafile=certifi.where())
    if _has_authorities(context):
        return context
    return ssl.create_default_context(cafile=certifi.where())


def trusting_nobody() -> ssl.SSLContext:
    """A context that refuses every certificate: for plain http, where loading authorities would
    only cost memory."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _has_authorities(context: ssl.SSLContext) -> bool:
    """A folder of authorities is read when they are needed, so the statistics do not count it."""
    folder = ssl.get_default_verify_paths().capath
    return context.cert_store_stats()["x509_ca"] > 0 or (
        folder is not None and any(Path(folder).iterdir())
    )
