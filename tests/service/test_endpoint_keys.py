"""Secrets and keys of endpoints and clients: signed by whom, published, replaced with an overlap."""

from __future__ import annotations

import hashlib
import json
from base64 import b64decode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tests.world import ADMIN, SECRET, World, world

pytestmark = pytest.mark.anyio
CREATE = {"action": "text2video", "model": "wan2.6-t2v", "prompt": "a cat", "async": True}
OTHER_SECRET = "whsec_" + "QUJD" * 11
DAY = 86_400


def verified_by(key: bytes, headers: Mapping[str, str], raw: bytes) -> bool:
    """By the specification alone: a part `v1a,<base64>` is an ed25519 signature of `id.timestamp.body`."""
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + raw
    parts = [part.split(",", 1) for part in headers["webhook-signature"].split(" ")]
    return any(version == "v1a" and fits(key, b64decode(text), signed) for version, text in parts)


def fits(key: bytes, signature: bytes, signed: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, signed)
    except InvalidSignature:
        return False
    return True


async def endpoint(it: World, **fields: Any) -> dict[str, Any]:
    reply = await it.client.post("/v1/endpoints", json={"url": f"{it.inbox.url}/in", **fields})
    assert reply.status_code == 201, reply.text
    found: dict[str, Any] = reply.json()
    return found


async def told(it: World, endpoint_id: str) -> None:
    reply = await it.client.post("/wan/videos", json=CREATE, headers={"X-Callback-Endpoint": endpoint_id})
    assert reply.status_code == 200
    await it.settle(60)


async def published(it: World, endpoint_id: str) -> list[bytes]:
    reply = await it.client.get(f"/v1/endpoints/{endpoint_id}/jwks.json", headers={"authorization": ""})
    return [urlsafe_b64decode(key["x"] + "=") for key in reply.json()["keys"]]


def versions(headers: Mapping[str, str]) -> list[str]:
    return [part.partition(",")[0] for part in headers["webhook-signature"].split(" ")]


@pytest.mark.parametrize(("signature", "parts"), [("v1", ["v1"]), ("v1a", ["v1a"]), ("both", ["v1", "v1a"])])
async def test_an_endpoint_is_signed_for_as_it_asked(tmp_path: Path, signature: str, parts: list[str]) -> None:
    async with world(tmp_path) as it:
        one = await endpoint(it, signature=signature, secret=SECRET)
        [key] = await published(it, one["id"])
        assert one["public_key"] == "whpk_" + b64decode_back(key)
        if signature == "v1a":
            it.inbox.verify = lambda headers, raw: verified_by(key, headers, raw)
        await told(it, one["id"])
        [received] = it.inbox.received
        assert versions(received.headers) == parts
        assert verified_by(key, received.headers, received.raw) == ("v1a" in parts)
        assert not verified_by(key, received.headers, received.raw + b" ")


