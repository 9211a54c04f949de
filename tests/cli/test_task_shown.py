"""`ringback get`: what a person reads of a task's record."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.accounts.learning import ENOUGH
from service.cli.tasks import print_record
from tests.service.asking import created, record
from tests.world import world

pytestmark = pytest.mark.anyio


async def test_it_says_when_a_video_is_expected_and_then_how_soon_its_end_was_noticed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with world(tmp_path) as it:
        for _ in range(int(ENOUGH)):
            await created(it, "seconds=60", provider="dashscope", url="")
        await it.settle(70)
        task_id = await created(it, "seconds=60", provider="dashscope")
        await it.settle(20)
        print_record(await record(it, task_id))
        assert "half of such videos by 2" in capsys.readouterr().out
        await it.settle(60)
        print_record(await record(it, task_id))
        told = capsys.readouterr().out
        assert "s after its end by the provider's clock" in told
        assert "half of such" not in told


async def test_a_provider_that_tells_no_time_is_not_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with world(tmp_path) as it:
        task_id = await created(it, "seconds=5", provider="laozhang")
        await it.settle(20)
        shown = await record(it, task_id)
        assert (shown["detector"], shown["noticed_after_ms"], shown["eta"]) == ("look", None, None)
        print_record(shown)
        assert "by the provider's clock" not in capsys.readouterr().out
