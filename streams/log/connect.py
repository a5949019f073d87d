"""Kafka Connect's REST interface, as far as one connector of ours needs it."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, Self

import httpx
from msgspec import Struct

from sinks.polling import POLL_S, poll
from streams.errors import ConnectAway, ConnectRefused

_TIMEOUT_S = 5.0
PATIENCE_S = 60.0
"""How long a command waits for Connect to start, to come back, or to end a rebalance."""

_RESTART_S = 5.0
_CUT_OFF = (httpx.ReadError, httpx.ReadTimeout, httpx.RemoteProtocolError)
"""Somebody was there, and what was asked may have been done."""
_CONFLICT = 409
_NOT_FOUND = 404
_STARTING = {"message", "url", "status"}
"""What the answer of Connect's web server has, to every path, while Connect itself starts."""

_NO_SUCH_PATH = "HTTP 404 Not Found"
"""What Connect, or another program made like it, says of a path that it does not have."""


class ConnectorStatus(Struct, frozen=True):
    """What Connect says of a connector. States: RUNNING, PAUSED, STOPPED, FAILED, UNASSIGNED..."""

    state: str
    tasks: tuple[str, ...]
    trace: str | None = None

    @property
    def failed(self) -> bool:
        return "FAILED" in (self.state, *self.tasks)

    @property
    def by_hand(self) -> bool:
        """Whether somebody has stopped it, who may let it go on."""
        return self.state in ("STOPPED", "PAUSED")

    @property
    def running(self) -> bool:
        """Whether the connector and every task run; one that lost its slot has no task."""
        return bool(self.tasks) and {self.state, *self.tasks} == {"RUNNING"}

    @property
    def cause(self) -> str:
        """The deepest cause in the trace, one line."""
        causes = [
            line.removeprefix("Caused by: ")
            for line in (self.trace or "").splitlines()
            if line.startswith("Caused by: ")
        ]
        found = causes[-1] if causes else (self.trace or "no reason given").splitlines()[0]
        return " ".join(found.split())


class _NothingDone(ConnectAway):
    """Connect cannot now, and has done nothing of what it was asked."""


class _About(Struct, frozen=True):
    """What a Connect says of itself: its version, and which Kafka it works with."""

    version: str
    cluster_id: str


