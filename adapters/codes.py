"""The error code spaces of the families, and why each code says what it says: tables only, and how to look things up.

Sources: AceData's concept page on responses and its service pages; DashScope's error code page; the gateways' pages and
new-api, from which they descend. wire notes 1.4, 2, 2.1, 3.6 and 6.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from adapters.messages import Category, Failure

FLAT: Mapping[str, Category] = {
    "bad_request": Category.INVALID_REQUEST,
    "no_token": Category.AUTH,
    "token_mismatched": Category.AUTH,  # 400 on service pages, 401 on the concept page
    "invalid_token": Category.AUTH,
    "token_expired": Category.AUTH,
    "invalid_402": Category.BILLING,  # x402 payment
    "used_up": Category.BILLING,
    "disabled": Category.BILLING,
    "api_not_implemented": Category.FORBIDDEN_MODEL,
    "no_api": Category.FORBIDDEN_MODEL,
    "forbidden": Category.CONTENT,  # moderation
    "too_many_requests": Category.THROTTLED,
    "api_error": Category.TRANSIENT,
    "timeout": Category.TRANSIENT,
}

NATIVE: Mapping[str, Category] = {
    "InvalidParameter": Category.INVALID_REQUEST,
    "InvalidParameter.DataInspection": Category.MEDIA_FETCH,  # the download timed out: no verdict on the content
    "BadRequest": Category.INVALID_REQUEST,
    "BadRequest.InputDownloadFailed": Category.MEDIA_FETCH,
    "BadRequest.TooLarge": Category.TOO_LARGE,
    "InvalidFile": Category.INVALID_REQUEST,
    "InvalidURL": Category.MEDIA_FETCH,
    "InvalidImageUrl": Category.MEDIA_FETCH,  # APIYI: "can be retried (possibly a transient network issue)"
    "DataInspectionFailed": Category.CONTENT,
    "IPInfringementSuspect": Category.CONTENT,
    "FaqRuleBlocked": Category.CONTENT,
    "CustomRoleBlocked": Category.CONTENT,
    "Arrearage": Category.BILLING,  # although it is a 400
    "AllocationQuota.FreeTierOnly": Category.BILLING,
    "CommodityNotPurchased": Category.BILLING,  # this and the next two although they are 429
    "PrepaidBillOverdue": Category.BILLING,
    "PostpaidBillOverdue": Category.BILLING,
    "InvalidApiKey": Category.AUTH,
    "NOT AUTHORIZED": Category.AUTH,
    "AccessDenied": Category.FORBIDDEN_MODEL,
    "Model.AccessDenied": Category.FORBIDDEN_MODEL,
    "Workspace.AccessDenied": Category.FORBIDDEN_MODEL,
    "ModelNotFound": Category.FORBIDDEN_MODEL,
    "WorkSpaceNotFound": Category.FORBIDDEN_MODEL,
    "NotFound": Category.NOT_FOUND,
    "Conflict": Category.CONFLICT,
    "UnsupportedOperation": Category.CONFLICT,  # a cancel that came too late
    "Throttling": Category.THROTTLED,
    "ModelServingError": Category.THROTTLED,  # 503, no capacity
    "ModelUnavailable": Category.TRANSIENT,
    "InternalError": Category.TRANSIENT,
    "SystemError": Category.TRANSIENT,
    "ModelServiceFailed": Category.TRANSIENT,
    "RequestTimeOut": Category.TRANSIENT,
    "RewriteFailed": Category.TRANSIENT,
}
"""A code that is not listed takes the category of its part before the last dot (InternalError.Timeout)."""

GATEWAY: Mapping[str, Category] = {
    "parse_request_failed": Category.INVALID_REQUEST,
    "build_request_failed": Category.INVALID_REQUEST,
    "task_not_exist": Category.NOT_FOUND,
    "fail_to_fetch_task": Category.TRANSIENT,  # the upstream answered with an error
    "do_request_failed": Category.TRANSIENT,
    "invalid_response": Category.TRANSIENT,
    "unmarshal_response_body_failed": Category.TRANSIENT,
}

GATEWAY_TEXTS: Mapping[str, Category] = {
    "未提供令牌": Category.AUTH,
    "no available channels": Category.FORBIDDEN_MODEL,
    "任务不存在": Category.NOT_FOUND,
    "cannot unmarshal": Category.INVALID_REQUEST,
    "does not support synchronous calls": Category.INVALID_REQUEST,
}
"""Parts of the gateways' messages, for replies without a code that says anything."""

