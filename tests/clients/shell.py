"""Programs of other people, run as their users run them: words, an environment, and an exit code that is read."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

BIN = Path(sys.executable).parent
WIDE = {"COLUMNS": "10000"}
"""Rich wraps what it prints, JSON too."""


@dataclass(frozen=True)
class Program:
    """`words` start it, `settings` are what its user has put into the environment."""

    words: tuple[str, ...]
    settings: dict[str, str]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """To its end, whatever that is; fails the test after a minute."""
        environment = os.environ | WIDE | self.settings
        command = [*self.words, *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)

    def output(self, *arguments: str) -> str:
        """What it prints; fails the test if it does not end well."""
        ended = self.run(*arguments)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout
