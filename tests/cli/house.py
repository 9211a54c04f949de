"""A server with simulated providers, both as programs, and the commands of a client that knows its address."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from service.cli import main
from service.settings import scrub
from tests.cli.program import simulated, started, url_in

KEY = "client-key"
ADMIN = "admin-token"


@dataclass(frozen=True)
class House:
    """`simulator` is where the simulated providers are. `run` is `ringback <words>` in this process, with a client's
    key or another; `parsed` is its JSON."""

    url: str
    simulator: str

    def run(self, *words: str, stdin: str | None = None, key: str = KEY) -> Result:
        with pytest.MonkeyPatch.context() as patch:
            for name in scrub(dict(os.environ)):
                patch.delenv(name)
            env = {"RINGBACK_URL": self.url, "RINGBACK_KEY": key}
            return CliRunner().invoke(main, list(words), input=stdin, env=env)

    def parsed(self, *words: str, stdin: str | None = None, key: str = KEY) -> Any:
        shown = self.run(*words, "--json", stdin=stdin, key=key)
        assert shown.exit_code == 0, shown.output
        return json.loads(shown.stdout)


@contextmanager
def house(folder: Path, *options: str, **given: str) -> Iterator[House]:
    """`options` are the simulator's, `given` variables of the server."""
    own = {"RINGBACK_API_KEYS": f"tests:{KEY}", "RINGBACK_EGRESS_ALLOW": "127.0.0.0/8"}
    with simulated(folder, *options) as upstreams:
        quick = {name: "0.1" for name in upstreams if name.endswith("POLL_SECONDS")}
        with started(folder, "serve", "--port", "0", **upstreams | quick | own | given) as program:
            simulator = upstreams["RINGBACK_APIYI_BASE_URL"].rpartition("/")[0]
            yield House(url_in(program.until("listens")), simulator)
