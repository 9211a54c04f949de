"""One upstream account: its wire, its key, its pace. The only place that asks a provider anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from adapters.base import Adapter, BatchAdapter, CancelAdapter, ListAdapter
from adapters.messages import Category, Listing, Page, Query, Report, Request, Response, Unreadable
from adapters.providers import Provider, Rejected
from service.accounts.health import Health
from service.accounts.pacing import Bucket
from service.clock import Clock
from service.keys.vault import hash_key
from service.network.http import Client, NoReply, send_upstream, upstream_request
from service.store import Seat

LOOK_SECONDS = 20.0
SWEPT_MS = 10_000
"""How long after a sweep of its list an account counts as swept."""

RESENDS_PER_SECOND = 5.0
"""The pace of creates that were not accepted at first; first sends are as fast as clients are."""

REFUSED = frozenset({401, 402, 403})
"""The statuses of a look that no task can be the reason of."""

LENT = "key:"
"""What the names of the accounts begin with that watchers lend."""

NOBODY = "00000000-0000-0000-0000-000000000000"
"""The nil UUID: the id of no task. AceData's Dify plugin tests a credential with it."""


class Unheard(Exception):
    """A look that told nothing; our trouble or the upstream's, never the task's. `retry_after` is in seconds;
    `refused`: the account's key or money is not good."""

    def __init__(
        self, reason: str, *, throttled: bool = False, retry_after: float | None = None, refused: bool = False
    ) -> None:
        super().__init__(reason)
        self.throttled = throttled
        self.retry_after = retry_after
        self.refused = refused


class Declined(Unheard):
    """The question itself was turned down; asked in another way it may be answered."""


