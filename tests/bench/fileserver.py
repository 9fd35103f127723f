"""A file over loopback HTTP as fast as the kernel gives it (sendfile), from a process of its own: the same for all.

python -m tests.bench.fileserver FILE   prints its port, then serves FILE under any path until stdin closes.
"""

import os
import socket
import sys
import threading
from pathlib import Path


def serve(connection: socket.socket, path: Path) -> None:
    """Answer one request with the whole file."""
    with connection, path.open("rb") as file:
        request = b""
        while b"\r\n\r\n" not in request:
            more = connection.recv(65_536)
            if not more:
                return
            request += more
        size = path.stat().st_size
        head = f'HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nETag: "{size}"\r\nContent-Length: {size}\r\n'
        connection.sendall(f"{head}Connection: close\r\n\r\n".encode())
        if request.startswith(b"HEAD"):
            return
        offset = 0
        while offset < size:
            offset += os.sendfile(connection.fileno(), file.fileno(), offset, size - offset)


def main() -> None:
    """Serve until stdin closes."""
    path = Path(sys.argv[1])
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    print(listener.getsockname()[1], flush=True)

    def accept() -> None:
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=serve, args=(connection, path), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    main()
