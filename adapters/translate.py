"""From one family's submission to another's: every set field is said, left out for a stated reason, or refused by name.

Within one family a submission passes as it is; this is only for the way across. An absent parameter takes the default
of the CLIENT's shape, said in full, because the same field has other defaults elsewhere (wire notes 5.4). Prompts are
never rewritten: how they name their references differs between models and cannot be mapped safely.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from adapters.catalogue import default
from adapters.media import MANY
from adapters.messages import EMPTY, Kind, Media, Scalar, Submission, Unsupported
from adapters.model import Model
from adapters.paths import media_path, path_of

SIZES: Mapping[str, tuple[str, str]] = {
    "1280*720": ("720P", "16:9"),
    "720*1280": ("720P", "9:16"),
    "960*960": ("720P", "1:1"),
    "1104*832": ("720P", "4:3"),
    "832*1104": ("720P", "3:4"),
    "1920*1080": ("1080P", "16:9"),
    "1080*1920": ("1080P", "9:16"),
    "1440*1440": ("1080P", "1:1"),
    "1648*1248": ("1080P", "4:3"),
    "1248*1648": ("1080P", "3:4"),
}
"""Wan 2.7's exact sizes as resolution and ratio (Alibaba's text-to-video page, wire notes 3.5); other models differ."""

SIZED = "wan2.7-"

SAMPLE_IMAGE = "https://cdn.acedata.cloud/r9vsv9.png"
"""AceData's older SDKs put this into every request, text to video too (clients notes 5)."""

MEANINGLESS: Mapping[str, frozenset[str]] = {
    # DashScope's classic SDK always sends the first two; the header only matters where there is an oss:// URL.
    "native": frozenset({"input.function", "input.extend_prompt", "header:x-dashscope-ossresourceresolve"}),
    "flat": frozenset(),
}
"""Unknown fields that official SDKs send whatever they are asked for."""

HABIT = "official SDKs send it whatever is asked for"

UNKNOWN = "is unknown, and goes only to providers of the client's own API"


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What a family can say to one model: the wire field of each kind of media, and whether it has words for a voice
    per reference and takes DashScope's own oss:// URLs."""

    family: str
    media: Mapping[Kind, str]
    voice: bool
    oss: bool


@dataclass(frozen=True, slots=True)
class Translation:
    """A submission in another family's words, and what became of the client's.

    `defaulted` are the parameters, by canonical name, that the client left out and that are said in full; `sources`
    the canonical name of the client's field that a parameter was made from, where it had another one; `left_out` says
    of fields that are not said, by the client's wire path, why nothing is lost. Media keep their order.
    """

    submission: Submission
    defaulted: Mapping[str, Scalar] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)


class _Fate:
    """What becomes of the client's fields, by wire path: refused, or left out without a loss; each with the reason."""

    def __init__(self) -> None:
        self.losses: dict[str, str] = {}
        self.left_out: dict[str, str] = {}


def translate(submission: Submission, model: Model | None, words: Vocabulary) -> Translation:
    """The submission as `words.family` says it. Raises `Unsupported` naming all set fields that it cannot say.

    Of an unknown model (None) nothing is known to be missing: its parameters pass as they are."""
    fate = _Fate()
    sized = submission.parameters if model is None else _sized(submission.parameters, model)
    parameters = sized if model is None else _parameters(sized, submission, model, words.family, fate)
    defaulted = {} if model is None else _defaults(sized, submission.family, model, words.family)
    media = _media(submission, words, fate.losses)
    _texts(submission, model, fate.losses)
    _unknown(submission, fate)
    if submission.action is not None:
        fate.left_out[path_of(submission.family, "action")] = "the model says it"
    if fate.losses:
        raise Unsupported(fate.losses)
    said = replace(
        submission,
        family=words.family,
        parameters={**parameters, **defaulted},
        media=media,
        extra=EMPTY,
        action=None,
        service="",
    )
    sources = {name: "size" for name in sized if name not in submission.parameters}
    return Translation(said, defaulted, sources, fate.left_out)


def placed(media: Iterable[Media], words: Vocabulary) -> tuple[Media, ...]:
    """Media that no wire has carried yet (their `field` is empty) in the field that `words` has for their kind."""
    return tuple(
        piece if piece.field else replace(piece, field=words.media.get(piece.kind, "media")) for piece in media
    )