class Connect:
    """A client of one Connect cluster; reuse it, and close it (`async with`).

    Every method raises ConnectAway or ConnectRefused.
    """

    def __init__(self, url: str, *, patience: float = 0.0) -> None:
        """`url` may hold a name and a password, which errors do not show.

        A Connect that was there and is away now is asked again for `patience` seconds, unless what
        was asked may have been done and cannot be asked twice. Who only looks how it is has none.
        """
        self._patience = patience
        self._was_there = False
        self.place = str(httpx.URL(url.rstrip("/")).copy_with(userinfo=b""))
        self._client = httpx.AsyncClient(
            base_url=url.rstrip("/"),
            timeout=_TIMEOUT_S,
            headers={"Accept": "application/json"},
            # To read whom to trust takes 25 ms of a command's start, and http asks for nobody.
            verify=httpx.URL(url).scheme == "https",
        )

    async def close(self) -> None:
        await self._client.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def about(self) -> _About:
        answer = await self._ask("GET", "/")
        with self._as_connect_speaks():
            return _About(str(answer["version"]), str(answer["kafka_cluster_id"]))

    async def plugins(self) -> dict[str, str]:
        """The version of each kind of connector, by its class."""
        answer = await self._ask("GET", "/connector-plugins")
        with self._as_connect_speaks():
            return {each["class"]: str(each.get("version")) for each in answer}

    async def connectors(self) -> set[str]:
        return set(await self._ask("GET", "/connectors"))

    async def status(self, name: str) -> ConnectorStatus | None:
        """The connector's state and its tasks', or None when there is no such connector.

        A Connect that has just started does not know the states yet, only the connectors.
        """
        answer = await self._find(f"/connectors/{name}/status")
        if answer is None:
            known = await self.config(name) is not None
            return ConnectorStatus(state="UNASSIGNED", tasks=()) if known else None
        with self._as_connect_speaks():
            parts = [answer["connector"], *answer["tasks"]]
            traces = [part["trace"] for part in parts if part.get("trace")]
            return ConnectorStatus(
                state=answer["connector"]["state"],
                tasks=tuple(task["state"] for task in answer["tasks"]),
                trace=traces[0] if traces else None,
            )

    async def offsets(self, name: str) -> list[dict[str, Any]] | None:
        """The stored source offsets, one dictionary a source partition; None: no connector."""
        answer = await self._find(f"/connectors/{name}/offsets")
        with self._as_connect_speaks():
            return None if answer is None else [entry["offset"] for entry in answer["offsets"]]

    async def config(self, name: str) -> dict[str, str] | None:
        answer = await self._find(f"/connectors/{name}/config")
        return None if answer is None else dict(answer)

    async def validate(self, config: Mapping[str, str]) -> list[str]:
        """What Connect and the connector find wrong with a configuration, one line a setting."""
        kind = config["connector.class"].rpartition(".")[2]
        path = f"/connector-plugins/{kind}/config/validate"
        answer = await self._ask("PUT", path, json=dict(config), timeout=PATIENCE_S)
        return [
            f"{value['value']['name']}: {error}"
            for value in answer["configs"]
            for error in value["value"]["errors"]
        ]

    async def create_stopped(self, name: str, config: Mapping[str, str]) -> None:
        """Create the connector, which does nothing until it is resumed."""
        body = {"name": name, "config": dict(config), "initial_state": "STOPPED"}
        try:
            await self._ask("POST", "/connectors", json=body, timeout=PATIENCE_S)
        except ConnectAway:
            # It may be there, and only the answer was lost.
            if await self.config(name) != {**config, "name": name}:
                raise

    async def configure(self, name: str, config: Mapping[str, str]) -> None:
        """Give the connector another configuration; its task begins anew where it was."""
        await self._ask("PUT", f"/connectors/{name}/config", json=dict(config), timeout=PATIENCE_S)

    async def resume(self, name: str) -> None:
        await self._ask("PUT", f"/connectors/{name}/resume")
        await self._until(name, lambda status: not status.by_hand)

    async def stop(self, name: str) -> None:
        await self._ask("PUT", f"/connectors/{name}/stop")
        await self._until(name, lambda status: status.state == "STOPPED" and not status.tasks)

    async def restart_failed(self, name: str) -> None:
        """Start again what of the connector has FAILED, and wait until it is so no longer."""
        query = {"includeTasks": "true", "onlyFailed": "true"}
        url = f"/connectors/{name}/restart"
        await self._ask("POST", url, params=query, timeout=PATIENCE_S)
        await self.recovered(name)

    async def recovered(self, name: str, within: float = _RESTART_S) -> None:
        """Wait until the connector has not failed any more.

        What fails again at once may never be seen not to: that is waited for so long at most.
        """
        with suppress(TimeoutError):
            await poll(partial(self._is, name, lambda status: not status.failed), within=within)

    async def delete_offsets(self, name: str) -> None:
        await self._ask("DELETE", f"/connectors/{name}/offsets", timeout=PATIENCE_S)

    async def delete(self, name: str) -> None:
        """Remove the connector and wait until it is gone; Connect keeps its offsets."""
        response = await self._send("DELETE", f"/connectors/{name}")
        if response.status_code != _NOT_FOUND:
            self._content(response)
        await self._until(name, lambda _: False)

    async def _until(self, name: str, is_so: Callable[[ConnectorStatus], bool]) -> None:
        try:
            await poll(partial(self._is, name, is_so), within=PATIENCE_S)
        except TimeoutError as error:
            raise ConnectAway(
                f"Kafka Connect at {self.place}: {name} is not as it was told to be within "
                f"{PATIENCE_S:g} s"
            ) from error

    async def _is(self, name: str, is_so: Callable[[ConnectorStatus], bool]) -> bool:
        """Whether it is so, or the connector is gone; while Connect is away it is not so yet."""
        try:
            status = await self.status(name)
        except ConnectAway:
            return False
        return status is None or is_so(status)

    async def _find(self, path: str) -> Any:
        response = await self._send("GET", path)
        return None if response.status_code == _NOT_FOUND else self._content(response)

    async def _ask(self, method: str, path: str, **options: Any) -> Any:
        return self._content(await self._send(method, path, **options))

    async def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        began = asyncio.get_running_loop().time()
        while True:
            try:
                return await self._try(method, path, **options)
            except ConnectAway as away:
                once = method == "POST" and not isinstance(away, _NothingDone)
                waited = asyncio.get_running_loop().time() - began
                if once or not self._was_there or waited >= self._patience:
                    raise
            await asyncio.sleep(POLL_S)

    async def _try(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            response = await self._client.request(method, path, **options)
        except httpx.RequestError as error:
            self._was_there |= isinstance(error, _CUT_OFF)
            kind = _NothingDone if isinstance(error, httpx.ConnectError) else ConnectAway
            reason = str(error) or type(error).__name__
            raise kind(f"Kafka Connect at {self.place}: {reason}") from error
        return self._answered(response)

    def _content(self, response: httpx.Response) -> Any:
        if response.is_error:
            known = "message" in _document(response)
            place = "" if known else f"Kafka Connect at {self.place}: "
            raise ConnectRefused(f"{place}{_message(response)}")
        with self._as_connect_speaks():
            return response.json() if response.content else None

    @contextmanager
    def _as_connect_speaks(self) -> Iterator[None]:
        """Something else may answer at the address: a proxy, or a page to log in at."""
        try:
            yield
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise self._stranger() from error

    def _answered(self, response: httpx.Response) -> httpx.Response:
        answer = _document(response)
        starting = response.status_code == _NOT_FOUND and answer.keys() >= _STARTING
        if starting or response.status_code == _CONFLICT:
            self._was_there = True
            reason = "it is starting" if starting else _message(response)
            raise _NothingDone(f"Kafka Connect at {self.place}: {reason}")
        if response.status_code == _NOT_FOUND and answer.get("message") in (None, _NO_SUCH_PATH):
            raise self._stranger()
        if response.status_code >= 500:
            raise ConnectAway(f"Kafka Connect at {self.place}: {_message(response)}")
        self._was_there = True
        return response

    def _stranger(self) -> ConnectAway:
        return ConnectAway(f"what answers at {self.place} is not Kafka Connect")


def _document(response: httpx.Response) -> dict[str, Any]:
    try:
        document = response.json()
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _message(response: httpx.Response) -> str:
    said = _document(response).get("message")
    if said is None:
        return f"it answers {response.status_code} {response.reason_phrase}".strip()
    return " ".join(str(said).split())
