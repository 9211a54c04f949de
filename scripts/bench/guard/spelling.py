"""How a URL may be written around a host, so that some parser takes another one for it."""

from __future__ import annotations

from random import Random

GOOD = "hook.example-shop.com"
AROUND: tuple[str, ...] = (
    "https://{host}",
    "HTTPS://{host}/",
    "http://{host}/",
    "https://{host}:443/",
    "https://{host}:{port}/",
    "https://{host}:{port}/",
    "{scheme}{host}/",
    "{scheme}{host}/",
    "https://{good}@{host}/",
    "https://{good}:443@{host}/",
    "https://{host}@{good}/",
    "https://user:{host}@{good}/",
    "https://:@{host}/",
    "https://{good}%40{host}/",
    "https://{good}＠{host}/",
    "https://{good}\\@{host}/",
    "https://{good}\\.{host}/",
    "https://{host}\\@{good}/",
    "https://{good}#@{host}/",
    "https://{host}#@{good}/",
    "https://{good}?@{host}/",
    "https://{host}?@{good}/",
    "https://{good};@{host}/",
    "https://{good}&@{host}#@{good}/",
    "https://{good} @{host}/",
    "https://{good}\t{host}/",
    "https://{good}\r\nHost: {host}\r\n\r\n",
    "https://{good}\0.{host}/",
    "https://{good}／{host}/",
    "https://{good}⁄@{host}/",
    "https://{good}/https://{host}/",
    "https://{good}//{host}/",
    "https://{good}/?url=https://{host}/",
    "https://{good}:80:{host}/",
    "https://{host},{good}/",
    "https://[{host}]/",
    "https://{host}.{good}/",
    "https://{good}.{host}/",
    " https://{host}/ ",
    "https:\\\\{host}\\",
    "https:/{host}/",
    "https:///{host}/",
    "https:////{host}/",
    "//{host}/",
    "{host}",
)
PORTS = ("0", "00443", "22", "25", "80", "6379", "65536", "99999", "-1", "+443", "4 43", "443/", "४४३", "", "1e3")
SCHEMES: tuple[str, ...] = (
    "ftp://", "file://", "gopher://", "dict://", "ws://", "wss://", "ldap://", "jar:https://", "javascript://", "data:",
    "ht\ttps://", "https\0://", "httpſ://", "h%74tps://", "unix://", "http+unix://", "about:", "://", "https:", "blob:",
)  # fmt: skip
SPRINKLES: tuple[str, ...] = (
    "\t", "\n", "\r", "\0", "\x7f", " ", "\\", "@", "#", "?", ":", "/", "%", "%00", "%2f", "%0d%0a", "[", "]", ".",
    "。", "\u00ad", "\u200b", "\u202e", "\ufeff", "\u2028", "\ud800", "\U000e0041", "ß", "ı", "℀", "㏂", "ﬁ", "＃",
    "？", "：",
)  # fmt: skip
"""What parsers drop, map, decode or stumble over."""


def plainly(host: str) -> str:
    return f"https://{host}/hook"


def oddly(chance: Random, host: str) -> str:
    url = chance.choice(AROUND)
    for name, value in (("{good}", GOOD), ("{port}", chance.choice(PORTS)), ("{scheme}", chance.choice(SCHEMES))):
        url = url.replace(name, value)
    return url.replace("{host}", host)


def sprinkled(chance: Random, url: str) -> str:
    place = chance.randrange(len(url) + 1)
    return url[:place] + chance.choice(SPRINKLES) + url[place:]
