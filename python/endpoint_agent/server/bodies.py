"""Request bodies: read and decompressed within the intake's limits."""

from __future__ import annotations

import asyncio
import zlib
from typing import TYPE_CHECKING

from endpoint_agent.server.refusal import Refusal

if TYPE_CHECKING:
    from starlette.requests import Request

MAX_BODY = 10_485_760
"""Bytes of a body, as sent and decompressed."""
MAX_SECONDS = 60
"""From the head of a request to the end of its body."""
MAX_GZIP_MEMBERS = 64
"""RFC 1952 lets a body be many small gzip members, each of which costs a decompressor."""

_GZIP_WBITS = 31


async def read(request: Request) -> bytes:
    """The whole body, decompressed.

    Raises:
        Refusal: 413 too long, 408 too slow, 415 another encoding than gzip, 400 broken gzip.
    """
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip", "x-gzip"):
        raise Refusal(415, "Content-Encoding can only be gzip or identity")
    try:
        async with asyncio.timeout(MAX_SECONDS):
            body = await _received(request)
    except TimeoutError:
        raise Refusal(408, f"the body did not arrive within {MAX_SECONDS} s") from None
    return body if encoding == "identity" else gunzip(body)


async def _received(request: Request) -> bytes:
    declared = request.headers.get("Content-Length", "0")
    if declared.isdigit() and int(declared) > MAX_BODY:
        raise _too_long()
    chunks, room = [], MAX_BODY
    async for chunk in request.stream():
        room -= len(chunk)
        if room < 0:
            raise _too_long()
        chunks.append(chunk)
    return b"".join(chunks)


def gunzip(compressed: bytes) -> bytes:
    """Decompresses at most MAX_BODY bytes, so that a bomb costs no more than a fair body.

    Raises:
        Refusal: 413 longer than that, 400 not whole gzip.
    """
    parts, room = [], MAX_BODY
    for _ in range(MAX_GZIP_MEMBERS):
        member = zlib.decompressobj(_GZIP_WBITS)
        try:
            part = member.decompress(compressed, room + 1)
        except zlib.error as error:
            raise Refusal(400, f"the body is not gzip: {error}") from None
        if len(part) > room:
            raise _too_long()
        if not member.eof:
            raise Refusal(400, "the gzip body ends before its end mark")
        parts.append(part)
        room -= len(part)
        compressed = member.unused_data
        if not compressed:
            return b"".join(parts)
    raise Refusal(413, f"the body has more than {MAX_GZIP_MEMBERS} gzip members")


def _too_long() -> Refusal:
    return Refusal(413, f"the body is longer than {MAX_BODY} bytes: send fewer events at once")
