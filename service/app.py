"""The composition root: the only place that knows everything. Parts are made here, wired, started and stopped."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from adapters import SHAPES
from adapters.base import Adapter
from service.accounts.learning import Learned
from service.accounts.pacing import Turns
from service.accounts.upstream import Upstream
from service.accounts.upstreams import Upstreams, upstreams_of
from service.asgi import create_app
from service.backoff import Jitter, random_jitter
from service.clock import Clock, system_clock
from service.crew import crew_of
from service.domain.ledger import settled_by
from service.domain.tasks import Task
from service.domain.tell import Teller
from service.doubts.adopt import Adopter
from service.doubts.inquiry import Inquiry
from service.doubts.overrule import Overruler
from service.doubts.questions import Questions
from service.doubts.reconcile import DoubtQueue
from service.doubts.reopen import Reopener
from service.doubts.settle import Settler
from service.keeping.expunge import Expunger
from service.keeping.retention import Retention
from service.keys.callback_urls import CallbackUrls
from service.keys.clients import clients_of
from service.keys.signing import CallbackTokens
from service.keys.vault import Vault
from service.logs import get_logger
from service.looking.certificates import Certificates, Fetch, fetch_by
from service.looking.find import Finder
from service.looking.missing import MissingQueue, tell_missing
from service.looking.poll import LookQueue
from service.looking.push import PushDesk
from service.looking.watch import Watcher
from service.network.guard import Resolve
from service.network.http import egress_of, upstream_client
from service.operator import Operator
from service.receivers.audience import Audience
from service.receivers.endpoints import Endpoints
from service.receivers.preflight import Preflight
from service.receivers.trials import Trials
from service.routes.edge import House, Limits
from service.sending.cancel import Canceller
from service.sending.explain import Explainer
from service.sending.failover import Failover
from service.sending.onward import Onward
from service.sending.retry import Retries
from service.sending.send import Sender
from service.sending.submit import Submitter
from service.sending.timing import Timing
from service.settings import Settings, SettingsError, check_exposure
from service.store import Moved, Store
from service.telling.deliver import LEASE_MS, DeliveryQueue
from service.telling.failing import Failing
from service.telling.receive import Receiver
from service.telling.refresh import Refresher
from service.telling.replay import Replayer, ReplayQueue
from service.telling.streams import Streams
from service.telling.waiting import WaitingRoom
from service.worker import Worker, finish

__all__ = ["Ringback", "create_app"]

log = get_logger("app")
STOP_SECONDS = 7.5
"""How long a stop may take from its announcement: requests in hand end first, then open sends, looks and attempts. A
create that is cut off is in doubt, mostly for good, so its answer is waited for as long as can be."""

NOBODY = Moved()
DELIVERY_SLOTS = 1024
"""Open attempts altogether: waiting for an answer costs next to nothing."""


class Ringback:
    """One server, wired but not started. All but the settings is given by tests.

    Raises `AlreadyServed` if another server holds the database, `SettingsError` if it would be exposed without keys."""

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock = system_clock,
        jitter: Jitter = random_jitter,
        resolve: Resolve | None = None,
        upstream: httpx.AsyncClient | None = None,
        certificates: Fetch | None = None,
        store: Callable[[Path], Store] = Store.open,
    ) -> None:
        self.settings = settings
        self.clock = clock
        self._jitter = jitter
        self._leave_by = math.inf
        self.instance = str(uuid4())
        for warning in settings.warnings:
            log.event("settings.odd", level=logging.WARNING, message=warning)
        self.catalogue = settings.catalogue
        if settings.on_postgres:
            raise SettingsError(["RINGBACK_DATABASE: only SQLite is supported yet; give the path of a file."])
        self.guard, self._egress_client = egress_of(settings, resolve)
        self.store = store(Path(settings.database))
        self.shapes: Mapping[str, Adapter] = {name: shape(self.catalogue) for name, shape in SHAPES.items()}
        secret_keys = [key.get_secret_value() for key in settings.secret_keys]
        self.tokens = CallbackTokens(secret_keys)
        self.urls = CallbackUrls(settings.public_url, self.tokens)
        self._upstream_client = upstream or upstream_client()
        accounts = upstreams_of(settings, self.shapes, self._upstream_client, clock)
        self.vault = Vault(secret_keys)
        self.upstreams = Upstreams(accounts, self.vault)
        self.pushes = PushDesk(
            settings.public_url, self.tokens, Certificates(certificates or fetch_by(self._egress_client), clock), clock,
            settings.eventbridge_regions,
            settings.eventbridge_token.get_secret_value() if settings.eventbridge_token else None,
        )  # fmt: skip
        self.clients = clients_of(settings, self.store, clock)
        self.teller = Teller(self.shapes, _message_id, settings.public_url or "ringback")
        self.audience = Audience(self.store, self.guard, clock)
        self.waiting = WaitingRoom(settings.hold_per_key)
        self.streams = Streams(settings.streams_per_key)
        self.operator = Operator(self.store, clock)
        self.learned = Learned(self.store)
        self._wire()

    def _wire(self) -> None:
        settings, clock, store = self.settings, self.clock, self.store
        timing = Timing(
            settings.create_timeout_seconds, settings.in_doubt_seconds, settings.repeat_seconds,
            settings.repeat_answered_seconds,
        )  # fmt: skip
        settle = settled_by(self.catalogue)
        elsewhere = settings.failover != "off"
        failover = Failover(self.upstreams, self.shapes, self.catalogue, elsewhere=elsewhere)
        times = settings.retry_failed_times if settings.failover == "retry_failed" else 0
        retries = Retries(store, failover, settle, clock, self._jitter, self._wake, times)
        receiver = self.receiver = Receiver(store, self.teller, clock, self._told, settle, retries.instead, self._lease)
        onward = Onward(
            store, receiver, self.operator, self.upstreams, failover, clock, timing, self._jitter, self._wake, _row_id
        )
        overruler = Overruler(store, receiver, self.operator, clock)
        sender = Sender(
            store, self.operator, self.upstreams, onward, self.learned, self.shapes, self.urls, clock, timing,
            self._jitter, self._wake,
        )  # fmt: skip
        self.submitter = Submitter(
            store, sender, self.upstreams, failover, self.shapes, self.catalogue, self.audience, clock, timing,
            settings.submit_wait_seconds, self.operator,
        )  # fmt: skip
        turns = self.turns = Turns(clock)
        desk = (self.upstreams, self.shapes, self.catalogue)
        self.canceller = Canceller(store, receiver, self.upstreams, turns)
        self.adopter = Adopter(store, receiver, overruler, *desk, self.urls, clock, turns, self._wake)
        self.reopener = Reopener(store, *desk, clock, self._wake)
        self.finder = Finder(store, self.clients, self.upstreams, self.operator, self.catalogue, self.urls, turns)
        self.watcher = Watcher(
            store, self.finder, self.vault, self.teller, self.catalogue, clock, self._jitter, self._wake,
            self._told,
        )  # fmt: skip
        self.explainer = Explainer(self.upstreams.providers, *desk[1:], self.urls, elsewhere=elsewhere)
        deliveries = DeliveryQueue(
            store, self.clients, self._egress_client, self.guard, clock, self._jitter,
            Failing(store, self.operator, clock), Refresher(store, self.upstreams, self.catalogue, turns, clock),
            DELIVERY_SLOTS,
        )  # fmt: skip
        self._missing = MissingQueue(store, receiver, failover, self.operator, self.catalogue, clock, self._wake)
        questions = Questions(store, self.upstreams, self.shapes, self.catalogue, self.urls, clock)
        inquiry = Inquiry(store, self.operator, questions, self.urls, clock, timing.in_doubt)
        doubts = DoubtQueue(
            store, receiver, onward, overruler, self.operator, questions, inquiry, self.catalogue, clock, timing
        )
        self.workers: dict[str, Worker[Any]] = {
            "doubt": Worker("doubt", doubts, clock),
            "deliver": Worker("deliver", deliveries, clock, slots=DELIVERY_SLOTS),
            "retention": Worker("retention", Retention(store, clock, settings), clock),
            "replay": Worker("replay", ReplayQueue(store, clock, self._wake, _message_id), clock),
            "missing": Worker("missing", self._missing, clock),
        }

        def looks(upstream: Upstream) -> LookQueue:
            return LookQueue(
                upstream, store, receiver, self.operator, overruler, self.learned, self.catalogue, self.urls, clock,
                self._jitter,
            )  # fmt: skip

        self.workers |= crew_of(
            self.upstreams, looks, store, sender, self.operator, self.learned, clock, timing, _row_id
        )

    def _wake(self, worker: str) -> None:
        """One of a provider that is not configured any more does not run."""
        if worker in self.workers:
            self.workers[worker].wake()

    def _lease(self) -> int | None:
        """Until when a message may be taken out with its task; None while there is no room for it."""
        return self.clock() + LEASE_MS if self.workers["deliver"].room else None

    def _told(self, task: Task, moved: Moved = NOBODY) -> None:
        self.streams.ring(task)
        for turn in moved.turns:
            self.workers["deliver"].begin(turn)
        if moved.in_line:
            self._wake("deliver")
        if task.ended:
            self.waiting.ended(task)
            self._wake(f"send.{task.provider}")  # there is room for one more

    @property
    def house(self) -> House:
        trials = Trials(
            self.store, self.clients, self.audience, self.teller, self.streams, self.guard, self._egress_client,
            self.clock,
        )  # fmt: skip
        return House(
            store=self.store,
            clients=self.clients,
            audience=self.audience,
            endpoints=Endpoints(self.store, self.vault, self.audience, self.clock),
            preflight=Preflight(self.clients, self.guard, self._egress_client, self.clock),
            submitter=self.submitter,
            canceller=self.canceller,
            adopter=self.adopter,
            reopener=self.reopener,
            settler=Settler(self.store),
            replayer=Replayer(self.store, self.clock, self._wake, _message_id),
            expunger=Expunger(self.store, self.clock),
            explainer=self.explainer,
            watcher=self.watcher,
            waiting=self.waiting,
            streams=self.streams,
            trials=trials,
            tokens=self.tokens,
            learned=self.learned,
            pushes=self.pushes,
            teller=self.teller,
            shapes=self.shapes,
            upstreams=self.upstreams,
            catalogue=self.catalogue,
            workers=self.workers,
            limits=Limits(self.settings.create_bytes, self.settings.hold_seconds, self.settings.keep_tasks_days),
            clock=self.clock,
            instance=self.instance,
        )

    async def recover(self) -> None:
        """At the start, before anything runs: what a dead server had in hand is due again."""
        check_exposure(self.settings, has_keys=await self.store.keys.any())
        await self.store.queues.void_leases(self.clock())
        self._missing.missing = await tell_missing(self.store, self.upstreams, self.operator)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Recovers, runs the loops, and at the end stops them within seconds; whatever is cut off is due again."""
        loops: list[asyncio.Task[None]] = []
        try:
            await self.recover()
            loops += [asyncio.create_task(worker.run(), name=worker.name) for worker in self.workers.values()]
            yield
        finally:
            self.hurry()
            for worker in self.workers.values():
                worker.stop()
            left = max(self._leave_by - asyncio.get_running_loop().time(), 0.0)
            await asyncio.gather(self.submitter.close(left), finish(loops, left))
            await self.close()

    def hurry(self) -> None:
        """The server is about to stop: held requests end now, with the async reply and not with a drop."""
        self._leave_by = min(self._leave_by, asyncio.get_running_loop().time() + STOP_SECONDS)
        self.waiting.close()
        self.streams.close()
        self.submitter.hurry()

    async def close(self) -> None:
        self.guard.close()
        await self._egress_client.aclose()
        await self._upstream_client.aclose()
        await self.store.close()


def _row_id() -> str:
    return str(uuid4())


def _message_id() -> str:
    return f"msg_{uuid4().hex}"
