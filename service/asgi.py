"""The server as an ASGI application: routes, errors, and the loops in its lifespan."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.middleware import Middleware

from service.routes import ROUTES
from service.routes.edge import HANDLERS
from service.routes.hosts import HostGuard

if TYPE_CHECKING:
    from service.app import Ringback


def create_app(ringback: Ringback) -> Starlette:
    """The ASGI application. Its lifespan runs the server's loops."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with ringback.running():
            yield

    public = ringback.settings.public_url
    public_host = urlsplit(public).hostname if public else None
    app = Starlette(
        routes=ROUTES,
        lifespan=lifespan,
        middleware=[Middleware(HostGuard, public_host=public_host)],
        exception_handlers=HANDLERS,
    )
    app.router.redirect_slashes = False  # a redirect of a POST loses its body behind TLS
    app.state.house = ringback.house
    return app
