"""What a video would cost, as far as the catalogue and the request say it."""

from __future__ import annotations

from dataclasses import dataclass

from adapters.catalogue import Model, default
from adapters.messages import Kind, Scalar, Submission
from adapters.providers import Provider

VIDEOS = frozenset({Kind.VIDEO, Kind.FIRST_CLIP, Kind.REFERENCE, Kind.REFERENCE_VIDEO})
"""Input whose own length is billed too (video edits: in and out), and that nobody knows before."""


@dataclass(frozen=True, slots=True)
class Cost:
    """`amount` is in `currency`; it and `seconds` are None where the billed length is not known before."""

    per_second: float
    currency: str
    resolution: str
    seconds: int | None
    amount: float | None
    source: str


def cost(model: Model | None, provider: Provider, submission: Submission) -> Cost | None:
    """Of a submission in the provider's own words; None where the catalogue has no price for it."""
    if model is None:
        return None
    resolution = _meant(model, provider, submission, "resolution")
    for price in model.prices:
        if (price.provider, price.resolution) == (provider.name, resolution):
            seconds = _seconds(model, provider, submission)
            amount = None if seconds is None else round(price.per_second * seconds, 6)
            return Cost(price.per_second, price.currency, price.resolution, seconds, amount, price.source)
    return None


def _seconds(model: Model, provider: Provider, submission: Submission) -> int | None:
    duration = _meant(model, provider, submission, "duration")
    if any(piece.kind in VIDEOS for piece in submission.media) or not isinstance(duration, int):
        return None
    return duration if duration > 0 else None  # 0: like the input, -1: the model chooses


def _meant(model: Model, provider: Provider, submission: Submission, name: str) -> Scalar | None:
    """What is said, or what the provider takes silence for."""
    return submission.parameters.get(name, default(model, provider.shape, name))
