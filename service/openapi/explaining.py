"""The call that explains a create without making it."""

from __future__ import annotations

from collections.abc import Mapping

from service.openapi.parts import call, errors
from service.openapi.words import FLAG, NUMBER, TEXT, WHOLE, Part, array, described, nullable, record, reply, some

QUESTION = record(
    {
        "shape": {"enum": ["flat", "native", "gateway"]},
        "path": described(TEXT, "Where the create would be sent to; left out, the model decides"),
        "body": described(some({}), "The body of the create"),
        "provider": described(TEXT, "Only this one"),
    },
    ("shape", "body"),
)
VALUE = record({"name": TEXT, "value": {}})
REASON = record({"name": TEXT, "reason": TEXT})
PRICE = record(
    {
        "per_second": NUMBER,
        "currency": TEXT,
        "resolution": TEXT,
        "seconds": nullable(WHOLE),
        "amount": nullable(NUMBER),
        "most_seconds": nullable(WHOLE),
        "most": described(nullable(NUMBER), "What it costs at most, where length or resolution is not known before"),
        "source": TEXT,
    }
)
CANDIDATE = record(
    {
        "provider": TEXT,
        "title": TEXT,
        "takes": FLAG,
        "objections": array(record({"path": TEXT, "reason": TEXT})),
        "request": nullable(record({"method": TEXT, "path": TEXT, "headers": some({}), "body": some({})})),
        "renamed": array(record({"from": TEXT, "to": TEXT})),
        "defaulted": array(VALUE),
        "added": array(VALUE),
        "left_out": array(REASON),
        "price": nullable(PRICE),
    }
)
EXPLANATION = record(
    {
        "model": TEXT,
        "chosen": nullable(TEXT),
        "order": described(array(TEXT), "Who would be asked, one after the other, while nothing is accepted"),
        "candidates": array(CANDIDATE),
    }
)

EXPLAIN: Mapping[str, Part] = {
    "/v1/explain": {
        "post": call(
            "explain",
            "Ringback",
            "What a create would become at each provider; nothing is sent, nothing is kept",
            reply(200, "By provider, in the order of preference", EXPLANATION) | errors("own", 400, 401, 413, 415),
            body=QUESTION,
        )
    }
}
