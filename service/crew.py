"""The workers of the upstream accounts: who looks, who reads lists, who sends, and who looks with lent keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from service.accounts.learning import Learned
from service.accounts.upstream import Upstream, lent_label
from service.accounts.upstreams import Upstreams
from service.clock import Clock
from service.looking.lent import LentLooks
from service.looking.poll import LookQueue
from service.looking.queries import QueryQueue
from service.looking.sweep import SweepQueue
from service.operator import Operator
from service.sending.send import Sender
from service.sending.send_queue import SendQueue
from service.sending.timing import Timing
from service.store import Store
from service.worker import Work, Worker


def crew_of(
    upstreams: Upstreams,
    looks: Callable[[Upstream], LookQueue],
    store: Store,
    sender: Sender,
    operator: Operator,
    learned: Learned,
    clock: Clock,
    timing: Timing,
    new_id: Callable[[], str],
) -> dict[str, Worker[Any]]:
    """By name."""
    crew: dict[str, Worker[Any]] = {}
    for upstream in upstreams:
        name, queue = f"look.{upstream.label}", looks(upstream)
        sweeps = SweepQueue(upstream, store, learned, clock) if upstream.has_list else None
        work: Work[Any] = QueryQueue(queue, sweeps) if sweeps else queue
        crew[name] = Worker(name, work, clock, slots=32)
    for upstream in upstreams.providers:
        sends = SendQueue(upstream.name, upstreams, store, sender, clock, timing, new_id)
        crew[f"send.{upstream.name}"] = Worker(f"send.{upstream.name}", sends, clock)
        name = lent_label(upstream.provider)
        lent = LentLooks(upstream.provider, upstreams, store, operator, clock, looks)
        crew[f"look.{name}"] = Worker(f"look.{name}", lent, clock)
    return crew
