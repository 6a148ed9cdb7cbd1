"""A systemd user unit's text: what is started, and how it may be ended, limited and watched."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from liveperf.errors import FAILED, LiveperfError

NAME = "liveperf"


class ServiceError(LiveperfError):
    """The service cannot be installed, removed or shown; the message says why and what to do."""

    exit_code = FAILED


@dataclass(frozen=True)
class Service:
    """An instrument that starts by itself. Raises ServiceError for a name that no file should have.

    name: "" for the only one. arguments: of `liveperf play`. program: the words that start liveperf. folder: what
    relative paths among the arguments are relative to.
    """

    name: str = ""
    arguments: tuple[str, ...] = ()
    program: tuple[str, ...] = (NAME,)
    folder: Path = Path("/")

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9_-]{0,32}", self.name):
            raise ServiceError(f"a service cannot be named {self.name!r}: letters, digits, - and _, 32 at most")

    @property
    def label(self) -> str:
        """What the system knows it by."""
        return f"{NAME}-{self.name}" if self.name else NAME

    @property
    def options(self) -> str:
        """What tells it from others on a command line, with a space before it."""
        return f" --name {self.name}" if self.name else ""

    @property
    def command(self) -> tuple[str, ...]:
        """The words of its command line."""
        return (*self.program, "play", "--daemon", *self.options.split(), *self.arguments)


# No PrivateTmp, ProtectHome, PrivateDevices and the like: behind them are /dev/snd, recordings and the sockets of
# JACK and PipeWire, and in a user's unit they take namespaces, which many systems forbid. No RestrictRealtime: the
# output thread asks for just that. What is here takes seccomp at most. Limits are raised as far as the user's own
# allow. A first start after an update may install something: TimeoutStartSec.
_UNIT = """\
[Unit]
Description=liveperf{of}, a live neural MIDI instrument
After=sound.target pipewire.service pipewire.socket wireplumber.service jack.service
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
ExecStart={command}
ExecReload=kill -HUP $MAINPID
WorkingDirectory=-{folder}
Restart=on-failure
RestartSec=2
RestartPreventExitStatus=2
TimeoutStartSec=15min
WatchdogSec=10
WatchdogSignal=SIGTERM
TimeoutAbortSec=5
KillSignal=SIGTERM
TimeoutStopSec=15
LimitRTPRIO=95
LimitMEMLOCK=infinity
NoNewPrivileges=yes
LockPersonality=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native

[Install]
WantedBy=default.target
"""


def unit(service: Service) -> str:
    """The text of the unit, for systemd 244 and newer. Raises ServiceError for what systemd cannot be told."""
    first, folder = service.program[0], str(service.folder)
    if re.search("[\"'\\\\\0-\x1f\x7f]", first):
        raise ServiceError(f"systemd starts no program with a quote or \\ in its path, {first!r}; move it")
    if re.search(r"[\0-\x1f\x7f]|[\s\\]$", folder):
        raise ServiceError(f"systemd starts nothing in a folder of this name, {folder!r}; start from another one")
    words = (f":{first}", *service.command[1:])  # the colon: a $ is no variable
    return _UNIT.format(
        of=f" {service.name}" if service.name else "",
        command=" ".join(quote(word) for word in words),
        folder=_sayable(folder).replace("%", "%%"),
    )


def quote(word: str) -> str:
    """A word of a command line as systemd reads it back, systemd.service(5). Raises ServiceError if it cannot."""
    word = _sayable(word).replace("%", "%%")
    if re.fullmatch(r"[A-Za-z0-9_@%+=:,./~-]+", word):
        return word
    escaped = re.sub(r'(["\\])', r"\\\1", word)
    return '"' + re.sub("[\x01-\x1f\x7f]", lambda found: f"\\x{ord(found[0]):02x}", escaped) + '"'


def _sayable(text: str) -> str:
    """The text itself, if it is one to systemd, which passes over a line with anything else in it."""
    for character in text:
        code = ord(character)
        if not code or 0xD800 <= code < 0xE000 or 0xFDD0 <= code < 0xFDF0 or code & 0xFFFE == 0xFFFE:
            raise ServiceError(f"{text!r} is no text to systemd, for its {character!r}; use another name")
    return text
