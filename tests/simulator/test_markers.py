"""Markers in prompts, read one by one and together."""

from __future__ import annotations

from typing import Any

import pytest

from service.simulator.markers import Behaviour, Fault, UnknownMarker, read_behaviour, read_words

WORDS: list[tuple[str, dict[str, Any]]] = [
    ("fail", {"fail": ""}),
    ("fail=DataInspectionFailed", {"fail": "DataInspectionFailed"}),
    ("seconds=3", {"seconds": 3.0}),
    ("queue=60", {"queue": 60.0}),
    ("lag=2.5", {"lag": 2.5}),
    ("nourl", {"nourl": True}),
    ("noprompt", {"noprompt": True}),
    ("create=429", {"create": Fault("refuse", status=429)}),
    ("create=429:30", {"create": Fault("refuse", status=429, retry_after=30)}),
    ("create=502html", {"create": Fault("html", status=502)}),
    ("create=lost", {"create": Fault("lost")}),
    ("create=dropped", {"create": Fault("dropped")}),
    ("create=noid", {"create": Fault("noid")}),
    ("create=denied:500", {"create": Fault("denied", status=500)}),
    ("create=delay:5", {"create": Fault("delay", seconds=5.0)}),
    ("create=slow:5", {"create": Fault("slow", seconds=5.0)}),
    ("create=refuse:Throttling.BurstRate", {"create": Fault("refuse", code="Throttling.BurstRate")}),
    ("poll=503:3", {"poll": Fault("refuse", status=503, count=3)}),
    ("poll=429", {"poll": Fault("refuse", status=429, count=1)}),
    ("poll=502html:2", {"poll": Fault("html", status=502, count=2)}),
    ("poll=lost:2", {"poll": Fault("lost", count=2)}),
    ("result=503:2", {"result": Fault("refuse", status=503, count=2)}),
    ("callback=lost", {"callback": "lost"}),
    ("callback=twice", {"callback": "twice"}),
    ("callback=wrongid", {"callback": "wrongid"}),
    ("callback=early", {"callback": "early", "seconds": 0.0}),
    ("error=text", {"error": "text"}),
    ("reasonurl", {"reasonurl": True}),
    ("snapshot", {"snapshot": True}),
    ("notime", {"notime": True}),
    ("only=apiyi", {"only": "apiyi"}),
    ("times=2", {"times": 2}),
]


@pytest.mark.parametrize(("words", "fields"), WORDS, ids=[words for words, _ in WORDS])
def test_every_word_is_read(words: str, fields: dict[str, Any]) -> None:
    assert read_words(words) == Behaviour(**fields)
    assert read_behaviour(f"a cat [sim:{words}] on a roof") == Behaviour(**fields)


def test_markers_and_words_of_one_marker_add_up() -> None:
    behaviour = read_behaviour("[sim:fail seconds=3] a cat [sim:poll=503:2]")
    assert behaviour == Behaviour(fail="", seconds=3.0, poll=Fault("refuse", status=503, count=2))


def test_a_prompt_without_markers_asks_for_nothing() -> None:
    assert read_behaviour("a cat [from above]") == Behaviour()


MISSPELT = [
    *("fial", "nourl=1", "seconds", "seconds=soon", "seconds=-1", "seconds=inf", "seconds=nan", "create=200"),
    *(
        "create=499",
        "create=delay",
        "create=lost:1",
        "create=refuse:",
        "callback=never",
        "poll=lost:x",
        "only=openai",
        "fail=",
        "times=x",
    ),
]


@pytest.mark.parametrize("words", MISSPELT)
def test_a_misspelt_marker_is_an_error(words: str) -> None:
    with pytest.raises(UnknownMarker):
        read_words(words)


def test_what_is_left_of_a_behaviour_is_its_pace() -> None:
    assert read_words("fail seconds=3 queue=1 poll=500").calm() == Behaviour(seconds=3.0, queue=1.0)
