"""Sending again what was told: one delivery, a task, or whatever a filter chooses; and how that goes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse
from starlette.responses import Response as HttpResponse
from starlette.routing import Route

from adapters.messages import Category
from service.domain.deliveries import DeliveryState
from service.domain.replays import DEFAULT_RATE, HIGHEST_RATE, Replay, ReplayState, Selection
from service.domain.tell import RECOVERED, TYPES, iso
from service.errors import Refused, refused
from service.routes.edge import caller, house_of, not_found, read_fields, scope
from service.routes.own import shown_delivery
from service.routes.pages import cursor, moment, page
from service.store.replays import Progress

CHOICES = ("failed", "states", "types", "task", "endpoint", "since", "until")
"""What narrows a replay."""
HOW = ("new_id", "rate")
SAID = (*TYPES.values(), RECOVERED)

Fields = Mapping[str, Any]


async def replay_delivery(request: HttpRequest) -> HttpResponse:
    """`{"new_id"?}`: sends one delivery again, now, with the same id and body, from the start of its schedule; or as
    another one."""
    client = await caller(request)
    fields = await read_fields(request, ("new_id",), optional=True)
    house, new_id = house_of(request), _flag(fields, "new_id")
    again = await house.replayer.again(request.path_params["delivery_id"], scope(client), new_id=new_id)
    return JSONResponse(shown_delivery(again), 202)


async def replay_task(request: HttpRequest) -> HttpResponse:
    """`{"new_id"?, "rate"?}`: sends again all that was told of a task."""
    client = await caller(request)
    fields = await read_fields(request, HOW, optional=True)
    house, task = house_of(request), request.path_params["task_id"]
    new_id, rate = _flag(fields, "new_id"), _rate(fields)
    return JSONResponse(_shown(await house.replayer.of_task(task, scope(client), new_id=new_id, rate=rate)), 202)


async def replay_chosen(request: HttpRequest) -> HttpResponse:
    """Sends again what a filter chooses; with `dry_run` it is said what that would be."""
    client = await caller(request)
    house = house_of(request)
    fields = await read_fields(request, (*CHOICES, *HOW, "dry_run"))
    selection, rate, new_id = _selection(fields, house.clock()), _rate(fields), _flag(fields, "new_id")
    if not _flag(fields, "dry_run"):
        begun = await house.replayer.begin(selection, scope(client), new_id=new_id, rate=rate)
        return JSONResponse(_shown(begun), 202)
    would = await house.replayer.preview(selection, scope(client))
    return JSONResponse(
        {
            "matched": would.matched,
            "oldest": _time(would.oldest),
            "newest": _time(would.newest),
            "sample": [shown_delivery(one) for one in would.sample],
        }
    )


async def list_replays(request: HttpRequest) -> HttpResponse:
    client = await caller(request)
    before, limit = page(request)
    found = await house_of(request).store.replays.recent(scope(client), before, limit)
    places = [(one.created_at, one.id) for one in found]
    return JSONResponse({"replays": [_shown(one) for one in found], "cursor": cursor(places, limit)})


async def replay(request: HttpRequest) -> HttpResponse:
    client = await caller(request)
    found = await house_of(request).store.replays.get(request.path_params["replay_id"], scope(client))
    return await _told(request, found)


async def cancel_replay(request: HttpRequest) -> HttpResponse:
    """What is in line already is still sent."""
    client = await caller(request)
    house = house_of(request)
    return await _told(
        request, await house.store.replays.cancel(request.path_params["replay_id"], scope(client), house.clock())
    )


async def _told(request: HttpRequest, found: Replay | None) -> HttpResponse:
    if found is None:
        raise not_found("replay")
    house = house_of(request)
    return JSONResponse(_shown(found) | _progress(found, await house.store.replays.progress(found.id), house.clock()))


def _shown(replay: Replay) -> dict[str, Any]:
    selection = replay.selection
    chosen = {
        "failed": selection.failed,
        "states": list(selection.states),
        "types": list(selection.types),
        "task": selection.task or None,
        "endpoint": selection.endpoint or None,
        "since": _time(selection.since or None),
        "until": _time(selection.until if selection.until < Selection().until else None),
    }
    return {
        "id": replay.id,
        "state": replay.state,
        "selection": chosen,
        "new_id": replay.new_id,
        "rate": replay.rate,
        "created_at": iso(replay.created_at),
        "finished_at": _time(replay.finished_at),
        "matched": replay.matched,
        "replayed": replay.replayed,
        "skipped": replay.skipped,
    }


def _progress(replay: Replay, progress: Progress, now: int) -> dict[str, Any]:
    """`left` is what is still to be tried: not in line yet, or waiting there for its first attempt."""
    to_come = 0 if replay.ended else replay.matched - replay.replayed - replay.skipped
    running = replay.state is ReplayState.RUNNING
    return {
        "skipped_because": dict(progress.skipped),
        "delivered": progress.delivered,
        "failed_again": progress.failed_again,
        "left": to_come + progress.waiting,
        "eta": iso(now + to_come * 1000 // replay.rate) if running else None,
    }


def _selection(fields: Fields, now: int) -> Selection:
    if not any(fields.get(name) for name in CHOICES):
        raise _wrong("body", f"say what is to be sent again, by one or more of {', '.join(CHOICES)}")
    since, until = (_text(fields, name) for name in ("since", "until"))
    return Selection(
        failed=_flag(fields, "failed"),
        states=tuple(map(DeliveryState, _words(fields, "states", tuple(DeliveryState)))),
        types=_words(fields, "types", SAID),
        task=_text(fields, "task"),
        endpoint=_text(fields, "endpoint"),
        since=moment("since", since, now) if since else 0,
        until=moment("until", until, now) if until else Selection().until,
    )


def _flag(fields: Fields, name: str) -> bool:
    value = fields.get(name, False)
    if not isinstance(value, bool):
        raise _wrong(name, "true or false is needed")
    return value


def _text(fields: Fields, name: str) -> str:
    value = fields.get(name) or ""
    if not isinstance(value, str):
        raise _wrong(name, "a text is needed")
    return value


def _words(fields: Fields, name: str, known: Collection[str]) -> tuple[str, ...]:
    value = fields.get(name) or []
    if not isinstance(value, list) or not all(isinstance(one, str) and one in known for one in value):
        raise _wrong(name, f"a list is needed, of {', '.join(known)}")
    return tuple(dict.fromkeys(value))


def _rate(fields: Fields) -> int:
    value = fields.get("rate", DEFAULT_RATE)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= HIGHEST_RATE:
        raise _wrong("rate", f"a whole number from 1 to {HIGHEST_RATE} is needed, deliveries a second")
    return value


def _wrong(field: str, text: str) -> Refused:
    return refused(400, Category.INVALID_REQUEST, f"{field}: {text}.")


def _time(at: int | None) -> str | None:
    return None if at is None else iso(at)


ROUTES = [
    Route("/v1/deliveries/{delivery_id}/replay", replay_delivery, methods=["POST"]),
    Route("/v1/tasks/{task_id}/replay", replay_task, methods=["POST"]),
    Route("/v1/replays", replay_chosen, methods=["POST"]),
    Route("/v1/replays", list_replays),
    Route("/v1/replays/{replay_id}", replay),
    Route("/v1/replays/{replay_id}/cancel", cancel_replay, methods=["POST"]),
]
