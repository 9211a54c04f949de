"""What a video would cost, as far as the catalogue and the request say it."""

from __future__ import annotations

from dataclasses import dataclass

from adapters.catalogue import Model, default
from adapters.messages import Kind, Scalar, Submission
from adapters.model import Price
from adapters.providers import Provider
from adapters.translate import SIZES

VIDEOS = frozenset({Kind.VIDEO, Kind.FIRST_CLIP, Kind.REFERENCE, Kind.REFERENCE_VIDEO})
"""Input whose own length is billed too (video edits: in and out), and that nobody knows before."""


@dataclass(frozen=True, slots=True)
class Cost:
    """`amount` is in `currency`; it and `seconds` are None where the billed length or the resolution is not known
    before. `most` is what it costs at most then: the longest video and the longest input that the catalogue's rules
    allow, at the dearest price of the resolutions that may be meant; None where the rules set no limit."""

    per_second: float
    currency: str
    resolution: str
    seconds: int | None
    amount: float | None
    most_seconds: int | None
    most: float | None
    source: str


def cost(model: Model | None, provider: Provider, submission: Submission) -> Cost | None:
    """Of a submission in the provider's own words; None where the catalogue has no price for it."""
    if model is None:
        return None
    resolution = meant_resolution(model, provider, submission)
    price = _price(model, provider, resolution)
    if price is None:
        return None
    seconds = None if resolution is None else _seconds(model, provider, submission)
    longest = seconds if seconds is not None else _longest(model, provider, submission)
    return Cost(
        price.per_second, price.currency, price.resolution, seconds, _amount(price, seconds), longest,
        _amount(price, longest), price.source,
    )  # fmt: skip


def in_words(bill: Cost | None) -> str:
    """For people: "0.42 USD"; where the amount is not known before, what is."""
    if bill is None:
        return "what its provider charges (the catalogue has no price)"
    if bill.amount is not None:
        return f"{bill.amount:g} {bill.currency}"
    if bill.most is not None:
        return f"at most {bill.most:g} {bill.currency}"
    return f"{bill.per_second:g} {bill.currency} a second"


def _amount(price: Price, seconds: int | None) -> float | None:
    return None if seconds is None else round(price.per_second * seconds, 6)


def _price(model: Model, provider: Provider, resolution: str | None) -> Price | None:
    """The dearest that may be meant; none where these are in several currencies."""
    meant = [
        price for price in model.prices if price.provider == provider.name and resolution in (None, price.resolution)
    ]
    if len({price.currency for price in meant}) != 1:
        return None
    return max(meant, key=lambda price: price.per_second)


def meant_resolution(model: Model, provider: Provider, submission: Submission) -> str | None:
    """Of models that are told a size instead, what that is; None if it is left to the provider."""
    said = meant(model, provider, submission, "resolution")
    size = SIZES.get(str(submission.parameters.get("size")), (None,))
    return size[0] if said is None else str(said)


def _seconds(model: Model, provider: Provider, submission: Submission) -> int | None:
    duration = meant(model, provider, submission, "duration")
    if any(piece.kind in VIDEOS for piece in submission.media) or not isinstance(duration, int):
        return None
    return duration if duration > 0 else None  # 0: like the input, -1: the model chooses


def _longest(model: Model, provider: Provider, submission: Submission) -> int | None:
    """The seconds that can be billed at most: of the video, and of all input that has a length of its own."""
    given = 0
    for piece in submission.media:
        if piece.kind in VIDEOS:
            if piece.kind not in model.input_seconds:
                return None
            given += model.input_seconds[piece.kind]
    duration = meant(model, provider, submission, "duration")
    if isinstance(duration, int) and duration > 0:
        return given + duration
    rule = model.parameters.get("duration")
    if rule is None or rule.maximum is None:
        return 2 * given or None  # without a word for it, the video is as long as its input
    known = (*rule.also, *rule.providers.get(provider.name, ()))
    return given + max(rule.maximum, *(each for each in known if isinstance(each, int)), 0)


def meant(model: Model, provider: Provider, submission: Submission, name: str) -> Scalar | None:
    """What is said, or what the provider takes silence for."""
    return submission.parameters.get(name, default(model, provider.shape, name))
