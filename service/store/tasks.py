"""The verbs of a task's life. Each is one transaction; `now` is always given; the SQL stands beside the verb.

Every change of a task row compares the version that was read and adds one. So of a callback, a list and a look that
race, exactly one ends the task, and only it opens the deliveries. A task's row is always written before those of its
placements: where rows are locked, nobody waits in a circle.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from adapters.messages import Report
from service.domain.deliveries import Delivery, Subscription
from service.domain.event_log import Event
from service.domain.lanes import Turn
from service.domain.ledger import UNPRICED, Quote, Settle, settled
from service.domain.tasks import Placement, Task, TaskState, Verdict
from service.store import rows
from service.store.allowances import reserve
from service.store.charges import open_charge, reopen_given_up, settle_charge
from service.store.doubts import go_on_or_warn, hold
from service.store.engine import Engine, Transaction
from service.store.event_log import write_event
from service.store.repeats import TWINS_MS, repeated
from service.store.room import Seat, lock_sends, seated
from service.store.subscriptions import Message, insert_subscription, subscriptions_of, tell

CURRENT = "id = (SELECT task FROM placements WHERE id = :placement) AND placement = :placement"
"""The task whose current placement is this one."""

Kept = tuple[Task, Placement | None]
"""The task that stands for a create, and its first send if it is to be sent now."""


@dataclass(frozen=True, slots=True)
class Moved:
    """A task's row was written. `turns` are those messages of it that were taken out at once; whether others are due is
    `in_line`."""

    turns: tuple[Turn, ...] = ()
    in_line: bool = False


class TaskVerbs:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def accept(
        self,
        task: Task,
        placement: Placement | None,
        subscriptions: Sequence[Subscription],
        waits: Callable[[str], bool] = lambda task: True,
        twin_ms: int = TWINS_MS,
        answered_twin_ms: int = 0,
        price: Quote = UNPRICED,
        seats: Sequence[Seat] | None = None,
    ) -> Kept:
        """Keeps a new task, its subscriptions and (if it is sent at once) its first placement. With `seats` that is
        the one to take, or the task has to wait for room. Raises `Limited` if its client's budgets have no room for
        `price`, what it costs at its provider.

        Keeps nothing and returns the earlier task if this create repeats one: it has the same idempotency key, or the
        same digest as one of the last `twin_ms` that was never answered and for whose answer nobody `waits`, or as any
        one of the last `answered_twin_ms`."""

        def verb(tx: Transaction) -> Kept:
            if seats is not None:
                lock_sends(tx, [task.provider])
            earlier = repeated(tx, task, waits, twin_ms, answered_twin_ms)
            if earlier is not None:
                return earlier, None
            kept, sending = (task, placement) if seats is None else _seated(tx, task, placement, seats)
            insert_task(tx, kept)
            reserve(tx, task, price)
            if sending is not None:
                insert_placement(tx, sending)
            for subscription in subscriptions:
                insert_subscription(tx, subscription)
            return kept, sending

        return await self._engine.write(verb)

    async def repeated(
        self, task: Task, waits: Callable[[str], bool], twin_ms: int, answered_twin_ms: int
    ) -> Task | None:
        """The earlier task that `accept` would return; nothing is kept."""
        return await self._engine.write(lambda tx: repeated(tx, task, waits, twin_ms, answered_twin_ms))

    async def subscribe(
        self, subscription: Subscription, client: str | None, message: Callable[[Task, Subscription], Delivery]
    ) -> Subscription | None:
        """Keeps a later subscription; of a task with anything to tell it opens the delivery too.

        Returns the one that is kept (an earlier one for the same counts), None if the client has no such task. The
        UPDATE that changes nothing locks the row: the task cannot end between the look and the INSERT."""

        def verb(tx: Transaction) -> Subscription | None:
            row = tx.one(
                "UPDATE tasks SET version = version WHERE id = :id AND expunged_at IS NULL"
                f" AND {rows.matching(client=client)} RETURNING {rows.columns(Task)}",
                id=subscription.task, client=client,
            )  # fmt: skip
            if row is None:
                return None
            task = rows.read_task(row)
            for earlier in subscriptions_of(tx, task.id):
                if earlier.same_as(subscription):
                    return earlier
            insert_subscription(tx, subscription)
            if task.told:
                tell(tx, subscription, partial(message, task))
            return subscription

        return await self._engine.write(verb)

    async def answered(self, task: str, now: int) -> None:
        """The answer to a create was handed to its connection."""

        def verb(tx: Transaction) -> None:
            tx.run("UPDATE tasks SET answered_at = :now WHERE id = :id AND answered_at IS NULL", id=task, now=now)

        await self._engine.write(verb)

    async def accepted(
        self,
        placement: str,
        upstream_id: str,
        now: int,
        look_at: int,
        workload: str = "",
        expected_at: int | None = None,
    ) -> Task | None:
        """The upstream took the send. A callback that overtook its answer makes the look due now. None when the task
        had moved on already (adopted by its callback); the upstream's id is kept all the same. `workload` and
        `expected_at` say what kind of video it is, and when the first of such are done."""

        def verb(tx: Transaction) -> Task | None:
            hold(tx, placement)
            reopen_given_up(tx, placement)
            taken = tx.run(
                "UPDATE placements SET verdict = 'accepted', upstream_id = :upstream_id, doubt_at = NULL,"
                " claimed_at = NULL, heard_at = :now, due_at = CASE WHEN due_at IS NULL THEN :look_at ELSE :now END,"
                " workload = CASE WHEN :workload = '' THEN workload ELSE :workload END,"
                " expected_at = coalesce(:expected_at, expected_at)"
                " WHERE id = :id AND verdict IN ('sending', 'in_doubt', 'unproven')",
                id=placement, upstream_id=upstream_id, now=now, look_at=look_at, workload=workload,
                expected_at=expected_at,
            )  # fmt: skip
            return go_on_or_warn(tx, placement, now) if taken else None

        return await self._engine.write(verb)

    async def doubted(
        self,
        placement: str,
        reason: str,
        now: int,
        due_at: int,
        lost_at: int | None = None,
        *,
        denied: bool = False,
    ) -> Task | None:
        """The send may have been accepted. It is never sent again; at `due_at` it is looked for. `lost_at` is when its
        answer could have come at the latest (None: now). `denied`: the provider said no, and is not believed yet."""

        def verb(tx: Transaction) -> Task | None:
            moved = _move(tx, placement, (TaskState.SUBMITTING,), TaskState.IN_DOUBT, now)
            tx.run(
                "UPDATE placements SET verdict = 'in_doubt', reason = :reason, doubt_at = :due_at, lost_at = :lost_at,"
                " denied = :denied WHERE id = :id AND verdict = 'sending'",
                id=placement, reason=reason, due_at=due_at, lost_at=now if lost_at is None else lost_at,
                denied=int(denied),
            )  # fmt: skip
            return moved

        return await self._engine.write(verb)

    async def record(
        self,
        task: Task,
        verdict: Verdict,
        message: Message | None,
        placement: str | None = None,
        settle: Settle = settled,
        event: Event | None = None,
        lease: int | None = None,
    ) -> Moved | None:
        """Writes `task` if its row still has the version it was made from, with the deliveries that tell of it and the
        `event` that it is; and with an ended task the end of `placement` (None: of its current one, if that is open)
        with what it cost. With a `lease`, messages that need not stand in line are taken out at once, until then.
        None: somebody else was first, nothing was written."""

        def verb(tx: Transaction) -> Moved | None:
            values = rows.task_values(replace(task, version=task.version + 1)) | {"was": task.version}
            if not tx.run(
                "UPDATE tasks SET state = :state, updated_at = :updated_at, finished_at = :finished_at,"
                " due_at = :due_at, outcome = :outcome, detector = :detector, version = :version"
                " WHERE id = :id AND version = :was",
                **{name: values[name] for name in _RECORDED},
            ):
                return None
            if verdict is Verdict.REFUSED:
                tx.run("UPDATE tasks SET digest = NULL, idempotency_key = NULL WHERE id = :id", id=task.id)
            if task.ended:
                closing = placement or task.placement
                if closing is not None:
                    if placement is not None:
                        reopen_given_up(tx, placement)
                    late = placement is not None  # given up before, it has a last word after all
                    close_placement(tx, closing, verdict, None, task.outcome, settle, late=late)
            told: list[Delivery | Turn | None] = []
            if task.told and message is not None:
                told = [tell(tx, subscription, message, lease) for subscription in subscriptions_of(tx, task.id)]
            write_event(tx, event)
            turns = tuple(each for each in told if isinstance(each, Turn))
            return Moved(turns, in_line=any(isinstance(each, Delivery) and each.due_at is not None for each in told))

        return await self._engine.write(verb)


_RECORDED = (
    "id", "was", "state", "updated_at", "finished_at", "due_at", "outcome", "detector", "version",
)  # fmt: skip


def _seated(tx: Transaction, task: Task, placement: Placement | None, seats: Sequence[Seat]) -> Kept:
    account = None if placement is None else seated(tx, task.provider, seats, task.created_at)
    if placement is None or account is None:
        return replace(task, state=TaskState.ACCEPTED, placement=None, due_at=task.created_at), None
    return task, replace(placement, account=account)


def insert_task(tx: Transaction, task: Task) -> None:
    tx.run(f"INSERT INTO tasks ({rows.columns(Task)}) VALUES ({rows.placeholders(Task)})", **rows.task_values(task))


def insert_placement(tx: Transaction, placement: Placement) -> None:
    tx.run(
        f"INSERT INTO placements ({rows.columns(Placement)}) VALUES ({rows.placeholders(Placement)})",
        **rows.placement_values(placement),
    )
    open_charge(tx, placement.id)


def close_placement(
    tx: Transaction,
    placement: str,
    verdict: Verdict,
    reason: str | None,
    outcome: Report | None = None,
    settle: Settle = settled,
    *,
    late: bool = False,
) -> None:
    """Ends a send that is at work or in doubt, and settles its charge; with `late` one that was given up as well. What
    ends a task that waits to be sent again says nothing of an earlier send that may still prove to be accepted."""
    at_work = "verdict IN ('sending', 'accepted', 'in_doubt')"
    closed = tx.run(
        "UPDATE placements SET verdict = :verdict, doubt_at = NULL, claimed_at = NULL, outcome = :outcome,"
        " due_at = CASE WHEN :verdict = 'unproven' OR (:verdict = 'refused' AND upstream_id IS NULL)"
        " THEN due_at ELSE NULL END,"  # a callback may just have come
        " reason = CASE WHEN :reason = '' THEN reason ELSE :reason END, credential = NULL"
        f" WHERE id = :id AND ({at_work} OR (:late = 1 AND verdict = 'unproven'))",
        id=placement, verdict=verdict, reason=reason or "", outcome=rows.dump_report(outcome), late=int(late),
    )  # fmt: skip
    if closed or late:
        settle_charge(tx, placement, verdict, outcome, settle)


def deny_placement(tx: Transaction, placement: str, verdict: Verdict, reason: str) -> None:
    """Of a send provably nothing was accepted, whatever its task is by now: it costs nothing. A callback that came
    before the no is still looked into."""
    reopen_given_up(tx, placement)
    if tx.run(
        "UPDATE placements SET verdict = :verdict, doubt_at = NULL, claimed_at = NULL, reason = :reason"
        " WHERE id = :id AND upstream_id IS NULL AND verdict IN ('sending', 'in_doubt', 'unproven')",
        id=placement, verdict=verdict, reason=reason,
    ):  # fmt: skip
        settle_charge(tx, placement, verdict, None, settled)


def _move(tx: Transaction, placement: str, before: Sequence[TaskState], after: TaskState, now: int) -> Task | None:
    """Moves the task of its current placement on, if it is still in one of the states `before`."""
    states = ", ".join(f"'{state}'" for state in before)
    row = tx.one(
        f"UPDATE tasks SET state = :after, updated_at = :now, due_at = NULL, version = version + 1"
        f" WHERE {CURRENT} AND state IN ({states}) RETURNING {rows.columns(Task)}",
        after=after, now=now, placement=placement,
    )  # fmt: skip
    return None if row is None else rows.read_task(row)
