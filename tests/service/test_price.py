"""What a video costs at most, where its length or its resolution is not known before."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.catalogue import Catalogue, builtin
from adapters.messages import Kind, Media, Submission
from service.domain.price import Cost, cost
from tests.service.prices import priced

EDITS = "".join(
    f'[[models."{model}".prices]]\nprovider = "dashscope"\nresolution = "1080P"\nper_second = 1.0\ncurrency = "CNY"\n'
    for model in ("wan2.7-videoedit", "happyhorse-1.0-video-edit", "wan2.6-r2v")
)
CATALOGUE = builtin(EDITS)


def costs(model: str, provider: str, *kinds: Kind, catalogue: Catalogue = CATALOGUE, **parameters: Any) -> Cost | None:
    media = tuple(Media(kind, "https://media.example/x") for kind in kinds)
    submission = Submission("native", model, "a cat", media=media, parameters=parameters)
    return cost(catalogue.find(model), catalogue.providers[provider], submission)


def most(model: str, provider: str, *kinds: Kind, **parameters: Any) -> tuple[int | None, int | None, float | None]:
    found = costs(model, provider, *kinds, **parameters)
    assert found is not None
    return found.seconds, found.most_seconds, found.most


def test_what_is_known_is_also_the_most() -> None:
    assert most("wan2.7-t2v", "apiyi", resolution="720P", duration=4) == (4, 4, 0.336)
    assert most("wan2.7-t2v", "apiyi") == (5, 5, 0.42), "five seconds in 720P, what silence means there"


def test_a_length_that_the_model_chooses_is_its_longest() -> None:
    assert most("wan3.0-video", "apiyi", resolution="720P", duration=-1) == (None, 30, 1.764)


def test_input_is_as_long_as_it_may_be() -> None:
    twice = (Kind.REFERENCE_VIDEO, Kind.REFERENCE_VIDEO)
    assert most("wan2.7-r2v", "apiyi", *twice, resolution="720P", duration=5) == (None, 65, 5.46)
    assert most("wan2.7-r2v", "apiyi", Kind.REFERENCE_IMAGE, resolution="720P", duration=5) == (5, 5, 0.42)
    assert most("wan2.7-i2v", "apiyi", Kind.FIRST_CLIP, resolution="720P", duration=5) == (None, 15, 1.26)


def test_an_edit_is_billed_in_and_out() -> None:
    assert most("wan2.7-videoedit", "dashscope", Kind.VIDEO, duration=4) == (None, 14, 14.0)
    assert most("wan2.7-videoedit", "dashscope", Kind.VIDEO) == (None, 20, 20.0), "as long as the input, 10 at most"
    assert most("happyhorse-1.0-video-edit", "dashscope", Kind.VIDEO) == (None, 30, 30.0)


def test_without_a_limit_there_is_no_most() -> None:
    assert most("wan2.6-r2v", "dashscope", Kind.REFERENCE_VIDEO, duration=5) == (None, None, None)


def test_a_size_is_a_resolution_and_what_is_not_said_the_dearest() -> None:
    catalogue = priced()
    sized = costs("wan2.6-t2v", "acedata", catalogue=catalogue, size="1280*720", duration=5)
    silent = costs("wan2.6-t2v", "acedata", catalogue=catalogue, duration=5)
    silent_of_all = costs("wan2.6-t2v", "acedata", catalogue=catalogue)
    assert sized is not None
    assert silent is not None
    assert silent_of_all is not None
    assert (sized.resolution, sized.amount, sized.most) == ("720P", 0.5, 0.5)
    assert (silent.resolution, silent.amount, silent.most) == ("1080P", None, 1.0)
    assert (silent_of_all.most_seconds, silent_of_all.most) == (15, 3.0)


@pytest.mark.parametrize(
    ("model", "provider", "parameters"),
    [
        ("wan3.0-video", "apiyi", {"resolution": "480P"}),  # no price of that resolution
        ("wan2.6-t2v", "apiyi", {}),
        ("wan9", "apiyi", {}),
    ],
)
def test_a_price_that_is_not_known_is_none(model: str, provider: str, parameters: dict[str, Any]) -> None:
    assert costs(model, provider, **parameters) is None


def test_prices_in_two_currencies_are_none_where_either_may_be_meant() -> None:
    euro = '[[models."wan2.6-t2v".prices]]\nprovider = "acedata"\nresolution = "480P"\nper_second = 1\ncurrency = "EUR"'
    both = priced("\n" + euro)
    assert costs("wan2.6-t2v", "acedata", catalogue=both) is None
    assert costs("wan2.6-t2v", "acedata", catalogue=both, size="1280*720") is not None
