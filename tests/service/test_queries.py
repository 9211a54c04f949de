"""What is asked of an account with a list, and in which order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pytest

from adapters.messages import State
from service.looking.poll import Look, LookQueue
from service.looking.queries import QueryQueue
from service.looking.sweep import Leaf, SweepQueue

pytestmark = pytest.mark.anyio
HINTED, OTHER, PAGE = Look("hinted", ()), Look("other", ()), Leaf(State.RUNNING, 0)


class Looks:
    def __init__(self, hinted: int, others: int) -> None:
        self.waiting = [HINTED] * hinted + [OTHER] * others
        self.due: int | None = None

    async def claim(self, room: int, *, hinted: bool = False) -> Sequence[Look]:
        fit = [one for one in self.waiting if one is HINTED or not hinted][:room]
        for one in fit:
            self.waiting.remove(one)
        return fit

    async def next_due(self) -> int | None:
        return self.due


class Pages:
    def __init__(self, pages: int) -> None:
        self.left = pages
        self.due: int | None = None

    async def claim(self, room: int) -> Sequence[Leaf]:
        count = min(room, self.left)
        self.left -= count
        return [PAGE] * count

    async def next_due(self) -> int | None:
        return self.due


def queue_of(looks: Looks, pages: Pages) -> QueryQueue:
    return QueryQueue(cast(LookQueue, looks), cast(SweepQueue, pages))


async def asked(looks: Looks, pages: Pages, room: int = 1) -> list[Any]:
    queue, order = queue_of(looks, pages), []
    while items := await queue.claim(room):
        assert len(items) <= room
        order += items
    return order


async def test_what_has_ended_is_read_before_anything_else() -> None:
    assert (await asked(Looks(3, 2), Pages(2)))[:3] == [HINTED] * 3


async def test_pages_and_other_looks_take_turns() -> None:
    order = await asked(Looks(0, 3), Pages(3))
    assert order == [PAGE, OTHER] * 3


@pytest.mark.parametrize("room", [1, 2, 3, 16])
@pytest.mark.parametrize("work", [(0, 0, 5), (5, 0, 0), (0, 5, 0), (2, 3, 4), (0, 4, 1), (4, 1, 9)])
async def test_everything_gets_its_turn_whatever_else_waits(work: tuple[int, int, int], room: int) -> None:
    hinted, others, pages = work
    order = await asked(Looks(hinted, others), Pages(pages), room)
    assert [order.count(each) for each in (HINTED, OTHER, PAGE)] == [hinted, others, pages]


@pytest.mark.parametrize(
    ("look", "page", "due"), [(None, None, None), (5, None, 5), (None, 7, 7), (5, 7, 5), (9, 7, 7)]
)
async def test_it_is_due_when_the_first_of_both_is(look: int | None, page: int | None, due: int | None) -> None:
    looks, pages = Looks(0, 0), Pages(0)
    looks.due, pages.due = look, page
    assert await queue_of(looks, pages).next_due() == due
