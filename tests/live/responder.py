"""A DNS server on the loopback that gives every name the same answer, and its client."""

from __future__ import annotations

import secrets
import socket
import struct
import threading
from types import TracebackType

import pytest

ADDRESS = ("127.83.1.53", 53)

HEADER = struct.Struct("!HHHHHH")
RECURSION = 0x0100
ANSWER = 0x8180


def question(name: str, identity: int = 7) -> bytes:
    """The question for the addresses of a name."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return HEADER.pack(identity, RECURSION, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", 1, 1)


def answer(message: bytes) -> bytes:
    """192.0.2.1 for the name of a question."""
    (identity,) = struct.unpack_from("!H", message)
    record = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 71, 4) + bytes([192, 0, 2, 1])
    return HEADER.pack(identity, ANSWER, 1, 1, 0, 0) + message[HEADER.size :] + record


def unique_name() -> str:
    """A name nobody else asks for."""
    return f"n{secrets.token_hex(8)}.example"


def receive(stream: socket.socket) -> bytes:
    """One message of a stream, without its length."""
    (size,) = struct.unpack("!H", stream.recv(2, socket.MSG_WAITALL))
    return stream.recv(size, socket.MSG_WAITALL)


class Responder:
    """Answers from a thread of this process, over UDP and TCP."""

    def __init__(self) -> None:
        """Takes the address, or skips the test where somebody has it."""
        self._datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._streams = socket.socket()
        self._streams.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._datagrams.bind(ADDRESS)
            self._streams.bind(ADDRESS)
        except OSError as error:
            self._close()
            pytest.skip(f"needs port 53 of {ADDRESS[0]}: {error}")
        self._streams.listen()
        self._threads = [
            threading.Thread(target=work, daemon=True)
            for work in (self._answer_datagrams, self._answer_streams)
        ]

    def __enter__(self) -> Responder:
        """Starts to answer."""
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        """Answers no more."""
        # Who waits in a call is not woken by the close of its socket.
        self._streams.shutdown(socket.SHUT_RDWR)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", ADDRESS)
        for thread in self._threads:
            thread.join()
        self._close()

    def _close(self) -> None:
        self._datagrams.close()
        self._streams.close()

    def _answer_datagrams(self) -> None:
        while True:
            message, client = self._datagrams.recvfrom(4096)
            if not message:
                return
            if len(message) > HEADER.size:
                self._datagrams.sendto(answer(message), client)

    def _answer_streams(self) -> None:
        while True:
            try:
                stream, _ = self._streams.accept()
            except OSError:
                return
            with stream:
                stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                message = answer(receive(stream))
                # Some servers send the length in a segment of its own.
                stream.sendall(struct.pack("!H", len(message)))
                stream.sendall(message)
