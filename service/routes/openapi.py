"""The server's own description."""

from __future__ import annotations

from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse
from starlette.responses import Response as HttpResponse
from starlette.routing import Route

from service.openapi import document


async def openapi(request: HttpRequest) -> HttpResponse:
    return JSONResponse(document())


ROUTES = [Route("/openapi.json", openapi)]
