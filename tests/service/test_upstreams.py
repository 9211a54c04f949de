"""Several keys of one provider: who looks after which placement."""

from __future__ import annotations

from dataclasses import replace

import httpx

from adapters import SHAPES
from adapters.catalogue import builtin
from adapters.providers import PROVIDERS
from service.accounts.upstreams import Upstreams, upstreams_of
from service.domain.tasks import Placement, Verdict
from service.keys.vault import Vault
from service.settings import Account, Settings


def upstreams(*accounts: tuple[str, str]) -> Upstreams:
    chosen = tuple(
        Account(provider=PROVIDERS[provider], name=name, base_url="http://x.test", api_key=f"sk-{name}", poll_seconds=5)
        for provider, name in accounts
    )
    shapes = {name: shape(builtin()) for name, shape in SHAPES.items()}
    return Upstreams(upstreams_of(Settings(accounts=chosen), shapes, httpx.AsyncClient(), lambda: 0))


def serving(it: Upstreams, provider: str, account: str) -> str | None:
    found = it.serving(replace(Placement("p", "t", provider, Verdict.ACCEPTED, 1), account=account))
    return found.label if found else None


def test_the_only_key_of_a_provider_has_taken_over_all_its_tasks() -> None:
    it = upstreams(("acedata", "new"), ("apiyi", "a"))
    assert serving(it, "acedata", "old") == "acedata"
    assert serving(it, "acedata", "") == "acedata"
    assert serving(it, "dashscope", "") is None


def test_a_task_stays_with_the_key_that_created_it() -> None:
    it = upstreams(("apiyi", "a"), ("acedata", "x"), ("apiyi", "b"))
    assert serving(it, "apiyi", "b") == "apiyi/b"
    assert serving(it, "apiyi", "a") == "apiyi/a"
    assert serving(it, "apiyi", "gone") is None
    assert serving(it, "apiyi", "") == "apiyi/a"  # from before keys had names
    assert [each.name for each in it.providers] == ["apiyi", "acedata"]
    assert [each.label for each in it] == ["apiyi/a", "acedata", "apiyi/b"]


def test_a_lent_key_is_an_account_of_its_own_that_has_no_name() -> None:
    it = upstreams(("apiyi", "a"), ("apiyi", "b"))
    lent, again, other = (it.pool("apiyi")[0].with_key(key) for key in ("sk-lent", "sk-lent", "sk-other"))
    assert lent.account == again.account != other.account
    assert {lent.label, other.label} == {"apiyi:watchers"}
    assert not any("sk-" in text for text in (lent.label, lent.account))
    assert not lent.serves("a")
    assert not lent.serves("")


def test_nobody_asks_with_another_key_once_a_lent_one_is_erased() -> None:
    it = upstreams(("apiyi", "a"))
    account = it.pool("apiyi")[0].with_key("sk-lent").account
    ended = Placement("p", "t", "apiyi", Verdict.ENDED, 1, account=account, watched=True)
    assert it.serving(ended) is None
    assert it.serving(replace(ended, account="")) is it.pool("apiyi")[0]  # watched with the operator's own key


def test_what_is_watched_with_a_lent_key_is_served_with_that_key_only() -> None:
    vault, stranger = Vault(["secret"]), Vault(["another"])
    placement = Placement("p", "t", "apiyi", Verdict.ACCEPTED, 1, credential=vault.seal("sk-lent"), watched=True)
    it = upstreams(("apiyi", "a"))
    assert it.serving(placement) is None
    lending = Upstreams(tuple(it), vault)
    served = lending.serving(placement)
    assert served is not None
    assert served.account == it.pool("apiyi")[0].with_key("sk-lent").account
    assert lending.serving(replace(placement, credential=stranger.seal("sk-lent"))) is None
    assert lending.serving(replace(placement, provider="dashscope")) is None
