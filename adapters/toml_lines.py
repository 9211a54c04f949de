"""On which line everything in a TOML document stands: `tomllib` reads the values and forgets where they were."""

from __future__ import annotations

import re
import tomllib
from itertools import count

Path = tuple[str | int, ...]
"""Keys from the top of a document inwards; a number is an item of a list, from 0."""

BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
SPACE = re.compile(r"[ \t]*")
KEY = re.compile(r"""[ \t]*([A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')[ \t]*""")
SCALAR = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}' + r"|'''.*?'{3,5}" + r'|"(?:[^"\\\n]|\\.)*"' + r"|'[^'\n]*'" + r"|[^,\]}\n#]+",
    re.DOTALL,
)
BROKEN = re.compile(r"\(at line (\d+), column \d+\)")


def lines_of(text: str) -> dict[Path, int]:
    """The line, from 1, of every table, key and item of a list. `text` must be TOML that `tomllib` reads."""
    scanner = _Scanner(text.replace("\r\n", "\n"))
    scanner.document()
    return scanner.lines


def known_part(path: Path, lines: dict[Path, int]) -> Path:
    """As much of the beginning of `path` as the document has."""
    return next((path[:end] for end in range(len(path), 0, -1) if path[:end] in lines), ())


def broken_line(error: tomllib.TOMLDecodeError, text: str) -> int:
    """The line that `tomllib` complains of."""
    said = BROKEN.search(str(error))
    return int(said[1]) if said else text.rstrip().count("\n") + 1


class _Scanner:
    """Walks once over a document that is known to be TOML."""

    def __init__(self, text: str) -> None:
        self.lines: dict[Path, int] = {}
        self._text = text
        self._at = 0
        self._newest: dict[Path, int] = {}
        """The item that was begun last, of each list that is written as [[...]]."""

    def document(self) -> None:
        table: Path = ()
        while self._next_is_not(""):
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._pair(table)

    def _header(self) -> Path:
        line = self._line()
        brackets = 2 if self._text.startswith("[[", self._at) else 1
        self._at += brackets
        *outer, last = self._keys()
        self._at += brackets
        path: Path = ()
        for key in outer:
            path = self._entered((*path, key))
            self.lines.setdefault(path, line)
        path = (*path, last)
        if brackets == 2:
            self.lines.setdefault(path, line)
            self._newest[path] = self._newest.get(path, -1) + 1
        path = self._entered(path)
        self.lines[path] = line
        return path

    def _entered(self, path: Path) -> Path:
        return (*path, self._newest[path]) if path in self._newest else path

    def _pair(self, table: Path) -> None:
        line, path = self._line(), table
        for key in self._keys():
            path = (*path, key)
            self.lines.setdefault(path, line)
        self._at += len("=")
        self._skip(SPACE)
        self._value(path)

    def _value(self, path: Path) -> None:
        match self._text[self._at]:
            case "[":
                self._list(path)
            case "{":
                self._table(path)
            case _:
                self._skip(SCALAR)

    def _list(self, path: Path) -> None:
        self._at += len("[")
        for index in count():
            if not self._next_is_not("]"):
                break
            self.lines[(*path, index)] = self._line()
            self._value((*path, index))
            self._comma()
        self._at += len("]")

    def _table(self, path: Path) -> None:
        self._at += len("{")
        while self._next_is_not("}"):
            self._pair(path)
            self._comma()
        self._at += len("}")

    def _keys(self) -> list[str]:
        keys = [self._key()]
        while self._text[self._at] == ".":
            self._at += len(".")
            keys.append(self._key())
        return keys

    def _key(self) -> str:
        key = self._skip(KEY)[1]
        return str(tomllib.loads(f"key = {key}")["key"]) if key[0] in "\"'" else key

    def _comma(self) -> None:
        if self._next_is_not("") and self._text[self._at] == ",":
            self._at += len(",")

    def _next_is_not(self, end: str) -> bool:
        """Whether there is more before `end` ("": the document's), blanks and comments passed over."""
        self._skip(BLANK)
        return self._text[self._at : self._at + 1] != end

    def _skip(self, pattern: re.Pattern[str]) -> re.Match[str]:
        match = pattern.match(self._text, self._at)
        assert match is not None, "the document was read before"
        self._at = match.end()
        return match

    def _line(self) -> int:
        return self._text.count("\n", 0, self._at) + 1
