"""A port for a server that is told on its command line where to listen."""

from __future__ import annotations

import random
import socket

LOWEST, HIGHEST = 20_000, 32_000
"""Below those that the system hands out: between the choice and the server's start nobody else,
asking for any port or connecting somewhere, is given it."""


def free_port() -> int:
    """One of this machine on which nobody listens."""
    while True:
        port = random.SystemRandom().randrange(LOWEST, HIGHEST)
        with socket.socket() as tried:
            try:
                tried.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
