"""What would be sent, to whom, and how it differs from what the client says. Nothing is sent and nothing is kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from adapters.base import Adapter
from adapters.catalogue import Catalogue, Model
from adapters.messages import Fields, Request, Submission
from adapters.paths import media_path
from adapters.providers import Provider
from adapters.translate import Translation
from service.accounts.upstream import Upstream
from service.domain.allowances import UNLIMITED, Standing
from service.domain.price import Cost
from service.keys.callback_urls import CallbackUrls
from service.sending.choose import Objection, candidates, objections_of, price_at, wanted_model
from service.sending.send import as_sent


@dataclass(frozen=True, slots=True)
class Changes:
    """From the client's body to the provider's, by wire path. Every field of both is either said as it came or here.

    `renamed` has the client's path and the provider's; `defaulted` what the client's silence means, said in full;
    `added` what the provider or Ringback needs; `left_out` why nothing is lost by a field.
    """

    renamed: tuple[tuple[str, str], ...] = ()
    defaulted: Fields = field(default_factory=dict)
    added: Fields = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One provider. With `objections` it cannot take the request and there is nothing else to say."""

    provider: Provider
    objections: tuple[Objection, ...] = ()
    request: Request | None = None
    changes: Changes = field(default_factory=Changes)
    cost: Cost | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """`candidates` stand in the order of preference. `elsewhere`: where one takes nothing, the next one is asked."""

    model: str
    candidates: tuple[Candidate, ...]
    elsewhere: bool = False

    @property
    def order(self) -> tuple[Candidate, ...]:
        """Who would be asked, one after the other."""
        able = tuple(candidate for candidate in self.candidates if not candidate.objections)
        return able if self.elsewhere else able[:1]

    @property
    def chosen(self) -> Candidate | None:
        return next(iter(self.order), None)


class Explainer:
    def __init__(
        self,
        upstreams: Sequence[Upstream],
        shapes: Mapping[str, Adapter],
        catalogue: Catalogue,
        urls: CallbackUrls,
        *,
        elsewhere: bool,
    ) -> None:
        self._upstreams = upstreams
        self._shapes = shapes
        self._catalogue = catalogue
        self._urls = urls
        self._elsewhere = elsewhere

    def explain(self, shape: str, request: Request, named: str | None, standing: Standing = UNLIMITED) -> Explanation:
        """Raises `Unreadable` and `Refused` as a create would, but not where merely no provider can take it."""
        spoken = self._shapes[shape]
        submission = spoken.read_submission(request)
        model = wanted_model(self._catalogue, spoken, submission, named)
        asked = candidates(self._upstreams, spoken, submission, named)
        told = tuple(self._candidate(upstream, spoken, request, submission, model, standing) for upstream in asked)
        return Explanation(submission.model, told, self._elsewhere and named is None)

    def _candidate(
        self,
        upstream: Upstream,
        shape: Adapter,
        request: Request,
        submission: Submission,
        model: Model | None,
        standing: Standing,
    ) -> Candidate:
        objections = objections_of(upstream, shape, submission, model, standing)
        if objections:
            return Candidate(upstream.provider, objections)
        adapter = upstream.adapter
        sent = adapter.write_submission(as_sent(submission, self._urls.example(upstream.provider)))
        real = replace(submission, model=self._catalogue.real_name(submission.model))
        translation = adapter.translate_submission(real)
        changes = _changes(shape, adapter, request.body, submission, translation, sent.body)
        return Candidate(upstream.provider, (), sent, changes, price_at(upstream, submission))


def _changes(
    shape: Adapter, adapter: Adapter, asked: Fields, submission: Submission, translation: Translation, sent: Fields
) -> Changes:
    given, said = dict(_fields(asked)), dict(_fields(sent))
    carried = tuple(dict.fromkeys(_carried(shape, adapter, submission, translation)))
    defaulted: dict[str, Any] = {adapter.wire_path(name): value for name, value in translation.defaulted.items()}
    if not given.get(shape.wire_path("model")):
        defaulted = {adapter.wire_path("model"): submission.model, **defaulted}
    known = {path for _, path in carried} | defaulted.keys()
    alike = {path for path, value in said.items() if path in given and given[path] == value}
    return Changes(
        renamed=tuple((theirs, ours) for theirs, ours in carried if theirs != ours),
        defaulted=defaulted,
        added={path: value for path, value in said.items() if path not in known | alike},
        left_out={
            **translation.left_out,
            **_alias(shape, submission.model, translation.submission.model),
            **{path: why for path, why in shape.transport.items() if path in given and path not in alike},
        },
    )


def _carried(
    shape: Adapter, adapter: Adapter, submission: Submission, translation: Translation
) -> Iterator[tuple[str, str]]:
    """The client's wire path and the provider's of everything that is said in the client's own words."""
    said = translation.submission
    texts = {"prompt": said.prompt, "negative_prompt": said.negative_prompt}
    if said.model == submission.model:
        texts["model"] = said.model
    for name in (name for name, value in texts.items() if value is not None):
        yield shape.wire_path(name), adapter.wire_path(name)
    for name in (name for name in said.parameters if name not in translation.defaulted):
        yield shape.wire_path(translation.sources.get(name, name)), adapter.wire_path(name)
    for theirs, ours in zip(submission.media, said.media, strict=True):
        yield media_path(shape.family, theirs), media_path(adapter.family, ours)
    for path in said.extra:
        place = path.partition("[")[0]  # an item of an unknown type stands among the others
        yield place, place


def _alias(shape: Adapter, given: str, real: str) -> Mapping[str, str]:
    return {} if given == real else {shape.wire_path("model"): f"the operator's other name of {real}"}


def _fields(body: Fields) -> Iterator[tuple[str, Any]]:
    """The fields of a body by wire path, those of an object in it one by one. A null counts as not set."""
    for name, value in body.items():
        if isinstance(value, dict):
            yield from ((f"{name}.{inner}", each) for inner, each in value.items() if each is not None)
        elif value is not None:
            yield name, value