def b64decode_back(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().replace("-", "+").replace("_", "/")


async def test_public_keys_are_a_key_set_that_anybody_may_read(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        one = await endpoint(it, signature="v1a")
        reply = await it.client.get(f"/v1/endpoints/{one['id']}/jwks.json", headers={"authorization": ""})
        [key] = reply.json()["keys"]
        assert (key["kty"], key["crv"], key["alg"], key["use"]) == ("OKP", "Ed25519", "EdDSA", "sig")
        named = json.dumps({name: key[name] for name in ("crv", "kty", "x")}, separators=(",", ":"))  # RFC 7638
        assert key["kid"] == urlsafe_b64encode(hashlib.sha256(named.encode()).digest()).rstrip(b"=").decode()
        assert set(key) == {"kty", "crv", "x", "kid", "alg", "use"}  # and nothing private
        assert (await it.client.get("/v1/endpoints/ep_none/jwks.json")).status_code == 404


async def test_while_a_secret_is_replaced_old_and_new_receivers_both_verify(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        one = await endpoint(it, signature="both", secret=SECRET)
        [old_key] = await published(it, one["id"])
        path = f"/v1/endpoints/{one['id']}/rotate-secret"
        rotated = (await it.client.post(path, json={"overlap_seconds": 600})).json()
        assert rotated["secret"] not in (SECRET, "")
        assert rotated["old_secret_until"] is not None
        new_key, *others = await published(it, one["id"])
        assert (others, new_key == old_key) == ([old_key], False)
        for secrets in ((SECRET,), (rotated["secret"],)):
            it.inbox.secrets = secrets
            await told(it, one["id"])
        assert it.inbox.forged == []
        for received in it.inbox.received:
            assert versions(received.headers) == ["v1", "v1", "v1a", "v1a"]
            assert verified_by(old_key, received.headers, received.raw)
            assert verified_by(new_key, received.headers, received.raw)
        it.clock.turn(600)
        await told(it, one["id"])
        assert versions(it.inbox.received[-1].headers) == ["v1", "v1a"]
        assert await published(it, one["id"]) == [new_key]


async def test_the_overlap_is_a_day_if_nothing_is_said_and_none_if_nought_is(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        one = await endpoint(it)
        path = f"/v1/endpoints/{one['id']}/rotate-secret"

        async def signing() -> tuple[str, ...]:
            way = await it.ringback.clients.way_to("env:first", one["id"])
            assert way is not None
            return way.secrets

        await it.client.post(path, json={"secret": OTHER_SECRET})
        it.clock.turn(DAY - 1)
        assert set(await signing()) == {one["secret"], OTHER_SECRET}
        it.clock.turn(1)
        assert await signing() == (OTHER_SECRET,)
        await it.settle(3700, step=60)  # a round of the retention
        kept = await it.ringback.store._engine.read(lambda tx: tx.all("SELECT owner FROM retired_secrets"))
        assert kept == []
        last = (await it.client.post(path, json={"overlap_seconds": 0})).json()["secret"]
        assert await signing() == (last,)
        for wrong in (-1, 30 * DAY + 1, 1.5, "1", True, None):
            reply = await it.client.post(path, json={"overlap_seconds": wrong})
            assert (reply.status_code, "overlap_seconds: a whole number" in reply.text) == (400, True)


async def test_the_secret_of_a_client_key_is_replaced_by_the_operator(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        admin = it.as_key(ADMIN)
        body = {"name": "app", "webhook_secret": SECRET}
        key = (await it.client.post("/v1/keys", json=body, headers=admin)).json()
        assert key["webhook_secret"] == SECRET
        path = f"/v1/keys/{key['id']}/rotate-secret"
        assert (await it.client.post(path, json={})).status_code == 403
        rotated = (await it.client.post(path, json={"overlap_seconds": 600}, headers=admin)).json()
        create = CREATE | {"callback_url": f"{it.inbox.url}/bare"}
        for secret in (SECRET, rotated["webhook_secret"]):
            it.inbox.secrets = (secret,)
            await it.client.post("/wan/videos", json=create, headers=it.as_key(key["key"]))
            await it.settle(60)
        assert (len(it.inbox.received), it.inbox.forged) == (2, [])
        assert (await it.client.post("/v1/keys/nobody/rotate-secret", json={}, headers=admin)).status_code == 404


async def test_all_secrets_of_the_settings_sign(tmp_path: Path) -> None:
    async with world(tmp_path, webhook_secret=f"{OTHER_SECRET}, {SECRET}") as it:
        await it.client.post("/wan/videos", json=CREATE | {"callback_url": f"{it.inbox.url}/bare"})
        await it.settle(60)
        assert (len(it.inbox.received), it.inbox.forged) == (1, [])
        assert versions(it.inbox.received[0].headers) == ["v1", "v1"]


async def test_no_secret_is_on_disk_in_clear(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        one = await endpoint(it, secret=SECRET, headers={"Authorization": "Bearer t0k3n-of-the-receiver"})
        rotated = (await it.client.post(f"/v1/endpoints/{one['id']}/rotate-secret", json={})).json()
        await told(it, one["id"])
        await it.stop()
        written = b"".join(file.read_bytes() for file in sorted(tmp_path.iterdir()))
        for secret in (SECRET, rotated["secret"], "t0k3n-of-the-receiver", "whsk_"):
            assert secret.removeprefix("whsec_").encode() not in written
        await it.start()


async def test_what_was_sealed_with_a_lost_key_is_not_sent_and_says_so(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        one = await endpoint(it)
        await it.stop()
        await it.start(secret_keys=("another-key",))
        await told(it, one["id"])
        [delivery] = (await it.client.get("/v1/deliveries")).json()["deliveries"]
        log = (await it.client.get(f"/v1/deliveries/{delivery['id']}")).json()["log"]
        assert (log[0]["verdict"], delivery["state"]) == ("unsigned", "PENDING")
        shown = (await it.client.get(f"/v1/endpoints/{one['id']}")).json()
        assert shown["public_key"] is None
        assert (await it.client.get(f"/v1/endpoints/{one['id']}/jwks.json")).status_code == 503
