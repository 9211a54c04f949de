"""The one interface of a wire family, cut by message and not by endpoint.

Each message is read on one side and written on the other, so one class serves both as the client of an upstream and
as the shape that our own clients speak. The law, tested for every family: `read_x(write_x(m)) == m` for every message
that the family can say. What it cannot say: a submission raises `Unsupported`; a report degrades by a table at the top
of the family's file.

Adapters are pure: no input or output, no clock, no settings, no logs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Protocol, runtime_checkable

from adapters.catalogue import Catalogue
from adapters.messages import (
    Acceptance,
    Listing,
    Media,
    Page,
    Query,
    Refusal,
    Report,
    Request,
    Response,
    Submission,
)
from adapters.model import Model
from adapters.translate import Translation


class Adapter(ABC):
    """A wire shape. `family` groups shapes whose submission fields are the same: "flat" or "native"."""

    name: ClassVar[str]
    family: ClassVar[str]
    kept_headers: ClassVar[tuple[str, ...]] = ()
    """Request headers of a create, lower-case, that `read_submission` looks at; whoever keeps a request keeps these."""

    services: ClassVar[tuple[str, ...]] = ("",)
    """The services that a query may be about; a task is known at one of them only."""

    transport: ClassVar[Mapping[str, str]] = {}
    """Fields of a create that are about its answer and not about the video: what becomes of each on the way to an
    upstream."""

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
    def translate_submission(self, submission: Submission) -> Translation:
        """How `write_submission` says it; within a family as it is. Raises `Unsupported` for set fields that this
        family or the target model cannot express."""

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
        RUNNING (kept in `word`). Raises `Unreadable` for any reply that says nothing about a task (errors included)."""

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


@runtime_checkable
class ListAdapter(Protocol):
    """A family that can be asked which tasks there are. A page holds at most `largest_page` of them, a page of
    `usual_page` is never too large. `lists_requests`: each report of a page echoes what was sent, the callback URL
    too; else it says of which model a task is, and the list can be asked for those of one model. `counts_all`: the
    total of a page is surely not the number of its own tasks."""

    largest_page: ClassVar[int]
    usual_page: ClassVar[int]
    lists_requests: ClassVar[bool]
    counts_all: ClassVar[bool]

    def read_listing(self, request: Request) -> Listing | None:
        """None: the request asks for tasks by their ids (`read_query`). Raises `Unreadable` naming a wrong filter;
        filters that only mean something to the vendor's own accounts are passed over."""

    def write_listing(self, listing: Listing) -> Request:
        """Raises `Unsupported` for filters that this family has no words for."""

    def read_page(self, response: Response) -> Page:
        """Raises `Unreadable` for any reply that is no list of tasks."""

    def write_page(self, page: Page) -> Response: ...


@runtime_checkable
class CancelAdapter(Protocol):
    """A family whose tasks can be canceled before they run. The request is the id of the task, the reply whether it is
    canceled now."""

    def read_cancel(self, request: Request) -> str:
        """The task id; whatever the body holds. Raises `Unreadable`."""

    def write_cancel(self, task_id: str) -> Request: ...

    def read_cancel_reply(self, response: Response) -> bool:
        """False: it was too late, the task goes on or has ended. Raises `Unreadable` for any other reply, which leaves
        open whether the task is canceled."""

    def write_cancel_reply(self, canceled: bool, request_id: str) -> Response: ...
