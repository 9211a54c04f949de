"""AceData's own code space, smaller than that of the model service behind it (wire notes 1.4)."""

from __future__ import annotations

from collections.abc import Mapping

from service.simulator.codes import CODES as MODEL_CODES
from service.simulator.codes import explain as explain_model

CODES: Mapping[str, tuple[int, str]] = {
    "bad_request": (400, "Bad request, possibly due to missing or invalid parameters."),
    "no_token": (400, "No token provided."),
    "token_mismatched": (400, "Bad request, possibly due to missing or invalid parameters."),
    "api_not_implemented": (400, "Bad request, possibly due to missing or invalid parameters."),
    "invalid_token": (401, "Unauthorized, invalid or missing authorization token."),
    "token_expired": (401, "The token has expired."),
    "payment_required": (402, "X-PAYMENT header is required"),
    "used_up": (403, "The balance of the application is used up."),
    "forbidden": (403, "The content was rejected by moderation."),
    "disabled": (403, "The credential is disabled."),
    "no_api": (404, "No such API."),
    "too_many_requests": (429, "Too many requests, you have exceeded the rate limit."),
    "api_error": (500, "fetch failed"),
    "timeout": (504, "The task timed out."),
}
"""Code to HTTP status and text."""

USUAL: Mapping[int, str] = {
    401: "invalid_token",
    402: "payment_required",
    403: "used_up",
    404: "no_api",
    429: "too_many_requests",
    504: "timeout",
}
"""The code that an HTTP status comes with when nothing more is asked for."""

TRANSLATED: Mapping[str, str] = {
    "DataInspectionFailed": "forbidden",
    "IPInfringementSuspect": "forbidden",
    "FaqRuleBlocked": "forbidden",
    "CustomRoleBlocked": "forbidden",
    "Arrearage": "used_up",
    "CommodityNotPurchased": "used_up",
    "PrepaidBillOverdue": "used_up",
    "PostpaidBillOverdue": "used_up",
    "AccessDenied": "disabled",
    "ModelNotFound": "api_not_implemented",
    "InternalError.Timeout": "timeout",
}
"""DashScope codes for which AceData has a word; the others go by their status."""


def explain(code: str, status: int = 0) -> tuple[int, str, str]:
    """Status, code and text for a code of AceData's or of DashScope's, or for a bare status."""
    if code in MODEL_CODES:
        below, _, text = explain_model(code)
        word = TRANSLATED.get(code) or _usual(below)
        return status or CODES[word][0], word, f"{code}: {text}"
    code = code or _usual(status)
    usual, text = CODES.get(code, (400, "The request was refused."))
    return status or usual, code, text


def _usual(status: int) -> str:
    return USUAL.get(status, "bad_request" if status < 500 else "api_error")
