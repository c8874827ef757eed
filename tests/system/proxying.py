"""A reverse proxy, as small as it can be: shows a server below a path, and may know no WebSockets."""

import socket
import socketserver
import threading
from contextlib import suppress
from urllib.parse import urlsplit


class Proxy(socketserver.ThreadingTCPServer):
    """Answers at `url` with what there is at `target`; `strays` are requests beside the prefix."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, target: str, prefix: str, *, websockets: bool = True) -> None:
        super().__init__(("127.0.0.1", 0), _Passage)
        parts = urlsplit(target)
        self.target = str(parts.hostname), int(parts.port or 0)
        self.prefix, self.websockets = prefix, websockets
        self.url = f"http://127.0.0.1:{self.server_address[1]}{prefix}/"
        self.strays: list[str] = []
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def server_close(self) -> None:
        self.shutdown()
        self._thread.join()
        super().server_close()


class _Passage(socketserver.StreamRequestHandler):
    """A connection: requests are changed on their way, answers are passed on as they are."""

    server: Proxy

    def handle(self) -> None:
        with suppress(OSError), socket.create_connection(self.server.target) as upstream:
            threading.Thread(target=_pass_on, args=(upstream, self.connection), daemon=True).start()
            while request := self._head():
                method, path, rest = request.split(b" ", 2)
                prefix = self.server.prefix.encode()
                if not path.startswith(prefix + b"/"):
                    self.server.strays.append(path.decode())
                    return
                upgrades = b"\nupgrade: websocket" in rest.lower()
                if upgrades and not self.server.websockets:
                    self.wfile.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
                    return
                upstream.sendall(b" ".join((method, path.removeprefix(prefix), rest)))
                if upgrades:
                    while chunk := self.rfile.read1(65536):
                        upstream.sendall(chunk)
                    return
            upstream.shutdown(socket.SHUT_RDWR)

    def _head(self) -> bytes:
        """Of the next request, none of which has a body; empty at the end."""
        lines = []
        while line := self.rfile.readline():
            lines.append(line)
            if line == b"\r\n":
                return b"".join(lines)
        return b""


def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while chunk := source.recv(65536):
            sink.sendall(chunk)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_RDWR)