class Upstream:
    """`every` is the pause between looks at one task, in seconds. `account` names the key, `holds` are the accounts
    whose placements it looks after (none: all of the provider's), `label` tells it from the others of its provider.
    `lent`: the key is not the operator's, a watcher lent it for its own tasks. `most_active` is how many tasks it may
    have at work at once (None: any number), `rejected_5xx` what its own error says of a create."""

    def __init__(
        self,
        provider: Provider,
        adapter: Adapter,
        client: Client,
        base_url: str,
        key: str,
        every: float,
        clock: Clock,
        account: str = "",
        holds: tuple[str, ...] = (),
        lent: bool = False,
        most_active: int | None = None,
        rejected_5xx: Rejected = Rejected.NO,
    ) -> None:
        self.provider = provider
        self.account = account
        self.holds = holds
        self.lent = lent
        self.adapter = adapter
        self.every = every
        self.swept_at = 0
        self.bucket = Bucket(provider.looks_per_second, clock())
        self.sends = Bucket(RESENDS_PER_SECOND, clock(), saved=1000.0)
        self.health = Health()
        self.most_active = most_active
        self.rejected_5xx = rejected_5xx
        self.rests_until = 0
        self._trouble_until = 0
        self._clock = clock
        self._client = client
        self._base_url = base_url.rstrip("/")
        self._key = key

    @property
    def name(self) -> str:
        """Of the provider."""
        return self.provider.name

    def is_swept(self, now: int) -> bool:
        """Whether its list tells what has ended, so that single looks need not."""
        return now - self.swept_at < SWEPT_MS

    @property
    def has_list(self) -> bool:
        """Whether what runs can be listed, and a list is worth more than looks at many tasks at once."""
        return isinstance(self.adapter, ListAdapter) and self.provider.batch == 1

    @property
    def label(self) -> str:
        """For logs and queues; never the key."""
        if self.lent:  # one name for all of them: whose keys they are is nobody's business
            return lent_label(self.provider)
        return f"{self.name}/{self.account}" if self.holds else self.name

    @property
    def cancels(self) -> bool:
        return isinstance(self.adapter, CancelAdapter)

    def with_key(self, key: str) -> Upstream:
        """The same API with a key that a watcher lends: an account of its own, with a pace of its own."""
        account = f"{LENT}{hash_key(key)[:16]}"
        same = (self.provider, self.adapter, self._client, self._base_url)
        return Upstream(*same, key, self.every, self._clock, account, (account,), lent=True)

    def serves(self, account: str) -> bool:
        return not self.holds or account in self.holds

    def rest(self, until: int) -> None:
        """Nothing is sent to it before `until`: it said that it is too much."""
        self.rests_until = max(self.rests_until, until)
        self.sends.pause(until)

    def avoid(self, until: int) -> None:
        """It takes nothing for the time being; others of its provider come first before `until`."""
        self._trouble_until = until

    def in_trouble(self, now: int) -> bool:
        return now < self._trouble_until

    def seat(self, now: int, *, paced: bool = False) -> Seat | None:
        """What of it is free as far as it knows itself; None while it rests. `paced`: for those who have waited."""
        if now < self.rests_until:
            return None
        seat = Seat(self.account, self.holds, self.most_active, last=self.in_trouble(now))
        return replace(seat, pace=self.sends.room(now)) if paced else seat

    async def create(self, request: Request, read_timeout: float) -> Response:
        """Sends a create, once, on a connection of its own. Raises `NotSent` or `Lost` (service.network.http)."""
        response = await self._send(request, read_timeout, fresh=True)
        if 200 <= response.status < 300 and response.body is not None:
            self.health.heard()
        return response

    async def look(self, query: Query) -> dict[str, Report]:
        """Reports by upstream id; ids that the upstream does not know are left out. Raises `Unheard`."""
        try:
            response = await self._send(self.adapter.write_query(query), LOOK_SECONDS, fresh=False)
        except NoReply as error:
            raise Unheard(error.reason) from error
        if not 200 <= response.status < 300:
            self._check(response)
        try:
            return {report.task_id: report for report in self._read(query, response)}
        except Unreadable as error:
            self._check(response)
            raise Unheard(f"the reply could not be read: {error.path or 'body'}") from error

    async def list(self, listing: Listing) -> Page:
        """Which tasks the account has. Raises `Unheard`, and `Declined` if it cannot be asked so."""
        if not isinstance(self.adapter, ListAdapter):
            raise Declined("it has no list")
        try:
            response = await self._send(self.adapter.write_listing(listing), LOOK_SECONDS, fresh=False)
            if not 200 <= response.status < 300:
                self._check(response)
            if response.status >= 400 and self._category(response) is Category.INVALID_REQUEST:
                raise Declined(f"HTTP {response.status}")
            page = self.adapter.read_page(response)
            self.health.heard()
            return page
        except NoReply as error:
            raise Unheard(error.reason) from error
        except Unreadable as error:
            raise Unheard(f"the reply could not be read: {error.path or 'body'}") from error

    async def probe(self) -> Response:
        """Its reply to a question that is free and needs the key: how a task is that there cannot be. Raises
        `NoReply` (service.network.http)."""
        return await self._send(self.adapter.write_query(Query((NOBODY,))), LOOK_SECONDS, fresh=False)

    async def cancel(self, upstream_id: str) -> bool:
        """False: it is too late, or this upstream has no cancel. Raises `Unheard`: it may be canceled or not."""
        if not isinstance(self.adapter, CancelAdapter):
            return False
        try:
            response = await self._send(self.adapter.write_cancel(upstream_id), LOOK_SECONDS, fresh=False)
            if not 200 <= response.status < 300:
                self._check(response)
            return self.adapter.read_cancel_reply(response)
        except NoReply as error:
            raise Unheard(error.reason) from error
        except Unreadable as error:
            raise Unheard("the reply to the cancel could not be read") from error

    def _category(self, response: Response) -> Category:
        return self.adapter.read_refusal(response).failure.category

    def _read(self, query: Query, response: Response) -> Sequence[Report]:
        if query.batch and isinstance(self.adapter, BatchAdapter):
            return self.adapter.read_reports(response)
        report = self.adapter.read_report(response)
        return [report if report.task_id else replace(report, task_id=query.task_ids[0])]

    def _check(self, response: Response) -> None:
        """Raises `Unheard` for what is about the account or the upstream, whatever else the reply says."""
        status, refusal = response.status, self.adapter.read_refusal(response)
        if status in REFUSED or refusal.failure.category in (Category.AUTH, Category.BILLING):
            raise Unheard(f"HTTP {status}, {refusal.failure.category}", refused=True)
        if status == 429:
            self.bucket.slow(self._clock(), refusal.retry_after)
        if status == 429 or status >= 500:
            raise Unheard(f"HTTP {status}", throttled=status == 429, retry_after=refusal.retry_after)

    async def _send(self, request: Request, read_timeout: float, *, fresh: bool) -> Response:
        credentials = {"authorization": f"Bearer {self._key}", "accept": "application/json"}
        built = upstream_request(self._client, self._base_url, request, credentials)
        return await send_upstream(self._client, built, read_timeout, fresh=fresh)


def lent_label(provider: Provider) -> str:
    """The label that all accounts of lent keys share."""
    return f"{provider.name}:watchers"
