"""Every recorded wire message is read as it is meant, and a submission comes out again as its vendor documents it."""

from __future__ import annotations

from typing import Any

import pytest

from adapters import SHAPES
from adapters.catalogue import builtin
from adapters.messages import Unreadable
from tests.adapters import samples

NAMES = list(samples.names())
SUBMISSIONS = [name for name in NAMES if "/submission-" in name]


@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_every_shape_has_samples_of_every_message(shape: str) -> None:
    told = {name.split("/")[1].partition("-")[0] for name in NAMES if samples.SPOKEN[name.partition("/")[0]] == shape}
    assert {"submission", "acceptance", "query", "report", "refusal"} <= {word.split(".")[0] for word in told}


@pytest.mark.parametrize("name", NAMES)
def test_a_sample_is_read_as_it_is_meant(name: str) -> None:
    provider, case = name.split("/")
    sample = samples.load(name)
    assert sample["source"]
    assert samples.shown(samples.read(provider, case, sample)) == sample["expected"]


@pytest.mark.parametrize("name", SUBMISSIONS)
def test_a_submission_goes_on_to_its_own_family_as_it_came(name: str) -> None:
    provider, case = name.split("/")
    sample = samples.load(name)
    shape = SHAPES[samples.SPOKEN[provider]](builtin())
    request = shape.write_submission(samples.read(provider, case, sample))
    assert request.body == upstream(sample["request"]["body"])
    assert request.path == sample["request"]["path"]


def upstream(body: dict[str, Any]) -> dict[str, Any]:
    """What an upstream is sent for a client's body: nothing unset, and what is Ringback's to decide."""
    if "input" in body:
        said = {name: value for name, value in body["input"].items() if value is not None}
        rest = {name: value for name, value in body.items() if value and name not in ("callback_url", "input")}
        return {**rest, "input": said}
    several = {name: [body[name]] for name in ("reference_video_urls",) if isinstance(body.get(name), str)}
    named = {"model": body.get("model", "happyhorse-1.0-video-edit")}
    return {**named, **body, **several, "async": True}


@pytest.mark.parametrize("name", [name for name in NAMES if "/refusal-" in name])
def test_a_refusal_is_neither_an_acceptance_nor_a_report(name: str) -> None:
    provider, _ = name.split("/")
    shape = SHAPES[samples.SPOKEN[provider]](builtin())
    reply = samples.Response(**samples.load(name)["response"])
    with pytest.raises(Unreadable):
        shape.read_acceptance(reply)
    if reply.status != 200:
        with pytest.raises(Unreadable):
            shape.read_report(reply)
