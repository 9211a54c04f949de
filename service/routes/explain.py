"""`POST /v1/explain`: what a create would become at each provider, without making it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse
from starlette.responses import Response as HttpResponse
from starlette.routing import Route

from adapters.messages import Category, Request
from service.errors import Refused, refused
from service.routes.edge import House, caller, house_of, read_fields, shape_name
from service.sending.explain import Candidate, Explanation


async def explain(request: HttpRequest) -> HttpResponse:
    """`{"shape", "path"?, "body", "provider"?}`; `body` is that of a create, `path` where it would be sent to."""
    client = await caller(request)
    house = house_of(request)
    asked = await read_fields(request, ("shape", "path", "body", "provider"), house.limits.create_bytes)
    shape, body, provider = asked.get("shape"), asked.get("body"), asked.get("provider")
    if not isinstance(shape, str) or shape not in house.shapes:
        raise _wrong("shape", f"it may be {', '.join(house.shapes)}")
    if not isinstance(body, dict):
        raise _wrong("body", "an object is needed, the body of a create")
    if not isinstance(provider, str | None):
        raise _wrong("provider", "a text is needed, the name of a provider")
    path = asked.get("path") or _usual_path(house, shape, body)
    if not isinstance(path, str) or shape_name(path) != shape:
        raise _wrong("path", f"the path of a {shape} create is needed, or none")
    standing = await house.store.allowances.standing(client.id, house.clock())
    return JSONResponse(_shown(house.explainer.explain(shape, Request("POST", path, body), provider, standing)))


def _usual_path(house: House, shape: str, body: dict[str, Any]) -> str:
    """Only of a flat create does the path say something: the service, which the model decides."""
    if shape != "flat":
        return "/api/v1/" if shape == "native" else "/wan/api/"
    model = house.catalogue.find(str(body.get("model")))
    return f"/{model.service if model else 'wan'}/videos"


def _wrong(field: str, text: str) -> Refused:
    return refused(400, Category.INVALID_REQUEST, f"{field}: {text}.")


def _shown(explanation: Explanation) -> dict[str, Any]:
    chosen = explanation.chosen
    return {
        "model": explanation.model,
        "chosen": chosen.provider.name if chosen else None,
        "order": [candidate.provider.name for candidate in explanation.order],
        "candidates": [_candidate(candidate) for candidate in explanation.candidates],
    }


def _candidate(candidate: Candidate) -> dict[str, Any]:
    sent, changes = candidate.request, candidate.changes
    return {
        "provider": candidate.provider.name,
        "title": candidate.provider.title,
        "takes": not candidate.objections,
        "objections": [{"path": one.path, "reason": one.reason} for one in candidate.objections],
        "request": {"method": sent.method, "path": sent.path, "headers": dict(sent.headers), "body": sent.body}
        if sent
        else None,
        "renamed": [{"from": theirs, "to": ours} for theirs, ours in changes.renamed],
        "defaulted": [{"name": name, "value": value} for name, value in changes.defaulted.items()],
        "added": [{"name": name, "value": value} for name, value in changes.added.items()],
        "left_out": [{"name": name, "reason": reason} for name, reason in changes.left_out.items()],
        "price": asdict(candidate.cost) if candidate.cost else None,
    }


ROUTES = [Route("/v1/explain", explain, methods=["POST"])]
