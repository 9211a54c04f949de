"""The HTTP edge: requests become values, values and exceptions become replies. No decisions are made here."""

from service.routes import callbacks, health, keys, openapi, own, shapes, subscriptions

ROUTES = [route for room in (shapes, own, subscriptions, keys, callbacks, health, openapi) for route in room.ROUTES]
