"""The code space of Alibaba's model service, which the gateways pass on (wire notes 3.6)."""

from __future__ import annotations

from collections.abc import Mapping

CODES: Mapping[str, tuple[int, str]] = {
    "InvalidParameter": (400, "The request parameter is invalid."),
    "InvalidParameter.DataInspection": (
        400,
        "Unable to download the media resource during the data inspection process.",
    ),
    "BadRequest.TooLarge": (400, "Payload Too Large"),
    "BadRequest.InputDownloadFailed": (400, "Failed to download the input file."),
    "InvalidURL": (400, "The request URL is invalid."),
    "InvalidURL.Timeout": (400, "The request URL timed out."),
    "InvalidImageUrl": (400, "The image url is not reachable."),
    "DataInspectionFailed": (400, "Input data may contain inappropriate content."),
    "IPInfringementSuspect": (400, "Input data is suspected of being involved in IP infringement."),
    "FaqRuleBlocked": (400, "Input or output data is blocked by faq rule."),
    "CustomRoleBlocked": (400, "Input or output data may contain inappropriate content with custom rule."),
    "Arrearage": (400, "Access denied, please make sure your account is in good standing."),
    "UnsupportedOperation": (400, "The operation is unsupported on the referee object."),
    "InvalidApiKey": (401, "Invalid API-key provided."),
    "AccessDenied": (403, "Access denied."),
    "AccessDenied.Unpurchased": (403, "Access to model denied. Please make sure you are eligible for using the model."),
    "Model.AccessDenied": (403, "Model access denied."),
    "AllocationQuota.FreeTierOnly": (403, "The free tier of the model has been exhausted."),
    "ModelNotFound": (404, "Model can not be found."),
    "NotFound": (404, "Not found."),
    "Conflict": (409, "Conflict."),
    "Throttling": (429, "Requests throttling triggered."),
    "Throttling.RateQuota": (429, "Requests rate limit exceeded, please try again later."),
    "Throttling.BurstRate": (429, "Request rate increased too quickly."),
    "Throttling.AllocationQuota": (429, "Allocated quota exceeded, please increase your quota limit."),
    "CommodityNotPurchased": (429, "Commodity has not purchased yet."),
    "PrepaidBillOverdue": (429, "The prepaid bill is overdue."),
    "PostpaidBillOverdue": (429, "The postpaid bill is overdue."),
    "InternalError": (500, "An internal error has occured, please try again later."),
    "InternalError.Algo": (500, "An internal error has occured during execution."),
    "InternalError.Timeout": (500, "An internal timeout error has occured during execution."),
    "SystemError": (500, "An system error has occured, please try again later."),
    "ModelServiceFailed": (500, "Failed to request model service."),
    "ModelServingError": (503, "Too many requests. Your requests are being throttled due to system capacity limits."),
    "ModelUnavailable": (503, "Model is unavailable, please try again later."),
}
"""Code to HTTP status and text."""

USUAL: Mapping[int, str] = {
    401: "InvalidApiKey",
    403: "AccessDenied",
    404: "ModelNotFound",
    409: "Conflict",
    429: "Throttling.RateQuota",
    500: "InternalError",
    503: "ModelServingError",
}
"""The code that an HTTP status comes with when nothing more is asked for."""


def explain(code: str, status: int = 0) -> tuple[int, str, str]:
    """Status, code and text for a code, or for a bare status."""
    code = code or USUAL.get(status, "InvalidParameter" if status < 500 else "InternalError")
    usual, text = CODES.get(code, (400, "The request was refused."))
    return status or usual, code, text
