"""A machine that does to the store, in any order, what sends, callbacks, looks, doubts, operators and restarts do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, precondition, rule

from adapters.messages import ENDED, Category, Failure, Report, State
from service.domain.deliveries import Attempt, DeliveryState
from service.domain.tasks import OUTCOME_UNKNOWN, TASK_EXPIRED, Placement, Task, TaskState, Verdict
from service.doubts.reopen import reason_for, reopen
from service.store import Store
from service.store.room import Seat
from tests.service.nouns import a_placement, a_task, due_now
from tests.service.store_laws import Run, Send, View, Watched, nth

VIDEO = Report("up", State.SUCCEEDED, video_url="https://v.example.com/1.mp4")
BROKEN = Report("up", State.FAILED, failure=Failure(Category.CONTENT, "forbidden", "no", "flat"))
CANCELED = Report("up", State.CANCELED)
NOT_YET = (
    *(Report("up", state) for state in (State.QUEUED, State.RUNNING, State.UNKNOWN)),
    replace(VIDEO, video_url=None),
)
REPORTS = (VIDEO, BROKEN, CANCELED, *NOT_YET)
NOISE = st.sampled_from(NOT_YET)
NO = Failure(Category.INVALID_REQUEST, "bad_request", "no", "flat")
MOST_TASKS, MOST_SUBSCRIBERS, MOST_VIEWS = 2, 4, 6
SOON = st.sampled_from(("accepted", "lost", "is sent", "waits", "is late", "lost for good", "denied", "lied"))
SEATS = [Seat("")]
BACK = st.integers(0, 2)
"""Which of a task's sends, counted from the last."""


def while_any(*states: TaskState) -> Callable[[Any], Any]:
    return precondition(lambda self: self.it.any_in(*states))


