"""Which upstream gets a submission: the first configured one that offers the model and can say every set field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from adapters.base import Adapter
from adapters.catalogue import Catalogue, Model
from adapters.check import Problem, check
from adapters.messages import Category, Submission, Unsupported
from service.errors import Refused, refused
from service.upstream import Upstream


def choose(
    upstreams: Sequence[Upstream], catalogue: Catalogue, shape: Adapter, submission: Submission, named: str | None
) -> Upstream:
    """Raises `Refused` (400) with each candidate's reason when none is left. `named` is the client's own choice; then
    an unknown model is passed to it unchecked, because its documents may be newer than our catalogue."""
    model = catalogue.find(submission.model)
    if model is None and named is None:
        raise _unknown_model(catalogue, shape, submission.model)
    reasons: dict[str, str] = {}
    for upstream in _in_order(upstreams, shape, named):
        reason = _objection(upstream, shape, submission, model)
        if reason is None:
            return upstream
        reasons[upstream.provider.title] = reason
    raise _none_left(reasons, submission.model, named)


def _in_order(upstreams: Sequence[Upstream], shape: Adapter, named: str | None) -> list[Upstream]:
    if named is not None:
        chosen = [upstream for upstream in upstreams if upstream.name == named]
        if not chosen:
            known = ", ".join(upstream.name for upstream in upstreams) or "none"
            raise refused(400, Category.INVALID_REQUEST, f"X-Ringback-Provider: it may be {known}.")
        return chosen
    # Stable: among equals the operator's order holds. The client's own shape first, then whoever shares its fields.
    return sorted(upstreams, key=lambda each: (each.adapter.name != shape.name, each.adapter.family != shape.family))


def _objection(upstream: Upstream, shape: Adapter, submission: Submission, model: Model | None) -> str | None:
    if model is not None:
        if upstream.name not in model.providers:
            return f"it does not offer {model.name}."
        problems = check(submission, model, upstream.name)
        if problems:
            return " ".join(
                f"{_place(shape, problem, model)}: {problem.given} given, allowed: {problem.allowed}."
                for problem in problems
            )
    try:
        upstream.adapter.write_submission(submission)
    except Unsupported as error:
        return " ".join(f"{name}: {reason}." for name, reason in error.fields.items())
    return None


def _place(shape: Adapter, problem: Problem, model: Model) -> str:
    return shape.wire_path(problem.field) if problem.piece is None else shape.media_path(problem.piece, model)


def _unknown_model(catalogue: Catalogue, shape: Adapter, name: str) -> Refused:
    near = catalogue.near(name)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    path = shape.wire_path("model")
    text = f"{path}: {name[:80]!r} is not a model in the catalogue.{hint}"
    way_out = "The header X-Ringback-Provider passes it to a provider all the same."
    return refused(400, Category.INVALID_REQUEST, f"{text} {way_out}")


def _none_left(reasons: Mapping[str, str], model: str, named: str | None) -> Refused:
    if not reasons:
        return refused(503, Category.REJECTED, "This server has no provider: give it a provider's API key.")
    objections = {reason for reason in reasons.values() if "does not offer" not in reason} or set(reasons.values())
    if len(objections) == 1:
        return refused(400, Category.INVALID_REQUEST, objections.pop())
    alike: dict[str, list[str]] = {}
    for title, reason in reasons.items():
        alike.setdefault(reason, []).append(title)
    listed = " ".join(f"{', '.join(titles)}: {reason}" for reason, titles in alike.items())
    return refused(400, Category.INVALID_REQUEST, f"No provider can take this {model} task. {listed}")
