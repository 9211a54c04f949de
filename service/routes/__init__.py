"""The HTTP edge: requests become values, values and exceptions become replies. No decisions are made here."""

from service.routes import (
    allowances,
    callbacks,
    decisions,
    endpoints,
    event_log,
    events,
    explain,
    health,
    keys,
    money,
    openapi,
    own,
    replays,
    shapes,
    subscriptions,
    trials,
    watch,
)

ROOMS = (
    shapes, own, replays, subscriptions, watch, explain, keys, endpoints, allowances, money, event_log, events,
    trials, decisions, callbacks, health, openapi,
)  # fmt: skip
ROUTES = [route for room in ROOMS for route in room.ROUTES]
