"""Which upstream gets a submission: the first configured one that offers the model and can say every set field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from adapters.base import Adapter
from adapters.catalogue import Catalogue, Model
from adapters.check import Problem, check
from adapters.messages import Category, Submission, Unsupported
from service.errors import Refused, refused
from service.price import Cost, cost
from service.upstream import Upstream


@dataclass(frozen=True, slots=True)
class Objection:
    """Why an upstream cannot take a submission. `path` is the client's wire path of what is in the way; without
    `offered` that is the model itself."""

    path: str
    reason: str
    offered: bool = True

    @property
    def sentence(self) -> str:
        return f"{self.path}: {self.reason}." if self.offered else f"{self.reason}."


def choose(
    upstreams: Sequence[Upstream], catalogue: Catalogue, shape: Adapter, submission: Submission, named: str | None
) -> Upstream:
    """Raises `Refused` (400) with each candidate's reason when none is left. `named` is the client's own choice; then
    an unknown model is passed to it unchecked, because its documents may be newer than our catalogue."""
    model = wanted_model(catalogue, shape, submission, named)
    objections: dict[str, Sequence[Objection]] = {}
    for upstream in candidates(upstreams, shape, named):
        found = objections_of(upstream, shape, submission, model)
        if not found:
            return upstream
        objections[upstream.provider.title] = found
    raise _none_left(objections, submission.model)


def wanted_model(catalogue: Catalogue, shape: Adapter, submission: Submission, named: str | None) -> Model | None:
    """The catalogue's model. Raises `Refused` (400) for an unknown one, unless the client names a provider."""
    model = catalogue.find(submission.model)
    if model is None and named is None:
        raise _unknown_model(catalogue, shape, submission.model)
    return model


def candidates(upstreams: Sequence[Upstream], shape: Adapter, named: str | None) -> list[Upstream]:
    """Those that are asked, in the order of preference. Raises `Refused` (400) for a name that is none of them."""
    if named is not None:
        chosen = [upstream for upstream in upstreams if upstream.name == named]
        if not chosen:
            known = ", ".join(upstream.name for upstream in upstreams) or "none"
            raise refused(400, Category.INVALID_REQUEST, f"X-Ringback-Provider: it may be {known}.")
        return chosen
    # Stable: among equals the operator's order holds. The client's own shape first, then whoever shares its fields.
    return sorted(upstreams, key=lambda each: (each.adapter.name != shape.name, each.adapter.family != shape.family))


def objections_of(
    upstream: Upstream, shape: Adapter, submission: Submission, model: Model | None
) -> tuple[Objection, ...]:
    """All that keeps `upstream` from taking the submission; empty if nothing does."""
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
    if len(telling) == 1:
        (said,) = telling
        return refused(400, Category.INVALID_REQUEST, said if offering else f"{', '.join(objections)}: {said}")
    alike: dict[str, list[str]] = {}
    for title, reason in reasons.items():
        alike.setdefault(reason, []).append(title)
    listed = " ".join(f"{', '.join(titles)}: {reason}" for reason, titles in alike.items())
    return refused(400, Category.INVALID_REQUEST, f"No provider can take this {model} task. {listed}")
