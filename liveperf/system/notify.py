"""Tells systemd how the instrument is, after sd_notify(3): a datagram of lines, to the socket that it names."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Mapping


class Notifier:
    """What a service of `Type=notify` says to its manager; silent where nobody has asked for it.

    Any thread may call; nothing blocks or raises: what the manager has no room for is not said.
    """

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        """environment: where NOTIFY_SOCKET (a path, or @ and an abstract name) is sought."""
        self._address = _address(environment.get("NOTIFY_SOCKET", ""))
        self._socket: socket.socket | None = None
        if self._address and hasattr(socket, "AF_UNIX"):  # Python has none on Windows
            with contextlib.suppress(OSError):
                self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
                self._socket.setblocking(False)

    def ready(self, status: str = "") -> None:
        """It plays, or after `reloading` plays on. status: one line for `systemctl status`."""
        self._tell("READY=1", *_status(status))

    def status(self, status: str) -> None:
        """One line for `systemctl status`."""
        self._tell(*_status(status))

    def watchdog(self) -> None:
        """It lives."""
        self._tell("WATCHDOG=1")

    def reloading(self, now_s: float) -> None:
        """It reads its setup again; `ready` follows. now_s: of `SystemClock`, on Linux CLOCK_MONOTONIC."""
        self._tell("RELOADING=1", f"MONOTONIC_USEC={int(now_s * 1_000_000)}")

    def stopping(self, status: str = "") -> None:
        """It begins to end."""
        self._tell("STOPPING=1", *_status(status))

    def close(self) -> None:
        """Say nothing any more."""
        if self._socket:
            self._socket.close()

    def _tell(self, *lines: str) -> None:
        if self._socket and lines:
            with contextlib.suppress(OSError):
                self._socket.sendto("\n".join(lines).encode("utf-8", "replace"), self._address)


def _address(name: str) -> str:
    if name.startswith("@"):
        return f"\0{name[1:]}"
    return name if name.startswith("/") else ""  # other kinds, such as vsock:, are not for us


def _status(status: str) -> list[str]:
    line = " ".join(status.split())
    return [f"STATUS={line}"] if line else []
