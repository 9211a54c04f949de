"""`ringback verify`: good, bad and why, against signatures of the independent library."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from standardwebhooks.webhooks import Webhook

from service.cli import main
from service.keys.asymmetric import new_signing_key, public_key_of
from service.keys.signing import sign

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqr"
OTHER = "whsec_" + "A" * 32
BODY = '{"success":true,"task_id":"a4bca552"}'


def headers_for(body: str, at: datetime) -> list[str]:
    signature = Webhook(SECRET).sign("msg_1", at, body)
    return ["webhook-id: msg_1", f"webhook-timestamp: {int(at.timestamp())}", f"Webhook-Signature: {signature}"]


def verify(*arguments: str, body: str = BODY, env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(main, ["verify", *arguments, "-"], input=body, env=env)


def given(lines: list[str]) -> list[str]:
    return [word for line in lines for word in ("-H", line)]


def test_a_good_signature_is_good() -> None:
    shown = verify("--secret", SECRET, *given(headers_for(BODY, datetime.now(UTC))))
    assert (shown.exit_code, shown.output) == (0, "The signature is right.\n")


def test_the_headers_may_be_in_a_file_and_the_secret_in_the_environment(tmp_path: Path) -> None:
    file, body = tmp_path / "headers.txt", tmp_path / "body.json"
    file.write_text("\r\n".join(["POST /hook HTTP/1.1", "Host: x", *headers_for(BODY, datetime.now(UTC)), ""]))
    body.write_text(BODY)
    words = ["verify", "--headers", str(file), str(body)]
    assert CliRunner().invoke(main, words, env={"RINGBACK_WEBHOOK_SECRET": SECRET}).exit_code == 0


def test_of_several_secrets_one_is_enough() -> None:
    assert verify("--secret", OTHER, "--secret", SECRET, *given(headers_for(BODY, datetime.now(UTC)))).exit_code == 0


def test_a_variable_may_hold_several_and_one_may_be_a_public_key() -> None:
    lines = given(headers_for(BODY, datetime.now(UTC)))
    assert verify(*lines, env={"RINGBACK_WEBHOOK_SECRET": f"{OTHER}, {SECRET}"}).exit_code == 0
    key = new_signing_key()
    now = int(datetime.now(UTC).timestamp())
    signed = [f"{name}: {value}" for name, value in sign([key], "msg_1", now, BODY.encode()).items()]
    assert verify("--secret", public_key_of(key), *given(signed)).exit_code == 0
    assert verify("--secret", public_key_of(new_signing_key()), *given(signed)).exit_code == 1


@pytest.mark.parametrize(
    ("body", "secret", "why"),
    [
        (BODY.replace("true", "false"), SECRET, "altered"),
        (BODY + "\n", SECRET, "line break"),
        (BODY, OTHER, "another one"),
        (BODY, "hunter2hunter2", "not whsec_"),
    ],
)
def test_a_bad_one_is_bad_and_says_why(body: str, secret: str, why: str) -> None:
    shown = verify("--secret", secret, *given(headers_for(BODY, datetime.now(UTC))), body=body)
    assert shown.exit_code == 1
    assert why in shown.output
    assert secret not in shown.output


def test_an_old_one_is_judged_by_when_it_was_received() -> None:
    lines = given(headers_for(BODY, datetime.fromtimestamp(1_000_000_000, UTC)))
    assert "too old" in json.loads(verify("--json", "--secret", SECRET, *lines).stdout)["reason"].replace("_", " ")
    assert verify("--secret", SECRET, "--at", "1000000100", *lines).exit_code == 0


def test_a_missing_header_is_named() -> None:
    shown = verify("--secret", SECRET, "-H", "webhook-id: msg_1")
    assert shown.exit_code == 1
    assert "webhook-timestamp is missing" in shown.output


def test_without_a_secret_nothing_can_be_said() -> None:
    assert verify().exit_code == 2
