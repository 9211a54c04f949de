"""What is certain to be refused, found before anything is sent and paid for.

Only certain things: where documents differ the catalogue takes the widest reading. A parameter without a rule is not
looked at: it rides along inside a family, and across families the writers refuse it by name. Problems never repeat
prompts or whole URLs.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass

from adapters.catalogue import MediaRule, Model, ParameterRule
from adapters.media_url import url_problem
from adapters.messages import Kind, Media, Scalar, Submission
from adapters.providers import Provider

HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
"""Chinese characters, which Alibaba counts twice in HappyHorse prompts ("5000 non-Chinese or 2500 Chinese")."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that `field` (a canonical name: "duration", "prompt", "media") has wrong. Of media, `piece` is the one
    meant; for a missing one it has a kind and no URL."""

    field: str
    given: str
    allowed: str
    piece: Media | None = None

    @property
    def sentence(self) -> str:
        return f"{self.field}: {self.given} given, allowed: {self.allowed}"


def check(submission: Submission, model: Model, provider: Provider) -> tuple[Problem, ...]:
    """All that `provider` is certain to refuse in a submission for `model`; empty when there is nothing."""
    return (
        *_text_problems(submission, model, provider),
        *_parameter_problems(submission, model, provider),
        *_media_problems(submission, model, provider),
    )


def _text_problems(submission: Submission, model: Model, provider: Provider) -> Iterator[Problem]:
    prompt, negative = submission.prompt or "", submission.negative_prompt or ""
    if not prompt.strip() and (model.prompt_required or (model.mode == "any" and not submission.media)):
        yield Problem("prompt", "nothing", "a text")
    if provider.name in model.truncates:
        return
    for name, text, maximum, weight in (
        ("prompt", prompt, model.prompt_maximum, model.han_weight),
        ("negative_prompt", negative, model.negative_prompt_maximum, 1),
    ):
        length = len(text) + (weight - 1) * len(HAN.findall(text))
        if maximum is not None and length > maximum:
            twice = "" if weight == 1 else f" (a Chinese one counts {weight})"
            yield Problem(name, f"{length} characters{twice}", f"up to {maximum}")


def _parameter_problems(submission: Submission, model: Model, provider: Provider) -> Iterator[Problem]:
    kinds = {piece.kind for piece in submission.media}
    for name, value in submission.parameters.items():
        rule = model.parameters.get(name)
        if rule is not None and (allowed := _allowed_instead(value, rule, kinds, provider)):
            yield Problem(name, _shown(value), allowed)


def _allowed_instead(value: Scalar, rule: ParameterRule, kinds: Set[Kind], provider: Provider) -> str:
    """What the rule allows, if that is not `value`; else nothing."""
    single = (*rule.values, *rule.also, *rule.providers.get(provider.name, ()))
    lower = [rule.maximum_with[kind] for kind in kinds if kind in rule.maximum_with]
    minimum, maximum = rule.minimum, min(lower, default=rule.maximum)
    if minimum is None or maximum is None:
        return "" if not rule.values or value in single else ", ".join(map(_shown, single))
    if value in single or (isinstance(value, int) and minimum <= value <= maximum):
        return ""
    return " or ".join((f"{minimum} to {maximum}", *map(_shown, single)))


def _shown(value: Scalar) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)[:40]


def _media_problems(submission: Submission, model: Model, provider: Provider) -> Iterator[Problem]:
    taken = {kind for rule in model.media for kind in rule.kinds}
    pieces = [(index, piece) for index, piece in enumerate(submission.media) if not _stray(piece, submission, taken)]
    surplus = [index for index, piece in pieces if piece.kind not in taken]
    for index, piece in pieces:
        place = f"media[{index}]"
        if piece.kind not in taken:
            yield Problem(place, piece.kind.value, ", ".join(sorted(taken)) or "no media", piece)
        elif piece.voice is not None and not model.voice:
            yield Problem(place, "a voice", "no voice per reference", piece)
        elif _unread(piece, submission, model, provider):
            yield Problem(
                place, "an item of media", "a field of its own, as the provider reads media of Wan 3 only", piece
            )
        elif wrong := url_problem(piece, provider):
            yield Problem(place, *wrong, piece)
    counts = Counter(piece.kind for _, piece in pieces)
    yield from (problem for rule in model.media if (problem := _count_problem(rule, counts)))
    if not surplus:
        yield from _combination_problems(frozenset(counts), model)


def _stray(piece: Media, submission: Submission, taken: set[Kind]) -> bool:
    """Whether a flat service would not look at the piece: AceData's SDKs up to 2026.8 put a sample `image_url` into
    every request, text to video too."""
    return submission.family == "flat" and piece.kind is Kind.FIRST_FRAME and piece.kind not in taken


def _unread(piece: Media, submission: Submission, model: Model, provider: Provider) -> bool:
    """Whether AceData would overlook the piece: its Wan OpenAPI has `media` for Wan 3 only, the model of any mode."""
    return provider.shape == submission.family == "flat" and piece.field == "media" and model.mode != "any"


def _count_problem(rule: MediaRule, counts: Counter[Kind]) -> Problem | None:
    count = sum(counts[kind] for kind in rule.kinds)
    if rule.minimum <= count <= rule.maximum:
        return None
    span = str(rule.maximum) if rule.minimum == rule.maximum else f"{rule.minimum} to {rule.maximum}"
    return Problem("media", f"{count} of {', '.join(rule.kinds)}", span, Media(rule.kinds[0], ""))


def _combination_problems(kinds: frozenset[Kind], model: Model) -> Iterator[Problem]:
    if model.combinations and kinds not in model.combinations:
        yield Problem("media", _together(kinds), " or ".join(map(_together, model.combinations)))
    if sum(bool(kinds & group) for group in model.exclusive) > 1:
        yield Problem("media", _together(kinds), " or ".join(", ".join(sorted(each)) for each in model.exclusive))


def _together(kinds: Iterable[Kind]) -> str:
    return " + ".join(sorted(kinds)) or "nothing"
