"""Messages that a family can say in full, for the law `read(write(m)) == m`.

What a family cannot say is left out here. It stands in the table at the top of the family's file, and
`test_degradation` has the rows.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from adapters.catalogue import PARAMETERS, builtin
from adapters.codes import FLAT, GATEWAY, NATIVE, OURS, failed
from adapters.flat_submission import ACTIONS, FIELDS, TEXT_ACTIONS
from adapters.media import ITEM_KINDS, LISTS
from adapters.messages import Failure, Kind, Media, Report, State, Submission, Usage
from adapters.native_submission import FIELDS as NATIVE_FIELDS
from adapters.native_submission import OSS_HEADER

CATALOGUE = builtin()

words = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12)
filled = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=12)
identifiers = st.uuids().map(str)
tokens = st.one_of(st.just(""), identifiers)
urls = st.sampled_from(
    ("https://a.example/x", "http://b.example/y.z?Signature=1", "oss://bucket/key", "data:;base64,AA")
)
times = st.integers(0, 4_000_000_000_000)
json_values = st.recursive(
    st.one_of(st.booleans(), st.integers(-(2**63), 2**63 - 1), words),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(words, inner, max_size=2),
    max_leaves=4,
)
unknown = st.dictionaries(st.from_regex(r"x_[a-z]{1,4}", fullmatch=True), json_values, max_size=2)
SCALARS = {str: words, int: st.integers(-(2**31), 2**31), bool: st.booleans()}


@st.composite
def parameters(draw: Any) -> dict[str, Any]:
    names = draw(st.sets(st.sampled_from(sorted(PARAMETERS)), max_size=5))
    return {name: draw(SCALARS[PARAMETERS[name]]) for name in sorted(names)}


@st.composite
def media_items(draw: Any) -> tuple[tuple[Media, ...], dict[int, Any]]:
    """Items of a `media` array: known ones, and by their index unknown ones."""
    known: list[Media] = []
    strange: dict[int, Any] = {}
    for index in range(draw(st.integers(0, 4))):
        if draw(st.booleans()):
            voice = draw(st.none() | filled)
            known.append(Media(draw(st.sampled_from(ITEM_KINDS)), draw(urls), voice, "media", draw(unknown)))
        else:
            strange[index] = {"type": draw(st.sampled_from(("reference_voice", "mask"))), "url": draw(urls)}
    return tuple(known), strange


@st.composite
def single_media(draw: Any, fields: dict[str, Kind]) -> tuple[Media, ...]:
    pieces: list[Media] = []
    for name, kind in fields.items():
        for _ in range(draw(st.integers(0, 2 if name in LISTS else 1))):
            url, found = draw(urls), kind
            if kind is Kind.REFERENCE:
                url, found = draw(st.sampled_from(SUFFIXED))
            pieces.append(Media(found, url, field=name))
    return tuple(pieces)


SUFFIXED = (
    ("https://a.example/a.MP4?x=.png", Kind.REFERENCE_VIDEO),
    ("https://a.example/a.webp#frag", Kind.REFERENCE_IMAGE),
    ("https://a.example/a", Kind.REFERENCE),
    ("http://[broken/a.png", Kind.REFERENCE),
    ("data:image/png;base64,AA", Kind.REFERENCE_IMAGE),
)


@st.composite
def flat_submissions(draw: Any) -> Submission:
    service = draw(st.sampled_from(sorted(ACTIONS)))
    known = [model for model in CATALOGUE.models.values() if model.service == service]
    model = draw(st.none() | st.sampled_from(known))
    fitting = [
        action for action, modes in ACTIONS[service].items() if model is None or service == "wan" or model.mode in modes
    ]
    action = draw(st.none() | st.sampled_from(fitting))
    fields = dict(FIELDS[service])
    takes = action not in TEXT_ACTIONS
    if model is not None:
        takes = any(Kind.FIRST_FRAME in rule.kinds for rule in model.media)
    if not takes:
        del fields["image_url"]
    items, strange = draw(media_items())
    return Submission(
        "flat",
        model.name if model else "some-new-model",
        draw(st.none() | words),
        draw(st.none() | words),
        draw(single_media(fields)) + items,
        draw(parameters()),
        draw(unknown) | {f"media[{index}]": item for index, item in strange.items()},
        service,
        action,
        draw(st.none() | st.just("https://c.example/hook?token=1")),
        timeout=draw(st.none() | st.integers(1, 3600)),
    )


@st.composite
def native_submissions(draw: Any) -> Submission:
    items, strange = draw(media_items())
    extra = {
        **draw(unknown),
        **{f"input.{name}": value for name, value in draw(unknown).items()},
        **{f"parameters.{name}": value for name, value in draw(unknown).items()},
        **{f"input.media[{index}]": item for index, item in strange.items()},
        **draw(st.sampled_from(({}, {f"header:{OSS_HEADER}": "enable"}))),
    }
    return Submission(
        "native",
        draw(st.sampled_from((*sorted(CATALOGUE.models), "wan2.7-t2v-2026-04-25", "wanx2.1-kf2v-plus", "new"))),
        draw(st.none() | words),
        draw(st.none() | words),
        draw(single_media(dict(NATIVE_FIELDS))) + items,
        draw(parameters()),
        extra,
    )


CODES = {"flat": FLAT, "native": NATIVE, "gateway": GATEWAY}


@st.composite
def failures(draw: Any, families: tuple[str, ...]) -> Failure:
    family = draw(st.sampled_from(families))
    code = draw(st.sampled_from((*sorted(CODES[family]), *sorted(OURS))))
    return failed(family, code, draw(filled))


@st.composite
def usages(draw: Any) -> Usage:
    seconds = st.none() | st.floats(0, 1000, width=32) | st.integers(0, 100).map(float)
    usage = Usage(
        draw(seconds),
        draw(seconds),
        draw(seconds),
        draw(st.none() | st.integers(0, 4)),
        draw(st.none() | st.sampled_from(("480P", "720P", "adaptive"))),
        draw(st.none() | st.just("16:9")),
    )
    return usage if usage != Usage() else Usage(duration=5.0)


VIDEO = "https://o.example/v.mp4?Expires=1&Signature=a%2B/="
STATES = (State.QUEUED, State.RUNNING, State.SUCCEEDED, State.FAILED, State.CANCELED)
ENDED = STATES[2:]


@st.composite
def reports(draw: Any, families: tuple[str, ...]) -> Report:
    """What all shapes can say; the family's own strategies add the rest."""
    state = draw(st.sampled_from(STATES))
    succeeded = state is State.SUCCEEDED
    return Report(
        task_id=draw(identifiers),
        state=state,
        video_url=draw(st.none() | st.just(VIDEO)) if succeeded else None,
        failure=draw(failures(families)) if state is State.FAILED else None,
        usage=draw(st.none() | usages()) if succeeded else None,
        family=families[0],
    )
