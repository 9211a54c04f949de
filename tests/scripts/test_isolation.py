"""The bench of isolation runs from its beginning to its end, at a size that shows nothing of the time it takes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def test_everybody_who_is_well_is_told_beside_nine_times_as_many_that_are_dead() -> None:
    words = ["--endpoints", "40", "--seconds", "2", "--warm", "1", "--rate", "2", "--rounds", "1", "--messages", "60"]
    command = [sys.executable, "-m", "scripts.bench.isolation", *words, "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout[done.stdout.index("{\n") :])
    for case in ("absent", "dead", "well"):
        assert told[case]["messages"] > 5
        assert told[case]["missing"] == 0
        assert 0 < told[case]["p50"] <= told[case]["p99"]
    assert told["ringback"] > 0
    assert told["plain_httpx"] > 0
