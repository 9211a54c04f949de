"""The calls about money: what was spent, and what a client key may do and spend. Amounts are micros: millionths of a
unit of their currency."""

from __future__ import annotations

from collections.abc import Mapping

from service.domain.allowances import Period
from service.openapi.parts import SINCE, call, errors, parameter
from service.openapi.words import FLAG, TEXT, WHOLE, Part, array, described, nullable, record, ref, reply
from service.store.costs import By

SPENT = {
    "currency": described(nullable(TEXT), "null: of sends without a price"),
    "tasks": WHOLE,
    "settled_micros": described(WHOLE, "What ended sends did cost"),
    "running_micros": described(WHOLE, "What sends that are at work cost at most"),
    "in_doubt_micros": described(WHOLE, "What sends cost at most of which nobody knows whether they were billed"),
    "unpriced": described(WHOLE, "Sends that may have cost something, without a price in the catalogue"),
}
GROUPS = {
    **dict.fromkeys(("key", "name", "model", "provider"), TEXT),
    "day": described(TEXT, "Of the submission: YYYY-MM-DD, UTC"),
}
BY = described({**TEXT, "examples": ["key,day"]}, f"{', '.join(By)}; several with commas")
COST = record(
    {"by": array({"enum": list(By)}), "rows": array(record({**GROUPS, **SPENT}, SPENT)), "totals": array(record(SPENT))}
)

CHARGE = record(
    {
        "currency": nullable(TEXT),
        "resolution": nullable(TEXT),
        "per_second_micros": nullable(WHOLE),
        "estimate_micros": described(nullable(WHOLE), "What it costs at most, in millionths of the currency's unit"),
        "amount_micros": described(nullable(WHOLE), "What it did cost; null while it runs or is in doubt"),
    }
)

AMOUNT = {**WHOLE, "minimum": 0, "maximum": 10**18}
CURRENCY = {**TEXT, "pattern": "^[A-Z]{1,12}$"}
BUDGET = record(
    {"amount_micros": AMOUNT, "currency": CURRENCY, "period": {"enum": list(Period)}}, additionalProperties=False
)
NAMES = {**array({**TEXT, "minLength": 1, "maxLength": 200}), "maxItems": 200, "type": ["array", "null"]}
ALLOWED = {
    "providers": described(NAMES, "All that it may use; null: any"),
    "models": described(NAMES, "All that it may use, by name or alias; null: any"),
    "watch": described(FLAG, "May it watch tasks on the operator's accounts at the providers"),
    "budgets": {**array(BUDGET), "maxItems": 200},
}
MONEY_SCHEMAS: Mapping[str, Part] = {"Cost": COST, "Allowance": record({"client": TEXT, **ALLOWED})}

MONEY: Mapping[str, Part] = {
    "/v1/cost": {
        "get": call(
            "cost",
            "Ringback",
            "What was spent: by everybody for the operator, else by this key",
            reply(200, "By group and currency", ref("Cost")) | errors("own", 400, 401, 403),
            parameters=[
                parameter("by", "query", BY),
                SINCE,
                parameter("until", "query", TEXT, "The same; what was submitted before"),
                parameter("client", "query", TEXT, "Only this client (operator)"),
            ],
        )
    },
    "/v1/keys/{client}/allowance": {
        "parameters": [parameter("client", "path", TEXT, "A key's id or name, env:NAME, or open")],
        "get": call(
            "allowance",
            "Ringback",
            "What a client may do and spend (operator)",
            reply(200, "Its allowance", ref("Allowance")) | errors("own", 401, 403, 404),
        ),
        "put": call(
            "allow",
            "Ringback",
            "Say what a client may do and spend, at once (operator)",
            reply(200, "Its allowance", ref("Allowance")) | errors("own", 400, 401, 403, 404, 413),
            body=record(ALLOWED, (), additionalProperties=False),
        ),
        "delete": call(
            "disallow",
            "Ringback",
            "Take all limits and rights of a client away (operator)",
            {"204": {"description": "Done"}} | errors("own", 401, 403, 404),
        ),
    },
}
