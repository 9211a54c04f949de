"""The guard's corpus at a size for every day: nothing but public addresses is dialled, no ordinary URL is refused.

The whole corpus is `python3 scripts/run.py bench guard`.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from pathlib import Path
from random import Random

import pytest

from scripts.bench.guard import run
from scripts.bench.guard.addresses import is_public
from scripts.bench.guard.readers import by_browsers, by_urllib
from scripts.bench.guard.urls import hostile, ordinary
from scripts.bench.guard.watch import watching
from service.network import egress
from service.network.egress import EgressPolicy, Refused, Target
from service.network.guard import EgressGuard, Vetted

ROOT = Path(__file__).resolve().parent.parent.parent
pytestmark = pytest.mark.anyio


async def test_no_hostile_url_is_dialled_at_any_but_public_addresses() -> None:
    tally = await run.hostile_urls(3000, seed=20)
    assert tally.broken == []
    assert tally.tried.total() == 3000
    assert len(tally.tried) >= 13
    assert tally.connections["forbidden"] == 0
    assert tally.connections["public"] > 100
    assert tally.refused_when_given > 1000
    assert tally.refused_when_dialled > tally.refused_when_given


async def test_no_ordinary_url_is_refused() -> None:
    tally = await run.ordinary_urls(500, seed=20)
    assert tally.broken == []
    assert (tally.refused_when_given, tally.refused_when_dialled, tally.dialled_public) == (0, 0, 500)


async def test_the_watch_sees_what_it_is_there_to_see() -> None:
    assert await run.self_check() is None


async def test_the_watch_minds_no_thread_that_was_there_before() -> None:
    """Servers of other tests may run in this process; what the guard's work starts itself is seen in every thread."""

    def knock(port: int) -> None:
        with socket.socket() as dialling:
            dialling.connect(("127.0.0.1", port))

    with ThreadPoolExecutor(1) as before, ThreadPoolExecutor(1) as begun:
        before.submit(int).result()
        async with watching() as watch:
            before.submit(knock, watch.port).result()
            assert watch.dialled == []
            begun.submit(knock, watch.port).result()
            assert watch.dialled == [(ip_address("127.0.0.1"), watch.port)]


async def test_the_corpus_finds_a_guard_that_knows_no_closed_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(egress, "why_closed", lambda *_, **__: None)
    tally = await run.hostile_urls(300, seed=20)
    assert tally.connections["forbidden"] > 0
    assert any("was dialled at" in broken for broken in tally.broken)


async def test_the_corpus_finds_a_guard_that_judges_only_what_is_handed_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that resolves a name again to dial it, and does not look at what it is told then."""
    vet = EgressGuard.vet

    async def second_look(self: EgressGuard, target: Target) -> Vetted:
        await vet(self, target)
        return Vetted(tuple(await self._resolve(f"{target.host}.", target.port)))

    monkeypatch.setattr(EgressGuard, "vet", second_look)
    tally = await run.hostile_urls(600, seed=20)
    assert any("was dialled at" in broken for broken in tally.broken)


async def test_the_corpus_finds_a_guard_that_forgives_one_bad_address(monkeypatch: pytest.MonkeyPatch) -> None:
    clear = EgressPolicy.clear

    def lenient(self: EgressPolicy, target: Target, addresses: list, **how: bool) -> bool:
        return clear(self, target, addresses[:1], **how)

    monkeypatch.setattr(EgressPolicy, "clear", lenient)
    tally = await run.hostile_urls(600, seed=20)
    assert any("was dialled at" in broken for broken in tally.broken)


def test_the_same_seed_gives_the_same_corpus() -> None:
    one, other = Random(5), Random(5)
    assert [hostile(one) for _ in range(300)] == [hostile(other) for _ in range(300)]
    assert [ordinary(one) for _ in range(300)] == [ordinary(other) for _ in range(300)]


def test_the_command_counts_and_says_so() -> None:
    words = ["--hostile", "200", "--ordinary", "50", "--json"]
    command = [sys.executable, "-m", "scripts.bench.guard", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    counts = ("hostile", "ordinary", "ordinary_refused", "connections_to_forbidden", "broken")
    assert [told[name] for name in counts] == [200, 50, 0, 0, 0]


# --- the other readers, without which the comparison would show nothing ---

BROWSERS = {
    "https://127.1/": "127.0.0.1",
    "https://0x7f.0.0.1/": "127.0.0.1",
    "https://2130706433/": "127.0.0.1",
    "https://017700000001": "127.0.0.1",
    "https://１２７。0.0.1/": "127.0.0.1",
    "https://127.0.0.1./": "127.0.0.1",
    "https:\\\\127.0.0.1\\": "127.0.0.1",
    "https:127.0.0.1": "127.0.0.1",
    "https://good.com\\@127.0.0.1/": "good.com",
    "https://good.com@127.0.0.1/": "127.0.0.1",
    "https://good.com#@127.0.0.1/": "good.com",
    " https://loc\talhost/": "localhost",
    "https://ⓛocalhost/": "localhost",
    "https://bücher.de/": "xn--bcher-kva.de",
    "https://%31%32%37.0.0.1": "127.0.0.1",
    "https://[::1]:443/": "::1",
    "https://a b/": None,
    "https://256.256.256.256/": None,
    "mailto:x@y": None,
}


@pytest.mark.parametrize("text", BROWSERS)
def test_browsers_are_read_like(text: str) -> None:
    seen = by_browsers(text)
    assert (None if seen and seen.startswith("256") else seen) == BROWSERS[text]


def test_urllib_reads_its_own_way() -> None:
    assert by_urllib("https://good.com\\@127.0.0.1/") == "127.0.0.1"
    assert by_urllib("https://BÜCHER.de./") == "xn--bcher-kva.de"


@pytest.mark.parametrize("text", ["https://good.com\\@127.0.0.1/", "https://127.1/", "https://good.com&@127.0.0.1/"])
def test_where_readers_see_a_closed_address_nothing_passes(text: str) -> None:
    seen = {by_browsers(text), by_urllib(text)} - {None, "good.com", "127.1"}
    assert seen == {"127.0.0.1"}
    assert not is_public(ip_address("127.0.0.1"))
    with pytest.raises(Refused):
        EgressPolicy().check_url(text)
