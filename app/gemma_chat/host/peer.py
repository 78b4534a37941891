"""Who is at the other end of a unix socket."""

from __future__ import annotations

import socket
import struct
import sys
from dataclasses import dataclass

_LINUX_CREDENTIALS = struct.Struct("iii")
_MACOS_SOL_LOCAL = 0
_MACOS_LOCAL_PEERCRED = 0x001
_MACOS_LOCAL_PEERPID = 0x002
_MACOS_CREDENTIALS = struct.Struct("II68x")
_MACOS_PID = struct.Struct("i")


@dataclass(frozen=True, slots=True)
class Peer:
    """The process at the other end, and its user."""

    pid: int
    uid: int


def peer_of(connection: socket.socket) -> Peer:
    """The other end of `connection`; raises `OSError` where the system does not tell."""
    if sys.platform == "linux":
        credentials = connection.getsockopt(
            socket.SOL_SOCKET, socket.SO_PEERCRED, _LINUX_CREDENTIALS.size
        )
        pid, uid, _gid = _LINUX_CREDENTIALS.unpack(credentials)
        return Peer(pid, uid)
    credentials = connection.getsockopt(
        _MACOS_SOL_LOCAL, _MACOS_LOCAL_PEERCRED, _MACOS_CREDENTIALS.size
    )
    _version, uid = _MACOS_CREDENTIALS.unpack(credentials)
    packed = connection.getsockopt(_MACOS_SOL_LOCAL, _MACOS_LOCAL_PEERPID, _MACOS_PID.size)
    (pid,) = _MACOS_PID.unpack(packed)
    return Peer(pid, uid)
