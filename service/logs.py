"""Logs: one line per event, its name and its fields, as JSON or as text, on the standard library.

    log = get_logger()
    log.event("delivery.attempted", delivery=delivery.id, status=200)

Nothing secret may be given to a log line. Should it happen by mistake, or inside another library's message, `redact`
takes out what looks like a secret before the line is written: of a URL only scheme and host are left.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TextIO

ROOT = "ringback"
REDACTED = "[redacted]"
LONGEST_TEXT = 4_000  # characters of one field
LONGEST_ERROR = 300

_SECRET_NAMES = re.compile(r"(?i)(^|_)(api_?key|authorization|cookie|password|prompt|secret|signature|token)s?$")
_URL = re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://)([^\s\"'<>]*)")
_HOST = re.compile(r"(?:[\w.-]+|\[[\da-fA-F:.]+\])(?::\d{1,5})?[.,;:)\]}]*")
_RULES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"(?i)\bdata:[\w.+-]+/[\w.+-]+[;,][^\s\"']*", "data:" + REDACTED),
        (r"(/callbacks/[^/\s\"']+/)[^\s\"']+", r"\1" + REDACTED),
        (r"(/[^\s?\"'<>]*)\?[^\s\"'<>]+", r"\1?" + REDACTED),
        (r"(?i)\b(bearer|basic)\s+[^\s\"',;]+", r"\1 " + REDACTED),
        (r"\b(whsec_|whsk_|sk-)[\w+/=-]+", r"\1" + REDACTED),
        (  # name=value and "name": "value"
            r"(?i)\b([\w-]*(?:api[_-]?key|authorization|password|secret|signature|token)[\"']?\s*[:=]\s*[\"']?)"
            r"(?!\[redacted|bearer |basic )[^\s\"',;&}]+",
            r"\1" + REDACTED,
        ),
    )
)


def redact(text: str) -> str:
    """`text` without what looks like a secret: keys, bearers, callback tokens, queries, and URLs beyond their host."""
    text = _URL.sub(_host_only, text)
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text


def _host_only(url: re.Match[str]) -> str:
    """Scheme and host of a URL, since any other part of it may be the secret."""
    scheme, rest = url.groups()
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    host = authority.rpartition("@")[2]
    shown = host if _HOST.fullmatch(host) else REDACTED
    return f"{scheme}{shown}{'/...' if len(rest) > len(authority) else ''}"


class EventLogger:
    """Writes events. Names are `noun.verb` in the past tense; fields are ids, counts, states and hosts."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger

    def event(self, name: str, /, *, level: int = logging.INFO, **fields: object) -> None:
        self._write(level, name, None, fields)

    def failure(self, name: str, error: BaseException, /, **fields: object) -> None:
        """An event that should not happen, with the exception, what caused it, and where (places, never values)."""
        self._write(logging.ERROR, name, error, fields)

    def _write(self, level: int, name: str, error: BaseException | None, fields: Mapping[str, object]) -> None:
        if self._logger.isEnabledFor(level):
            self._logger.log(level, "%s", name, exc_info=error, extra={"event": name, "fields": fields})


def get_logger(name: str = "") -> EventLogger:
    """The logger of the service, or of a part of it that wants a level of its own."""
    return EventLogger(logging.getLogger(f"{ROOT}.{name}" if name else ROOT))


def configure(style: Literal["json", "text"] = "text", stream: TextIO | None = None) -> None:
    """Sends every log line of the process to `stream` (default: standard error). Doing it again replaces it.

    uvicorn must run with `log_config=None, access_log=False`: its access log prints paths and queries.
    """
    handler = EventHandler(sys.stderr if stream is None else stream)
    handler.setFormatter(JsonLines() if style == "json" else TextLines())
    root = logging.getLogger()
    for old in [held for held in root.handlers if isinstance(held, EventHandler)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    for name in ("httpx", "httpcore"):  # httpx logs every full URL at INFO
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("uvicorn.access").setLevel(logging.CRITICAL)


class EventHandler(logging.StreamHandler[TextIO]):
    """The one handler that `configure` installs, told from others by its type."""


class JsonLines(logging.Formatter):
    """One JSON object per line, ASCII only: safe for every collector and terminal."""

    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(line_of(record))


class TextLines(logging.Formatter):
    """`time LEVEL event field=value ...` for people; a value with blanks or odd characters is written as JSON."""

    def format(self, record: logging.LogRecord) -> str:
        line = line_of(record)
        head = (line.pop("time"), f"{line.pop('level').upper():<7}", line.pop("event"))
        return " ".join((*head, *(f"{name}={_word(value)}" for name, value in line.items())))


def line_of(record: logging.LogRecord) -> dict[str, Any]:
    """A record as the fields of a line: `time` (UTC, milliseconds), `level`, `event`, then its own, all redacted.

    A record of another library has its logger's name as event, and its text as `message`.
    """
    event = getattr(record, "event", None)
    fields: Mapping[str, object] = getattr(record, "fields", {}) if event else {"message": record.getMessage()}
    line: dict[str, Any] = {
        "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": record.levelname.lower(),
        "event": redact(event or record.name),
    }
    line |= {name if name not in line else f"{name}_": _safe(name, value) for name, value in fields.items()}
    if record.exc_info and record.exc_info[1]:
        line |= _told(record.exc_info[1])
    return line


def _told(error: BaseException) -> dict[str, Any]:
    """An exception as fields. Its own text is cut short: other libraries quote what they were given."""
    places = ((frame.f_code, line) for frame, line in traceback.walk_tb(error.__traceback__))
    told: dict[str, Any] = {
        "error": redact(f"{type(error).__name__}: {error}")[:LONGEST_ERROR],
        "at": [f"{Path(code.co_filename).name}:{line} {code.co_name}" for code, line in places],
    }
    context = None if error.__suppress_context__ else error.__context__
    because = error.exceptions if isinstance(error, BaseExceptionGroup) else (error.__cause__ or context,)
    if causes := [_told(cause) for cause in because if cause]:
        told["because"] = causes
    return told


def _safe(name: str, value: object) -> Any:
    """A value that JSON can say, redacted by its name, then by its text, and not too long."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if _SECRET_NAMES.search(name):
        return REDACTED
    if isinstance(value, Mapping):
        return {str(key): _safe(str(key), part) for key, part in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_safe(name, part) for part in value]
    return redact(str(value))[:LONGEST_TEXT]


def _word(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if re.fullmatch(r"[!#-<>-\[\]-~]+", text) else json.dumps(text)
