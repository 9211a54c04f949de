"""The store: verbs of the domain over an engine. SQLite by default; the verbs and their SQL know no engine."""

from __future__ import annotations

from pathlib import Path

from service.store.allowances import AllowanceVerbs
from service.store.charges import ChargeVerbs
from service.store.completions import CompletionVerbs
from service.store.costs import CostVerbs
from service.store.decisions import DecisionVerbs
from service.store.deliveries import DeliveryVerbs
from service.store.doubts import DoubtVerbs
from service.store.endpoints import EndpointVerbs
from service.store.engine import AlreadyServed, Engine
from service.store.event_log import EventLogVerbs
from service.store.events import OperatorEventVerbs
from service.store.expunge import ExpungeVerbs
from service.store.keys import Key, KeyVerbs
from service.store.lanes import Grant, LaneVerbs
from service.store.links import LinkVerbs
from service.store.lookups import Lookups
from service.store.placements import PlacementVerbs
from service.store.queues import Queue, QueueVerbs
from service.store.replays import ReplayVerbs
from service.store.retention import RetentionVerbs
from service.store.room import Seat
from service.store.secrets import SecretVerbs
from service.store.sends import Placed, Road, SendVerbs
from service.store.sqlite import SqliteEngine
from service.store.tasks import Moved, TaskVerbs
from service.store.watches import WatchVerbs

__all__ = ["AlreadyServed", "Grant", "Key", "Moved", "Placed", "Queue", "Road", "Seat", "Store"]


class Store:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.tasks = TaskVerbs(engine)
        self.sends = SendVerbs(engine)
        self.placements = PlacementVerbs(engine)
        self.costs = CostVerbs(engine)
        self.allowances = AllowanceVerbs(engine)
        self.charges = ChargeVerbs(engine)
        self.watches = WatchVerbs(engine)
        self.doubts = DoubtVerbs(engine)
        self.decisions = DecisionVerbs(engine)
        self.queues = QueueVerbs(engine)
        self.lookups = Lookups(engine)
        self.deliveries = DeliveryVerbs(engine)
        self.lanes = LaneVerbs(engine)
        self.links = LinkVerbs(engine)
        self.endpoints = EndpointVerbs(engine)
        self.replays = ReplayVerbs(engine)
        self.expunging = ExpungeVerbs(engine)
        self.retention = RetentionVerbs(engine)
        self.keys = KeyVerbs(engine)
        self.secrets = SecretVerbs(engine)
        self.events = OperatorEventVerbs(engine)
        self.event_log = EventLogVerbs(engine)
        self.completions = CompletionVerbs(engine)

    @classmethod
    def open(cls, path: Path, *, serve: bool = True) -> Store:
        """Opens (and makes) the SQLite file. With `serve`, raises `AlreadyServed` if another server holds it."""
        return cls(SqliteEngine(path, serve=serve))

    async def close(self) -> None:
        await self._engine.close()
