"""Which model the native API takes where, and what it takes (wire notes 3.5 and 5.2).

Where documents disagree the wider reading stands: four or five pictures for an edit, 480P at LaoZhang.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

GATEWAYS = frozenset({"laozhang", "apiyi"})
EVERYWHERE = GATEWAYS | {"dashscope"}
NEWEST = frozenset({"apiyi", "dashscope"})  # APIYI's Wan3.0 and HappyHorse overviews; LaoZhang's page lists neither

HD = frozenset({"720P", "1080P"})
SD = HD | {"480P"}
RATIOS = frozenset({"16:9", "9:16", "1:1", "4:3", "3:4"})
SNAPSHOT = re.compile(r"-20\d\d-\d\d-\d\d$")


@dataclass(frozen=True, slots=True)
class MediaRule:
    """So many entries of these types together."""

    types: frozenset[str]
    minimum: int
    maximum: int


@dataclass(frozen=True, slots=True)
class Model:
    """What a model makes of what. `needs` are the input fields of which one must be there; `sets`, where not empty, are
    the only sets of media types that go together, and `exclusive` pairs of groups of which only one may be there."""

    action: str
    providers: frozenset[str] = EVERYWHERE
    needs: tuple[str, ...] = ("media",)
    prompt_required: bool = False
    media: tuple[MediaRule, ...] = ()
    sets: tuple[frozenset[str], ...] = ()
    exclusive: tuple[tuple[frozenset[str], frozenset[str]], ...] = ()
    durations: tuple[int, ...] = ()
    longest_from_video: int = 60
    resolutions: frozenset[str] = HD
    ratios: frozenset[str] = RATIOS

    @property
    def old_protocol(self) -> bool:
        """Whether its media have fields of their own (wan2.6) and are no `input.media` entries."""
        return bool(self.needs) and "media" not in self.needs


def _entries(types: str, minimum: int, maximum: int) -> MediaRule:
    return MediaRule(frozenset(types.split()), minimum, maximum)


def _span(first: int, last: int) -> tuple[int, ...]:
    return tuple(range(first, last + 1))


T2V, I2V, R2V, EDIT = "text_to_video", "image_to_video", "reference_to_video", "video_edit"
ONE_FRAME = _entries("first_frame", 1, 1)
EDITED = (_entries("video", 1, 1), _entries("reference_image", 0, 5))
I2V_SETS = tuple(
    frozenset(words.split())
    for words in (
        "first_frame",
        "first_frame driving_audio",
        "first_frame last_frame",
        "first_frame last_frame driving_audio",
        "first_clip",
        "first_clip last_frame",
    )
)
FRAMES = frozenset({"first_frame", "last_frame"})
WAN3_REFERENCES = frozenset({"reference_image", "reference_video", "reference_audio"})
REFERENCES = ("reference_urls", "reference_video_urls")

WAN3 = Model(
    T2V,
    NEWEST,
    needs=(),
    media=(
        *(_entries(kind, 0, 1) for kind in ("first_frame", "last_frame", "file", "link")),
        _entries("reference_image", 0, 10),
        *(_entries(kind, 0, 5) for kind in ("reference_video", "reference_audio")),
    ),
    exclusive=((FRAMES, WAN3_REFERENCES), (frozenset({"file"}), frozenset({"link"}))),
    durations=(-1, *_span(2, 30)),
    ratios=RATIOS | {"adaptive"},
    resolutions=SD,
)

MODELS: Mapping[str, Model] = {
    "wan2.7-t2v": Model(T2V, needs=(), prompt_required=True, durations=_span(2, 15), resolutions=SD),
    "wan2.7-i2v": Model(
        I2V,
        media=tuple(_entries(kind, 0, 1) for kind in ("first_frame", "last_frame", "first_clip", "driving_audio")),
        sets=I2V_SETS,
        durations=_span(2, 15),
        resolutions=SD,
    ),
    "wan2.7-r2v": Model(
        R2V,
        prompt_required=True,
        media=(
            _entries("reference_image reference_video", 1, 5),
            _entries("first_frame", 0, 1),
            _entries("reference_voice", 0, 5),  # a type at APIYI, a field of an entry at Alibaba
        ),
        durations=_span(2, 15),
        longest_from_video=10,
        resolutions=SD,
    ),
    "wan2.7-videoedit": Model(EDIT, media=EDITED, durations=(0, *_span(2, 10)), resolutions=SD),
    "happyhorse-1.0-t2v": Model(T2V, needs=(), prompt_required=True, durations=_span(3, 15)),
    "happyhorse-1.0-i2v": Model(I2V, media=(ONE_FRAME,), durations=_span(3, 15)),
    "happyhorse-1.0-r2v": Model(
        R2V, prompt_required=True, media=(_entries("reference_image", 1, 9),), durations=_span(3, 15)
    ),
    "happyhorse-1.0-video-edit": Model(EDIT, prompt_required=True, media=EDITED),
    "happyhorse-1.1-t2v": Model(T2V, NEWEST, (), True, durations=_span(3, 15)),
    "happyhorse-1.1-i2v": Model(I2V, NEWEST, media=(ONE_FRAME,), durations=_span(3, 15)),
    "happyhorse-1.1-r2v": Model(
        R2V, NEWEST, prompt_required=True, media=(_entries("reference_image", 1, 9),), durations=_span(3, 15)
    ),
    "wan3.0-video": WAN3,
    "wan3.0-video-prime": WAN3,
    "wan2.6-t2v": Model(T2V, needs=(), prompt_required=True, durations=_span(2, 15)),
    "wan2.6-i2v": Model(I2V, needs=("img_url",), durations=_span(2, 15)),
    "wan2.6-i2v-flash": Model(I2V, frozenset({"apiyi", "dashscope"}), needs=("img_url",), durations=_span(2, 15)),
    "wan2.6-r2v": Model(R2V, needs=REFERENCES, durations=_span(2, 10)),
    "wan2.6-r2v-flash": Model(R2V, needs=REFERENCES, durations=_span(2, 10)),
}


def find_model(provider: str, name: object) -> Model | None:
    """The model, if the provider has it. Only Alibaba itself has the dated snapshots of wan2.7."""
    if not isinstance(name, str):
        return None
    if provider == "dashscope" and name.startswith("wan2.7-"):
        name = SNAPSHOT.sub("", name)
    model = MODELS.get(name)
    return model if model is not None and provider in model.providers else None
