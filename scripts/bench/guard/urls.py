"""URLs, hostile and ordinary, each with what the names in it lead to, one answer for each time that DNS is asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from scripts.bench.guard.addresses import Address, forbidden, public, spell, words
from scripts.bench.guard.spelling import oddly, plainly, sprinkled

SLOW = None
"""An answer that does not come."""

Answer = Sequence[Address] | None


@dataclass(frozen=True, slots=True)
class Case:
    """`kind` is for the table of what was tried. `answers` are given one after the other, whatever name is asked for,
    the last one for ever. `dotless`: names are found without a trailing dot only, as in a hosts file."""

    kind: str
    url: str
    answers: tuple[Answer, ...]
    dotless: bool = False


def hostile(chance: Random) -> Case:
    """Whatever comes of this URL, nothing but a public address may be dialled."""
    kind, host, answers, dotless = _hosts(chance)
    odd = 0.7 if kind in ("literal address", "internal name") else 0.2  # names that pass show what their answers do
    url = oddly(chance, host) if chance.random() < odd else plainly(host)
    if chance.random() < 0.1:
        url = sprinkled(chance, url)
    return Case(kind, url, answers, dotless)


def ordinary(chance: Random) -> Case:
    """A receiver as people have them."""
    host = chance.choice(ORDINARY_HOSTS)(chance)
    url = f"{chance.choice(SCHEMES)}://{host}{chance.choice(PORTS)}{_path(chance)}{_query(chance)}"
    answer = [public(chance) for _ in range(chance.choice((1, 1, 2, 4, 6)))]
    return Case("ordinary", url, (answer,))


def _hosts(chance: Random) -> tuple[str, str, tuple[Answer, ...], bool]:
    what = chance.random()
    if what < 0.35:
        return "literal address", spell(chance, forbidden(chance)), ([public(chance)],), False
    if what < 0.45:
        return "internal name", _cased(chance, chance.choice(INTERNAL)), ([forbidden(chance)],), chance.random() < 0.5
    kind, answers = chance.choice(SCRIPTS)
    return kind, chance.choice(ORDINARY_HOSTS)(chance), answers(chance), kind == "hosts file"


def _mixed(chance: Random) -> list[Address]:
    addresses = [public(chance) for _ in range(chance.randrange(1, 5))]
    addresses.insert(chance.randrange(len(addresses) + 1), forbidden(chance))
    return addresses


SCRIPTS: tuple[tuple[str, Callable[[Random], tuple[Answer, ...]]], ...] = (
    ("forbidden answer", lambda chance: ([forbidden(chance)],)),
    ("forbidden answers", lambda chance: ([forbidden(chance) for _ in range(4)],)),
    ("mixed answer", lambda chance: (_mixed(chance),)),
    ("rebinding after the check", lambda chance: ([public(chance)], [forbidden(chance)])),
    ("rebinding before the dial", lambda chance: ([public(chance)], [public(chance)], [forbidden(chance)])),
    ("rebinding to and fro", lambda chance: tuple([pick(chance)] for _ in range(4) for pick in (public, forbidden))),
    ("rebinding to a mixture", lambda chance: ([public(chance)], _mixed(chance))),
    ("empty, then forbidden", lambda chance: ([], [forbidden(chance)])),
    ("empty", lambda chance: ([],)),
    ("hosts file", lambda chance: ([forbidden(chance)],)),
    ("public answer", lambda chance: ([public(chance)],)),
)  # fmt: skip
RARE = (
    ("slow", lambda chance: (SLOW,)),
    ("slow, then forbidden", lambda chance: (SLOW, [forbidden(chance)])),
)
"""Each costs real time, so there are few of them."""


def slow(chance: Random) -> Case:
    kind, answers = chance.choice(RARE)
    return Case(kind, f"https://{chance.choice(ORDINARY_HOSTS)(chance)}/", answers(chance))


INTERNAL = words("""
localhost localhost.localdomain app.localhost ip6-localhost printer.local db.internal metadata
metadata.google.internal metadata.goog instance-data kubernetes.default kubernetes.default.svc.cluster.local
redis host.docker.internal intranet wiki.intranet nas.lan router.home nas.home.arpa dc.corp vault.private
x.onion x.test x.invalid x.example ⓛocalhost loc𝐚lhost local。host localhost。 ｌｏｃａｌｈｏｓｔ lo%63alhost
local\u00adhost metadata.google。internal db.ınternal
""")


def _cased(chance: Random, text: str) -> str:
    cased = "".join(each.upper() if chance.random() < 0.3 else each for each in text)
    return cased + chance.choice(("", "", ".", ".."))


WORDS = words("""
acme north river studio video render hooks api callback webhook events notify prod staging eu us-east-1 app
my-shop bot n8n make flow queue worker edge cdn live media wan dashscope partner billing data2 v2 a x1 team-42
3d 4k 163 4399 1688
""")
ENDS = words("""
com org net io dev app ai cn com.cn co.uk de fr jp co.jp com.br in us eu info biz shop xyz cloud tech site me
tv gg ngrok-free.app trycloudflare.com workers.dev vercel.app netlify.app herokuapp.com run.app
azurewebsites.net lambda-url.us-east-1.on.aws execute-api.eu-west-1.amazonaws.com supabase.co fly.dev
onrender.com railway.app pipedream.net webhook.site
""")
INTERNATIONAL = words("""
bücher.de bücher.example-shop.com 例え.jp пример.рф 中文网.cn 中文网.中国 مثال.com ñandú.es café.fr straße.de faß.de
ελλάδα.gr 한국.kr xn--bcher-kva.de xn--fiqs8s.cn xn--e1afmkfd.xn--p1ai øre.dk İstanbul.com.tr ıstanbul.com.tr
भारत.in ไทย.th
""")
KNOWN = words("""
hooks.zapier.com hook.eu2.make.com webhook.site open.feishu.cn oapi.dingtalk.com qyapi.weixin.qq.com
hooks.slack.com discord.com api.telegram.org 127.0.0.1.nip.io localhost.run my_app.example-shop.com
_dmarc.example-shop.com
""")


def _name(chance: Random) -> str:
    labels = [chance.choice(WORDS) for _ in range(chance.choice((1, 1, 2, 2, 3, 6)))]
    if chance.random() < 0.1:
        labels[0] = chance.choice("abcdefg0123") + "".join(chance.choices("abcdefghij0123456789", k=61)) + "z"
    return ".".join([*labels, chance.choice(ENDS)])


ORDINARY_HOSTS: tuple[Callable[[Random], str], ...] = (
    _name,
    _name,
    _name,
    lambda chance: _name(chance).upper(),
    lambda chance: _name(chance) + ".",
    lambda chance: chance.choice(INTERNATIONAL),
    lambda chance: f"{chance.choice(WORDS)}.{chance.choice(INTERNATIONAL)}",
    lambda chance: chance.choice(KNOWN),
    lambda chance: f"{chance.choice(WORDS)}_{chance.choice(WORDS)}.{chance.choice(ENDS)}",
)
SCHEMES = ("https", "https", "https", "HTTPS", "Https")
PORTS = ("", "", "", ":443", ":")
SEGMENTS = words("""
hook hooks webhook v1 v2 callback 550e8400-e29b-41d4-a716-446655440000 a%20b %E4%BD%A0%E5%A5%BD 你好 é ~me @user
:80 a;b=c a=b a,b (x) ' ! $ & * + %2e%2e .. . .well-known index.php x.json
eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-_ %2F %00 %0d%0a A%3aB | [x] {id} ^ ` <x> "q" https: localhost
127.0.0.1 169.254.169.254
""")
PAIRS = words("""
a=b token=abc.def-ghi_jkl~ url=https://localhost/ url=http%3A%2F%2F127.0.0.1%3A22 next=//10.0.0.1/ mail=a@b.c
q=%20 q=+ x[]=1 x[y]=2 é=ü 你=好 a=b=c = & sig=AbC%2Bde%2F%3D time=12:30 json={"a":1} empty= flag ? / ; a|b
""")


def _path(chance: Random) -> str:
    count = chance.choice((0, 1, 1, 2, 3, 8))
    return "".join(
        chance.choice(("/", "/", "/", "//")) + chance.choice(SEGMENTS) for _ in range(count)
    ) + chance.choice(("", "/"))


def _query(chance: Random) -> str:
    count = chance.choice((0, 0, 1, 2, 5))
    return "?" + "&".join(chance.choice(PAIRS) for _ in range(count)) if count else chance.choice(("", "", "?"))
