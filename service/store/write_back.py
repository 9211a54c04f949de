"""SQLite's log is written back into its file beside the writer: in a commit everybody would wait for it, some 5 ms at a
time under load.

A checkpoint that is PASSIVE waits for nobody and stops nobody (https://www.sqlite.org/c3ref/wal_checkpoint_v2.html).
The writer begins the log anew once all of it is written back, so what came meanwhile is written back in further rounds.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable

from service.logs import get_logger

log = get_logger("store")
EVERY = 200
"""Commits between two times: about 8 MB of log."""

ROUNDS = 5


class WriteBack:
    """`connect` opens a connection for it. Its thread begins with the first `EVERY` commits. While somebody else has
    `held`, it waits."""

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self.held = threading.Lock()
        self._connect = connect
        self._commits = 0
        self._due = threading.Event()
        self._closing = False
        self._thread: threading.Thread | None = None

    def committed(self) -> None:
        """To be called by one thread."""
        self._commits += 1
        if self._commits % EVERY == 0:
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="store-write-back", daemon=True)
                self._thread.start()
            self._due.set()

    def close(self) -> None:
        """After the last commit; what is not written back yet stays in the log, or goes with the last connection."""
        self._closing = True
        self._due.set()
        if self._thread is not None:
            self._thread.join()

    def _serve(self) -> None:
        connection = self._connect()
        try:
            while self._due.wait() and not self._closing:
                self._due.clear()
                with self.held:
                    self._write_back(connection)
        finally:
            connection.close()

    def _write_back(self, connection: sqlite3.Connection) -> None:
        try:
            for _ in range(ROUNDS):
                busy, in_log, written = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
                if busy or in_log == written:
                    return
        except sqlite3.Error as error:  # the disk is full, say: the log keeps everything until the next time
            log.failure("store.write_back_failed", error)
