"""At the start: whose unfinished tasks nobody looks at, because a provider or a key was taken out of the settings. They
wait, whatever becomes of them, until it is back."""

from __future__ import annotations

from service.operator import Operator
from service.store import Store
from service.upstreams import Upstreams


async def tell_missing(store: Store, upstreams: Upstreams, operator: Operator) -> None:
    for provider, tasks in (await store.lookups.unfinished()).items():
        if not upstreams.pool(provider):
            await operator.tell("provider.missing", provider, provider=provider, tasks=str(tasks))
    for (provider, account), sends in (await store.lookups.at_work()).items():
        pool = upstreams.pool(provider)
        if pool and not any(each.serves(account) for each in pool):
            subject = f"{provider}/{account}"
            await operator.tell("account.missing", subject, provider=provider, account=account, tasks=str(sends))
