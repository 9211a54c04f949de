"""Money as our API says it: in micros, millionths of a unit of its currency."""

from __future__ import annotations

from typing import Any

from service.ledger import Charge


def charged(charge: Charge) -> dict[str, Any]:
    """`estimate` is what it costs at most, `amount` what it did cost, null while that is open; where the catalogue
    knows no price all is null."""
    return {
        "currency": charge.currency or None,
        "resolution": charge.resolution or None,
        "per_second_micros": charge.per_second,
        "estimate_micros": charge.estimate,
        "amount_micros": charge.amount,
    }
