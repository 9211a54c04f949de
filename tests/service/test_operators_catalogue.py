"""An operator's own catalogue at work: its gateways are sent to, its aliases understood, its mistakes told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from adapters.providers import PROVIDERS
from service.settings import Settings, SettingsError, load
from tests.world import PUBLIC_URL, SIMULATOR, World, world

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).resolve().parent.parent.parent
NATIVE = "/api/v1/services/aigc/video-generation/video-synthesis"
MINE = f"""\
[providers.mygate]
like = "apiyi"
base_url = "{SIMULATOR}/apiyi"
api_key_env = "MY_GATE_KEY"

[providers.flatgate]
shape = "flat"
base_url = "{SIMULATOR}/acedata"
batch = 20
models = ["wan2.6-t2v"]

[[models."wan2.7-t2v".prices]]
provider = "mygate"
resolution = "720P"
per_second = 0.07
currency = "USD"

[aliases]
"my-wan" = "wan2.7-t2v"
"my-horse" = "happyhorse-1.0-t2v"
"""
KEYS = {"MY_GATE_KEY": "sk-mygate", "FLATGATE_API_KEY": "sk-flatgate"}


def loaded(folder: Path, text: str = MINE, **environ: str) -> Settings:
    path = folder / "mine.toml"
    path.write_text(text, "utf-8")
    return load(None, {"RINGBACK_CATALOGUE": str(path), "RINGBACK_DATABASE": str(folder / "x.db"), **environ})


@asynccontextmanager
async def served(folder: Path, **environ: str) -> AsyncIterator[World]:
    settings = loaded(folder, **KEYS, **environ)
    async with world(folder, accounts=settings.accounts, catalogue=settings.catalogue) as it:
        yield it


def native(model: str, prompt: str = "A lighthouse at sunset") -> dict[str, Any]:
    return {"model": model, "input": {"prompt": prompt}, "parameters": {"resolution": "720P", "duration": 5}}


async def ask(it: World, path: str, body: dict[str, Any], hook: str, **headers: str) -> str:
    reply = await it.client.post(path, json=body, headers={"x-callback-url": it.inbox.url + hook, **headers})
    assert reply.status_code == 200, reply.text
    said = reply.json()
    task_id: str = said.get("output", said)["task_id"]
    return task_id


@pytest.mark.parametrize("prefix", ["", "/wan"])
async def test_a_task_is_sent_to_the_operators_gateway_and_delivered(prefix: str, tmp_path: Path) -> None:
    async with served(tmp_path) as it:
        task_id = await ask(it, prefix + NATIVE, native("wan2.7-t2v"), "/hook")
        await it.settle(45)
        [create] = it.upstreams.creates
        assert (create.provider, create.headers["authorization"]) == ("apiyi", "Bearer sk-mygate")
        assert create.body == native("wan2.7-t2v")
        [told] = it.inbox.bodies("/hook")
        assert told.get("output", told)["task_id"] == task_id
        assert f"{SIMULATOR}/results/{create.task_id}.mp4" in str(told)
        record = (await it.client.get(f"/v1/tasks/{task_id}/record")).json()
        assert (record["provider"], record["state"]) == ("mygate", "SUCCEEDED")


async def test_a_failure_at_the_operators_gateway_is_told_too(tmp_path: Path) -> None:
    async with served(tmp_path) as it:
        await ask(it, NATIVE, native("wan2.7-t2v", "x [sim:fail=DataInspectionFailed]"), "/hook")
        await it.settle(45)
        [told] = it.inbox.bodies("/hook")
        assert (told["output"]["task_status"], told["output"]["code"]) == ("FAILED", "DataInspectionFailed")


async def test_a_gateway_of_the_flat_shape_is_asked_in_batches(tmp_path: Path) -> None:
    async with served(tmp_path) as it:
        body = {"action": "text2video", "model": "wan2.6-t2v", "prompt": "a cat", "async": True}
        named = {"x-ringback-provider": "flatgate"}
        tasks = [await ask(it, "/wan/videos", body | {"prompt": f"cat {n}"}, "/flat", **named) for n in range(3)]
        await it.settle(60)
        assert {told["task_id"] for told in it.inbox.bodies("/flat")} == set(tasks)
        assert {create.headers["authorization"] for create in it.upstreams.creates} == {"Bearer sk-flatgate"}
        assert all("callback_url" not in create.body for create in it.upstreams.creates)


async def test_a_gateway_that_is_like_one_that_calls_back_calls_back(tmp_path: Path) -> None:
    text = f'[providers.calling]\nlike = "acedata"\nbase_url = "{SIMULATOR}/acedata"\n'
    settings = loaded(tmp_path, text, CALLING_API_KEY="sk-calling")
    async with world(tmp_path, accounts=settings.accounts, catalogue=settings.catalogue) as it:
        body = {"action": "text2video", "model": "wan2.6-t2v", "prompt": "a cat", "async": True}
        task_id = await ask(it, "/wan/videos", body, "/hook")
        [create] = it.upstreams.creates
        assert create.body["callback_url"].startswith(f"{PUBLIC_URL}/callbacks/calling/")
        await it.settle(45)
        assert [told["task_id"] for told in it.inbox.bodies("/hook")] == [task_id]
        assert it.upstreams.requests["acedata", "query"] == 1, "its callback made the only look due"


async def test_the_operator_orders_his_gateway_among_the_others(tmp_path: Path) -> None:
    keys = {"APIYI_API_KEY": "sk-apiyi", "RINGBACK_APIYI_BASE_URL": f"{SIMULATOR}/apiyi"}
    for order, first in (("mygate,apiyi", "mygate"), ("apiyi,mygate", "apiyi")):
        folder = tmp_path / first
        folder.mkdir()
        async with served(folder, RINGBACK_PROVIDERS=order, **keys) as it:
            await ask(it, NATIVE, native("wan2.7-t2v"), "/hook")
            [create] = it.upstreams.creates
            assert create.headers["authorization"] == f"Bearer sk-{first}"


async def test_an_alias_is_sent_as_its_model_and_told_as_it_was_asked_for(tmp_path: Path) -> None:
    async with served(tmp_path) as it:
        body = native("my-wan")
        task_id = await ask(it, "/wan" + NATIVE, body, "/own")
        event = await ask(it, NATIVE, native("my-wan"), "/event", **{"x-callback-format": "event"})
        await it.settle(45)
        assert {create.body["model"] for create in it.upstreams.creates} == {"wan2.7-t2v"}
        assert it.inbox.bodies("/own")[0]["result"]["data"]["model"] == "my-wan"
        assert it.inbox.bodies("/event")[0]["data"]["model"] == "my-wan"
        flat = (await it.client.post("/wan/tasks", json={"action": "retrieve", "id": task_id})).json()
        assert flat["request"] == body
        assert (await it.client.get(f"/v1/tasks/{event}/record")).json()["model"] == "my-wan"
        found = (await it.client.get("/api/v1/tasks", params={"model_name": "my-wan"})).json()
        assert {each["task_id"] for each in found["data"]} == {task_id, event}


async def test_an_alias_of_a_happyhorse_model_belongs_to_that_service(tmp_path: Path) -> None:
    async with served(tmp_path) as it:
        body = {"action": "generate", "model": "my-horse", "prompt": "a horse", "async": True}
        await ask(it, "/happyhorse/videos", body, "/hook")
        await it.settle(45)
        [told] = it.inbox.bodies("/hook")
        assert told["data"][0]["video_url"] == told["video_url"]
        refused = await it.client.post("/wan/videos", json=body | {"action": "text2video"})
        assert "/happyhorse/videos" in refused.json()["error"]["message"]


async def test_models_show_what_the_operator_added(tmp_path: Path) -> None:
    async with served(tmp_path) as it:
        told = {model["model"]: model for model in (await it.client.get("/v1/models")).json()["models"]}
        mine, other = told["wan2.7-t2v"], told["happyhorse-1.1-t2v"]
        assert (mine["own"], mine["aliases"], mine["available"]) == (True, ["my-wan"], ["mygate"])
        assert [price["per_second"] for price in mine["prices"] if price["provider"] == "mygate"] == [0.07]
        assert (other["own"], other["aliases"]) == (False, [])


async def test_a_misspelt_alias_is_answered_with_the_right_one(tmp_path: Path) -> None:
    async with served(tmp_path) as it:
        refused = await it.client.post(NATIVE, json=native("my-wann"))
        assert refused.status_code == 400
        assert "my-wan" in refused.json()["message"].replace("my-wann", "")


# Settings


def test_the_operators_provider_has_settings_like_ours(tmp_path: Path) -> None:
    given = {"RINGBACK_MYGATE_BASE_URL": "http://127.0.0.1:9000/x", "RINGBACK_MYGATE_POLL_SECONDS": "0.5"}
    settings = loaded(tmp_path, **KEYS, **given)
    account = next(each for each in settings.accounts if each.provider.name == "mygate")
    assert (account.base_url, account.poll_seconds) == ("http://127.0.0.1:9000/x", 0.5)
    assert account.api_key.get_secret_value() == "sk-mygate"
    assert settings.warnings == ()


def test_the_settings_file_may_name_the_catalogue_and_hold_its_providers_settings(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(MINE)
    config = tmp_path / "ringback.toml"
    lines = ['catalogue = "{}"', 'mygate_api_key = "sk-mygate"', "mygate_poll_seconds = 9"]
    config.write_text("\n".join(lines).format(tmp_path / "mine.toml"))
    (account,) = load(config, {"RINGBACK_DATABASE": str(tmp_path / "x.db")}).accounts
    assert (account.provider.name, account.poll_seconds) == ("mygate", 9)


def test_without_its_catalogue_a_providers_settings_are_unknown(tmp_path: Path) -> None:
    config = tmp_path / "ringback.toml"
    config.write_text('mygate_api_key = "sk-mygate"')
    with pytest.raises(SettingsError, match="unknown name 'mygate_api_key'"):
        load(config, {})
    assert (
        "RINGBACK_MYGATE_BASE_URL is not a setting"
        in load(None, {"RINGBACK_MYGATE_BASE_URL": "x"} | db(tmp_path)).warnings[0]
    )


def db(folder: Path) -> dict[str, str]:
    return {"RINGBACK_DATABASE": str(folder / "x.db")}


def test_an_own_provider_without_its_key_is_a_warning(tmp_path: Path) -> None:
    settings = loaded(tmp_path, MY_GATE_KEY="sk-mygate")
    assert settings.warnings == ("The provider flatgate is not used: FLATGATE_API_KEY is not set.",)


def test_the_floor_of_the_operators_provider_holds_on_its_own_host(tmp_path: Path) -> None:
    with pytest.raises(
        SettingsError, match="RINGBACK_MYGATE_POLL_SECONDS is '1': mygate allows no less than 3 seconds"
    ):
        loaded(tmp_path, **KEYS, RINGBACK_MYGATE_POLL_SECONDS="1")


def test_the_order_of_providers_knows_the_operators_own(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"'mygat', which is none of .*, mygate, flatgate\. Did you mean mygate\?"):
        loaded(tmp_path, **KEYS, RINGBACK_PROVIDERS="mygat")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (MINE.replace("apiyi", "apyi"), ":2: providers.mygate.like: 'apyi' is not known; did you mean apiyi?"),
        (MINE.replace("MY_GATE_KEY", "RINGBACK_PORT"), ":4: providers.mygate.api_key_env: variables that begin with"),
        (MINE + "[", ":21: not TOML: "),
    ],
)
def test_a_wrong_catalogue_stops_the_start_with_a_sentence_that_names_file_and_line(
    text: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError) as caught:
        loaded(tmp_path, text)
    assert caught.value.problems[0].startswith(f"{tmp_path / 'mine.toml'}{said}")


def test_a_catalogue_that_is_no_text_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match=r"mine\.toml: is not UTF-8 text\."):
        load(None, {"RINGBACK_CATALOGUE": str(tmp_path / "mine.toml")})


def test_the_example_of_the_readme_is_good(tmp_path: Path) -> None:
    section = (ROOT / "README.md").read_text("utf-8").partition("### Your own gateways")[2]
    example = section.partition("```toml\n")[2].partition("```")[0]
    settings = loaded(tmp_path, example, MYGATE_API_KEY="sk-mygate")
    assert [account.provider.name for account in settings.accounts] == ["mygate"]
    assert settings.catalogue.own == {"wan2.7-t2v", "wan2.8-t2v"}
    assert settings.catalogue.aliases == {"my-wan": "wan2.7-t2v"}


def test_the_builtin_rows_are_what_the_settings_have_without_a_catalogue(tmp_path: Path) -> None:
    assert load(None, db(tmp_path)).catalogue.providers == PROVIDERS
