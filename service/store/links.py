"""The verb of links to results: an old one is replaced wherever it is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from service.domain.tasks import Task
from service.store import rows
from service.store.engine import Engine, Transaction


class LinkVerbs:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def replaced(self, task: Task, url: str, now: int, rewrite: Callable[[bytes], bytes]) -> bool:
        """The task's result is at `url` from now on; `rewrite` makes the new bytes of its messages and events. False:
        its row has changed since it was read, nothing was written."""
        assert task.outcome is not None, "only a result has a link"
        outcome = rows.dump_report(replace(task.outcome, video_url=url))

        def verb(tx: Transaction) -> bool:
            if not tx.run(
                "UPDATE tasks SET outcome = :outcome, refreshed_at = :now, version = version + 1"
                " WHERE id = :id AND version = :was",
                id=task.id, was=task.version, outcome=outcome, now=now,
            ):  # fmt: skip
                return False
            for table, key in (("deliveries", "id"), ("events", "seq")):
                for row in tx.all(f"SELECT {key} AS key, body FROM {table} WHERE task = :task", task=task.id):
                    body = bytes(row["body"])
                    if body and (changed := rewrite(body)) != body:
                        tx.run(f"UPDATE {table} SET body = :body WHERE {key} = :key", body=changed, key=row["key"])
            return True

        return await self._engine.write(verb)
