"""The options that ask for a video, and the body that they make."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import reduce
from typing import IO, Any, TypeVar

import click

from service.cli.composing import MEDIA, Find, compose
from service.cli.exits import Misused

F = TypeVar("F", bound=Callable[..., Any])
SHAPES = ("flat", "native", "gateway")

OPTIONS = (
    click.option("--model", help="Such as wan2.6-t2v; `ringback models` lists them."),
    click.option("--prompt", help="What the video is to show."),
    click.option("--negative-prompt", help="What it is not to show."),
    click.option("--image", "images", multiple=True, metavar="URL", help="The first frame or, by model, a reference."),
    click.option("--video", "videos", multiple=True, metavar="URL", help="The one to edit or, by model, a reference."),
    click.option("--audio", "audios", multiple=True, metavar="URL", help="The sound that drives the video."),
    click.option("--media", multiple=True, metavar="TYPE=URL", help=f"By its own name: {', '.join(MEDIA)}."),
    click.option("--duration", type=int, help="Seconds."),
    click.option("--resolution", help="Such as 720P."),
    click.option("--ratio", help="Such as 16:9."),
    click.option("--size", help="Such as 1280*720."),
    click.option("--seed", type=int),
    click.option("--watermark/--no-watermark", default=None),
    click.option("--prompt-extend/--no-prompt-extend", default=None),
    click.option("--set", "more", multiple=True, metavar="NAME=VALUE", help="Any other field: shot_type=multi."),
    click.option("--body", type=click.File("rb"), help="This JSON as it is instead (- is standard input)."),
    click.option("--shape", type=click.Choice(SHAPES), default="flat", show_default=True, help="Of --body."),
    click.option("--provider", metavar="NAME", help="Only this provider."),
)


def video_options(command: F) -> F:
    """Adds `body`, `shape`, `provider`, and the fields that `content` takes."""
    return reduce(lambda decorated, option: option(decorated), reversed(OPTIONS), command)


def content(body: IO[bytes] | None, shape: str, fields: dict[str, Any], find: Find) -> bytes:
    """The body of a create: the given one as it is, or one that is made of the options. Raises `Misused`."""
    given = [name for name, value in fields.items() if value not in (None, ())]
    if body is not None:
        if given:
            raise Misused(f"--body is sent as it is, so --{given[0].replace('_', '-')} cannot be added to it.")
        return body.read()
    if shape != "flat":
        raise Misused(f"--shape {shape} needs --body.")
    if not fields["model"]:
        raise Misused("Name a --model (`ringback models` lists them), or send a --body.")
    return json.dumps(compose(find, **fields)).encode()
