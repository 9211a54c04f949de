"""A submission: read, choose an upstream, keep, send, answer.

The task is on disk before anything is sent. The client waits a few seconds for the upstream's definite answer, so that
a refusal reaches it as an error of its own shape; after that the task is accepted and the work goes on without it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import uuid4

from adapters.base import Adapter
from adapters.catalogue import Catalogue
from adapters.messages import Category, Fields, Refusal, Request, Submission
from service.choose import choose
from service.clients import Client
from service.clock import Clock
from service.egress import Refused as RefusedUrl
from service.errors import Refused, refused
from service.guard import EgressGuard
from service.logs import get_logger
from service.send import Sender, Timing
from service.store import Store
from service.tasks import Format, Placement, Subscription, Task, TaskState, Verdict
from service.upstream import Upstream

log = get_logger("submit")


@dataclass(frozen=True, slots=True)
class Order:
    """One create as it came in. `callback_url` is the header's; a field of the body comes first, the client's default
    last. `provider` is the one that the client named."""

    shape: str
    request: Request
    client: Client
    callback_url: str | None = None
    format: Format = Format.OWN
    metadata: Fields | None = None
    provider: str | None = None


class Submitter:
    def __init__(
        self,
        store: Store,
        sender: Sender,
        upstreams: Sequence[Upstream],
        shapes: Mapping[str, Adapter],
        catalogue: Catalogue,
        guard: EgressGuard,
        clock: Clock,
        timing: Timing,
        wait_seconds: float,
    ) -> None:
        self._store = store
        self._sender = sender
        self._upstreams = upstreams
        self._shapes = shapes
        self._catalogue = catalogue
        self._guard = guard
        self._clock = clock
        self._timing = timing
        self._wait_seconds = wait_seconds
        self._sends: set[asyncio.Task[Refusal | None]] = set()
        self._hurry = asyncio.Event()

    async def submit(self, order: Order) -> tuple[Task, Submission]:
        """Raises `Unreadable` (not a message of this shape) and `Refused` (by us, or definitely by the upstream)."""
        shape = self._shapes[order.shape]
        submission = shape.read_submission(order.request)
        upstream = choose(self._upstreams, self._catalogue, shape, submission, order.provider)
        url = submission.callback_url or order.callback_url or order.client.callback_url
        if url is not None:
            await self.check_callback(url)
        task = self._task(order, submission, upstream)
        await self._store.tasks.accept(task, self._placement(task), _subscriptions(task, url, order.format))
        log.event("task.accepted", task=task.id, client=task.client, shape=task.shape, provider=task.provider)
        refusal = await self._send(task)
        if refusal is not None:
            raise Refused(refusal)
        return task, submission

    def hurry(self) -> None:
        """The server is about to stop: whoever waits for an upstream's answer is told at once that it is accepted."""
        self._hurry.set()

    async def close(self, seconds: float) -> None:
        """Lets open sends finish for a while; a send that is cut off is in doubt at the next start."""
        if self._sends:
            await asyncio.wait(self._sends, timeout=seconds)
        for send in self._sends:
            send.cancel()
        await asyncio.gather(*self._sends, return_exceptions=True)

    async def check_callback(self, url: str) -> None:
        """Raises `Refused` (400) for a URL that deliveries may not go to."""
        try:
            await self._guard.check(url)
        except RefusedUrl as error:
            raise refused(400, Category.INVALID_REQUEST, f"callback_url: {error}") from error

    def _task(self, order: Order, submission: Submission, upstream: Upstream) -> Task:
        now = self._clock()
        model = self._catalogue.find(submission.model)
        return Task(
            id=str(uuid4()),
            client=order.client.id,
            shape=order.shape,
            path=order.request.path,
            model=submission.model,
            provider=upstream.name,
            state=TaskState.SUBMITTING,
            body=order.request.body,
            headers=order.request.headers,
            metadata=order.metadata,
            request_id=str(uuid4()),
            trace_id=str(uuid4()),
            created_at=now,
            updated_at=now,
            service=submission.service or (model.service if model else ""),
            placement=str(uuid4()),
        )

    def _placement(self, task: Task) -> Placement:
        assert task.placement is not None, "a new task is sent at once"
        doubt_at = self._timing.doubt_at(task.created_at)
        return Placement(
            task.placement, task.id, task.provider, Verdict.SENDING, sent_at=task.created_at, doubt_at=doubt_at
        )

    async def _send(self, task: Task) -> Refusal | None:
        waiting = True
        hurried = asyncio.create_task(self._hurry.wait())
        send = asyncio.create_task(self._sender.send(task, heard=lambda: waiting), name="send")
        self._sends.add(send)
        send.add_done_callback(self._finished)
        try:
            await asyncio.wait({send, hurried}, timeout=self._wait_seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting = False
            hurried.cancel()
        return None if not send.done() or send.cancelled() or send.exception() else send.result()

    def _finished(self, send: asyncio.Task[Refusal | None]) -> None:
        """A send that broke on our side leaves its task SUBMITTING; it becomes doubtful in time."""
        self._sends.discard(send)
        if not send.cancelled() and (error := send.exception()):
            log.failure("send.failed", error)


def _subscriptions(task: Task, url: str | None, form: Format) -> list[Subscription]:
    return [] if url is None else [Subscription(str(uuid4()), task.id, url, form, task.created_at)]
