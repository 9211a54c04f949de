"""A server that goes and comes back under `ringback listen`: each event is handed on once."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from uuid import uuid4

import httpx

from tests.cli.house import KEY
from tests.cli.listeners import listening, secret_in
from tests.cli.program import Program, simulated, started, url_in
from tests.cli.receiver import Receiver, receiving


@contextmanager
def restartable(folder: Path) -> Iterator[tuple[str, Callable[[], AbstractContextManager[Program]]]]:
    """The address of a server, and what starts it there; before and after it is down."""
    with simulated(folder, "--render-seconds", "0.3") as upstreams:
        quick = {name: "0.1" for name in upstreams if name.endswith("POLL_SECONDS")}
        env = upstreams | quick | {"RINGBACK_API_KEYS": f"tests:{KEY}"}
        with started(folder, "serve", "--port", "0", **env) as first:
            url = url_in(first.until("listens"))
        yield url, lambda: started(folder, "serve", "--port", url.rpartition(":")[2], **env)


def ordered(url: str, count: int) -> list[str]:
    """The ids of tasks that were submitted just now. No two are alike: one whose answer was cut off is not a retry."""
    headers = {"authorization": f"Bearer {KEY}", "x-ringback-provider": "apiyi"}
    bodies = [{"model": "wan2.6-t2v", "prompt": f"a cat {uuid4()}", "async": True} for _ in range(count)]
    with httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=60) as client:
        return [client.post("/wan/videos", json=body).json()["task_id"] for body in bodies]


def test_over_restarts_of_the_server_nothing_is_missed_and_nothing_doubled(tmp_path: Path) -> None:
    """Some tasks end before each end of the server, some while it is away or just as it comes back."""
    tasks: list[str] = []
    with restartable(tmp_path) as (url, start), receiving(Receiver()) as hook, ExitStack() as servers:
        server = servers.enter_context(start())
        server.until("listens")
        with listening(tmp_path, url, "--forward-to", hook.url) as lines:
            hook.secret = secret_in(lines.until("webhook secret"))
            lines.until("listening at")
            for kind in (signal.SIGKILL, signal.SIGTERM):
                tasks += ordered(url, 6)
                lines.until("task.succeeded")
                server.ask(kind)
                server.ended()
                server = servers.enter_context(start())
                lines.until("connected again")
            tasks += ordered(url, 2)
            hook.await_some(len(tasks))
            lines.ask(signal.SIGINT)
            assert lines.ended() == 0
    assert hook.forged == 0
    assert sorted(json.loads(body)["data"]["task_id"] for _, body in hook.taken) == sorted(tasks)
    assert len({named for named, _ in hook.taken}) == len(tasks)
