"""The messages that cross Ringback, said in no provider's words.

Every adapter reads and writes these values and nothing else; whoever holds one cannot tell which wire it came from.
All of them are frozen: a change is a new value (`dataclasses.replace`). Times are integer milliseconds since the epoch.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

Scalar = int | bool | str
Fields = Mapping[str, Any]
"""Untranslated JSON that rides along: its keys and values are as they stood on the wire."""

EMPTY: Fields = {}


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request without host and credentials. `headers` has lower-case names; `body` is parsed JSON or None."""

    method: str
    path: str
    body: Any = None
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Response:
    """One HTTP reply. `body` is parsed JSON; None when there was none or it was not JSON."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


class Kind(StrEnum):
    """What a piece of media is for (wire.md 5.1)."""

    FIRST_FRAME = "first_frame"
    LAST_FRAME = "last_frame"
    FIRST_CLIP = "first_clip"
    REFERENCE = "reference"  # an image or a video, and the wire did not say which (native 2.6 `reference_urls`)
    REFERENCE_IMAGE = "reference_image"
    REFERENCE_VIDEO = "reference_video"
    REFERENCE_AUDIO = "reference_audio"
    DRIVING_AUDIO = "driving_audio"  # the sound track: flat and native 2.6 `audio_url`, native 2.7 driving_audio
    VIDEO = "video"  # the video to edit
    FILE = "file"
    LINK = "link"


@dataclass(frozen=True, slots=True)
class Media:
    """One piece of input media.

    `field` is the wire field that carried it where the native family has several for one kind ("media", "img_url",
    "audio_url", "reference_urls", ...); empty leaves the choice to the writer. `voice` is `reference_voice`.
    """

    kind: Kind
    url: str
    voice: str | None = None
    field: str = ""
    extra: Fields = dataclasses.field(default_factory=dict)  # plain `field` is the attribute above


@dataclass(frozen=True, slots=True)
class Submission:
    """A video asked for.

    `parameters` holds the set ones by their canonical name (`catalogue.PARAMETERS`); an absent name was not set.
    `extra` holds what the shape does not know, by dotted wire path ("input.function"); it rides along to the same
    `family` and is refused, by name, everywhere else. `service` is the flat service ("wan" or "happyhorse").
    `hold` asks the flat API to keep the connection until the video is done, at most `timeout` seconds.
    """

    family: str
    model: str
    prompt: str | None = None
    negative_prompt: str | None = None
    media: tuple[Media, ...] = ()
    parameters: Mapping[str, Scalar] = field(default_factory=dict)
    extra: Fields = field(default_factory=dict)
    service: str = ""
    action: str | None = None
    callback_url: str | None = None
    hold: bool = False
    timeout: int | None = None


class State(StrEnum):
    """What a report can say about a task. UNKNOWN: this API knows no such task (it says nothing about the video)."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"
    UNKNOWN = "unknown"


ENDED = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELED})
"""The states after which a task does not change."""


class Category(StrEnum):
    """Why something was refused or failed; it decides who is told and what may be tried again (wire.md 6)."""

    INVALID_REQUEST = "invalid_request"
    AUTH = "auth"
    BILLING = "billing"
    FORBIDDEN_MODEL = "forbidden_model"
    CONTENT = "content"
    MEDIA_FETCH = "media_fetch"
    THROTTLED = "throttled"
    REJECTED = "rejected"  # a 5xx with the vendor's own error body and no task id: nothing was accepted
    AMBIGUOUS = "ambiguous"  # the create may have been accepted
    TRANSIENT = "transient"  # the task ran and failed by no fault of its request
    NOT_FOUND = "not_found"
    METHOD = "method"
    TOO_LARGE = "too_large"
    MEDIA_TYPE = "media_type"
    CONFLICT = "conflict"
    OURS = "ours"  # Ringback's own words (`outcome_unknown`, `no_result`, `task_expired`): the same in every shape


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a task failed. `code` is a word of `family`'s code space; family "" marks a code of Ringback's own."""

    category: Category
    code: str
    message: str
    family: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A request that was turned down. `retry_after` is in seconds, as the peer asked for."""

    status: int
    failure: Failure
    retry_after: float | None = None
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Acceptance:
    """A submission that was taken. As read from an upstream `task_id` is the upstream's, as written it is ours."""

    task_id: str
    request_id: str = ""
    trace_id: str = ""


@dataclass(frozen=True, slots=True)
class Query:
    """The question how one or several tasks are. Several (or `batch`) only where the family has a batch query."""

    task_ids: tuple[str, ...]
    service: str = ""
    batch: bool = False


@dataclass(frozen=True, slots=True)
class Usage:
    """What the upstream says it billed, in seconds; `raw` keeps its own words for the same family."""

    duration: float | None = None
    input_video_duration: float | None = None
    output_video_duration: float | None = None
    video_count: int | None = None
    resolution: str | None = None  # "720P"
    ratio: str | None = None
    raw: Fields = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class Report:
    """How a task is: the answer to a query and the content of a callback.

    As read from an upstream, `task_id` is the upstream's id and `request` its echo of what was sent to it; as written
    to a client, `task_id` is ours and `request` the client's own body. `callback_url` is the one the upstream's record
    echoes. `details` are further result fields of `family` (thumbnail, size, ...) that ride along to the same family.
    `service` and `prompt` say what the flat record and the native `orig_prompt` need. `raw` is the reply as it came.
    `word` is the upstream's own word for the state where it is none that we know, cleaned; the state is RUNNING then.
    """

    task_id: str
    state: State
    video_url: str | None = None
    failure: Failure | None = None
    usage: Usage | None = None
    progress: int | None = None
    created_at: int | None = None
    started_at: int | None = None
    finished_at: int | None = None
    model: str = ""
    prompt: str | None = None
    service: str = ""
    request_id: str = ""
    trace_id: str = ""
    callback_url: str | None = None
    request: Fields | None = None
    family: str = ""
    details: Fields = field(default_factory=dict)
    word: str = field(default="", compare=False)
    raw: Any = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Listing:
    """The question which tasks there are: of those that every set filter lets through, newest first, `limit` of them
    after the first `offset`.

    `since` and `until` bound the creation and are themselves included; None leaves that end open. `service` is the
    flat service whose tasks are meant ("": of all).
    """

    offset: int = 0
    limit: int = 10
    state: State | None = None
    model: str = ""
    task_id: str = ""
    since: int | None = None
    until: int | None = None
    service: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """The answer to a `Listing`: some reports, newest first, and in `total` how many tasks its filters let through.

    `offset` and `limit` are the listing's. A report in a list may say less than one of its own: DashScope lists
    neither results nor reasons.
    """

    reports: tuple[Report, ...]
    total: int
    offset: int = 0
    limit: int = 10
    request_id: str = ""


class Unreadable(Exception):
    """Not a message of this shape. `path` is the dotted wire path of what is wrong ("" for the whole), `reason` a
    sentence that says what was given and what is allowed."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}" if path else reason)
        self.path = path
        self.reason = reason


class Unsupported(Exception):
    """This provider has no words for fields that were set. `fields` maps each client wire path (of a listing: each
    field's name) to the reason."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {reason}" for name, reason in fields.items()))
        self.fields = dict(fields)
