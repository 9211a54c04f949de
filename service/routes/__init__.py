"""The HTTP edge: requests become values, values and exceptions become replies. No decisions are made here."""

from service.routes import callbacks, health, keys, own, shapes, subscriptions

ROUTES = [*shapes.ROUTES, *own.ROUTES, *subscriptions.ROUTES, *keys.ROUTES, *callbacks.ROUTES, *health.ROUTES]
