"""What must hold of the store, whatever was done to it: tasks only move forward, one transition wins, each subscriber
is told once, and nothing is bought twice but by the operator's word."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from adapters import SHAPES
from adapters.catalogue import builtin
from service.domain.deliveries import Delivery, Subscription
from service.domain.event_log import Event
from service.domain.tasks import NEXT, OUTCOME_UNKNOWN, Task, TaskState, Verdict
from service.domain.tell import RECOVERED, TYPES, Teller
from service.store import Store
from service.store.lookups import NEWEST
from service.telling.receive import Receiver
from tests.service.nouns import NOW, a_subscription

Run = Callable[[Awaitable[Any]], Any]
TABLES = (
    "events",
    "attempts",
    "lanes",
    "deliveries",
    "subscriptions",
    "callbacks",
    "charges",
    "quotes",
    "placements",
    "tasks",
)
LIVE = frozenset({Verdict.SENDING, Verdict.ACCEPTED, Verdict.IN_DOUBT})
"""Sends that may be at work at the upstream."""


@dataclass
class Send:
    """The truth about one send: whether its client waits for the answer in person, whether that can still come, whether
    its create made a task, whether we were told the id of that, and whether the upstream said no and made one."""

    id: str
    awaited: bool = False
    open: bool = True
    bought: bool = False
    named: bool = False
    lied: bool = False

    @property
    def upstream_id(self) -> str:
        return f"up-{self.id}"


@dataclass(frozen=True)
class View:
    """A task as somebody read it some time ago, with the sends that it had then."""

    task: Task
    sends: tuple[Send, ...]


@dataclass
class Watched:
    """An emptied store and all that is known of what was done to it. `before` is how the tasks were when last looked
    at, `reopened` how often an operator had one sent again."""

    run: Run
    store: Store
    now: int = NOW
    subscribers: int = 0
    reads: int = 0
    sends: dict[str, list[Send]] = field(default_factory=lambda: defaultdict(list))
    before: dict[str, Task] = field(default_factory=dict)
    messages: dict[str, tuple[str, str, bytes]] = field(default_factory=dict)
    reopened: Counter[str] = field(default_factory=Counter)
    told_in_person: set[str] = field(default_factory=set)
    won: Counter[tuple[str, int]] = field(default_factory=Counter)
    log: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._numbers = count(1000)
        shapes = {name: shape(builtin()) for name, shape in SHAPES.items()}
        self.teller = Teller(shapes, lambda: self.fresh("message"))
        self.receiver = Receiver(self.store, self.teller, lambda: self.now, lambda task, moved: None)
        emptying = [f"DELETE FROM {table}" for table in TABLES] + ["UPDATE event_head SET seq = 0"]
        self.run(self.store._engine.write(lambda tx: [tx.run(statement) for statement in emptying]))

    # --- laws ---

    def check(self) -> None:
        self.check_moves()
        self.check_messages()
        self.check_log()
        for task, sends in self.sends.items():
            assert sum(send.bought for send in sends) <= 1 + self.reopened[task], task

    def check_sent(self, task: Task) -> None:
        """A task was claimed to be sent: no earlier send of it may live, known or not."""
        placements = self.run(self.store.lookups.placements(task.id))
        live = [one for one in placements if one.verdict in LIVE]
        assert [one.id for one in live] == [task.placement], live
        assert sum(send.bought for send in self.sends[task.id]) <= self.reopened[task.id], task

    def check_moves(self) -> None:
        for task in self.sends:
            was, now = self.before.get(task), self.latest(task)
            self.before[task] = now
            if was is None or was == now:
                continue
            assert now.version > was.version, (was, now)
            if now == replace(was, version=now.version):
                continue  # something became known of a send
            if self.reopened[task] and now.state is TaskState.ACCEPTED:
                continue  # the operator's word, the one way back
            assert now.reopened_at == was.reopened_at, (was, now)
            assert self.may_become(was, now), (was, now)

    def may_become(self, was: Task, now: Task) -> bool:
        unknown = was.outcome is not None and was.outcome.failure == OUTCOME_UNKNOWN
        if was.ended:
            given_up = was.state is TaskState.EXPIRED or unknown or len(self.sends[was.id]) > 1
            return now.state is TaskState.SUCCEEDED and given_up and was.state in (TaskState.FAILED, TaskState.EXPIRED)
        if now.outcome is not None and now.outcome.failure == OUTCOME_UNKNOWN:
            return was.state is TaskState.IN_DOUBT
        if now.detector == "cancel":
            return was.state is TaskState.ACCEPTED
        return now.state in reachable(was.state)

    def check_messages(self) -> None:
        for task, now in self.before.items():
            said = defaultdict(list)
            for delivery in self.told(task):
                said[delivery.subscription].append(delivery.type)
                fixed = delivery.subscription, delivery.type, delivery.body
                assert self.messages.setdefault(delivery.id, fixed) == fixed
            for subscription in self.run(self.store.lookups.subscriptions(task)):
                self.check_told(now, sorted(said[subscription.id]))

    def check_log(self) -> None:
        """What was logged stays, the numbers have no gap, and every end that was told stands there once."""
        events: list[Event] = self.run(self.store.event_log.page(0, 10_000)).events
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        assert events[: len(self.log)] == self.log
        self.log, types = events, defaultdict(list)
        for event in events:
            types[event.task].append(event.type)
        for task in self.before.values():
            assert len(set(types[task.id])) == len(types[task.id]), types
            if task.ended and task.id not in self.told_in_person:
                assert {TYPES[task.state], RECOVERED} & {*types[task.id]}, (task, types)

    def check_told(self, task: Task, types: list[str]) -> None:
        assert len(set(types)) == len(types), (task, types)
        if self.reopened[task.id]:
            assert types or not task.ended, task
        elif not task.ended:
            assert not types, (task, types)
        else:
            given_up = [TYPES[state] for state in (TaskState.FAILED, TaskState.EXPIRED)]
            recovered = [[type_, RECOVERED] for type_ in given_up] if task.state is TaskState.SUCCEEDED else []
            untold = [[]] if task.id in self.told_in_person else []
            assert types in [[TYPES[task.state]], *recovered, *untold], (task, types)

    # --- what is known, and what was read ---

    def fresh(self, kind: str) -> str:
        """An id. The same ones in each run: hypothesis must see the same order."""
        return f"{kind}-{next(self._numbers)}"

    def subscriber(self, task: Task) -> Subscription:
        self.subscribers += 1
        name = self.fresh("subscription")
        return a_subscription(task, id=name, url=f"https://hook.example.com/{name}", created_at=self.now)

    @property
    def open_sends(self) -> list[Send]:
        return [send for sends in self.sends.values() for send in sends if send.open]

    @property
    def lost_sends(self) -> list[Send]:
        return [
            send for sends in self.sends.values() for send in sends if send.bought and not (send.open or send.named)
        ]

    @property
    def names(self) -> bool:
        return any(send.named for sends in self.sends.values() for send in sends)

    def any_in(self, *states: TaskState) -> bool:
        return any(task.state in states for task in self.before.values())

    def latest(self, task: str) -> Task:
        found = self.run(self.store.lookups.task(task))
        assert isinstance(found, Task)
        return found

    def viewed(self, seen: View | str) -> View:
        """A task that somebody read before, or reads now."""
        return View(self.latest(seen), tuple(self.sends[seen])) if isinstance(seen, str) else seen

    def told(self, task: str) -> list[Delivery]:
        found: list[Delivery] = self.run(self.store.deliveries.recent(None, task, "", NEWEST, 100))
        return found

    def named(self, view: View, back: int) -> Send | None:
        """One of its sends, if its id at the upstream is known, so that it can be asked for."""
        send = nth(view.sends, back)
        return send if send is not None and send.named else None

    def won_by(self, *racing: Awaitable[Task | None]) -> bool:
        """Whether any of them moved its task; no two from the same version."""

        async def race() -> list[Task | None]:
            return await asyncio.gather(*racing)

        winners = [moved for moved in self.run(race()) if moved is not None]
        self.won.update((moved.id, moved.version) for moved in winners)
        assert all(times == 1 for times in self.won.values()), winners
        return bool(winners)


def nth(sends: list[Send] | tuple[Send, ...], back: int) -> Send | None:
    return sends[-1 - back % len(sends)] if sends else None


def reachable(state: TaskState) -> set[TaskState]:
    found = {state}
    while more := {after for one in found for after in NEXT[one]} - found:
        found |= more
    return found
