"""The native family: Alibaba DashScope's own API (wire notes 3).

The messages about videos asked for are in `native_submission`, those about how they are in `native_tasks`, lists of
tasks in `native_listing`, cancels in `native_cancel`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from adapters import native_cancel, native_listing, native_submission, native_tasks
from adapters.base import Adapter
from adapters.codes import code_in
from adapters.fields import object_of, text_of
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


class NativeFamily(Adapter):
    """What DashScope and the gateways in front of it have in common. One task a query; a FAILED or UNKNOWN task is a
    200."""

    family: ClassVar[str] = "native"
    kept_headers: ClassVar[tuple[str, ...]] = (native_submission.OSS_HEADER,)

    transport: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("callback_url", "parameters.callback_url"), "Ringback calls it, the provider never sees it"
    )

    create_prefix: ClassVar[str] = ""
    tasks_base: ClassVar[str] = "/api/v1"

    def wire_path(self, name: str) -> str:
        return path_of(self.family, name)

    def media_path(self, piece: Media, model: Model) -> str:
        field = piece.field or native_submission.vocabulary(model.name, model).media.get(piece.kind, "media")
        return f"input.{field}"

    def read_submission(self, request: Request) -> Submission:
        """A missing X-DashScope-Async is read as if it were there: no client seen means anything else."""
        return native_submission.read(request)

    def translate_submission(self, submission: Submission) -> Translation:
        return native_submission.translation(submission, self.catalogue)

    def write_submission(self, submission: Submission) -> Request:
        return native_submission.write(submission, self.catalogue, self.create_prefix)

    def read_acceptance(self, response: Response) -> Acceptance:
        body = object_of(response.body) if 200 <= response.status < 300 else {}
        task_id = text_of(object_of(body.get("output")).get("task_id"))
        if not task_id:
            raise Unreadable("output.task_id", "no task was accepted")
        return Acceptance(task_id, request_id=text_of(body.get("request_id")))

    def write_acceptance(self, acceptance: Acceptance) -> Response:
        """Exactly 200, with `task_status`: the SDK has no task otherwise. `trace_id` has no word here."""
        output = {"task_id": acceptance.task_id, "task_status": "PENDING"}
        return Response(200, {"output": output, "request_id": acceptance.request_id})

    def read_query(self, request: Request) -> Query:
        return native_tasks.read_query(request)

    def write_query(self, query: Query) -> Request:
        return native_tasks.write_query(query, self.tasks_base)

    def read_report(self, response: Response) -> Report:
        if not 200 <= response.status < 300:
            raise Unreadable("", f"HTTP {response.status} says nothing about a task")
        return native_tasks.read_report(response.body)

    def write_report(self, report: Report) -> Response:
        return Response(200, native_tasks.write_report(report))

    def read_callback(self, body: Any) -> Report:
        return self.read_report(Response(200, body))

    def write_callback(self, report: Report) -> Any:
        return self.write_report(report).body

    def read_refusal(self, response: Response) -> Refusal:
        body = object_of(response.body)
        code, message = text_of(body.get("code")), text_of(body.get("message"))
        return refused(response, self.family, code, message, text_of(body.get("request_id")))

    def write_refusal(self, refusal: Refusal) -> Response:
        """`code` and `message` at the top, always: the SDK says "Unknown" otherwise."""
        failure = refusal.failure
        body = {"code": code_in(("native",), failure), "message": failure.message, "request_id": refusal.request_id}
        return written(refusal, ("native",), body)


class Native(NativeFamily):
    """DashScope's shape. It can list tasks (`ListAdapter`) and cancel them (`CancelAdapter`)."""

    name: ClassVar[str] = "native"
    largest_page: ClassVar[int] = native_listing.LARGEST_PAGE
    usual_page: ClassVar[int] = native_listing.USUAL_PAGE
    lists_requests: ClassVar[bool] = False
    counts_all: ClassVar[bool] = True

    def read_listing(self, request: Request) -> Listing | None:
        return native_listing.read(request)

    def write_listing(self, listing: Listing) -> Request:
        return native_listing.write(listing, self.tasks_base)

    def read_page(self, response: Response) -> Page:
        if not 200 <= response.status < 300:
            raise Unreadable("", f"HTTP {response.status} is no list of tasks")
        return native_listing.read_page(response.body)

    def write_page(self, page: Page) -> Response:
        return Response(200, native_listing.write_page(page))

    def read_cancel(self, request: Request) -> str:
        return native_cancel.read(request)

    def write_cancel(self, task_id: str) -> Request:
        return native_cancel.write(task_id, self.tasks_base)

    def read_cancel_reply(self, response: Response) -> bool:
        return native_cancel.read_reply(response)

    def write_cancel_reply(self, canceled: bool, request_id: str) -> Response:
        return (
            Response(200, {"request_id": request_id})
            if canceled
            else self.write_refusal(native_cancel.too_late(request_id))
        )
