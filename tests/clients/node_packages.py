"""Packages of npm for tests, installed once outside the checkout, exactly as a lock file says."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

OLDEST_NODE = 20
INSTALL = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline")
HASTE = ("--fetch-retries=1", "--fetch-retry-mintimeout=1000")
PATIENCE = 120
"""Seconds. It takes about six."""


def install(project: Path) -> Path:
    """The `node_modules` of a project with a lock file. Skips the test, saying why, where there can be none."""
    _check_node()
    key = hashlib.sha256((project / "package-lock.json").read_bytes()).hexdigest()[:16]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ringback" / "node"
    made = cache / key / "node_modules"
    cache.mkdir(parents=True, exist_ok=True)
    with _alone_in(cache):
        if not made.exists():
            with tempfile.TemporaryDirectory(dir=cache) as folder:
                _fill(Path(folder), project)
                made.parent.mkdir(exist_ok=True)
                (Path(folder) / "node_modules").rename(made)
    return made


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Whoever else wants to work there waits, in whatever process."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _check_node() -> None:
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("Node and npm are not installed")
    said = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if int(said.removeprefix("v").split(".")[0]) < OLDEST_NODE:
        pytest.skip(f"Node {said} is older than {OLDEST_NODE}")


def _fill(folder: Path, project: Path) -> None:
    for name in ("package.json", "package-lock.json"):
        shutil.copy(project / name, folder)
    try:
        done = subprocess.run(
            INSTALL + HASTE, cwd=folder, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
    except subprocess.TimeoutExpired:
        pytest.skip(f"npm did not install the packages within {PATIENCE} s")
    if done.returncode:
        reasons = [line for line in done.stderr.splitlines() if line.startswith("npm error")]
        pytest.skip(f"the packages cannot be installed: {' '.join(reasons[:3])}")
