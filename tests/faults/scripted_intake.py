"""An intake over real sockets that misbehaves by a script: each request takes the next act.

When the script is at its end every request is accepted. Nothing here knows the agent.
"""

from __future__ import annotations

import contextlib
import gzip
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

Act = Callable[["Connection"], None]


@dataclass(frozen=True)
class Request:
    line: str
    headers: dict[str, str]
    body: bytes

    @property
    def events(self) -> list[bytes]:
        return gzip.decompress(self.body).splitlines()


class Connection:
    """One accepted connection, as an act sees it."""

    def __init__(self, intake: ScriptedIntake, sock: socket.socket) -> None:
        self.intake = intake
        self.sock = sock
        self._buffer = b""

    def wait(self) -> bool:
        """True when a request begins to arrive, false when the peer has closed."""
        return bool(self._buffer) or self._receive()

    def read_request(self) -> Request:
        head = self.read_head()
        length = int(head.headers.get("content-length", "0"))
        while len(self._buffer) < length:
            if not self._receive():
                raise ConnectionError("the peer closed in the middle of a body")
        body, self._buffer = self._buffer[:length], self._buffer[length:]
        request = Request(head.line, head.headers, body)
        self.intake.note(request)
        return request

    def read_head(self) -> Request:
        while b"\r\n\r\n" not in self._buffer:
            if not self._receive():
                raise ConnectionError("the peer closed in the middle of a head")
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        line, *fields = head.decode("latin-1").split("\r\n")
        pairs = (field.split(":", 1) for field in fields)
        return Request(line, {name.lower(): value.strip() for name, value in pairs}, b"")

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        fields = {"Content-Length": str(len(body)), **headers}
        lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
        self.send(f"HTTP/1.1 {status} Whatever\r\n{lines}\r\n".encode() + body)

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def reset(self) -> None:
        """Closes with RST instead of FIN."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def _receive(self) -> bool:
        data = self.sock.recv(65536)
        self._buffer += data
        return bool(data)


class ScriptedIntake:
    def __init__(self, *script: Act, tls: ssl.SSLContext | None = None) -> None:
        self._script = list(script)
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._changed = threading.Condition()
        self.released = threading.Event()
        self.requests: list[Request] = []
        self.accepted: list[bytes] = []
        self.connections = 0
        self._socks: list[socket.socket] = []
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def note(self, request: Request) -> None:
        with self._changed:
            self.requests.append(request)
            self._changed.notify_all()

    def accept(self, request: Request) -> None:
        with self._changed:
            self.accepted.extend(request.events)
            self._changed.notify_all()

    def wait_for(self, what: Callable[[ScriptedIntake], bool], timeout: float = 10.0) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: what(self), timeout), "the intake waited in vain"

    def close(self) -> None:
        self.released.set()
        self._listener.close()
        for sock in self._socks:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                with self._changed:
                    self.connections += 1
                    self._socks.append(sock)
                threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError):
            if self._tls is not None:
                sock = self._tls.wrap_socket(sock, server_side=True)
                self._socks.append(sock)
            connection = Connection(self, sock)
            while sock.fileno() >= 0 and connection.wait():
                self._next_act()(connection)

    def _next_act(self) -> Act:
        with self._changed:
            return self._script.pop(0) if self._script else accepts


def accepts(connection: Connection) -> None:
    """202, the events are kept."""
    request = connection.read_request()
    connection.intake.accept(request)
    connection.answer(202, b'{"event_ids": []}', Content_Type="application/json")


def answers(status: int, body: bytes = b"", **headers: str) -> Act:
    """A complete answer that keeps nothing."""

    def act(connection: Connection) -> None:
        connection.read_request()
        connection.answer(status, body, **headers)

    return act


def sends(data: bytes) -> Act:
    """These bytes for an answer, then the end of the connection."""

    def act(connection: Connection) -> None:
        connection.read_request()
        connection.send(data)
        connection.sock.close()

    return act


def refuses(status: int, refused: Callable[[Request], bool]) -> Act:
    """An intake that refuses some requests and accepts others; stays at it."""

    def act(connection: Connection) -> None:
        connection.intake._script.insert(0, act)
        request = connection.read_request()
        if refused(request):
            connection.answer(status)
        else:
            connection.intake.accept(request)
            connection.answer(200)

    return act


def resets_in_request(connection: Connection) -> None:
    """RST after the head, while the body is on its way."""
    connection.intake.note(connection.read_head())
    connection.reset()


def resets_in_answer(connection: Connection) -> None:
    """RST in the middle of the head of an answer."""
    connection.read_request()
    connection.send(b"HTTP/1.1 202 Accep")
    connection.reset()


def hangs(connection: Connection) -> None:
    """Takes the request and never answers."""
    connection.read_request()
    connection.intake.released.wait(30)
    connection.sock.close()


def drips(connection: Connection) -> None:
    """Answers without an end, a byte at a time."""
    connection.read_request()
    connection.send(b"HTTP/1.1 503 Slow\r\nContent-Length: 1000000\r\n\r\n")
    with contextlib.suppress(OSError):
        while not connection.intake.released.wait(0.02):
            connection.send(b".")


@contextlib.contextmanager
def scripted_intake(*script: Act, tls: ssl.SSLContext | None = None) -> Iterator[ScriptedIntake]:
    intake = ScriptedIntake(*script, tls=tls)
    try:
        yield intake
    finally:
        intake.close()
