"""The call that watches a task which was created elsewhere."""

from __future__ import annotations

from collections.abc import Mapping

from service.openapi.parts import call, errors
from service.openapi.telling import EVENTS
from service.openapi.words import ADDRESS, TEXT, Part, described, record, ref, reply, some

WISH = record(
    {
        "provider": described(TEXT, "Where it was created; this server must have that provider"),
        "task_id": described({**TEXT, "minLength": 1, "maxLength": 200, "pattern": "^[!-~]+$"}, "The provider's id"),
        "callback_url": described(ADDRESS, "Where to POST its end; left out, the client's default"),
        "endpoint": described(TEXT, "The id of an endpoint that is told (too)"),
        "format": ref("Format"),
        "events": EVENTS,
        "upstream_key": described(
            {**TEXT, "minLength": 1, "maxLength": 1000, "pattern": "^[!-~]+$", "writeOnly": True},
            "The caller's own key at the provider, used for this task only, kept encrypted and erased at its end. "
            "Without it this server's account is asked, for which a client key needs the right to watch",
        ),
        "model": described({**TEXT, "maxLength": 200}, "Said where the provider does not say it"),
        "metadata": described(some({}), "At most 4096 bytes; it comes back in events"),
    },
    ("provider", "task_id"),
)

WATCH: Mapping[str, Part] = {
    "/v1/watch": {
        "post": call(
            "watch",
            "Ringback",
            "Be told of a task that was created at a provider itself",
            reply(201, "It is watched", ref("Task"))
            | reply(200, "The client has it already; its URL is told too", ref("Task"))
            | errors("own", 400, 401, 403, 404, 413, 415, 503),
            body=WISH,
        )
    }
}
