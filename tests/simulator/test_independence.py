"""The simulator is a second opinion on the wire: it must not share a line with what it tests."""

from __future__ import annotations

import ast
from pathlib import Path

import service.simulator

ROOM = Path(service.simulator.__file__).parent


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0
            found.add(node.module or "")
    return found


def test_the_simulator_imports_neither_the_adapters_nor_the_service() -> None:
    files = list(ROOM.glob("*.py"))
    assert len(files) > 10
    for path in files:
        for name in imported(path):
            assert name.partition(".")[0] != "adapters", path.name
            assert not name.startswith("service") or name.startswith("service.simulator."), path.name
