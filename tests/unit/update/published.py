"""A signed repository on a server of this machine, and one who can write to both."""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Callable, Iterable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from ssl import SSLContext
from typing import Any

import pytest

from endpoint_agent.config import Settings
from endpoint_agent.update.client import Repository

TOOL = Path(__file__).parents[3] / "tools/repository.py"

BUNDLE = b"a bundle" * 1000


def load_tool() -> Any:
    spec = importlib.util.spec_from_file_location("repository_tool", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


tool = load_tool()


class Server:
    """Serves a folder, but for the paths that it answers otherwise."""

    def __init__(self, folder: Path, tls: SSLContext | None = None) -> None:
        self.folder = folder
        self.answers: dict[str, Callable[[], Iterable[bytes]]] = {}
        """By path below the folder: the parts of a body without a length."""
        self.statuses: dict[str, int] = {}
        self.asked: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer._answer(self)

            def log_message(self, *arguments: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        if tls is not None:
            self.http.socket = tls.wrap_socket(self.http.socket, server_side=True)
        scheme = "https" if tls else "http"
        self.url = f"{scheme}://127.0.0.1:{self.http.server_address[1]}"
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        path = request.path.lstrip("/")
        self.asked.append(path)
        file = self.folder / path
        if path in self.answers:
            parts: Iterable[bytes] = self.answers[path]()
        elif file.is_file():
            parts = [file.read_bytes()]
        else:
            request.send_error(404)
            return
        request.send_response(self.statuses.get(path, 200))
        request.send_header("Location", f"{self.url}/elsewhere")
        request.end_headers()
        try:
            for part in parts:
                request.wfile.write(part)
        except OSError:
            pass

    def stop(self) -> None:
        self.http.shutdown()
        self.http.server_close()


class Publisher:
    """Who has the keys, and the repository."""

    def __init__(self, folder: Path, root_keys: int = 1) -> None:
        self.keys = folder / "keys"
        self.folder = folder / "repository"
        self.metadata = self.folder / "metadata"
        self.repository = tool.Repository(self.keys, self.folder)
        self.repository.init(root_keys)
        self.root = folder / "root.json"
        self.root.write_bytes((self.metadata / "1.root.json").read_bytes())
        self.root.chmod(0o600)
        self._bundles = folder

    def add(self, version: str, content: bytes = BUNDLE, percentage: int = 100) -> None:
        bundle = self._bundles / f"endpoint-agent-{version}-linux-x86_64.tar.gz"
        bundle.write_bytes(content)
        self.repository.add([bundle], percentage)


@pytest.fixture
def publisher(tmp_path: Path) -> Publisher:
    publisher = Publisher(tmp_path)
    publisher.add("0.2.0")
    return publisher


@pytest.fixture
def server(publisher: Publisher) -> Iterator[Server]:
    server = Server(publisher.folder)
    yield server
    server.stop()


Client = Callable[[], Repository]


@pytest.fixture
def client(publisher: Publisher, server: Server, tmp_path: Path) -> Client:
    """Makes a client, each with what the ones before have seen."""
    settings = Settings(update_url=server.url, update_root=publisher.root)
    return lambda: Repository(settings, tmp_path / "seen")
