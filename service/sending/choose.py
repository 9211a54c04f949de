"""Which upstreams can take a submission: those that offer the model and can say every set field, in the order of
preference."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from adapters.base import Adapter
from adapters.catalogue import Catalogue, Model
from adapters.check import Problem, check
from adapters.messages import Category, Submission, Unsupported
from service.accounts.upstream import Upstream
from service.domain.allowances import UNLIMITED, Budget, Limit, Limited, Shortage, Standing
from service.domain.ledger import quote_of
from service.domain.price import Cost, cost
from service.errors import Refused, refused

OF_SNAPSHOTS = "native"
"""The shape whose providers offer models under the names of their snapshots, too."""


@dataclass(frozen=True, slots=True)
class Objection:
    """Why an upstream cannot take a submission. `path` is the client's wire path of what is in the way; without
    `offered` that is the model itself. `limit` and `budget` say what of the client's allowance it is."""

    path: str
    reason: str
    offered: bool = True
    limit: Limit | None = None
    budget: Budget | None = None

    @property
    def sentence(self) -> str:
        return f"{self.path}: {self.reason}." if self.offered else f"{self.reason}."


def choose(
    upstreams: Sequence[Upstream],
    catalogue: Catalogue,
    shape: Adapter,
    submission: Submission,
    named: str | None,
    standing: Standing = UNLIMITED,
) -> list[Upstream]:
    """All that can take it, the preferred one first. Raises `Refused` (400) with each candidate's reason when there is
    none, `Limited` where only the client's allowance is in the way. `named` is the client's own choice; then an unknown
    model is passed to it unchecked, because its documents may be newer than our catalogue."""
    model = wanted_model(catalogue, shape, submission, named)
    asked = candidates(upstreams, shape, submission, named)
    objections = {upstream.name: objections_of(upstream, shape, submission, model, standing) for upstream in asked}
    able = [upstream for upstream in asked if not objections[upstream.name]]
    if not able:
        raise _none_left({each.provider.title: objections[each.name] for each in asked}, submission.model)
    return able


def wanted_model(catalogue: Catalogue, shape: Adapter, submission: Submission, named: str | None) -> Model | None:
    """The catalogue's model. Raises `Refused` (400) for an unknown one, unless the client names a provider."""
    model = catalogue.find(submission.model)
    if model is None and named is None:
        raise _unknown_model(catalogue, shape, submission.model)
    return model


def candidates(
    upstreams: Sequence[Upstream], shape: Adapter, submission: Submission, named: str | None
) -> list[Upstream]:
    """Those that are asked, in the order of preference. Raises `Refused` (400) for a name that is none of them."""
    if named is not None:
        chosen = [upstream for upstream in upstreams if upstream.name == named]
        if not chosen:
            known = ", ".join(upstream.name for upstream in upstreams) or "none"
            raise refused(400, Category.INVALID_REQUEST, f"X-Ringback-Provider: it may be {known}.")
        return chosen
    # Stable: among equals the operator's order holds. The client's own shape first, then whoever shares its fields; but
    # a snapshot's only home (`Model.snapshots`) before everybody: others would have to refuse it first.
    at_home = OF_SNAPSHOTS if shape.catalogue.is_snapshot(submission.model) else ""
    return sorted(
        upstreams,
        key=lambda each: (
            bool(at_home) and each.adapter.name != at_home,
            each.adapter.name != shape.name,
            each.adapter.family != shape.family,
        ),
    )


def objections_of(
    upstream: Upstream, shape: Adapter, submission: Submission, model: Model | None, standing: Standing = UNLIMITED
) -> tuple[Objection, ...]:
    """All that keeps `upstream` from taking the submission; empty if nothing does. The client's rights come first, what
    it may spend last, because a price is only known of what can be sent."""
    if short := standing.forbids(upstream.name, _names(upstream, submission, model)):
        return (_limited(short, offered=False),)
    found = _unable(upstream, shape, submission, model)
    if not found and standing.allowance.budgets:
        short = standing.short_of(quote_of(price_at(upstream, submission)))
        return (_limited(short),) if short else ()
    return found


def _limited(short: Shortage, *, offered: bool = True) -> Objection:
    """What is in the way is the client's key."""
    return Objection("authorization", short.reason, offered, short.limit, short.budget)


def _names(upstream: Upstream, submission: Submission, model: Model | None) -> set[str]:
    """All that the model is called: by the client, in truth, and without the date of a snapshot."""
    real = upstream.adapter.catalogue.real_name(submission.model)
    return {submission.model, real, model.name if model else real}


def _unable(upstream: Upstream, shape: Adapter, submission: Submission, model: Model | None) -> tuple[Objection, ...]:
    if model is not None:
        if upstream.name not in model.providers:
            return (Objection(shape.wire_path("model"), f"it does not offer {model.name}", offered=False),)
        problems = check(submission, model, upstream.provider)
        if problems:
            return tuple(
                Objection(_place(shape, problem, model), f"{problem.given} given, allowed: {problem.allowed}")
                for problem in problems
            )
    try:
        upstream.adapter.write_submission(submission)
    except Unsupported as error:
        return tuple(Objection(path, reason) for path, reason in error.fields.items())
    return ()


def price_at(upstream: Upstream, submission: Submission) -> Cost | None:
    """What a submission that it can take would cost at `upstream`; None where the catalogue has no price for it."""
    catalogue = upstream.adapter.catalogue
    real = replace(submission, model=catalogue.real_name(submission.model))
    said = upstream.adapter.translate_submission(real).submission
    return cost(catalogue.find(real.model), upstream.provider, said)


def _place(shape: Adapter, problem: Problem, model: Model) -> str:
    return shape.wire_path(problem.field) if problem.piece is None else shape.media_path(problem.piece, model)


def _unknown_model(catalogue: Catalogue, shape: Adapter, name: str) -> Refused:
    near = catalogue.near(name)
    hint = f"Did you mean {' or '.join(near)}?" if near else "`ringback models` lists them."
    path = shape.wire_path("model")
    text = f"{path}: {name[:80]!r} is not a model in the catalogue. {hint}"
    way_out = "The header X-Ringback-Provider passes it to a provider all the same."
    return refused(400, Category.INVALID_REQUEST, f"{text} {way_out}")


def _none_left(objections: Mapping[str, Sequence[Objection]], model: str) -> Refused:
    if not objections:
        return refused(503, Category.REJECTED, "This server has no provider: give it a provider's API key.")
    reasons = {title: " ".join(each.sentence for each in found) for title, found in objections.items()}
    offering = {reasons[title] for title, found in objections.items() if all(each.offered for each in found)}
    telling = offering or set(reasons.values())
    refusing = _refusing([found for title, found in objections.items() if reasons[title] in telling])
    if len(telling) == 1:
        (said,) = telling
        return refusing(said if offering else f"{', '.join(objections)}: {said}")
    alike: dict[str, list[str]] = {}
    for title, reason in reasons.items():
        alike.setdefault(reason, []).append(title)
    listed = " ".join(f"{', '.join(titles)}: {reason}" for reason, titles in alike.items())
    return refusing(f"No provider can take this {model} task. {listed}")


def _refusing(told: Sequence[Sequence[Objection]]) -> Callable[[str], Refused]:
    """Whoever could send but for the allowance is told so by the status and the code, whatever others object."""
    for limit in (Limit.BUDGET, Limit.PRICE, Limit.RIGHT):
        for found in told:
            if all(each.limit is limit for each in found):
                return partial(Limited, limit, budget=found[0].budget)
    return partial(refused, 400, Category.INVALID_REQUEST)