def _parameters(
    given: Mapping[str, Scalar], submission: Submission, model: Model, family: str, fate: _Fate
) -> Mapping[str, Scalar]:
    """Those that `family` has words for with this model; the others meet their fate."""
    said: dict[str, Scalar] = {}
    for name, value in given.items():
        rule = model.parameters.get(name)
        path = path_of(submission.family, name)
        if rule is not None and family in rule.families:
            said[name] = value
        elif harmless := _harmless(name, value, model, family, submission):
            fate.left_out[path] = harmless
        else:
            fate.losses[path] = _why_not(name, model)
    return said


def _defaults(given: Mapping[str, Scalar], shape: str, model: Model, family: str) -> Mapping[str, Scalar]:
    """What the parameters that were left out mean to a client of `shape`, where `family` has words for it."""
    meant = {name: default(model, shape, name) for name in model.parameters if name not in given}
    return {
        name: value for name, value in meant.items() if value is not None and family in model.parameters[name].families
    }


def _harmless(name: str, value: Scalar, model: Model, family: str, submission: Submission) -> str:
    """Why leaving a parameter out changes nothing; empty if it does."""
    if name in model.parameters:
        return "this provider does so anyway" if default(model, family, name) == value else ""
    if name == "audio":
        # AceData's SDK sends audio:false in every request, so alone it is no wish for silence.
        driven = value is False and any(piece.kind is Kind.DRIVING_AUDIO for piece in submission.media)
        return "" if driven else f"{model.name} always has sound"
    inert = submission.family == "flat" and model.inert.get(name) == value
    return f"it does nothing with {model.name}" if inert else ""


def _why_not(name: str, model: Model) -> str:
    if name in model.parameters:
        return f"this provider's API has no word for it with {model.name}"
    if name == "audio":
        return f"{model.name} always has sound: false contradicts the audio that is given"
    if name == "size":
        return f"{model.name} is sized by resolution and ratio, and has none that is exactly this"
    return f"{model.name} has no such parameter"


def _sized(parameters: Mapping[str, Scalar], model: Model) -> Mapping[str, Scalar]:
    """`size` as resolution and ratio, where the model has those and this very size, and nothing contradicts it."""
    exact = SIZES.get(str(parameters.get("size")))
    if exact is None or not model.name.startswith(SIZED) or "ratio" not in model.parameters:
        return parameters
    resolution, ratio = exact
    if parameters.get("resolution", resolution) != resolution or parameters.get("ratio", ratio) != ratio:
        return parameters
    rest = {name: value for name, value in parameters.items() if name != "size"}
    return {**rest, "resolution": resolution, "ratio": ratio}


def _media(submission: Submission, words: Vocabulary, losses: dict[str, str]) -> tuple[Media, ...]:
    said: list[Media] = []
    for piece in submission.media:
        path = media_path(submission.family, piece)
        losses.update(_lost(piece, path, submission, words))
        field = words.media.get(piece.kind, "")
        if field and field not in MANY and any(other.field == field for other in said):
            losses[path] = f"this provider's API takes one {_named(piece)} only"
        said.append(replace(piece, field=field))
    return tuple(said)


def _lost(piece: Media, path: str, submission: Submission, words: Vocabulary) -> dict[str, str]:
    """What of a piece of media cannot be said, by the client's wire path."""
    losses = {f"{path}.{name}": UNKNOWN for name in piece.extra}
    if piece.voice is not None and not words.voice:
        losses[f"{path}.reference_voice"] = "this provider's API has no voice per reference"
    if piece.kind not in words.media:
        losses[path] = (
            "the URL does not tell an image from a video, and this provider's API has a field for each"
            if piece.kind is Kind.REFERENCE
            else f"this provider's API takes no {_named(piece)} with {submission.model}"
        )
    if not words.oss and any(url.startswith("oss://") for url in (piece.url, piece.voice or "")):
        losses[path] = "oss:// URLs mean something to DashScope only"
    return losses


def _named(piece: Media) -> str:
    return piece.kind.value.replace("_", " ")


def _texts(submission: Submission, model: Model | None, losses: dict[str, str]) -> None:
    if submission.negative_prompt and model is not None and not model.negative_prompt:
        losses[path_of(submission.family, "negative_prompt")] = f"{model.name} has no negative prompt"


def _unknown(submission: Submission, fate: _Fate) -> None:
    for path, value in submission.extra.items():
        if path in MEANINGLESS[submission.family] or (path == "image_url" and value == SAMPLE_IMAGE):
            fate.left_out[path] = HABIT
            continue
        frame = path == "image_url" and submission.family == "flat"
        fate.losses[path] = f"{submission.model} takes no first frame" if frame else UNKNOWN
