"""The service as a process of its own, to be killed: `python -m tests.torture.server <settings.json>`.

The providers' base URLs lead to a simulator, and looks are closer together than real providers would allow.
"""

from __future__ import annotations

import json
import signal
import sys
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn

from adapters.providers import PROVIDERS
from service.app import Ringback, create_app
from service.logs import configure
from service.settings import Account, Settings

LOOK_SECONDS = 0.4
SLOW_SECONDS = 2.0
GRACE_SECONDS = 3


class Server(uvicorn.Server):
    """Lets the service send waiting requests home before uvicorn waits for them."""

    def __init__(self, config: uvicorn.Config, ringback: Ringback) -> None:
        super().__init__(config)
        self._ringback = ringback

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._ringback.hurry()
        super().handle_exit(signal.SIGTERM, frame)


def accounts(simulator: str) -> tuple[Account, ...]:
    return tuple(
        Account(
            provider=replace(row, first_look_seconds=LOOK_SECONDS, slow_look_seconds=SLOW_SECONDS),
            base_url=f"{simulator}/{row.name}",
            api_key=f"sk-{row.name}-key",
            poll_seconds=LOOK_SECONDS,
        )
        for row in PROVIDERS.values()
    )


def main(path: Path) -> None:
    configure("json")
    chosen: dict[str, Any] = json.loads(path.read_text())
    settings = Settings.model_validate(chosen.pop("settings") | {"accounts": accounts(chosen["simulator"])})
    ringback = Ringback(settings)
    config = uvicorn.Config(
        create_app(ringback),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    Server(config, ringback).run()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
