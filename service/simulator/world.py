"""The state of all four upstreams: what was ordered, how it goes, and what was called back."""

from __future__ import annotations

import math
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import NormalDist

import httpx

from service.simulator.callbacks import Outbox
from service.simulator.eventbridge import EventBridge
from service.simulator.markers import Behaviour, read_behaviour
from service.simulator.settings import SimulatorSettings
from service.simulator.tasks import Create, Failure, Order, Phase, Script, Task

Clock = Callable[[], float]
Wording = Callable[[str], Failure]

SIMULATED = uuid.UUID("5f1d3b54-7c1e-5d0a-9a53-2f0c5a8f6d11")
QUEUED_SHARE = 0.2
SPREAD = 0.3
DEFECT_SECONDS = 1.0
LONGEST_SECONDS = 3 * 3600.0  # DashScope gives a task up after three hours (wire notes 0.9)


@dataclass(slots=True)
class Plan:
    """A behaviour for the next creates, set from outside; None matches every provider or model."""

    behaviour: Behaviour
    left: int
    provider: str | None = None
    model: str | None = None

    def covers(self, order: Order) -> bool:
        return self.left > 0 and self.provider in (None, order.provider) and self.model in (None, order.model)


class World:
    """Everything the simulator knows. `clock` gives seconds since the epoch; turning it moves every task on.

    `tasks` holds the tasks by id and `creates` the accepted creates, both in the order they were accepted; `requests`
    counts all requests by provider and kind ("create" or "query"), refused ones included.
    """

    def __init__(
        self, settings: SimulatorSettings, clock: Clock = time.time, client: httpx.AsyncClient | None = None
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.outbox = Outbox(clock, client)
        self.bridge = EventBridge(self.outbox)
        self._ids = 0
        self.reset()

    def reset(self) -> None:
        """Forgets everything, but goes on numbering: an id is never given out twice."""
        self.tasks: dict[str, Task] = {}
        self.creates: list[Create] = []
        self.plans: list[Plan] = []
        self.requests: Counter[tuple[str, str]] = Counter()
        self._asked: Counter[str] = Counter()
        self.outbox.clear()

    def behaviour_for(self, order: Order) -> Behaviour:
        """How this create is to behave; counts it against `times`. Raises `UnknownMarker`."""
        for plan in self.plans:
            if plan.covers(order):
                plan.left -= 1
                return plan.behaviour
        behaviour = read_behaviour(order.prompt)
        if behaviour.only not in (None, order.provider):
            return behaviour.calm()
        if behaviour.times is not None:
            self._asked[order.prompt_hash] += 1
            if self._asked[order.prompt_hash] > behaviour.times:
                return behaviour.calm()
        return behaviour

    def accept(self, order: Order, behaviour: Behaviour, wording: Wording) -> Task:
        """Makes the order a task and writes its script; `wording` says a failure in the vendor's words."""
        task_id = self.fresh_id()
        task = Task(task_id, order, behaviour, self._script(order, behaviour, wording))
        self.tasks[task.id] = task
        self.creates.append(
            Create(order.provider, order.path, order.headers, order.body, task.id, task.script.created_at, task)
        )
        return task

    def find(self, provider: str, owner: str, task_id: str) -> Task | None:
        """The task, if this account of this provider can see it by now."""
        task = self.tasks.get(task_id)
        if task is None or (task.order.provider, task.order.owner) != (provider, owner):
            return None
        return task if self._shows(task, self.clock()) else None

    def visible(self, provider: str, owner: str) -> Iterator[Task]:
        """The tasks that this account of this provider can see by now, in the order they were accepted."""
        now, account = self.clock(), (provider, owner)
        for task in self.tasks.values():
            if (task.order.provider, task.order.owner) == account and self._shows(task, now):
                yield task

    def active(self, provider: str, owner: str) -> int:
        """How many tasks of the account have not ended."""
        now = self.clock()
        mine = (task for task in self.tasks.values() if (task.order.provider, task.order.owner) == (provider, owner))
        return sum(now < task.script.ends_at for task in mine)

    def cancel(self, task: Task) -> bool:
        """Cancels a task that is still queued; False if it is not."""
        now = self.clock()
        if task.script.phase(now) is not Phase.QUEUED:
            return False
        task.script = task.script.canceled(now)
        return True

    def fresh_id(self) -> str:
        """The next id, of a task or of a request. It depends on the time too, so that a simulator that is started again
        with the same seed gives no id that an earlier one gave to somebody who remembers it."""
        self._ids += 1
        return str(uuid.uuid5(SIMULATED, f"{self.settings.seed}/{self._ids}/{self.clock()}"))

    async def send_due_callbacks(self) -> int:
        """Sends the callbacks that are due by the clock, waits for their answers, and says how many there were."""
        return await self.outbox.send_due()

    def _shows(self, task: Task, now: float) -> bool:
        return now >= task.script.created_at + max(task.behaviour.lag, self.settings.lag_seconds)

    def _script(self, order: Order, behaviour: Behaviour, wording: Wording) -> Script:
        seconds = self._seconds(order, behaviour)
        failure = order.defect
        if failure is None and seconds > LONGEST_SECONDS:
            failure = wording("InternalError.Timeout")
        elif failure is None and behaviour.fail is not None:
            failure = wording(behaviour.fail)
        seconds = min(seconds, LONGEST_SECONDS)
        queued = seconds * QUEUED_SHARE if behaviour.queue is None else min(behaviour.queue, seconds)
        now, speed = self.clock(), self.settings.speed
        ending = Phase.FAILED if failure else Phase.SUCCEEDED
        return Script(now, now + queued / speed, now + seconds / speed, ending, failure)

    def _seconds(self, order: Order, behaviour: Behaviour) -> float:
        """The whole life of a task: asked for, or drawn around the median. A queue asked for comes on top of it."""
        if behaviour.seconds is not None:
            return behaviour.seconds
        if order.defect is not None:
            return DEFECT_SECONDS
        luck = (uuid.uuid5(SIMULATED, f"{self.settings.seed}/{len(self.creates)}").int % 1009 + 0.5) / 1009
        drawn = self.settings.render_seconds * math.exp(NormalDist(0, SPREAD).inv_cdf(luck))
        return drawn + (behaviour.queue or 0.0)
