"""Who may come in over HTTP, and how often: a web page that somebody looks at must not play his piano."""

from __future__ import annotations

import hmac
import ipaddress
import re
import secrets
from dataclasses import dataclass

from liveperf.setup.settings import TOKEN

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


class GuardError(ValueError):
    """Somebody would come in who should not; the message says what to do."""


@dataclass(frozen=True)
class Head:
    """What a request says of itself: its headers, each None if it is not there.

    local: the address that it has come in at. remote: the one that it comes from. token: that of the URL,
    `?token=`. site: `Sec-Fetch-Site`. navigates: whether the browser goes there, instead of a page that asks.
    """

    method: str = "GET"
    host: str | None = None
    local: str = "127.0.0.1"
    remote: str = "127.0.0.1"
    origin: str | None = None
    site: str | None = None
    navigates: bool = False
    authorization: str | None = None
    cookie: str | None = None
    token: str | None = None


@dataclass(frozen=True)
class Guard:
    """The rules for one place: where it is bound, the names it goes by, the token if one is needed.

    host: as it was bound. names: further names of the machine, or of what stands before it, with or without a
    port. Raises GuardError if anybody could come in from elsewhere, or guess the token.
    """

    host: str
    port: int
    token: str | None = None
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.token is None and not is_loopback(self.host):
            raise GuardError(
                f"{self.host} can be reached from other machines, and there is no token: give one, such as "
                f"{new_token()}, or stay with 127.0.0.1"
            )
        if self.token is not None and not TOKEN.fullmatch(self.token):
            raise GuardError("the token can be guessed or sent wrongly: take 16 to 256 letters, digits, - or _")

    @property
    def cookie_name(self) -> str:
        """The cookie that holds the token. Browsers share cookies between all ports of a machine."""
        return f"liveperf-{self.port}"

    def refusal(self, head: Head) -> tuple[int, str] | None:
        """The HTTP status and why, or None: come in."""
        ours = self.places(head.local)
        if head.host is None or head.host.lower() not in ours:
            # A name that another web site owns may lead here (DNS rebinding); its pages are not ours.
            return 403, f"Host {_shown(head.host)} is not this instrument's: ask for {ours[0]}"
        if head.origin is not None and head.origin.lower() not in _origins(ours):
            return 403, f"Origin {_shown(head.origin)} is another web site: it may not play here"
        if head.site in ("cross-site", "same-site") and not head.navigates:
            return 403, "another web site asks: it may not play here"
        if self.token is not None and not self._knows(head):
            return 401, "a token is needed: `Authorization: Bearer TOKEN`, or ?token=TOKEN for a page"
        return None

    def may_name_files(self, head: Head) -> bool:
        """Whether one that may come in may have a file read: a program of this machine's, and no page."""
        at_home = is_loopback(head.remote) or _written(head.remote) == _written(head.local)
        return at_home and head.origin is None and head.site is None

    def wants_cookie(self, head: Head) -> bool:
        """Whether one that may come in brought the token in the address, which a page does not do again."""
        return self.token is not None and head.method == "GET" and head.token is not None

    def places(self, local: str) -> list[str]:
        """What a request that came in at an address may call this place, the likeliest first."""
        hosts = [_written(local), *(name.lower() for name in self.names)]
        if not _is_any(self.host):
            hosts.append(_written(self.host))
        if is_loopback(local):
            hosts += LOOPBACK
        places = []
        for host in hosts:
            if re.search(r":\d+$", host):  # a name with a port of its own
                places.append(host)
            else:
                places += [f"{host}:{self.port}"] + ([host] if self.port == 80 else [])
        return places

    def _knows(self, head: Head) -> bool:
        scheme, _, bearer = (head.authorization or "").partition(" ")
        said = [bearer.strip() if scheme.lower() == "bearer" else "", head.cookie or ""]
        if head.method == "GET":
            said.append(head.token or "")
        wanted = (self.token or "").encode()
        return any([hmac.compare_digest(one.encode("utf-8", "surrogateescape"), wanted) for one in said if one])


@dataclass
class Bucket:
    """How often something may happen: `rate` times a second, `burst` times at once."""

    rate: float
    burst: float
    _level: float = 0.0  # how full of past requests
    _at: float = float("-inf")

    def take(self, now: float, cost: float = 1.0) -> bool:
        """Whether it may happen now (s); if not, it does not count."""
        level = max(self._level - (now - self._at) * self.rate, 0.0)
        if level + cost > self.burst:
            return False
        self._level, self._at = level + cost, now
        return True


def new_token() -> str:
    """A token that nobody guesses."""
    return secrets.token_urlsafe(24)


def is_loopback(host: str) -> bool:
    """Whether an address is this machine's alone; of names, only localhost is known to be."""
    address = _address(host)
    return host.lower() == "localhost" if address is None else address.is_loopback


def _is_any(host: str) -> bool:
    address = _address(host)
    return address is not None and address.is_unspecified


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address that is written, None for a name; an IPv4 address that came in over IPv6 is itself."""
    try:
        address = ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _written(host: str) -> str:
    """A host as browsers write it."""
    address = _address(host)
    if address is None:
        return host.lower()
    return f"[{address}]" if address.version == 6 else str(address)


def _origins(places: list[str]) -> set[str]:
    """Where our own pages come from: https if something stands before us."""
    return {f"{scheme}://{place}" for place in places for scheme in ("http", "https")}


def _shown(text: str | None) -> str:
    return "(none)" if text is None else repr(text[:100])
