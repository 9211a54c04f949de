"""Fail-over: what a provider's no means for the others, and which of them are asked next.

Only where provably nothing was accepted is anybody else asked; the table is that of wire notes 6.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from adapters.base import Adapter
from adapters.catalogue import Catalogue
from adapters.messages import Category, Failure, Refusal, Request, Submission, Unreadable
from service.accounts.upstream import Upstream
from service.accounts.upstreams import Upstreams
from service.domain.allowances import Standing
from service.domain.ledger import quote_of
from service.domain.tasks import Task, Verdict
from service.errors import Refused
from service.sending.choose import choose, price_at
from service.store import Road


class Nature(StrEnum):
    """What a no says about the task at this provider, and at others."""

    BUSY = "busy"  # it may take the same create later; others may take it now
    ACCOUNT = "account"  # the operator's account is in trouble, and the request may be good
    FETCH = "fetch"  # it could not download the input: it may be able to a little later, others now
    ELSEWHERE = "elsewhere"  # no for good, but another provider may say yes
    FINAL = "final"  # no for good, and others would say the same, or must not be asked


NATURE: Mapping[Category, Nature] = {
    Category.THROTTLED: Nature.BUSY,
    Category.REJECTED: Nature.BUSY,
    Category.AUTH: Nature.ACCOUNT,
    Category.BILLING: Nature.ACCOUNT,
    Category.FORBIDDEN_MODEL: Nature.ELSEWHERE,
    Category.NOT_FOUND: Nature.ELSEWHERE,  # this and the next: the provider has no such call
    Category.METHOD: Nature.ELSEWHERE,
    Category.MEDIA_FETCH: Nature.FETCH,
}
"""Every other category is final: `content` because asking around would evade a policy, `invalid_request` because the
same body fails everywhere."""

ACCOUNT_TROUBLE = Refusal(
    403,
    Failure(
        Category.OURS,
        "upstream_account",
        "This server's account at the provider cannot submit tasks at the moment. Nothing was sent or billed; its "
        "operator has been told.",
    ),
)


@dataclass(frozen=True, slots=True)
class No:
    """Provably nothing was accepted. `refusal` is what the provider said, None if it was not reached. `of_account`: its
    other accounts may take the task at once."""

    nature: Nature
    reason: str
    refusal: Refusal | None = None
    of_account: bool = False

    @classmethod
    def said(cls, status: int, refusal: Refusal) -> No:
        category = refusal.failure.category
        nature = NATURE.get(category, Nature.FINAL)
        of_account = nature is Nature.ACCOUNT or category is Category.THROTTLED
        return cls(nature, f"HTTP {status} {refusal.failure.code}".strip(), refusal, of_account)

    @property
    def verdict(self) -> Verdict:
        """Of a provider that refused for good the task asks nothing any more."""
        return Verdict.REFUSED if self.nature in (Nature.ELSEWHERE, Nature.FINAL) else Verdict.NOT_ACCEPTED

    @property
    def retry_after(self) -> float | None:
        return self.refusal.retry_after if self.refusal else None


class Failover:
    """Who may be asked. `elsewhere`: whether the operator allows that a task goes to another provider by itself."""

    def __init__(
        self, upstreams: Upstreams, shapes: Mapping[str, Adapter], catalogue: Catalogue, *, elsewhere: bool
    ) -> None:
        self._upstreams = upstreams
        self._shapes = shapes
        self._catalogue = catalogue
        self._elsewhere = elsewhere

    def first(self, able: Sequence[Upstream], now: int) -> Upstream:
        """The preferred one of those that can take a new task; who said that it has enough is passed over, or waited
        for if it may be asked soonest."""
        soonest = min(able, key=lambda each: max(self._upstreams.rests_until(each.name), now))
        return soonest if self._elsewhere else able[0]

    def road(self, task: Task, provider: str, now: int) -> Road:
        """A way to a provider that can take the task: the accounts that take something now, and the price there."""
        submission = read_stored(task, self._shapes[task.shape])
        price = quote_of(price_at(self._upstreams.pool(provider)[0], submission))
        return Road(provider, self._upstreams.seats(provider, now), price)

    def candidates(self, task: Task, standing: Standing) -> tuple[str, ...]:
        """The providers that may have the task and that its client may use and pay, in the order of preference. The
        present one is always among them: what is in our way only now (a changed catalogue) is no provider's no."""
        if task.pinned or not self._elsewhere:
            return (task.provider,)
        shape = self._shapes[task.shape]
        try:
            able = choose(self._upstreams.providers, self._catalogue, shape, read_stored(task, shape), None, standing)
        except (Unreadable, Refused):
            return (task.provider,)
        names = tuple(each.name for each in able)
        return names if task.provider in names else (task.provider, *names)


def read_stored(task: Task, shape: Adapter) -> Submission:
    """What the client asked for. Raises `Unreadable` if the shape has changed since."""
    return shape.read_submission(Request("POST", task.path, task.body, headers=task.headers))
