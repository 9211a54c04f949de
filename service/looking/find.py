"""The one question before a watch: does the provider know this task, and whose is it? What another client has must look
exactly like what nobody knows: in the answer, and in what the provider is asked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

from adapters.catalogue import Catalogue
from adapters.messages import Category, Fields, Query, Report, State
from adapters.providers import Provider
from service.accounts.pacing import Bucket, TooBusy, Turns
from service.accounts.upstream import Unheard, Upstream
from service.accounts.upstreams import Upstreams
from service.domain.deliveries import Subscription
from service.domain.tasks import Task
from service.errors import Refused, refused
from service.keys.callback_urls import CallbackUrls
from service.keys.clients import Client, Clients
from service.logs import get_logger
from service.operator import Operator
from service.store import Store

log = get_logger("watch")
AGAIN_SECONDS = 5.0
"""After which somebody who could not be served may ask again, at least."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a client wants to be told of. `key` is its own key at the provider; without one the operator's account is
    asked. `audience` is who is to be told, checked and of no task yet."""

    client: Client
    provider: str
    upstream_id: str
    audience: Sequence[Subscription] = ()
    key: str | None = None
    model: str = ""
    metadata: Fields | None = None

    def sees(self, task: Task) -> bool:
        return self.client.admin or task.client == self.client.id


@dataclass(frozen=True, slots=True)
class Found:
    """The account that knows a task, the service that it is known at, and what it says."""

    account: Upstream
    service: str
    report: Report


class Finder:
    def __init__(
        self,
        store: Store,
        clients: Clients,
        upstreams: Upstreams,
        operator: Operator,
        catalogue: Catalogue,
        urls: CallbackUrls,
        turns: Turns,
    ) -> None:
        self._store = store
        self._clients = clients
        self._upstreams = upstreams
        self._operator = operator
        self._catalogue = catalogue
        self._urls = urls
        self._turns = turns
        self._lenders: dict[tuple[str, str], Bucket] = {}

    async def find(self, wish: Wish) -> Found | Task:
        """What the first account that knows the task says of it; or the task itself, if the client has it already.
        Raises `Refused`: 400 (a field), 403 (no right), 404 (not known, or another client's), 503 (nobody said)."""
        trouble: tuple[Upstream, Unheard] | None = None
        accounts = await self._accounts(wish)
        for account, service in product(accounts, self._services(accounts[0], wish)):
            try:
                report = await self._ask(wish, account, service)
            except Unheard as error:
                trouble = trouble or (account, error)
                continue
            owner = await self._owner(account.provider, report) if report else None
            if owner is not None and wish.sees(owner):
                return owner
            if report is not None and owner is None:
                return Found(account, service, report)
        raise await self._not_asked(*trouble) if trouble else unknown()

    async def _accounts(self, wish: Wish) -> Sequence[Upstream]:
        """Who is asked. Raises `Refused`."""
        pool = self._upstreams.pool(wish.provider)
        if not pool:
            names = ", ".join(each.name for each in self._upstreams.providers) or "none"
            raise refused(400, Category.INVALID_REQUEST, f"provider: it may be {names}.")
        if wish.key is not None:
            return (pool[0].with_key(wish.key),)
        if await self._clients.may_watch(wish.client, wish.provider):
            return pool
        text = (
            "upstream_key: send your own key at the provider; this client key may not watch there with the server's. "
            "The operator lets it with `ringback keys allow CLIENT --watch`."
        )
        raise refused(403, Category.AUTH, text)

    def _services(self, account: Upstream, wish: Wish) -> Sequence[str]:
        model = self._catalogue.find(wish.model)
        services = account.adapter.services
        return (model.service,) if model is not None and model.service in services else services

    async def _ask(self, wish: Wish, account: Upstream, service: str) -> Report | None:
        """None: it is not known there. Raises `Unheard`, and `Refused` if its turn would not come soon."""
        await self._take_turn(wish, account)
        heard = await account.look(Query((wish.upstream_id,), service))
        report = heard.get(wish.upstream_id)
        return None if report is None or report.state is State.UNKNOWN else report

    async def _take_turn(self, wish: Wish, account: Upstream) -> None:
        """The pace of an operator's account is shared with its looks. Who lends keys, good or not, has one pace for all
        of them at each provider."""
        if account.lent:
            account.bucket = self._lenders.setdefault((wish.client.id, account.name), account.bucket)
        try:
            await self._turns.take(account.bucket)
        except TooBusy as error:
            raise _later(f"{account.provider.title} is asked as often as it allows.", error.seconds) from error

    async def _owner(self, provider: Provider, report: Report) -> Task | None:
        """Whose task it is already: by its id; or, if it is a send whose answer was lost, by the callback URL in its
        record, which only we gave out."""
        placement_id = self._urls.placement(provider, report.callback_url)
        placement = await self._store.lookups.placement(placement_id) if placement_id else None
        if placement is not None:
            return await self._store.lookups.task(placement.task)
        return await self._store.watches.task_of(provider.name, report.task_id)

    async def _not_asked(self, account: Upstream, error: Unheard) -> Refused:
        title = account.provider.title
        log.event("watch.unheard", provider=account.name, account=account.label, reason=str(error))
        if not error.refused:
            return _later(f"{title} cannot be asked at the moment ({error}).", error.retry_after or 0.0)
        if account.lent:
            return refused(400, Category.INVALID_REQUEST, f"upstream_key: {title} refuses it.")
        await self._operator.tell("upstream.look_refused", account.label, provider=account.name, reason=str(error))
        text = f"{title} refuses this server's account at the moment; its operator has been told."
        return refused(403, Category.OURS, text, "upstream_account")


def unknown() -> Refused:
    text = "The provider does not know such a task. If it was created just now, try again in a few seconds."
    return refused(404, Category.NOT_FOUND, text, "not_found")


def _later(text: str, seconds: float) -> Refused:
    wait = max(math.ceil(seconds), AGAIN_SECONDS)
    error = refused(503, Category.REJECTED, f"{text} Nothing is watched yet; try again in {wait:g} seconds.")
    return Refused(replace(error.refusal, retry_after=wait))
