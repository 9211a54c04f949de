"""A submission: read, choose an upstream, keep, send, answer.

The task is on disk before anything is sent. The client waits a few seconds for the upstream's definite answer, so that
a refusal reaches it as an error of its own shape; after that the task is accepted and the work goes on without it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import uuid4

from adapters.base import Adapter
from adapters.catalogue import Catalogue
from adapters.messages import Category, Fields, Refusal, Request, Submission
from service.accounts.upstreams import Upstreams
from service.clock import Clock
from service.domain.allowances import Budget, Limited
from service.domain.deliveries import Subscription
from service.domain.ledger import Quote, quote_of
from service.domain.tasks import Placement, Task, TaskState, Verdict
from service.errors import Refused, refused
from service.keys.clients import Client
from service.logs import get_logger
from service.operator import Operator
from service.receivers.audience import Audience, Wanted
from service.sending.answers import Connection, OpenAnswers
from service.sending.choose import choose, price_at
from service.sending.failover import Failover
from service.sending.send import Sender
from service.sending.timing import Timing
from service.store import Store

log = get_logger("submit")


@dataclass(frozen=True, slots=True)
class Order:
    """One create as it came in. `wanted` is what headers say of who is told; a URL of the body comes before theirs.
    `provider` is the one that the client named. `digest` and `idempotency_key` tell a repeated create from a new
    one, `connection` who waits for the answer."""

    shape: str
    request: Request
    client: Client
    wanted: Wanted = field(default_factory=Wanted)
    metadata: Fields | None = None
    provider: str | None = None
    digest: str | None = None
    idempotency_key: str | None = None
    connection: Connection = field(default_factory=Connection)


@dataclass(slots=True)
class _Waiter:
    """A client that waits for the upstream's answer. Once it is promised a refusal it must not leave before."""

    connection: Connection
    waiting: bool = True
    promised: bool = False

    def heard(self) -> bool:
        self.promised = self.waiting and not self.connection.gone
        return self.promised


