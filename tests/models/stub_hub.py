"""A small stand-in for the hub's HTTP API, on this machine."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class StubHub:
    """Repositories by name, each with its files. `served` has what was asked for."""

    repositories: dict[str, dict[str, bytes]]
    gated: set[str] = field(default_factory=set)
    refusal: int = 0
    """Answer every question about a repository with this status."""
    silent: bool = False
    """Answer no question about a repository before `release`."""
    cut_after: int | None = None
    """Break the next download after so many bytes, once."""
    hold_after: int | None = None
    """Of every download send no byte behind so many before `release`: who asks again, because
    nothing comes, waits too."""
    elsewhere: str = ""
    """Where files are, when the hub does not send them itself."""
    spoilt: bool = False
    """Send other bytes than the checksum is of."""
    served: list[tuple[str, str, str | None]] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    endpoint: str = ""
    _let_go: threading.Event = field(default_factory=threading.Event)

    def release(self) -> None:
        """Go on with what is held."""
        self._let_go.set()

    def wait(self) -> None:
        """Wait for `release`."""
        self._let_go.wait(60)


class _Handler(BaseHTTPRequestHandler):
    hub: StubHub
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._file(with_body=False)

    def do_GET(self) -> None:
        found = re.fullmatch(r"/api/models/([\w.-]+/[\w.-]+)(?:/revision/\w+)?(?:\?.*)?", self.path)
        if found is None:
            self._file(with_body=True)
            return
        files = self.hub.repositories.get(found[1])
        self._note()
        if self.hub.silent:
            self.hub.wait()
            self.close_connection = True
            return
        if self.hub.refusal:
            self._refuse(self.hub.refusal, "")
        elif files is None:
            self._refuse(404, "RepoNotFound")
        else:
            self._describe(found[1], files)

    def _describe(self, repository: str, files: dict[str, bytes]) -> None:
        siblings = [
            {
                "rfilename": name,
                "size": len(content),
                "blobId": "x",
                "lfs": {
                    "sha256": hashlib.sha256(content).hexdigest(),
                    "size": len(content),
                    "pointerSize": 100,
                },
            }
            for name, content in files.items()
        ]
        body = json.dumps(
            {"id": repository, "modelId": repository, "sha": COMMIT, "siblings": siblings}
        ).encode()
        self._head(200, len(body), {"Content-Type": "application/json"})
        self.wfile.write(body)

    def _file(self, *, with_body: bool) -> None:
        found = re.fullmatch(r"/([\w.-]+/[\w.-]+)/resolve/\w+/([^?]+)", self.path)
        self._note()
        repository, name = (found[1], found[2]) if found else ("", "")
        content = self.hub.repositories.get(repository, {}).get(name)
        if repository in self.hub.gated:
            self._refuse(403, "GatedRepo")
        elif content is None:
            self._refuse(404, "EntryNotFound")
        elif self.hub.elsewhere:
            self._head(302, 0, {"Location": self.hub.elsewhere + self.path})
        else:
            self._send(content, with_body=with_body)

    def _send(self, content: bytes, *, with_body: bool) -> None:
        tag = hashlib.sha256(content).hexdigest()
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
        start = int(asked[1]) if asked else 0
        headers = {"ETag": f'"{tag}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
        if asked:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self._head(206 if asked else 200, len(content) - start, headers)
        if not with_body:
            return
        body = bytes(len(content)) if self.hub.spoilt else content
        if self.hub.cut_after is not None:
            end, self.hub.cut_after = start + self.hub.cut_after, None
            self.wfile.write(body[start:end])
            self.wfile.flush()
            self.close_connection = True
            self.connection.close()
            return
        held = len(body) if self.hub.hold_after is None else max(start, self.hub.hold_after)
        with suppress(OSError):
            self.wfile.write(body[start:held])
            if held < len(body):
                self.wfile.flush()
                self.hub.wait()
                self.wfile.write(body[held:])

    def _refuse(self, code: int, kind: str) -> None:
        self._head(code, 0, {"X-Error-Code": kind, "X-Error-Message": kind})

    def _head(self, code: int, length: int, headers: dict[str, str]) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def _note(self) -> None:
        self.hub.served.append((self.command, self.path, self.headers.get("Range")))
        if "Authorization" in self.headers:
            self.hub.tokens.append(self.headers["Authorization"])

    def log_message(self, format: str, *args: object) -> None:
        """Tests are quiet."""


@contextmanager
def serving(hub: StubHub) -> Iterator[StubHub]:
    """Answer for `hub` on a free port; its `endpoint` is set."""
    handler = type("Handler", (_Handler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    hub.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
