"""Exceptions that say whose fault it is. They become HTTP only in `service.routes`."""

from __future__ import annotations

from adapters.messages import Category, Failure, Refusal


class Refused(Exception):
    """A client's request that was turned down; `refusal` is written in the client's own shape."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.failure.message)
        self.refusal = refusal


def refused(status: int, category: Category, message: str, code: str = "") -> Refused:
    """A refusal in our own words. Without a `code` each shape uses its own word for the category."""
    return Refused(Refusal(status, Failure(category, code, message)))