class Submitter:
    def __init__(
        self,
        store: Store,
        sender: Sender,
        upstreams: Upstreams,
        failover: Failover,
        shapes: Mapping[str, Adapter],
        catalogue: Catalogue,
        audience: Audience,
        clock: Clock,
        timing: Timing,
        wait_seconds: float,
        operator: Operator,
    ) -> None:
        self._store = store
        self._operator = operator
        self._sender = sender
        self._upstreams = upstreams
        self._failover = failover
        self._shapes = shapes
        self._catalogue = catalogue
        self._audience = audience
        self._clock = clock
        self._timing = timing
        self._wait_seconds = wait_seconds
        self._sends: dict[str, asyncio.Task[Refusal | None]] = {}
        self._answers = OpenAnswers()
        self._hurry = asyncio.Event()

    async def submit(self, order: Order) -> tuple[Task, Submission]:
        """Raises `Unreadable` (not a message of this shape) and `Refused` (by us, or definitely by the upstream)."""
        submission = self._shapes[order.shape].read_submission(order.request)
        try:
            return await self._submit(order, submission), submission
        except Limited as error:
            if (repeated := await self._earlier(order, submission)) is not None:  # it was paid for before
                return await self._repeat(repeated, order), submission
            await self._tell_operator(order.client, error.budget)
            raise

    async def _submit(self, order: Order, submission: Submission) -> Task:
        standing = await self._store.allowances.standing(order.client.id, self._clock())
        shape = self._shapes[order.shape]
        able = choose(self._upstreams.providers, self._catalogue, shape, submission, order.provider, standing)
        upstream = self._failover.first(able, self._clock())
        wanted = replace(order.wanted, url=submission.callback_url or order.wanted.url or None)
        audience = await self._audience.of(order.client, wanted)
        task = self._task(order, submission, upstream.name)
        self._answers.opened(task.id, order.connection)
        try:
            return await self._keep(task, order, audience, quote_of(price_at(upstream, submission)))
        except BaseException:
            self._answers.closed(task.id)
            raise

    async def _keep(self, task: Task, order: Order, audience: Sequence[Subscription], price: Quote) -> Task:
        """The task on disk and on its way, or the earlier one that this create repeats."""
        subscriptions = [replace(one, task=task.id) for one in audience]
        seats = self._upstreams.seats(task.provider, task.created_at)
        kept, placement = await self._store.tasks.accept(
            task, self._placement(task), subscriptions, self._answers.waits, *self._timing.repeats, price, seats
        )
        if kept.id != task.id:
            self._answers.closed(task.id)
            return await self._repeat(kept, order)
        log.event("task.accepted", task=task.id, client=task.client, shape=task.shape, provider=task.provider)
        if placement is None:
            log.event("task.waiting", task=task.id, provider=task.provider)
        else:
            self._start(kept, placement, waiter := _Waiter(order.connection))
            await self._outcome(task.id, waiter)
        return kept

    async def _earlier(self, order: Order, submission: Submission) -> Task | None:
        """The task of an earlier create that this one repeats."""
        task = self._task(order, submission, "")
        return await self._store.tasks.repeated(task, self._answers.waits, *self._timing.repeats)

    async def _tell_operator(self, client: Client, budget: Budget | None) -> None:
        if budget is not None:
            since = budget.period.began(self._clock())
            told = {"client": client.id, "budget": str(budget)}
            await self._operator.tell("budget.reached", f"{client.id} {budget}", since=since, **told)

    async def answered(self, task: Task, connection: Connection) -> None:
        """The answer was written to the connection, or nobody was there any more to take it."""
        if not connection.gone:
            await self._store.tasks.answered(task.id, self._clock())
        self._answers.closed(task.id)

    def is_awaited(self, task: str) -> bool:
        """Whether a client still waits for the answer to this task's create."""
        return self._answers.waits(task)

    def hurry(self) -> None:
        """The server is about to stop: whoever waits for an upstream's answer is told at once that it is accepted."""
        self._hurry.set()

    async def close(self, seconds: float) -> None:
        """Lets open sends finish for a while; a send that is cut off is in doubt at the next start."""
        sends = tuple(self._sends.values())
        if sends:
            await asyncio.wait(sends, timeout=seconds)
        for send in sends:
            send.cancel()
        await asyncio.gather(*sends, return_exceptions=True)

    def _task(self, order: Order, submission: Submission, provider: str) -> Task:
        now = self._clock()
        model = self._catalogue.find(submission.model)
        return Task(
            id=str(uuid4()),
            client=order.client.id,
            shape=order.shape,
            path=order.request.path.rstrip("/"),
            model=submission.model,
            provider=provider,
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
            pinned=order.provider is not None,
            digest=order.digest,
            idempotency_key=order.idempotency_key,
        )

    def _placement(self, task: Task) -> Placement:
        assert task.placement is not None, "a new task is sent at once"
        doubt_at = self._timing.doubt_at(task.created_at)
        return Placement(
            task.placement, task.id, task.provider, Verdict.SENDING, sent_at=task.created_at, doubt_at=doubt_at
        )

    def _start(self, task: Task, placement: Placement, waiter: _Waiter) -> None:
        send = asyncio.create_task(self._sender.send(task, placement, waiter.heard), name="send")
        self._sends[task.id] = send
        send.add_done_callback(lambda done: self._finished(task.id, done))

    async def _outcome(self, task: str, waiter: _Waiter) -> None:
        """Waits a while for the end of a send. Raises `Refused` if that is a definite refusal."""
        send = self._sends.get(task)
        if send is None:
            return
        hurried = asyncio.create_task(self._hurry.wait())
        try:
            await asyncio.wait({send, hurried}, timeout=self._wait_seconds, return_when=asyncio.FIRST_COMPLETED)
            waiter.waiting = False
            if waiter.promised:
                await asyncio.wait({send})
        finally:
            hurried.cancel()
        if send.done() and not send.cancelled() and not send.exception() and (refusal := send.result()):
            raise Refused(refusal)

    async def _repeat(self, repeated: Task, order: Order) -> Task:
        """The task of an earlier create that this one repeats, once the first answer is there."""
        if order.idempotency_key and repeated.digest != order.digest:
            text = "Idempotency-Key: this key came with another request before; use a new key for a new one."
            raise refused(422, Category.INVALID_REQUEST, text)
        log.event("task.repeated", task=repeated.id, client=repeated.client, shape=repeated.shape)
        self._answers.opened(repeated.id, order.connection)
        try:
            await self._outcome(repeated.id, _Waiter(order.connection))
        except BaseException:
            self._answers.closed(repeated.id)
            raise
        return await self._store.lookups.task(repeated.id) or repeated

    def _finished(self, task: str, send: asyncio.Task[Refusal | None]) -> None:
        """A send that broke on our side leaves its task SUBMITTING; it becomes doubtful in time."""
        del self._sends[task]
        if not send.cancelled() and (error := send.exception()):
            log.failure("send.failed", error)
