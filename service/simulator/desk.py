"""What all four vendors do alike when a request comes in: who asks, what for, and what goes wrong on purpose."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from service.simulator.drops import Dropped, Slow, proxy_page
from service.simulator.markers import Behaviour, Fault, UnknownMarker
from service.simulator.results import Results
from service.simulator.tasks import Failure, Order, Task
from service.simulator.world import World

Endpoint = Callable[[Request], Awaitable[Response]]
Sleep = Callable[[float], Awaitable[None]]


class Refused(Exception):
    """A request that is turned down with the vendor's HTTP status, code and message."""

    def __init__(self, status: int, code: str, message: str, retry_after: int | None = None) -> None:
        super().__init__(code)
        self.status, self.code, self.message, self.retry_after = status, code, message, retry_after


class Desk(ABC):
    """One vendor's front desk. A subclass knows its paths, its checks and its words."""

    provider: ClassVar[str]

    def __init__(self, world: World, results: Results, sleep: Sleep) -> None:
        self.world = world
        self.results = results
        self.sleep = sleep

    @abstractmethod
    def endpoints(self) -> list[tuple[str, str, Endpoint]]:
        """Method, path and handler of all it serves."""

    @abstractmethod
    def error_body(self, refused: Refused) -> dict[str, Any]:
        """The JSON of a refusal."""

    @abstractmethod
    def refusal(self, code: str, status: int = 0) -> Refused:
        """The refusal with a code, or the usual one for a status. A DashScope code is put in the vendor's own words."""

    @abstractmethod
    def invalid(self, message: str) -> Refused:
        """The refusal of a request with a mistake in it."""

    @abstractmethod
    def key_refused(self, missing: bool) -> Refused:
        """The refusal of a request without a bearer or with a wrong one."""

    @abstractmethod
    def failure(self, code: str, text: str = "") -> Failure:
        """How a task that fails with a code says so; "" is the vendor's usual failure, or the code's usual text."""

    @abstractmethod
    async def acceptance(self, task: Task) -> Response:
        """The answer to a create."""

    async def accept(self, order: Order, behaviour: Behaviour) -> Task:
        """Makes the order a task, before it is answered."""
        return self.world.accept(order, behaviour, self.failure)

    def mount(self) -> Mount:
        """The vendor's API under its own prefix."""
        routes = [Route(path, self._guarded(endpoint), methods=[method]) for method, path, endpoint in self.endpoints()]
        return Mount(f"/{self.provider}", routes=routes)

    def bearer(self, request: Request, kind: str) -> str:
        """Counts the request and says whose it is. Raises `Refused`."""
        self.world.requests[self.provider, kind] += 1
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise self.key_refused(missing=True)
        if self.world.settings.key not in (None, token):
            raise self.key_refused(missing=False)
        return token

    async def read_object(self, request: Request) -> dict[str, Any]:
        """The JSON object that was sent. Raises `Refused`."""
        try:
            body = json.loads(await request.body())
        except ValueError:
            raise self.invalid("The request body is not valid JSON.") from None
        if not isinstance(body, dict):
            raise self.invalid("The request body must be a JSON object.")
        return body

    def order(self, request: Request, owner: str, body: dict[str, Any], model: str, prompt: Any, **more: Any) -> Order:
        """The order in a request that passed the checks."""
        path = request.url.path.removeprefix(f"/{self.provider}")
        base = (self.world.settings.public_url or f"{request.url.scheme}://{request.url.netloc}").rstrip("/")
        text = prompt if isinstance(prompt, str) else ""
        return Order(self.provider, owner, path, dict(request.headers), body, base, model, text, **more)

    async def place(self, order: Order) -> Response:
        """Accepts an order, or does what its marker asks for instead. Raises `Refused`."""
        try:
            behaviour = self.world.behaviour_for(order)
        except UnknownMarker as unknown:
            raise self.invalid(str(unknown)) from None
        fault = behaviour.create
        if fault is not None and fault.kind in ("refuse", "dropped"):
            return self.go_wrong(fault)
        task = await self.accept(order, behaviour)
        if fault is None:
            return await self.acceptance(task)
        if fault.kind == "delay":
            await self.sleep(fault.seconds)
            return await self.acceptance(task)
        if fault.kind == "slow":
            return Slow(await self.acceptance(task), fault.seconds, self.sleep)
        return self.go_wrong(fault)

    def go_wrong(self, fault: Fault) -> Response:
        """The answer, or the missing answer, of an exchange that goes wrong. Raises `Refused`."""
        if fault.kind in ("refuse", "denied"):
            refused = self.refusal(fault.code, fault.status)
            refused.retry_after = fault.retry_after
            raise refused
        if fault.kind == "html":
            return proxy_page(fault.status)
        return JSONResponse({}) if fault.kind == "noid" else Dropped()

    def _guarded(self, endpoint: Endpoint) -> Endpoint:
        async def guarded(request: Request) -> Response:
            try:
                return await endpoint(request)
            except Refused as refused:
                wait = {} if refused.retry_after is None else {"Retry-After": str(refused.retry_after)}
                return JSONResponse(self.error_body(refused), refused.status, wait)

        return guarded
