"""A task that is no longer wanted, in DashScope's words: `POST /api/v1/tasks/{id}/cancel` (wire notes 3.4).

Only a task that is still PENDING can be canceled; everything else is refused with one code.
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

from adapters.fields import object_of
from adapters.messages import Category, Failure, Refusal, Request, Response, Unreadable

CANCEL_PATH = re.compile(r"/tasks/([^/]+)/cancel/?$")

TOO_LATE = Failure(
    Category.CONFLICT,
    "UnsupportedOperation",
    "Failed to cancel the task, please confirm if the task is in PENDING status.",
    "native",
)
"""Alibaba's asynchronous task page, list of error codes."""


def read(request: Request) -> str:
    """The task id of any path that ends in /tasks/{id}/cancel; the SDK's asyncio client appends a slash and sends a
    body without content."""
    found = CANCEL_PATH.search(request.path)
    if not found:
        raise Unreadable("", "the path must end in /tasks/, a task id and /cancel")
    return unquote(found[1])


def write(task_id: str, base: str) -> Request:
    return Request("POST", f"{base}/tasks/{quote(task_id, safe='')}/cancel")


def read_reply(response: Response) -> bool:
    code = object_of(response.body).get("code")
    if 200 <= response.status < 300 and isinstance(response.body, dict) and not code:
        return True
    if code == TOO_LATE.code:
        return False
    raise Unreadable("", f"HTTP {response.status} does not say whether the task is canceled")


def too_late(request_id: str) -> Refusal:
    return Refusal(400, TOO_LATE, request_id=request_id)
