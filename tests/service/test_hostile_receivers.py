"""Receivers that do what none should: an attempt ends in time, says what happened, keeps little, and harms nobody."""

from __future__ import annotations

import asyncio
import gc
import re
import ssl
import tracemalloc

import httpx
import pytest

from service.network.addresses import parse_allow
from service.network.egress import EgressPolicy
from service.network.guard import EgressGuard
from service.network.http import EXCERPT, MAX_HEADER, MAX_HEADERS, NoReply, Reply, egress_client, send_once
from tests.service.hostile.kinds import Kind
from tests.service.hostile.replies import BOMBS, ENDLESS, FRAMING, HEADERS, LEADING, PROTOCOLS
from tests.service.hostile.serving import hostile
from tests.service.hostile.stages import STAGES
from tests.service.hostile.tls import HOST, TLS, Authority, identities
from tests.service.jumping import JumpingLoop
from tests.service.loopback import Names, receiving

pytestmark = pytest.mark.anyio
KINDS = (*STAGES, *ENDLESS, *BOMBS, *HEADERS, *FRAMING, *PROTOCOLS, *LEADING, *TLS)
FLOODS = (*ENDLESS[::2], *BOMBS[:2], *HEADERS[:4])
DEADLINE = 20.0


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "asyncio", {"loop_factory": JumpingLoop}


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, dict[str, ssl.SSLContext]]:
    """What our side trusts, and the identities of receivers."""
    folder = tmp_path_factory.mktemp("tls")
    authority = Authority(folder)
    return authority.trusted, identities(folder, authority)


def client(tls_context: ssl.SSLContext | None = None) -> httpx.AsyncClient:
    names = Names().set(f"{HOST}.", ["127.0.0.1"])
    return egress_client(EgressGuard(EgressPolicy(parse_allow("127.0.0.0/8")), names), tls_context=tls_context)


async def attempt(sender: httpx.AsyncClient, url: str, size: int = 20) -> Reply | NoReply:
    request = sender.build_request("POST", url, content=b"x" * size, headers={"webhook-signature": "v1,c2VjcmV0"})
    try:
        return await send_once(sender, request, deadline_seconds=DEADLINE)
    except NoReply as failure:
        return failure


def test_there_are_many_kinds_and_each_has_a_name_of_its_own() -> None:
    assert len({kind.name for kind in KINDS}) == len(KINDS) >= 150


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
async def test_an_attempt_ends_in_time_and_says_what_happened(
    kind: Kind, certified: tuple[ssl.SSLContext, dict[str, ssl.SSLContext]]
) -> None:
    trusted, known = certified
    clock = asyncio.get_running_loop().time
    async with hostile(kind, known.get(kind.tls)) as url, receiving() as neighbour, client(trusted) as sender:
        begun = clock()
        made = asyncio.create_task(attempt(sender, url, kind.body))
        await asyncio.sleep(0)
        beside = await attempt(sender, neighbour.url)
        told = await made
        assert clock() - begun <= DEADLINE + 1
        after = await attempt(sender, neighbour.url)
        again = await attempt(sender, url, kind.body)
    for outcome in (told, again):
        assert outcome.phases.total_ms <= (DEADLINE + 1) * 1000
        assert_as_told(kind, outcome)
    for reply in (beside, after):
        assert isinstance(reply, Reply)
        assert (reply.status, reply.body) == (200, b"ok")


def assert_as_told(kind: Kind, outcome: Reply | NoReply) -> None:
    if isinstance(outcome, NoReply):
        assert kind.status is None, outcome.reason
        assert re.search(kind.reason, outcome.reason), outcome.reason
        assert not re.search(r"c2Vj|127\.0|/hook|[^ -~]", outcome.reason)
        return
    assert outcome.status == kind.status
    assert len(outcome.body) <= EXCERPT
    assert len(outcome.headers) <= MAX_HEADERS
    assert all(len(value) <= MAX_HEADER and value.isprintable() for value in outcome.headers.values())


async def test_memory_stays_flat_over_floods_and_bombs() -> None:
    async with client() as sender:

        async def round_of_all() -> None:
            for kind in FLOODS:
                async with hostile(kind) as url:
                    await asyncio.gather(*(attempt(sender, url) for _ in range(2)))
            gc.collect()

        await round_of_all()
        tracemalloc.start()
        try:
            await round_of_all()
            before = tracemalloc.get_traced_memory()[0]
            tracemalloc.reset_peak()
            for _ in range(2):
                await round_of_all()
            after, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert after - before < 200_000
    assert peak - before < 8_000_000  # two attempts and the two receivers that flood them
