"""Intake keys: which sender a request comes from."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from endpoint_agent.errors import UsageError
from endpoint_agent.server.refusal import Refusal

if TYPE_CHECKING:
    from starlette.requests import Request

HEADER = "X-SEKOIAIO-INTAKE-KEY"
MAX_KEY = 256
"""Characters of an intake key."""


class IntakeKeys:
    """The keys this intake accepts. Holds digests only, so that no key can leak from here."""

    def __init__(
        self, keys: Sequence[str], intakes: Callable[[Sequence[bytes]], list[int]]
    ) -> None:
        """Gives each key a number, known by the SHA-256 digest that stands for it in the store."""
        digests = [_digest(key) for key in keys]
        self._intakes = list(zip(digests, intakes(digests), strict=True))

    def identify(self, presented: str | None) -> int:
        """The number of the intake that a presented key belongs to.

        Every known key is compared, each in constant time, so that the time taken tells nothing.

        Raises:
            Refusal: 422, the key is missing or unknown.
        """
        digest, found = _digest(presented or ""), None
        for known, intake in self._intakes:
            if hmac.compare_digest(known, digest):
                found = intake
        if found is None:
            raise Refusal(422, "the intake key is missing or not known here: check IntakeKey")
        return found


def check(keys: Sequence[str]) -> None:
    """Refuses keys that no sender could present.

    Raises:
        UsageError: there is no key, or one is not 1 to 256 printable ASCII characters.
    """
    if not keys:
        raise UsageError(
            "the intake needs a key that its senders present: give --intake-key, "
            "--intake-key-file or ENDPOINT_AGENT_INTAKE_KEY"
        )
    for key in keys:
        if not (0 < len(key) <= MAX_KEY and key.isascii() and key.isprintable() and " " not in key):
            raise UsageError(
                f"an intake key is 1 to {MAX_KEY} printable ASCII characters without spaces"
            )


def presented(request: Request) -> str | None:
    """The key of a request outside its body: header, Basic password or `?intake_key=`."""
    return (
        request.headers.get(HEADER)
        or _basic_password(request.headers.get("Authorization", ""))
        or request.query_params.get("intake_key")
    )


def _basic_password(authorization: str) -> str | None:
    scheme, _, credentials = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        decoded = base64.b64decode(credentials, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    return decoded.partition(":")[2]


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode(errors="replace")).digest()
