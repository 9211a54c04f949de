"""The HTTP edge: requests become values, values and exceptions become replies. No decisions are made here."""

from service.routes import (
    callbacks,
    decisions,
    events,
    explain,
    health,
    keys,
    openapi,
    own,
    shapes,
    subscriptions,
    watch,
)

ROOMS = (shapes, own, subscriptions, watch, explain, keys, events, decisions, callbacks, health, openapi)
ROUTES = [route for room in ROOMS for route in room.ROUTES]