class StoreMachine(RuleBasedStateMachine):
    tasks: Bundle[str] = Bundle("tasks")
    views: Bundle[View] = Bundle("views")
    claims: Bundle[Placement] = Bundle("claims")
    seen = st.one_of(tasks, views)
    """A task as it is now, or as it was."""

    def __init__(self, run: Run, store: Store) -> None:
        super().__init__()
        self.it, self.run, self.store = Watched(run, store), run, store

    @invariant()
    def the_laws_hold(self) -> None:
        self.it.check()

    # --- clients ---

    @initialize(target=tasks, soon=SOON)
    def a_task_is_created(self, soon: str) -> str:
        """What comes `soon` after it saves the machine the steps there."""
        now = self.it.now
        task = a_task(id=self.it.fresh("task"), placement=self.it.fresh("send"), created_at=now, updated_at=now)
        placement = a_placement(task)
        if soon == "waits":
            task, placement = replace(task, state=TaskState.ACCEPTED, placement=None, due_at=now), None
        kept = self.run(self.store.tasks.accept(task, placement, [self.it.subscriber(task)]))
        assert kept == (task, placement)
        self.it.sends[task.id] += [] if placement is None else [Send(placement.id, awaited=True)]
        if soon == "is late":
            self.run(self.store.tasks.doubted(placement.id, "no answer yet", now, now + 900_000))
        elif soon not in ("waits", "is sent"):
            self.a_send_ends(task.id, soon)
        return task.id

    @precondition(lambda self: len(self.it.sends) < MOST_TASKS)
    @rule(target=tasks, soon=SOON)
    def another_task_is_created(self, soon: str) -> str:
        return self.a_task_is_created(soon)

    @precondition(lambda self: self.it.reads < MOST_VIEWS)
    @rule(target=views, task=tasks)
    def somebody_reads(self, task: str) -> View:
        self.it.reads += 1
        return self.it.viewed(task)

    @precondition(lambda self: self.it.subscribers < MOST_SUBSCRIBERS)
    @rule(task=tasks)
    def somebody_subscribes_later(self, task: str) -> None:
        wanted = self.it.subscriber(self.it.latest(task))
        assert self.run(self.store.tasks.subscribe(wanted, None, self.it.teller.message)) == wanted

    @while_any(TaskState.ACCEPTED)
    @rule(view=seen)
    def a_client_cancels_what_waits(self, view: View | str) -> None:
        task = self.it.viewed(view).task
        canceled = Report(task.id, State.CANCELED)
        self.it.won_by(self.it.receiver.report(task, canceled, "cancel", only=TaskState.ACCEPTED))

    @precondition(lambda self: self.it.messages)
    @rule(taken=st.booleans(), replayed=st.booleans())
    def messages_are_delivered(self, taken: bool, replayed: bool) -> None:
        for message in self.it.messages if replayed else ():
            self.run(self.store.deliveries.replay(message, None, self.it.now))
        self.it.now = now = self.it.now + 10_000
        for claimed in self.run(due_now(self.store, now, now + 60_000)):
            state = DeliveryState.DELIVERED if taken else DeliveryState.PENDING
            attempt = Attempt(claimed.id, 0, now, 1, "", "", next_at=None if taken else now + 5000)
            self.run(self.store.deliveries.attempted(claimed, attempt, state, now if taken else None))

    # --- sends ---

    @while_any(TaskState.ACCEPTED)
    @rule()
    def waiting_tasks_are_sent(self) -> None:
        self.it.now = now = self.it.now + 10_000
        claiming = self.store.sends.claim("acedata", SEATS, now, now + 180_000, 10, lambda: self.it.fresh("send"))
        for task, placement in self.run(claiming):
            self.it.check_sent(task)
            self.it.sends[task.id].append(Send(placement.id))

    @precondition(lambda self: self.it.open_sends)
    @rule(task=tasks, how=st.sampled_from(("accepted", "no room", "lost", "lost for good", "denied", "lied")))
    def a_send_ends(self, task: str, how: str) -> None:
        send, now = nth(self.it.sends[task], 0), self.it.now
        if send is None or not send.open:
            return
        send.open, send.bought = False, how in ("accepted", "lost")
        if how == "accepted":
            send.named = True
            self.run(self.store.tasks.accepted(send.id, send.upstream_id, now, now + 5000))
        elif how in ("no room", "lied"):
            send.lied = how == "lied"
            self.run(self.store.sends.deferred(send.id, "HTTP 429", now, now + 2000))
        else:
            denied = how == "denied"
            self.run(self.store.tasks.doubted(send.id, "lost", now, now + 900_000, denied=denied))

    @precondition(lambda self: self.it.open_sends)
    @rule(view=seen, in_person=st.booleans())
    def a_send_is_refused(self, view: View | str, in_person: bool) -> None:
        view = self.it.viewed(view)
        send = nth(view.sends, 0)
        if view.task.state is not TaskState.SUBMITTING or send is None or not send.open:
            return
        send.open, in_person = False, in_person and send.awaited
        refusing = self.it.receiver.give_up(view.task, NO, "send", verdict=Verdict.REFUSED, tell=not in_person)
        if self.it.won_by(refusing) and in_person:
            self.it.told_in_person.add(view.task.id)

    @precondition(lambda self: self.it.open_sends)
    @rule(bought=st.booleans())
    def the_server_dies_and_comes_back(self, bought: bool) -> None:
        for send in self.it.open_sends:
            send.open, send.bought = False, bought
        self.run(self.store.queues.void_leases(self.it.now))

    # --- what upstreams say ---

    @while_any(TaskState.SUBMITTING, TaskState.IN_DOUBT, TaskState.QUEUED)
    @rule(task=tasks, back=BACK, forged=st.booleans(), body=st.binary(max_size=1))
    def an_upstream_calls_back(self, task: str, back: int, forged: bool, body: bytes) -> None:
        if send := nth(self.it.sends[task], back):
            named = "up-forged" if forged else send.upstream_id
            self.run(self.store.placements.keep_callback(send.id, body.hex(), body, named, self.it.now))

    @precondition(lambda self: self.it.names)
    @rule(view=seen, back=BACK, report=st.sampled_from(REPORTS), last_word=st.booleans())
    def a_look_hears(self, view: View | str, back: int, report: Report, last_word: bool) -> None:
        view = self.it.viewed(view)
        if send := self.it.named(view, back):
            self.it.won_by(self.heard(view.task, send, report, last_word))

    @precondition(lambda self: self.it.names)
    @rule(view=seen, back=BACK, end=st.sampled_from((VIDEO, BROKEN, CANCELED)), more=st.lists(NOISE, max_size=4))
    def callbacks_lists_and_looks_race(self, view: View | str, back: int, end: Report, more: list[Report]) -> None:
        """They agree on the end: hypothesis wants to know what comes of it. (`test_receive` has those that do not.)"""
        view = self.it.viewed(view)
        if send := self.it.named(view, back):
            reports = (end, *more, end)
            self.it.won_by(*(self.heard(view.task, send, report, last_word=False) for report in reports))

    @while_any(TaskState.QUEUED, TaskState.RUNNING)
    @rule(view=seen)
    def an_upstream_forgets_it(self, view: View | str) -> None:
        task = self.it.viewed(view).task
        if task.state in (TaskState.QUEUED, TaskState.RUNNING):
            how = {"state": TaskState.EXPIRED, "verdict": Verdict.UNPROVEN, "placement": task.placement}
            self.it.won_by(self.it.receiver.give_up(task, TASK_EXPIRED, "look", **how))

    async def heard(self, task: Task, send: Send, report: Report, last_word: bool) -> Task | None:
        """As a look does it (`service.looking.poll`), with the task as it was read before."""
        moved = await self.it.receiver.report(task, report, "look", placement=send.id, last_word=last_word)
        final = report.state in ENDED and (report.state is not State.SUCCEEDED or last_word or bool(report.video_url))
        if moved is None and final and (task.ended or send.id != task.placement):
            await self.it.receiver.closed(send.id, report)
        return moved

    # --- doubts ---

    @while_any(TaskState.SUBMITTING, TaskState.IN_DOUBT)
    @rule(target=claims, at_once=st.booleans())
    def doubts_are_due(self, at_once: bool) -> Any:
        self.it.now = now = self.it.now + 1_000_000
        claimed = self.run(self.store.doubts.claim(now, now + 60_000, 10))
        for claim in claimed if at_once else ():
            self.a_doubt_is_settled(claim)
        return multiple(*sorted(claimed, key=lambda placement: placement.id))

    @rule(claim=claims)
    def a_doubt_is_settled(self, claim: Placement) -> None:
        """Perhaps long after it was claimed."""
        if claim.verdict is Verdict.SENDING:
            self.run(self.store.tasks.doubted(claim.id, "died", self.it.now, self.it.now + 900_000))
            return
        if claim.denied:  # the list shows that it is true
            self.run(self.store.sends.deferred(claim.id, "HTTP 500", self.it.now, self.it.now))
            return
        task, how = self.it.latest(claim.task), {"verdict": Verdict.UNPROVEN, "only": TaskState.IN_DOUBT}
        self.it.won_by(self.it.receiver.give_up(task, OUTCOME_UNKNOWN, "doubt", **how))

    @precondition(lambda self: self.it.lost_sends)
    @rule(task=tasks, back=BACK, by_callback=st.booleans())
    def a_send_is_proven(self, task: str, back: int, by_callback: bool) -> None:
        send = nth(self.it.sends[task], back)
        if send is not None and send.bought and not send.open:
            verb = self.store.tasks.accepted if by_callback else self.store.doubts.adopted
            self.run(verb(send.id, send.upstream_id, self.it.now, self.it.now))
            send.named = True

    @precondition(lambda self: any(send.lied for sends in self.it.sends.values() for send in sends))
    @rule(task=tasks, back=BACK)
    def a_no_is_overruled(self, task: str, back: int) -> None:
        send = nth(self.it.sends[task], back)
        if send is not None and send.lied:
            self.run(self.store.doubts.overruled(send.id, send.upstream_id, self.it.now))
            send.named, send.lied = True, False

    @precondition(lambda self: any(map(reason_for, self.it.before.values())))
    @rule(view=seen)
    def the_operator_has_it_sent_again(self, view: View | str) -> None:
        task = self.it.viewed(view).task
        if reason_for(task) is not None:
            again = reopen(task, task.provider, self.it.now)
            self.it.reopened[task.id] += self.run(self.store.decisions.reopen(again))
