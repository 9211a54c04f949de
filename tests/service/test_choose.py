"""Which upstream gets a submission, and what a client is told when none can take it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import httpx
import pytest

from adapters import PROVIDERS, SHAPES
from adapters.catalogue import builtin
from adapters.messages import Request
from service.accounts.upstream import Upstream
from service.errors import Refused
from service.sending.choose import choose

NATIVE = "/api/v1/services/aigc/video-generation/video-synthesis"
CATALOGUE = builtin()
SPOKEN = {name: shape(CATALOGUE) for name, shape in SHAPES.items()}


def upstreams(*names: str) -> Sequence[Upstream]:
    client = httpx.AsyncClient()
    return [
        Upstream(PROVIDERS[name], SPOKEN[PROVIDERS[name].shape], client, "http://upstream.test", "key", 5.0, lambda: 0)
        for name in names
    ]


def chosen(shape: str, body: dict[str, Any], *names: str, named: str | None = None) -> str:
    path = "/wan/videos" if shape == "flat" else NATIVE
    submission = SPOKEN[shape].read_submission(Request("POST", path, body))
    return choose(upstreams(*names), CATALOGUE, SPOKEN[shape], submission, named)[0].name


def objection(shape: str, body: dict[str, Any], *names: str, named: str | None = None) -> str:
    with pytest.raises(Refused) as refused:
        chosen(shape, body, *names, named=named)
    return str(refused.value)


def native(model: str, **parameters: Any) -> dict[str, Any]:
    return {"model": model, "input": {"prompt": "a cat"}, "parameters": parameters}


def test_the_clients_own_api_comes_first_then_its_family_then_the_operators_order() -> None:
    horse = native("happyhorse-1.0-t2v")
    assert chosen("native", horse, "acedata", "apiyi", "laozhang", "dashscope") == "dashscope"
    assert chosen("native", horse, "acedata", "apiyi", "laozhang") == "apiyi"
    assert chosen("gateway", horse, "acedata", "dashscope", "laozhang", "apiyi") == "laozhang"
    assert chosen("flat", {"model": "wan2.6-t2v", "prompt": "x"}, "dashscope", "acedata") == "acedata"


def test_a_dated_snapshot_goes_to_whoever_has_it_first() -> None:
    dated = native("wan2.7-t2v-2026-04-25")
    assert chosen("gateway", dated, "apiyi", "laozhang", "dashscope") == "dashscope"
    assert chosen("gateway", native("wan2.7-t2v"), "apiyi", "laozhang", "dashscope") == "apiyi"
    assert chosen("gateway", native("wan2.7-t2v-2020-01-01"), "apiyi", "dashscope") == "apiyi"  # as unknown as ever
    assert chosen("gateway", dated, "apiyi", "laozhang") == "apiyi"
    assert chosen("gateway", dated, "apiyi", "dashscope", named="apiyi") == "apiyi"


def test_a_provider_without_the_model_is_passed_over() -> None:
    assert chosen("flat", {"model": "wan2.7-t2v", "prompt": "x"}, "acedata", "dashscope") == "dashscope"


def test_the_named_provider_takes_it_or_nobody_does() -> None:
    assert chosen("native", native("happyhorse-1.0-t2v"), "dashscope", "acedata", named="acedata") == "acedata"
    told = objection("native", native("wan2.7-t2v"), "acedata", "dashscope", named="acedata")
    assert told == "AceData: it does not offer wan2.7-t2v."
    assert objection("native", native("wan2.7-t2v"), "dashscope", named="apiyi").endswith("it may be dashscope.")


def test_an_unknown_model_is_refused_with_near_names_unless_a_provider_is_named() -> None:
    assert "wan2.7-t2v" in objection("native", native("wan2.7-t3v"), "dashscope")
    assert chosen("native", native("wan9-t2v"), "dashscope", named="dashscope") == "dashscope"


def test_one_objection_of_all_is_told_once_in_the_clients_own_words() -> None:
    told = objection("native", native("wan2.7-t2v", duration=16), "laozhang", "apiyi", "dashscope")
    assert told == "parameters.duration: 16 given, allowed: 2 to 15."
    told = objection("flat", {"model": "wan2.7-t2v", "prompt": "x", "duration": 16}, "dashscope")
    assert told == "duration: 16 given, allowed: 2 to 15."


def test_missing_media_is_named_by_the_field_that_the_client_would_use() -> None:
    flat = {"model": "wan2.6-i2v", "action": "image2video", "prompt": "x"}
    assert objection("flat", flat, "acedata").startswith("image_url: ")
    assert objection("native", native("wan2.6-i2v"), "dashscope").startswith("input.img_url: ")
    assert objection("native", native("wan2.7-i2v"), "dashscope").startswith("input.media: ")


def test_objections_that_differ_are_told_by_provider() -> None:
    told = objection("native", native("wan2.7-t2v", resolution="360P"), "acedata", "laozhang", "apiyi", "dashscope")
    assert "Alibaba DashScope, APIYI: parameters.resolution: 360P given, allowed: 720P, 1080P." in told
    assert "LaoZhang: parameters.resolution: 360P given, allowed: 720P, 1080P, 480P." in told


def test_a_set_field_that_no_provider_can_say_is_refused_by_name() -> None:
    told = objection("flat", {"model": "wan2.6-t2v", "prompt": "x", "glitter": 3}, "dashscope")
    assert told.startswith("glitter: ")


def test_a_server_without_providers_says_so() -> None:
    assert "no provider" in objection("native", native("wan2.7-t2v"))
