"""The HTTP edge: requests become values, values and exceptions become replies. No decisions are made here."""

from service.routes import callbacks, health, own, shapes

ROUTES = [*shapes.ROUTES, *own.ROUTES, *callbacks.ROUTES, *health.ROUTES]
