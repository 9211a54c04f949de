"""Input media on the wire: typed items of a `media` array, and fields that hold one URL or a list of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from adapters.fields import Reader
from adapters.messages import Kind, Media

ITEM_KINDS: tuple[Kind, ...] = tuple(kind for kind in Kind if kind is not Kind.REFERENCE)
"""What an item of `media` can be; an undetermined reference has no `type`."""

TYPES: Mapping[str, Kind] = {kind.value: kind for kind in ITEM_KINDS}
"""Words of `type`. Others ride along: APIYI's page, alone, lists `reference_voice` as a type."""

LISTS = frozenset({"reference_urls", "reference_video_urls", "image_urls"})
"""Fields that hold an array. AceData's older schema had `reference_video_urls` as one string; that is read too."""

MANY = LISTS | {"media"}
"""Fields that take more than one piece."""

SUFFIXES: Mapping[str, Kind] = {
    **dict.fromkeys((".mp4", ".mov", ".webm", ".m4v", ".mkv", ".avi", ".flv", ".mpeg", ".mpg"), Kind.REFERENCE_VIDEO),
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".heic"), Kind.REFERENCE_IMAGE),
}


def read_fields(body: Reader, table: Mapping[str, Kind]) -> tuple[Media, ...]:
    """The media of single fields, in the order of `table`. An empty URL counts as not set."""
    return tuple(
        Media(kind_by_suffix(url) if kind is Kind.REFERENCE else kind, url, field=name)
        for name, kind in table.items()
        for url in (body.texts(name) if name in LISTS else _alone(body, name))
    )


def read_items(body: Reader) -> tuple[tuple[Media, ...], dict[str, Any]]:
    """The items of `media`, and those of an unknown type by their path ("media[1]")."""
    known: list[Media] = []
    unknown: dict[str, Any] = {}
    for index, value in enumerate(body.array("media")):
        path = f"{body.at('media')}[{index}]"
        item = Reader(value, path)
        word = item.required("type")
        if word in TYPES:
            known.append(_item(item, TYPES[word]))
        else:
            unknown[path] = value
    return tuple(known), unknown


def write_media(media: Iterable[Media], unknown: Mapping[int, Any]) -> dict[str, Any]:
    """Each piece in the wire field it names, and the items of unknown types at their old places.

    A field for one URL gets at most one piece: `translate` sees to it."""
    body: dict[str, Any] = {}
    for piece in media:
        if piece.field == "media":
            body.setdefault("media", []).append(_written(piece))
        elif piece.field in LISTS:
            body.setdefault(piece.field, []).append(piece.url)
        else:
            body[piece.field] = piece.url
    for index in sorted(unknown):
        body.setdefault("media", []).insert(index, unknown[index])
    return body


def unknown_items(extra: Mapping[str, Any], path: str) -> tuple[dict[int, Any], dict[str, Any]]:
    """Parts `extra` into the unknown items of the array at `path`, by index, and everything else."""
    item = re.compile(re.escape(path) + r"\[([0-9]{1,4})\]")
    items = {int(found[1]): value for name, value in extra.items() if (found := item.fullmatch(name))}
    return items, {name: value for name, value in extra.items() if not item.fullmatch(name)}


def kind_by_suffix(url: str) -> Kind:
    """Image or video by the suffix of the URL's path or the type of a data URL, else the undetermined REFERENCE."""
    if url.startswith("data:"):
        word = url[5:11].lower()
        return {"image/": Kind.REFERENCE_IMAGE, "video/": Kind.REFERENCE_VIDEO}.get(word, Kind.REFERENCE)
    try:
        path = urlsplit(url).path
    except ValueError:
        return Kind.REFERENCE
    return SUFFIXES.get(PurePosixPath(path).suffix.lower(), Kind.REFERENCE)


def _alone(body: Reader, name: str) -> tuple[str, ...]:
    url = body.filled(name)
    return () if url is None else (url,)


def _item(item: Reader, kind: Kind) -> Media:
    url, voice = item.required("url"), item.filled("reference_voice")
    prefix = len(item.path) + 1
    return Media(kind, url, voice, "media", {name[prefix:]: value for name, value in item.rest().items()})


def _written(piece: Media) -> dict[str, Any]:
    voice = {} if piece.voice is None else {"reference_voice": piece.voice}
    return {"type": piece.kind.value, "url": piece.url, **voice, **piece.extra}
