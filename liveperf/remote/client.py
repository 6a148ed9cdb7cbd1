"""An instrument that plays, as a program beside it asks it."""

from __future__ import annotations

import http.client
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from liveperf.clock import Clock, SystemClock, sleep
from liveperf.errors import FAILED, NOT_STARTED, WRONG_USE, LiveperfError
from liveperf.system.lock import LOOK_S, NAME, Lock, LockError

ANSWER_S = 5.0
END_S = 10.0
_ASKED_WRONGLY = (400, 404, 409)  # what these refuse, one has to ask for otherwise


class RemoteError(LiveperfError):
    """It was not done; the message says why."""

    def __init__(self, message: str, exit_code: int) -> None:
        """exit_code: NOT_STARTED where there is no instrument."""
        super().__init__(message)
        self.exit_code = exit_code


class Remote:
    """The instrument of a name, found by what it has left in a folder. Each call may take seconds; RemoteError."""

    def __init__(self, folder: Path, name: str = NAME, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        try:
            self._lock = Lock(folder, name)
        except LockError as error:
            raise RemoteError(str(error), WRONG_USE) from None
        self._name = name

    def status(self) -> dict[str, Any]:
        """How it is."""
        said = self._ask("GET", "/api/status")
        if not isinstance(said, dict):
            raise RemoteError("what answers is no liveperf", NOT_STARTED)
        return said

    def set(self, values: dict[str, Any]) -> None:
        """Give parameters other values, all or none."""
        self._ask("POST", "/api/params", values)

    def act(self, name: str) -> None:
        """Do one of `orders.ACTS`."""
        self._ask("POST", f"/api/actions/{quote(name, safe='')}", {})

    def preset(self, name: str) -> None:
        """Switch to a preset that ships, or a file: of the path that the instrument sees."""
        self._ask("POST", "/api/preset", {"name": name})

    def stop(self) -> None:
        """End it, and wait until it has ended."""
        self._ask("POST", "/api/stop", {})
        until = self._clock.now() + END_S
        while not self._is_free():
            if self._clock.now() > until:
                raise RemoteError(f"it has not ended after {END_S:g} s; `kill` ends it for good", FAILED)
            sleep(LOOK_S)

    def _is_free(self) -> bool:
        try:
            return self._lock.is_free()
        except LockError as error:
            raise RemoteError(str(error), NOT_STARTED) from None

    def _ask(self, method: str, path: str, said: Any = None) -> Any:
        beside = "" if self._name == NAME else f" as {self._name}"
        try:
            holder = self._lock.holder()
        except LockError as error:
            raise RemoteError(str(error), NOT_STARTED) from None
        if holder is None:
            remedy = f"`liveperf play{'' if self._name == NAME else f' --name {self._name}'}` starts one"
            raise RemoteError(f"no instrument plays here{beside}; {remedy}", NOT_STARTED)
        if holder.url is None:
            raise RemoteError(
                f"the instrument that plays{beside} (process {holder.pid}) has no control", NOT_STARTED
            )
        headers = {"Content-Type": "application/json"}
        if holder.token is not None:
            headers["Authorization"] = f"Bearer {holder.token}"
        connection = http.client.HTTPConnection(urlsplit(holder.url).netloc, timeout=ANSWER_S)  # past all proxies
        try:
            connection.request(method, path, None if said is None else json.dumps(said), headers)
            answer = connection.getresponse()
            status, body = answer.status, answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise RemoteError(
                f"{holder.url} (process {holder.pid}) does not answer: {error}", NOT_STARTED
            ) from None
        finally:
            connection.close()
        try:
            found = json.loads(body)
        except ValueError:
            raise RemoteError(f"what answers at {holder.url} is no liveperf", NOT_STARTED) from None
        if status != 200:
            why = found.get("error") if isinstance(found, dict) else None
            code = WRONG_USE if status in _ASKED_WRONGLY else FAILED
            raise RemoteError(str(why or f"refused with status {status}"), code)
        return found
