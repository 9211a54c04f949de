"""Hypothesis for coroutines: its examples run one after the other on the loop of the test."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import SearchStrategy

T = TypeVar("T")


async def run_examples(strategy: SearchStrategy[T], check: Callable[[T], Awaitable[None]], most: int) -> None:
    """Raises what `check` raises, for the smallest example that is found. All of them share the test's one world."""
    loop = asyncio.get_running_loop()

    async def checked(example: T) -> None:
        await check(example)

    @settings(max_examples=most, suppress_health_check=list(HealthCheck), database=None)
    @given(strategy)
    def examples(example: T) -> None:
        asyncio.run_coroutine_threadsafe(checked(example), loop).result(30)

    await asyncio.to_thread(examples)