TABLES: Mapping[str, Mapping[str, Category]] = {"flat": FLAT, "native": NATIVE, "gateway": GATEWAY}

MAYBE_ACCEPTED = frozenset(
    {"timeout", "RequestTimeOut", "do_request_failed", "invalid_response", "unmarshal_response_body_failed"}
)
"""Codes after which a create may have been accepted: the wait for the answer ended, or (new-api) the gateway's own
request to DashScope broke off or was answered by something it could not read."""

OURS = frozenset({"outcome_unknown", "no_result", "task_expired"})
"""Ringback's own words, the same in every shape."""

CANCELED = Failure(Category.OURS, "task_canceled", "The task was canceled.")
"""What a shape says of a canceled task where it tells it as a failed one."""

NO_REASON = Failure(Category.TRANSIENT, "", "The upstream gave no reason.")
"""What is said of a failure that came without one; an empty code lets each shape use its general one."""


@dataclass(frozen=True, slots=True)
class Words:
    """How a family says a category: its code and the HTTP status that goes with it."""

    code: str
    status: int


SAID_FLAT: Mapping[Category, Words] = {
    Category.INVALID_REQUEST: Words("bad_request", 400),
    Category.AUTH: Words("invalid_token", 401),
    Category.BILLING: Words("used_up", 403),
    Category.FORBIDDEN_MODEL: Words("api_not_implemented", 400),
    Category.CONTENT: Words("forbidden", 403),
    Category.MEDIA_FETCH: Words("bad_request", 400),
    Category.THROTTLED: Words("too_many_requests", 429),
    Category.REJECTED: Words("api_error", 500),
    Category.AMBIGUOUS: Words("timeout", 504),
    Category.TRANSIENT: Words("api_error", 500),
    Category.NOT_FOUND: Words("no_api", 404),
    Category.METHOD: Words("bad_request", 405),
    Category.TOO_LARGE: Words("bad_request", 413),
    Category.MEDIA_TYPE: Words("bad_request", 415),
    Category.CONFLICT: Words("bad_request", 409),
    Category.OURS: Words("api_error", 500),
}

SAID_NATIVE: Mapping[Category, Words] = {
    Category.INVALID_REQUEST: Words("InvalidParameter", 400),
    Category.AUTH: Words("InvalidApiKey", 401),
    Category.BILLING: Words("Arrearage", 400),
    Category.FORBIDDEN_MODEL: Words("Model.AccessDenied", 403),
    Category.CONTENT: Words("DataInspectionFailed", 400),
    Category.MEDIA_FETCH: Words("InvalidURL", 400),
    Category.THROTTLED: Words("Throttling", 429),
    Category.REJECTED: Words("InternalError", 500),
    Category.AMBIGUOUS: Words("RequestTimeOut", 500),
    Category.TRANSIENT: Words("InternalError", 500),
    Category.NOT_FOUND: Words("NotFound", 404),
    Category.METHOD: Words("BadRequest.IllegalInput", 405),
    Category.TOO_LARGE: Words("BadRequest.TooLarge", 413),
    Category.MEDIA_TYPE: Words("BadRequest.IllegalInput", 415),
    Category.CONFLICT: Words("Conflict", 409),
    Category.OURS: Words("InternalError", 500),
}

SAID: Mapping[str, Mapping[Category, Words]] = {"flat": SAID_FLAT, "native": SAID_NATIVE, "gateway": SAID_NATIVE}


def category_of(family: str, code: str) -> Category | None:
    """What a code of a family's code space means; None if the tables do not know it."""
    if code in OURS:
        return Category.OURS
    table = TABLES[family]
    while code not in table and "." in code:
        code = code.rpartition(".")[0]
    return table.get(code)


def failed(family: str, code: str, message: str) -> Failure:
    """Why a task failed. An unknown code counts as transient: failed tasks are not billed, so a retry costs nothing."""
    category = category_of(family, code) or Category.TRANSIENT
    return Failure(category, code, message, "" if category is Category.OURS else family)


def code_in(families: tuple[str, ...], failure: Failure) -> str:
    """The code to write where the codes of `families` are understood; the first of them lends a word for the rest."""
    if failure.code and failure.family in ("", *families):
        return failure.code
    return SAID[families[0]][failure.category].code
