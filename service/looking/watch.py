"""A task that somebody created at a provider becomes a callback: it is asked for once, kept, and from then on looked at
like any other. It never had a request of ours, so there is nothing that could be sent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from uuid import uuid4

from adapters.catalogue import Catalogue
from adapters.messages import Report, State
from service.backoff import Jitter, spread
from service.clock import Clock
from service.domain.deliveries import Subscription
from service.domain.tasks import Placement, Task, TaskState, Verdict, advance
from service.domain.tell import Teller
from service.keys.vault import Vault
from service.logs import get_logger
from service.looking.find import Finder, Found, Wish, unknown
from service.looking.poll import AGAIN_SECONDS
from service.store import Store

log = get_logger("watch")


class Watcher:
    """`wake` rouses a queue by name; `on_told` hears of every task with something to tell."""

    def __init__(
        self,
        store: Store,
        finder: Finder,
        vault: Vault,
        teller: Teller,
        catalogue: Catalogue,
        clock: Clock,
        jitter: Jitter,
        wake: Callable[[str], None],
        on_told: Callable[[Task], None],
    ) -> None:
        self._store = store
        self._finder = finder
        self._vault = vault
        self._teller = teller
        self._catalogue = catalogue
        self._clock = clock
        self._jitter = jitter
        self._wake = wake
        self._on_told = on_told

    async def watch(self, wish: Wish) -> tuple[Task, bool]:
        """The task, and whether it is new: a client has one task for an upstream id, and needs no right and no key to
        find it again. Raises `Refused`."""
        known = await self._store.watches.task_of(wish.provider, wish.upstream_id)
        if known is None or not wish.sees(known):
            found = await self._finder.find(wish)
            if isinstance(found, Task):
                known = found
            else:
                task = self._task(wish, found)
                known = await self._keep(wish, found, task)
                if known is None:
                    return task, True
        if not wish.sees(known):  # another client was quicker
            raise unknown()
        return await self._subscribe(wish, known), False

    async def _keep(self, wish: Wish, found: Found, task: Task) -> Task | None:
        """None: it is kept. Else whose it has become in the meantime."""
        placement = self._placement(wish, found, task)
        subscriptions = self._subscriptions(wish, task)
        event = self._teller.event(task)
        known = await self._store.watches.watch(task, placement, subscriptions, self._teller.message, event)
        if known is None:
            log.event("task.watched", task=task.id, client=task.client, provider=task.provider, state=task.state)
            for queue in ("deliver", f"look.{found.account.label}"):
                self._wake(queue)
            if task.told:
                self._on_told(task)
        return known

    async def _subscribe(self, wish: Wish, task: Task) -> Task:
        for subscription in self._subscriptions(wish, task):
            await self._store.tasks.subscribe(subscription, None, self._teller.message)
            self._wake("deliver")
        return await self._store.lookups.task(task.id) or task

    def _subscriptions(self, wish: Wish, task: Task) -> list[Subscription]:
        return [replace(one, task=task.id) for one in wish.audience]

    def _task(self, wish: Wish, found: Found) -> Task:
        now, report = self._clock(), found.report
        model = self._catalogue.find(report.model or wish.model)
        task = Task(
            id=str(uuid4()),
            client=wish.client.id,
            shape=found.account.adapter.name,
            path="",
            model=report.model or wish.model,
            provider=found.account.name,
            state=TaskState.QUEUED,
            body={},
            request_id=str(uuid4()),
            trace_id=str(uuid4()),
            created_at=now,
            updated_at=now,
            service=report.service or found.service or (model.service if model else ""),
            metadata=wish.metadata,
            placement=str(uuid4()),
        )
        return task if _empty(report) else advance(task, report, now, "watch") or task

    def _placement(self, wish: Wish, found: Found, task: Task) -> Placement:
        assert task.placement is not None, "a watched task has its one placement from the start"
        account, now, empty = found.account, self._clock(), _empty(found.report)
        look_at = now + spread(AGAIN_SECONDS if empty else account.every, self._jitter)
        return Placement(
            id=task.placement,
            task=task.id,
            provider=task.provider,
            verdict=Verdict.ENDED if task.ended else Verdict.ACCEPTED,
            sent_at=min(found.report.created_at or now, now),
            upstream_id=wish.upstream_id,
            due_at=None if task.ended else look_at,
            heard_at=now,
            looks=1,
            empty=int(empty),
            account=account.account,
            outcome=task.outcome if task.ended else None,
            credential=self._vault.seal(wish.key) if wish.key is not None and not task.ended else None,
            watched=True,
        )


def _empty(report: Report) -> bool:
    """Done, but without a video: the next look may show it."""
    return report.state is State.SUCCEEDED and report.video_url is None
