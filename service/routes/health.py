"""Is it alive (`/health`), may it get traffic (`/ready`). Neither shows anything of anybody's tasks."""

from __future__ import annotations

from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse
from starlette.responses import Response as HttpResponse
from starlette.routing import Route

from service.routes.edge import house_of

DEAD_MS = 60_000


async def health(request: HttpRequest) -> HttpResponse:
    """503 when a loop has not come round for a minute or has ended: the server would still answer without it.

    `instance` tells one run of a server from another: whether a public URL leads here, or elsewhere."""
    house = house_of(request)
    now = house.clock()
    loops = {
        name: {"alive": worker.running and now - worker.beat < DEAD_MS, "last_beat_ms": now - worker.beat}
        for name, worker in house.workers.items()
    }
    healthy = all(loop["alive"] for loop in loops.values())
    status = "ok" if healthy else "failing"
    return JSONResponse({"status": status, "instance": house.instance, "loops": loops}, 200 if healthy else 503)


async def ready(request: HttpRequest) -> HttpResponse:
    """503 while starting and stopping, and when the database does not answer."""
    house = house_of(request)
    if house.waiting.closed or not all(worker.running for worker in house.workers.values()):
        return JSONResponse({"status": "not ready"}, 503)
    await house.store.keys.any()
    return JSONResponse({"status": "ready"})


ROUTES = [Route("/health", health), Route("/ready", ready)]
