"""Runs uv inside a sandbox without network: ``python sandbox_child.py SECONDS ARGUMENT…``; standard library only.

Listens on a loopback port of the sandbox's own and passes every connection on to the unix socket beside this file, which
leads to the package index. ``{index}`` in an argument becomes that port's address.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import threading
from pathlib import Path

GATE = str(Path(__file__).with_name("index.sock"))


def pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for end, how in ((source, socket.SHUT_RD), (target, socket.SHUT_WR)):
        with contextlib.suppress(OSError):
            end.shutdown(how)


def serve(listener: socket.socket) -> None:
    while True:
        inner, outer = listener.accept()[0], socket.socket(socket.AF_UNIX)
        try:
            outer.connect(GATE)
        except OSError:
            inner.close()
            continue
        for pair in ((inner, outer), (outer, inner)):
            threading.Thread(target=pump, args=pair, daemon=True).start()


def main() -> None:
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    threading.Thread(target=serve, args=(listener,), daemon=True).start()
    index = f"http://127.0.0.1:{listener.getsockname()[1]}/simple/"
    words = [word.replace("{index}", index) for word in sys.argv[2:]]
    try:
        sys.exit(subprocess.run(words, timeout=float(sys.argv[1]), check=False).returncode)
    except subprocess.TimeoutExpired:
        sys.exit(f"It did not end within {sys.argv[1]} seconds.")


if __name__ == "__main__":
    main()
