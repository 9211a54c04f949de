"""A video asked for in AceData's words: `POST /wan/videos` and `POST /happyhorse/videos`.

AceData documents the fields in its OpenAPI files and service pages; its SDK sends `async` too (wire notes 1.1, 1.2, 7).
Beyond AceData, a client may ask for every model of the catalogue: for Wan 2.7 `image_url` is the first frame,
`audio_url` the driving audio, `reference_video_urls` the reference videos, and `media` holds native items as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from adapters.catalogue import Catalogue
from adapters.fields import Reader, without_nulls
from adapters.media import ITEM_KINDS, read_fields, read_items, unknown_items, write_media
from adapters.messages import Kind, Media, Request, Scalar, Submission, Unreadable
from adapters.model import PARAMETERS, Model
from adapters.translate import Translation, Vocabulary, placed, translate

ACTIONS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "wan": {"text2video": ("t2v",), "image2video": ("i2v", "r2v")},
    "happyhorse": {
        "generate": ("t2v",),
        "image_to_video": ("i2v",),
        "reference_to_video": ("r2v",),
        "video_edit": ("edit",),
    },
}
"""The actions of each service and the modes of the models that they go with."""

DEFAULT_MODELS: Mapping[str, Mapping[str | None, str]] = {
    "wan": {None: "wan2.6-t2v", "text2video": "wan2.6-t2v"},
    "happyhorse": {
        None: "happyhorse-1.1-t2v",
        "generate": "happyhorse-1.1-t2v",
        "image_to_video": "happyhorse-1.1-i2v",
        "reference_to_video": "happyhorse-1.1-r2v",
        "video_edit": "happyhorse-1.0-video-edit",
    },
}
"""What a request without a model asks for, by action."""

TEXT_ACTIONS = frozenset({"text2video", "generate"})

FIELDS: Mapping[str, Mapping[str, Kind]] = {
    "wan": {
        "image_url": Kind.FIRST_FRAME,
        "reference_video_urls": Kind.REFERENCE_VIDEO,
        "audio_url": Kind.DRIVING_AUDIO,
    },
    "happyhorse": {"image_url": Kind.FIRST_FRAME, "video_url": Kind.VIDEO, "image_urls": Kind.REFERENCE_IMAGE},
}
"""The media fields of each service beside `media`."""


def read(request: Request, catalogue: Catalogue) -> Submission:
    service = service_of(request.path)
    body = Reader(request.body)
    action = body.choice("action", ACTIONS[service])
    name = body.filled("model") or DEFAULT_MODELS[service].get(action)
    if name is None:
        raise Unreadable("model", f"is missing: {action} goes with more than one model")
    model = catalogue.find(name)
    _agree(service, action, model)
    prompt, negative_prompt = body.text("prompt"), body.text("negative_prompt")
    parameters = _parameters(body)
    media, unknown = _media(body, service, action, model)
    asynchronous = body.flag("async")
    callback_url, timeout = body.filled("callback_url"), body.integer("timeout")
    return Submission(
        family="flat",
        model=name,
        prompt=prompt,
        negative_prompt=negative_prompt,
        media=media,
        parameters=parameters,
        extra={**body.rest(), **unknown},
        service=service,
        action=action,
        callback_url=callback_url,
        hold=not asynchronous and callback_url is None,
        timeout=timeout,
    )


def translation(submission: Submission, catalogue: Catalogue) -> Translation:
    if submission.family == "flat":
        return Translation(submission)
    model = catalogue.find(submission.model)
    service = _service(submission.model, model)
    found = translate(submission, model, vocabulary(service, model))
    said = replace(found.submission, service=service, action=_action(service, model), hold=False, timeout=None)
    return replace(found, submission=said)


def write(submission: Submission, catalogue: Catalogue) -> Request:
    """Always asynchronous: Ringback waits for the callback and looks, it never holds an upstream connection open."""
    submission = replace(submission, model=catalogue.real_name(submission.model))
    submission = translation(submission, catalogue).submission
    model = catalogue.find(submission.model)
    service = submission.service or _service(submission.model, model)
    unknown, extra = unknown_items(submission.extra, "media")
    body = without_nulls(
        {
            "model": submission.model,
            "action": submission.action,
            "prompt": submission.prompt,
            "negative_prompt": submission.negative_prompt,
            **submission.parameters,
            "timeout": None if submission.hold else submission.timeout,
            "callback_url": submission.callback_url,
            **write_media(placed(submission.media, vocabulary(service, model)), unknown),
        }
    )
    return Request("POST", f"/{service}/videos", {**extra, **body, "async": True})


def service_of(path: str) -> str:
    """The service that a path names ("/wan/videos")."""
    service = path.strip("/").partition("/")[0]
    if service not in ACTIONS:
        raise Unreadable("", f"no such service, known are {', '.join(ACTIONS)}")
    return service


def vocabulary(service: str, model: Model | None) -> Vocabulary:
    """Wan 3 takes native items, Wan 2.6 and HappyHorse have fields of their own. No voices, no oss:// URLs."""
    fields = {kind: name for name, kind in FIELDS[service].items()}
    if service == "wan" and (model is None or model.protocol == "media"):
        fields = {**dict.fromkeys(ITEM_KINDS, "media"), Kind.DRIVING_AUDIO: "audio_url"}
    return Vocabulary("flat", fields, voice=False, oss=False)


def _service(name: str, model: Model | None) -> str:
    if model is not None:
        return model.service
    return "happyhorse" if name.startswith("happyhorse") else "wan"


def _action(service: str, model: Model | None) -> str | None:
    mode = model.mode if model else ""
    return next((action for action, modes in ACTIONS[service].items() if mode in modes), None)


def _agree(service: str, action: str | None, model: Model | None) -> None:
    """AceData answers 400 where a HappyHorse model and its action differ, and has each model on its own service only;
    of Wan's action it says that Wan 3 ignores it, so there the model decides."""
    if model is None:
        return
    if model.service != service:
        raise Unreadable("model", f"{model.name} is asked for at /{model.service}/videos")
    if service == "happyhorse" and action is not None and model.mode not in ACTIONS[service][action]:
        raise Unreadable("action", f"{action} does not go with {model.name}")


def _parameters(body: Reader) -> Mapping[str, Scalar]:
    read = {name: body.scalar(name, kind) for name, kind in PARAMETERS.items()}
    return {name: value for name, value in read.items() if value is not None}


def _media(
    body: Reader, service: str, action: str | None, model: Model | None
) -> tuple[tuple[Media, ...], dict[str, object]]:
    """`image_url` counts only where a first frame is possible: older SDKs put a sample into every request."""
    fields = dict(FIELDS[service])
    possible = action not in TEXT_ACTIONS if model is None else _takes(model, Kind.FIRST_FRAME)
    if not possible:
        del fields["image_url"]
    single = read_fields(body, fields)
    items, unknown = read_items(body)
    return (*single, *items), unknown


def _takes(model: Model, kind: Kind) -> bool:
    return any(kind in rule.kinds for rule in model.media)
