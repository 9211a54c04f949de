"""Alibaba EventBridge: an event for every DashScope task of the account that ends, signed and without a result
(wire notes 4). Its certificate is its own, so what believes it must be handed that one."""

from __future__ import annotations

import json
import uuid
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from service.simulator.callbacks import Callback, Outbox
from service.simulator.listing import BEIJING, STATUS
from service.simulator.tasks import Task

CERTIFICATE_URL = "https://cn-beijing-eventbridge.oss-accelerate.aliyuncs.com/x509_public_certificate_simulated.pem"
PREFIX = "x-eventbridge-signature"
STALE_SECONDS = 61.0
RETRY_SECONDS = 15.0  # three times, 10 to 20 s apart


@cache
def private_key() -> RSAPrivateKey:
    return generate_private_key(public_exponent=65537, key_size=2048)


@cache
def certificate() -> bytes:
    """In PEM, good for a century: clocks of tests stand anywhere."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "simulated eventbridge")])
    start = datetime(2000, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder(name, name, private_key().public_key(), 1, start, start + timedelta(days=36525))
    return builder.sign(private_key(), SHA256()).public_bytes(Encoding.PEM)


def signed(url: str, body: bytes, at: float, token: str | None = None, newline: bool = False) -> dict[str, str]:
    """The headers of a push; some signers end what they sign with a line break."""
    headers = {
        f"{PREFIX}-timestamp": str(int(at * 1000)),
        "x-eventbridge-hash-method": "SHA256",
        f"{PREFIX}-version": "1.0",
        f"{PREFIX}-url": CERTIFICATE_URL,
    }
    if token is not None:
        headers[f"{PREFIX}-token"] = token
    lines = [url, *(f"{name}: {value}" for name, value in headers.items())]
    text = "\n".join(lines).encode() + b"\n" + body + (b"\n" if newline else b"")
    signature = private_key().sign(text, PKCS1v15(), SHA256())
    return headers | {f"{PREFIX}-v2": b64encode(signature).decode(), "content-type": "application/json;charset=utf-8"}


@dataclass(frozen=True, slots=True)
class Push(Callback):
    """An event on its way; it is signed when it leaves."""

    token: str | None = field(default=None, repr=False)
    newline: bool = False
    late: float = 0.0
    tries: int = 3

    def message(self, now: float) -> tuple[bytes, Mapping[str, str]]:
        content = json.dumps(self.body, ensure_ascii=False).encode()
        return content, signed(self.url, content, now - self.late, self.token, self.newline)

    def again(self, now: float) -> Callback | None:
        return replace(self, due=now + RETRY_SECONDS, tries=self.tries - 1) if self.tries else None


class EventBridge:
    """Without a subscription nothing is sent. A subscription is the account's: it is told of every DashScope task."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._url: str | None = None
        self._token: str | None = None

    def subscribe(self, url: str | None, token: str | None = None) -> None:
        self._url, self._token = url, token

    def promise(self, task: Task) -> None:
        """Takes the event of a task's end, as its marker wants it."""
        wish = task.behaviour.push
        if self._url is None or wish == "lost":
            return
        push = Push(task.script.ends_at, self._url, event_of(task), task.id, self._token, wish == "newline")
        if wish == "stale":
            push = replace(push, late=STALE_SECONDS)
        for _ in range(2 if wish == "twice" else 1):
            self._outbox.promise(push)


def event_of(task: Task) -> dict[str, Any]:
    """The CloudEvent; a retry has the same id."""
    script, model = task.script, task.order.model
    ended = datetime.fromtimestamp(script.ends_at, UTC)
    return {
        "specversion": "1.0",
        "id": task.alias("event"),
        "source": "acs.dashscope",
        "type": "dashscope:System:AsyncTaskFinish",
        "datacontenttype": "application/json;charset=utf-8",
        "time": ended.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "aliyunaccountid": "1000000000000000",
        "aliyuneventbusname": "default",
        "aliyunregionid": "cn-beijing",
        "data": {
            "task_id": task.id,
            "task_status": STATUS[script.ending],
            "contain_result": False,
            "start_time": _seconds(script.started_at),
            "end_time": _seconds(script.ends_at),
            "user_api_unique_key": f"apikey:v1:aigc:video-generation:video-synthesis:{model}",
            "region": "cn-beijing",
            "request_id": str(uuid.uuid5(uuid.UUID(task.id), "create")),
            "api_key_id": "1250",
        },
    }


def _seconds(at: float) -> str:
    return datetime.fromtimestamp(at, BEIJING).strftime("%Y-%m-%d %H:%M:%S")
