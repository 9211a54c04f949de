"""The flat family: AceData's action and callback_url API, services `wan` and `happyhorse` (wire notes 1).

The messages about videos asked for are in `flat_submission`, those about how they are in `flat_tasks`, lists of tasks
in `flat_listing`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from adapters import flat_listing, flat_submission, flat_tasks
from adapters.base import Adapter
from adapters.codes import code_in
from adapters.fields import Reader, object_of, text_of, whole_of
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
    Unreadable,
)
from adapters.model import Model
from adapters.paths import path_of
from adapters.refusals import refused, written
from adapters.translate import Translation


class Flat(Adapter):
    """AceData's shape. It can ask for several tasks at once (`BatchAdapter`) and list them (`ListAdapter`)."""

    name: ClassVar[str] = "flat"
    largest_page: ClassVar[int] = flat_listing.LARGEST_PAGE
    usual_page: ClassVar[int] = flat_listing.USUAL_PAGE
    lists_requests: ClassVar[bool] = True
    counts_all: ClassVar[bool] = False  # Nexior reads `count` so, the documented example leaves both open
    family: ClassVar[str] = "flat"
    services: ClassVar[tuple[str, ...]] = tuple(flat_submission.ACTIONS)
    transport: ClassVar[Mapping[str, str]] = {
        "callback_url": "Ringback calls it, the provider never sees it",
        "async": "Ringback always asks so, and holds a connection itself",
        "timeout": "it limits how long Ringback holds the connection",
    }

    def wire_path(self, name: str) -> str:
        return path_of(self.family, name)

    def media_path(self, piece: Media, model: Model) -> str:
        return piece.field or flat_submission.vocabulary(model.service, model).media.get(piece.kind, "media")

    def read_submission(self, request: Request) -> Submission:
        return flat_submission.read(request, self.catalogue)

    def translate_submission(self, submission: Submission) -> Translation:
        return flat_submission.translation(submission, self.catalogue)

    def write_submission(self, submission: Submission) -> Request:
        return flat_submission.write(submission, self.catalogue)

    def read_acceptance(self, response: Response) -> Acceptance:
        """`{"task_id"}`, as the Wan page shows it, or `{"success": true, "task_id", "trace_id"}`."""
        body = object_of(response.body) if 200 <= response.status < 300 else {}
        task_id = text_of(body.get("task_id")) or text_of(object_of(body.get("data")).get("task_id"))
        if not task_id or (body.get("success") is False and body.get("error")):
            raise Unreadable("task_id", "no task was accepted")
        return Acceptance(task_id, trace_id=text_of(body.get("trace_id")))

    def write_acceptance(self, acceptance: Acceptance) -> Response:
        """No key that ends in `_url`: AceData's SDK would take the task for finished. `request_id` has no word here."""
        trace = {"trace_id": acceptance.trace_id} if acceptance.trace_id else {}
        return Response(200, {"success": True, "task_id": acceptance.task_id, **trace})

    def read_query(self, request: Request) -> Query:
        """The service pages write `id`, the generic page `task_id`."""
        service = flat_submission.service_of(request.path)
        body = Reader(request.body)
        action = body.choice("action", {"retrieve": "id", "retrieve_batch": "ids"})
        ids = body.texts("ids")
        if action == "retrieve_batch" or (action is None and ids):
            return Query(ids, service, batch=True)
        task_id = body.filled("id") or body.filled("task_id")
        if task_id is None:
            raise Unreadable("id", "is missing")
        return Query((task_id,), service)

    def write_query(self, query: Query) -> Request:
        body: dict[str, Any] = {"action": "retrieve_batch", "ids": list(query.task_ids)}
        if not query.batch:
            (task_id,) = query.task_ids
            body = {"action": "retrieve", "id": task_id}
        return Request("POST", f"/{query.service or 'wan'}/tasks", body)

    def read_report(self, response: Response) -> Report:
        return flat_tasks.read_record(_answered(response), self.catalogue)

    def write_report(self, report: Report) -> Response:
        return Response(200, flat_tasks.write_record(report, self.catalogue))

    def read_reports(self, response: Response) -> tuple[Report, ...]:
        """The records of a batch. Raises `Unreadable` unless there is an array of them; a single odd one is left out,
        so that it does not hide the others."""
        items = Reader(_answered(response)).take("items")
        if not isinstance(items, list):
            raise Unreadable("items", "must be an array")
        reports, odd = [], None
        for item in filter(None, items):
            try:
                reports.append(flat_tasks.read_record(item, self.catalogue))
            except Unreadable as error:
                odd = error
        if odd is not None and not reports:
            raise odd
        return tuple(reports)

    def write_reports(self, reports: tuple[Report, ...]) -> Response:
        written_out = [flat_tasks.write_record(report, self.catalogue) for report in reports]
        items = [record for record in written_out if record]
        return Response(200, {"items": items, "count": len(items)})

    def read_listing(self, request: Request) -> Listing | None:
        return flat_listing.read(request)

    def write_listing(self, listing: Listing) -> Request:
        return flat_listing.write(listing)

    def read_page(self, response: Response) -> Page:
        reports = self.read_reports(response)
        return Page(reports, total=whole_of(response.body.get("count"), least=0, usual=len(reports)))

    def write_page(self, page: Page) -> Response:
        return Response(200, {**self.write_reports(page.reports).body, "count": page.total})

    def read_callback(self, body: Any) -> Report:
        return flat_tasks.read_response(body, self.catalogue)

    def write_callback(self, report: Report) -> Any:
        return flat_tasks.write_response(report, self.catalogue)

    def read_refusal(self, response: Response) -> Refusal:
        """`error` is an object, or (x402) a bare string."""
        body = object_of(response.body)
        error = body.get("error")
        code, message = text_of(object_of(error).get("code")), text_of(object_of(error).get("message"))
        return refused(response, self.family, code, message or text_of(error), text_of(body.get("trace_id")))

    def write_refusal(self, refusal: Refusal) -> Response:
        error = {"code": code_in(("flat",), refusal.failure), "message": refusal.failure.message}
        trace = {"trace_id": refusal.request_id} if refusal.request_id else {}
        return written(refusal, ("flat",), {"success": False, "error": error, **trace})


def _answered(response: Response) -> Any:
    if not 200 <= response.status < 300:
        raise Unreadable("", f"HTTP {response.status} says nothing about a task")
    return response.body
