"""What receivers verify with: standardwebhooks, svix and openai, in Python and JavaScript, take what is sent and
nothing else; in every format, with either signature, and while a secret is being replaced."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openai
import pytest
import standardwebhooks.webhooks
import svix.webhooks

from tests.clients.node_packages import install
from tests.world import World, world

NODE = Path(__file__).parent / "verifiers"
PROMPT = "a cat, 猫, \U0001f431 </script>\u2028 [sim:seconds=1]"


@dataclass(frozen=True)
class Message:
    """One POST as it arrived, and the secret that its receiver knows."""

    secret: str
    headers: Mapping[str, str]
    body: str

    def altered(self) -> Message:
        return Message(self.secret, self.headers, self.body + " ")

    def for_node(self) -> dict[str, Any]:
        kept = {name: value for name, value in self.headers.items() if name.startswith("webhook-")}
        return {"secret": self.secret, "headers": kept, "body": self.body}


PYTHON: Mapping[str, Callable[[Message], Any]] = {
    "standardwebhooks": lambda it: standardwebhooks.webhooks.Webhook(it.secret).verify(it.body, dict(it.headers)),
    "svix": lambda it: svix.webhooks.Webhook(it.secret).verify(it.body, dict(it.headers)),
    "openai": lambda it: openai.OpenAI(api_key="unused").webhooks.verify_signature(
        it.body, dict(it.headers), secret=it.secret
    ),
}
REFUSED = (
    standardwebhooks.webhooks.WebhookVerificationError,
    svix.webhooks.WebhookVerificationError,
    openai.InvalidWebhookSignatureError,
)


async def messages(it: World) -> list[Message]:
    """What endpoints of all kinds are sent; of those whose secret was replaced once for each secret."""
    it.inbox.verify = lambda headers, raw: True
    secrets: dict[str, list[str]] = {}
    for form in ("own", "event", "cloudevents"):
        for signature in ("v1", "both"):
            path = f"/{form}-{signature}"
            wanted = {"url": it.inbox.url + path, "format": form, "signature": signature}
            one = (await it.client.post("/v1/endpoints", json=wanted)).json()
            rotated = (await it.client.post(f"/v1/endpoints/{one['id']}/rotate-secret", json={})).json()
            secrets[path] = [one["secret"], rotated["secret"]]
            create = {"action": "text2video", "model": "wan2.6-t2v", "prompt": PROMPT, "async": True}
            headers = {"X-Callback-Endpoint": one["id"], "X-Ringback-Metadata": '{"order":"\\u732b"}'}
            assert (await it.client.post("/wan/videos", json=create, headers=headers)).status_code == 200
    await it.settle(30)
    assert len(it.inbox.received) == 6
    return [
        Message(secret, received.headers, received.raw.decode())
        for received in it.inbox.received
        for secret in secrets[received.path]
    ]


@pytest.mark.anyio
async def test_every_library_takes_what_is_sent_and_nothing_else(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        sent = await messages(it)
        for message in sent:
            for verify in PYTHON.values():
                verify(message)
                with pytest.raises(REFUSED):
                    verify(message.altered())
        by_node = verified_by_node(tmp_path, [*sent, *(message.altered() for message in sent)])
    names = set(PYTHON)
    assert [{name for name in names if said[name] is True} for said in by_node] == [names] * 12 + [set()] * 12


def verified_by_node(folder: Path, messages: list[Message]) -> list[dict[str, Any]]:
    (folder / "node_modules").symlink_to(install(NODE))
    shutil.copy(NODE / "verify.mjs", folder)
    asked = json.dumps([message.for_node() for message in messages])
    done = subprocess.run(
        ["node", str(folder / "verify.mjs")], input=asked, capture_output=True, text=True, timeout=60, check=True
    )
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found
