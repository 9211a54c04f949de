"""The one interface of a wire family, cut by message and not by endpoint.

Each message is read on one side and written on the other, so one class serves both as the client of an upstream and
as the shape that our own clients speak. The law, tested for every family: `read_x(write_x(m)) == m` for every message
that the family can say. What it cannot say: a submission raises `Unsupported`; a report degrades by a table at the top
of the family's file.

Adapters are pure: no input or output, no clock, no settings, no logs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Protocol, runtime_checkable

from adapters.catalogue import Catalogue
from adapters.messages import Acceptance, Media, Query, Refusal, Report, Request, Response, Submission
from adapters.model import Model


class Adapter(ABC):
    """A wire shape. `family` groups shapes whose submission fields are the same: "flat" or "native"."""

    name: ClassVar[str]
    family: ClassVar[str]
    kept_headers: ClassVar[tuple[str, ...]] = ()
    """Request headers of a create, lower-case, that `read_submission` looks at; whoever keeps a request keeps these."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue

    @abstractmethod
    def wire_path(self, name: str) -> str:
        """The wire path of a canonical field name ("duration" -> "parameters.duration"), for errors."""

    @abstractmethod
    def media_path(self, piece: Media, model: Model) -> str:
        """The wire path of the field that carries a piece of media, or would if it were given; for errors."""

    @abstractmethod
    def read_submission(self, request: Request) -> Submission:
        """Raises `Unreadable` naming the first wrong field. Checks types, not ranges (that is `check`)."""

    @abstractmethod
    def write_submission(self, submission: Submission) -> Request:
        """Raises `Unsupported` for set fields that this family or the target model cannot express."""

    @abstractmethod
    def read_acceptance(self, response: Response) -> Acceptance:
        """Raises `Unreadable` for anything but a 2xx that carries a task id."""

    @abstractmethod
    def write_acceptance(self, acceptance: Acceptance) -> Response: ...

    @abstractmethod
    def read_query(self, request: Request) -> Query:
        """Raises `Unreadable`."""

    @abstractmethod
    def write_query(self, query: Query) -> Request: ...

    @abstractmethod
    def read_report(self, response: Response) -> Report:
        """One task's report. `State.UNKNOWN` when the reply says that there is no such task; an unknown state word is
        RUNNING (kept in `raw`). Raises `Unreadable` for any reply that says nothing about a task (errors included)."""

    @abstractmethod
    def write_report(self, report: Report) -> Response:
        """The poll reply. `State.UNKNOWN` writes the family's answer for an id it does not know."""

    @abstractmethod
    def write_callback(self, report: Report) -> Any:
        """The JSON body POSTed to a subscriber of this shape: what the shape's own GET says (flat: its `response`)."""

    @abstractmethod
    def read_callback(self, body: Any) -> Report:
        """Reads such a body. Raises `Unreadable`."""

    @abstractmethod
    def read_refusal(self, response: Response) -> Refusal:
        """Never raises: a reply that no table explains gets the category that its status leaves possible."""

    @abstractmethod
    def write_refusal(self, refusal: Refusal) -> Response: ...


@runtime_checkable
class BatchAdapter(Protocol):
    """A family that answers for several tasks at once. The answer keeps no order and leaves out unknown ids."""

    def read_reports(self, response: Response) -> tuple[Report, ...]: ...

    def write_reports(self, reports: tuple[Report, ...]) -> Response: ...
