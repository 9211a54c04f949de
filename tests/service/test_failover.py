"""Fail-over: a task goes to another provider where provably nothing was accepted, and nowhere after anything else."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import httpx
import pytest

from adapters.messages import Category
from service.domain.allowances import Allowance
from service.sending.failover import NATURE
from tests.service.asking import body_of, created, error_code, events, id_of, only_task, paths, record, told
from tests.world import World, accounts, world

pytestmark = pytest.mark.anyio
ORDER = ("apiyi", "laozhang", "dashscope")
"""Who is asked for a gateway client's task: those of its own shape in the operator's order, then its family."""


Answer = httpx.Response | Exception


def answering(
    **answers: Answer | Sequence[Answer | None],
) -> Callable[[httpx.Request], Awaitable[httpx.Response | None]]:
    """Creates at these providers are answered so; of several answers each once, the last one for good. None: as the
    simulator does."""
    left = {name: list(each) if isinstance(each, list | tuple) else [each] for name, each in answers.items()}

    async def between(request: httpx.Request) -> httpx.Response | None:
        provider = request.url.path.split("/")[1]
        if provider not in left or not request.url.path.endswith(("/videos", "/video-synthesis")):
            return None
        answer = left[provider].pop(0) if len(left[provider]) > 1 else left[provider][0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    return between


def said(code: str, status: int, **headers: str) -> httpx.Response:
    """An error as DashScope says it, which the gateways pass on."""
    return httpx.Response(status, json={"code": code, "message": f"[{code}] m", "request_id": "r"}, headers=headers)


def unreachable() -> Exception:
    return httpx.ConnectError("connection refused")


async def ask(it: World, shape: str = "gateway", marker: str = "seconds=5", **headers: str) -> httpx.Response:
    """A create that names no provider."""
    given = {"x-callback-url": it.inbox.url + "/hook"} | {name.replace("_", "-"): one for name, one in headers.items()}
    return await it.client.post(paths(shape), json=body_of(shape, f"a cat [sim:{marker}]"), headers=given)


async def sends(it: World, task_id: str) -> list[tuple[str, str]]:
    return [(one["provider"], one["verdict"]) for one in (await record(it, task_id))["placements"]]


NOTHING_ACCEPTED = {
    "auth": said("InvalidApiKey", 401),
    "auth, no token": httpx.Response(401, json={"error": {"message": "未提供令牌", "type": "task_error", "code": ""}}),
    "billing": said("Arrearage", 400),
    "billing, as 429": said("PostpaidBillOverdue", 429),
    "billing, free tier": said("AllocationQuota.FreeTierOnly", 403),
    "forbidden model": said("AccessDenied", 403),
    "forbidden model, unknown": said("ModelNotFound", 404),
    "forbidden model, no channel": httpx.Response(
        503,
        json={"error": {"message": "Current group Wan has no available channels for model x", "type": "task_error"}},
    ),
    "no such call": httpx.Response(404, json={"message": "page not found"}),
    "media fetch": said("InvalidImageUrl", 400),
    "media fetch, download": said("BadRequest.InputDownloadFailed", 400),
    "media fetch, inspection": said("InvalidParameter.DataInspection", 400),
    "throttled": said("Throttling.RateQuota", 429),
    "throttled, capacity": said("ModelServingError", 503),
    "rejected": said("InternalError", 500),
    "rejected, 503": said("SystemError", 503),
    "not sent": unreachable(),
    "not sent, timeout": httpx.ConnectTimeout("connect timeout"),
}
FOR_GOOD = {name for name in NOTHING_ACCEPTED if name.startswith(("forbidden", "no such"))}

FINAL = {
    "content": (said("DataInspectionFailed", 400), 400),
    "content, copyright": (said("IPInfringementSuspect", 400), 400),
    "content, rules": (said("FaqRuleBlocked", 400), 400),
    "invalid request": (said("InvalidParameter", 400), 400),
    "invalid request, parse": (
        httpx.Response(400, json={"error": {"message": "x", "type": "parse_request_failed", "code": ""}}), 400,
    ),
    "too large": (said("BadRequest.TooLarge", 400), 400),
    "too large, by status": (httpx.Response(413, json={"message": "too large"}), 413),
}  # fmt: skip

AMBIGUOUS = {
    "read timeout": httpx.ReadTimeout("read timeout"),
    "reset": httpx.ReadError("connection reset"),
    "closed": httpx.RemoteProtocolError("closed without an answer"),
    "502": httpx.Response(502, text="<html>bad gateway</html>"),
    "504": httpx.Response(504, json={"code": "RequestTimeOut", "message": "m"}),
    "unreadable 500": httpx.Response(500, text="<html>"),
    "200 without an id": httpx.Response(200, json={"output": {}}),
    "a gateway's own lost request": httpx.Response(500, json={"code": "do_request_failed", "message": "m"}),
}


# The table of wire notes 6


@pytest.mark.parametrize("policy", ["safe", "retry_failed"])
@pytest.mark.parametrize("sign", NOTHING_ACCEPTED)
async def test_where_nothing_was_accepted_the_next_provider_is_asked_at_once(
    tmp_path: Path, sign: str, policy: str
) -> None:
    async with world(tmp_path, providers=ORDER, failover=policy) as it:
        it.between = answering(apiyi=NOTHING_ACCEPTED[sign])
        response = await ask(it)
        assert response.status_code == 200
        task_id = id_of(response)
        closed = "refused" if sign in FOR_GOOD else "not_accepted"
        assert await sends(it, task_id) == [("apiyi", closed), ("laozhang", "accepted")]
        task = await record(it, task_id)
        assert (task["state"], task["provider"]) == ("QUEUED", "laozhang")
        assert task["placements"][0]["reason"]
        await it.settle(40)
        assert (await record(it, task_id))["state"] == "SUCCEEDED"
        assert len(it.upstreams.creates) == len(told(it)) == 1
        trouble = ["upstream.account_refused"] if sign.startswith(("auth", "billing")) else []
        assert await events(it) == trouble


@pytest.mark.parametrize("sign", NOTHING_ACCEPTED)
async def test_with_fail_over_off_nobody_else_is_asked(tmp_path: Path, sign: str) -> None:
    async with world(tmp_path, providers=ORDER, failover="off") as it:
        it.between = answering(apiyi=NOTHING_ACCEPTED[sign])
        await ask(it)
        await it.settle(120, 10)
        assert {one["provider"] for one in (await only_task(it))["placements"]} == {"apiyi"}
        assert it.upstreams.creates == []


@pytest.mark.parametrize("sign", NOTHING_ACCEPTED)
async def test_a_client_that_named_a_provider_gets_that_one(tmp_path: Path, sign: str) -> None:
    async with world(tmp_path, providers=ORDER) as it:
        it.between = answering(apiyi=NOTHING_ACCEPTED[sign])
        await ask(it, x_ringback_provider="apiyi")
        await it.settle(120, 10)
        assert {one["provider"] for one in (await only_task(it))["placements"]} == {"apiyi"}
        assert it.upstreams.creates == []


@pytest.mark.parametrize("policy", ["off", "safe", "retry_failed"])
@pytest.mark.parametrize("sign", FINAL)
async def test_a_no_to_the_request_itself_is_nobody_elses_to_answer(tmp_path: Path, sign: str, policy: str) -> None:
    answer, status = FINAL[sign]
    async with world(tmp_path, providers=ORDER, failover=policy) as it:
        it.between = answering(apiyi=answer)
        response = await ask(it)
        assert response.status_code == status
        task = await only_task(it)
        assert (task["state"], [one["provider"] for one in task["placements"]]) == ("FAILED", ["apiyi"])
        await it.settle(120, 10)
        assert it.upstreams.creates == []
        assert told(it) == []


@pytest.mark.parametrize("policy", ["safe", "retry_failed"])
@pytest.mark.parametrize("sign", AMBIGUOUS)
async def test_after_a_lost_answer_nothing_is_sent_anywhere(tmp_path: Path, sign: str, policy: str) -> None:
    async with world(tmp_path, providers=ORDER, failover=policy, in_doubt_seconds=60) as it:
        it.between = answering(apiyi=AMBIGUOUS[sign])
        task_id = id_of(await ask(it))
        assert (await record(it, task_id))["state"] == "IN_DOUBT"
        await it.settle(600, 10)
        task = await record(it, task_id)
        assert (task["state"], task["error"]["code"]) == ("FAILED", "outcome_unknown")
        assert [one["provider"] for one in task["placements"]] == ["apiyi"]
        assert it.upstreams.creates == []


@pytest.mark.parametrize("lost", ["lost", "502html", "noid"])
async def test_a_lost_answer_on_the_second_road_ends_the_search_too(tmp_path: Path, lost: str) -> None:
    async with world(tmp_path, providers=ORDER, in_doubt_seconds=60) as it:
        it.between = answering(apiyi=unreachable())
        task_id = id_of(await ask(it, marker=f"create={lost} seconds=5"))
        await it.settle(600, 10)
        task = await record(it, task_id)
        assert [one["provider"] for one in task["placements"]] == ["apiyi", "laozhang"]
        assert len(it.upstreams.creates) == 1


@pytest.mark.parametrize("code", ["InvalidImageUrl", "InvalidURL", "BadRequest.InputDownloadFailed"])
async def test_who_cannot_download_the_input_is_asked_twice_more_with_pauses(tmp_path: Path, code: str) -> None:
    async with world(tmp_path, providers=["apiyi"]) as it:
        it.between = answering(apiyi=[said(code, 400), said(code, 400), None])
        task_id = id_of(await ask(it))
        for seconds, creates in ((9, 1), (2, 2), (58, 2), (4, 3)):
            await it.settle(seconds)
            assert len((await record(it, task_id))["placements"]) == creates
        await it.settle(30)
        assert (await record(it, task_id))["state"] == "SUCCEEDED"
        assert len(told(it)) == 1


async def test_who_never_can_ends_the_task_with_its_own_words(tmp_path: Path) -> None:
    async with world(tmp_path, providers=["apiyi"]) as it:
        it.between = answering(apiyi=said("InvalidImageUrl", 400))
        task_id = id_of(await ask(it))
        await it.settle(300)
        task = await record(it, task_id)
        assert (task["state"], task["error"]["code"]) == ("FAILED", "InvalidImageUrl")
        assert await sends(it, task_id) == [("apiyi", "not_accepted")] * 2 + [("apiyi", "refused")]
        assert len(told(it)) == 1


# Who is told what


async def test_a_waiting_client_hears_the_definite_no_of_the_last_one(tmp_path: Path) -> None:
    async with world(tmp_path, providers=ORDER) as it:
        it.between = answering(
            apiyi=said("AccessDenied", 403), laozhang=said("AccessDenied", 403), dashscope=said("ModelNotFound", 404)
        )
        response = await ask(it)
        assert (response.status_code, error_code("gateway", response.json())) == (404, "ModelNotFound")
        task = await only_task(it)
        assert [one["verdict"] for one in task["placements"]] == ["refused"] * 3
        assert task["deliveries"] == []


@pytest.mark.parametrize("last", ["apiyi", "dashscope"])
async def test_the_operators_trouble_is_not_told_where_somebody_said_a_definite_no(tmp_path: Path, last: str) -> None:
    first = "dashscope" if last == "apiyi" else "apiyi"
    async with world(tmp_path, providers=("apiyi", "dashscope")) as it:
        it.between = answering(**{first: said("AccessDenied", 403), last: said("Arrearage", 400)})
        response = await ask(it)
        assert error_code("gateway", response.json()) == "AccessDenied"
        assert await events(it) == ["upstream.account_refused"]


async def test_if_all_that_is_in_the_way_is_the_operators_trouble_that_is_told(tmp_path: Path) -> None:
    async with world(tmp_path, providers=ORDER) as it:
        it.between = answering(
            apiyi=said("InvalidApiKey", 401), laozhang=said("Arrearage", 400), dashscope=said("InvalidApiKey", 401)
        )
        response = await ask(it)
        assert response.status_code == 403
        assert "This server's account at the provider" in response.text
        assert len((await only_task(it))["placements"]) == 3


async def test_a_content_verdict_on_the_way_is_the_end(tmp_path: Path) -> None:
    async with world(tmp_path, providers=ORDER) as it:
        it.between = answering(apiyi=unreachable(), laozhang=said("DataInspectionFailed", 400))
        response = await ask(it)
        assert error_code("gateway", response.json()) == "DataInspectionFailed"
        assert it.upstreams.creates == []


async def test_a_client_that_waits_no_more_is_told_by_callback(tmp_path: Path) -> None:
    async with world(tmp_path, providers=("apiyi", "dashscope"), submit_wait_seconds=0.01) as it:
        gate = asyncio.Event()
        refuse = answering(apiyi=said("AccessDenied", 403), dashscope=said("ModelNotFound", 404))

        async def between(request: httpx.Request) -> httpx.Response | None:
            await gate.wait()
            return await refuse(request)

        it.between = between
        response = await ask(it)
        assert response.status_code == 200
        gate.set()
        async with asyncio.timeout(5):
            while running := tuple(it.ringback.submitter._sends.values()):
                await asyncio.wait(running)
        await it.tick()
        [body] = told(it)
        assert (await record(it, id_of(response)))["error"]["code"] == "ModelNotFound"
        assert body["status"] == "failed"


# Rounds


async def test_all_are_down_and_the_first_that_is_back_gets_it(tmp_path: Path) -> None:
    async with world(tmp_path, providers=ORDER) as it:
        down = answering(apiyi=unreachable(), laozhang=unreachable(), dashscope=unreachable())
        it.between = down
        task_id = id_of(await ask(it))
        task = await record(it, task_id)
        assert (task["state"], task["provider"], len(task["placements"])) == ("ACCEPTED", "apiyi", 3)
        await it.settle(20)
        it.between = answering(apiyi=unreachable(), laozhang=unreachable())
        await it.settle(60)
        task = await record(it, task_id)
        assert (task["state"], task["provider"]) == ("SUCCEEDED", "dashscope")
        assert len(it.upstreams.creates) == len(told(it)) == 1
        providers = [one["provider"] for one in task["placements"]]
        assert providers == [*ORDER] * (len(providers) // 3), "each round begins with the first"


async def test_who_refused_for_good_is_not_asked_in_later_rounds(tmp_path: Path) -> None:
    async with world(tmp_path, providers=ORDER) as it:
        it.between = answering(
            apiyi=said("AccessDenied", 403), laozhang=[unreachable()] * 3 + [None], dashscope=unreachable()
        )
        task_id = id_of(await ask(it))
        await it.settle(90)
        found = await sends(it, task_id)
        assert found[0] == ("apiyi", "refused")
        assert [provider for provider, _ in found].count("apiyi") == 1
        assert found[-1] == ("laozhang", "ended")


async def test_the_last_one_that_says_no_for_good_in_a_later_round_ends_it(tmp_path: Path) -> None:
    async with world(tmp_path, providers=("apiyi", "dashscope")) as it:
        it.between = answering(apiyi=said("AccessDenied", 403), dashscope=[unreachable(), said("ModelNotFound", 404)])
        task_id = id_of(await ask(it))
        assert (await record(it, task_id))["state"] == "ACCEPTED"
        await it.settle(30)
        assert (await record(it, task_id))["error"]["code"] == "ModelNotFound"
        assert len(told(it)) == 1


async def test_a_provider_that_had_enough_is_left_in_peace_and_its_turn_comes_again(tmp_path: Path) -> None:
    async with world(tmp_path, providers=("apiyi", "dashscope")) as it:
        it.between = answering(apiyi=[said("Throttling", 429, **{"retry-after": "60"}), None])
        tasks = [id_of(await ask(it)) for _ in range(3)]
        assert [(await record(it, task_id))["provider"] for task_id in tasks] == ["dashscope"] * 3
        assert it.upstreams.requests["apiyi", "create"] == 0, "asked once, by the first, and then left in peace"
        await it.settle(61)
        assert (await record(it, id_of(await ask(it))))["provider"] == "apiyi"


async def test_if_all_had_enough_a_task_waits_for_the_one_that_may_be_asked_soonest(tmp_path: Path) -> None:
    async with world(tmp_path, providers=("apiyi", "dashscope")) as it:
        it.between = answering(
            apiyi=[said("Throttling", 429, **{"retry-after": "100"}), None],
            dashscope=[said("Throttling", 429, **{"retry-after": "20"}), None],
        )
        task_id = id_of(await ask(it))
        assert (await record(it, task_id))["provider"] == "dashscope"
        await it.settle(18)
        assert len((await record(it, task_id))["placements"]) == 2
        await it.settle(20)
        assert (await record(it, task_id))["state"] == "SUCCEEDED"


async def test_a_full_provider_is_waited_for_and_not_left_for_another(tmp_path: Path) -> None:
    """A limit of our own is no no of the provider's: the operator's order holds."""
    async with world(tmp_path, accounts=(*accounts(["apiyi"], active=1), *accounts(["dashscope"]))) as it:
        tasks = [id_of(await ask(it, marker="seconds=10")) for _ in range(2)]
        assert [(await record(it, task_id))["provider"] for task_id in tasks] == ["apiyi", "apiyi"]
        assert (await record(it, tasks[1]))["state"] == "ACCEPTED"


async def test_on_the_way_a_full_provider_is_passed_or_stood_in_line_for(tmp_path: Path) -> None:
    some = (*accounts(["laozhang"]), *accounts(["apiyi"], active=1), *accounts(["dashscope"]))
    async with world(tmp_path, accounts=some) as it:
        await created(it, "seconds=30", provider="apiyi")
        it.between = answering(laozhang=unreachable())
        task_id = id_of(await ask(it))
        assert await sends(it, task_id) == [("laozhang", "not_accepted"), ("dashscope", "accepted")]
        it.between = answering(laozhang=unreachable(), dashscope=unreachable())
        waits = id_of(await ask(it))
        task = await record(it, waits)
        assert (task["state"], task["provider"]) == ("ACCEPTED", "apiyi"), "it has a line, and the others are down"
        await it.settle(60)
        assert (await record(it, waits))["state"] == "SUCCEEDED"


# Who can say the request


async def test_only_those_that_offer_the_model_and_can_say_the_request_are_asked(tmp_path: Path) -> None:
    async with world(tmp_path, providers=("dashscope", "acedata", "apiyi")) as it:
        it.between = answering(dashscope=unreachable(), apiyi=unreachable())
        body = {"model": "wan2.7-t2v", "input": {"prompt": "a cat [sim:seconds=5]"}}
        response = await it.client.post(paths("native"), json=body)
        task = await record(it, id_of(response))
        assert [one["provider"] for one in task["placements"]] == ["dashscope", "apiyi"], "AceData has no wan2.7"


async def test_a_flat_task_that_fails_over_is_said_in_the_other_family(tmp_path: Path) -> None:
    async with world(tmp_path, providers=("acedata", "dashscope")) as it:
        it.between = answering(
            acedata=httpx.Response(429, json={"error": {"code": "too_many_requests", "message": "m"}})
        )
        response = await ask(it, shape="flat")
        task = await record(it, id_of(response))
        assert [one["provider"] for one in task["placements"]] == ["acedata", "dashscope"]
        [create] = it.upstreams.creates
        assert create.body["input"]["prompt"].startswith("a cat")
        await it.settle(40)
        [body] = told(it)
        assert (body["success"], body["task_id"]) == (True, id_of(response))


async def test_candidates_are_those_of_the_moment(tmp_path: Path) -> None:
    """A task that waited through a restart goes to whoever is configured then."""
    async with world(tmp_path, providers=("apiyi", "laozhang")) as it:
        it.between = answering(apiyi=unreachable(), laozhang=unreachable())
        task_id = id_of(await ask(it))
        await it.stop()
        await it.start(accounts=accounts(("apiyi", "dashscope")))
        it.between = answering(apiyi=unreachable())
        await it.settle(60)
        task = await record(it, task_id)
        assert (task["state"], task["provider"]) == ("SUCCEEDED", "dashscope")


async def test_rights_of_the_client_hold_on_every_road(tmp_path: Path) -> None:
    async with world(tmp_path, providers=ORDER) as it:
        await it.ringback.store.allowances.keep(Allowance("env:first", providers=("apiyi", "dashscope")))
        it.between = answering(apiyi=unreachable())
        task = await record(it, id_of(await ask(it)))
        assert [one["provider"] for one in task["placements"]] == ["apiyi", "dashscope"]


def test_every_category_has_its_place_in_the_table() -> None:
    final = {
        Category.INVALID_REQUEST, Category.CONTENT, Category.TOO_LARGE, Category.MEDIA_TYPE, Category.CONFLICT,
    }  # fmt: skip
    never = {Category.AMBIGUOUS, Category.TRANSIENT, Category.OURS}  # no refusals of a create
    assert set(Category) == set(NATURE) | final | never
    assert not set(NATURE) & (final | never)
