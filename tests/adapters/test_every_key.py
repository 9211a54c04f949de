"""Every key of every recorded message, left out and exchanged for junk: read all the same, or `Unreadable`."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from adapters.messages import Unreadable
from tests.adapters import samples

JUNK: tuple[Any, ...] = (None, True, -1, 1.5, "", "junk", [], ["junk"], {}, {"junk": {"junk": "junk"}})
BODIED = [
    name
    for name in samples.names()
    if isinstance(samples.load(name).get("request", samples.load(name).get("response")).get("body"), dict)
]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every key and item below a value."""
    keys = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield (*path, key)
        yield from places(value[key], (*path, key))


def changed(sample: dict[str, Any], path: tuple[Any, ...]) -> Iterator[dict[str, Any]]:
    """The sample without what is at `path` of its body, and with junk there."""
    side = "request" if "request" in sample else "response"
    for junk in (..., *JUNK):
        copied = copy.deepcopy(sample)
        holder = copied[side]["body"]
        for key in path[:-1]:
            holder = holder[key]
        if junk is ...:
            del holder[path[-1]]
        else:
            holder[path[-1]] = junk
        yield copied


@pytest.mark.parametrize("name", BODIED)
def test_a_message_that_lost_a_key_or_holds_junk_is_read_or_unreadable(name: str) -> None:
    provider, _, case = name.partition("/")
    sample = samples.load(name)
    whole = samples.read(provider, case, sample)
    side = "request" if "request" in sample else "response"
    for path in places(sample[side]["body"]):
        for broken in changed(sample, path):
            with suppress(Unreadable):
                assert type(samples.read(provider, case, broken)) in (type(whole), type(None))
