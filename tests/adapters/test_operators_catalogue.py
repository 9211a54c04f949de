"""What an operator may add to the catalogue, and that every mistake in it is told with its line."""

from __future__ import annotations

from typing import Any

import pytest

from adapters import SHAPES, BatchAdapter
from adapters.catalogue import Catalogue, CatalogueError, builtin
from adapters.check import check
from adapters.messages import Request, Submission
from adapters.model import Model
from adapters.offers import CALLING
from adapters.providers import PROVIDERS, Rejected

GATE = '[providers.mygate]\nlike = "apiyi"\nbase_url = "https://mygate.example/v2/"\n'
FLAT_GATE = '[providers.flatgate]\nshape = "flat"\nbase_url = "http://10.0.0.7:8080"\nmodels = ["wan2.6-t2v"]\n'
PRICE = '[[models."wan2.7-t2v".prices]]\nprovider = "apiyi"\nresolution = "720P"\nper_second = 0.07\ncurrency = "USD"\n'
ALIASES = '[aliases]\n"my-wan" = "wan2.7-t2v"\nmy-horse = "happyhorse-1.0-t2v"\npinned = "wan2.7-i2v-2026-04-25"\n'
NATIVE = "/api/v1/services/aigc/video-generation/video-synthesis"


def model(catalogue: Catalogue, name: str) -> Model:
    found = catalogue.find(name)
    assert found is not None
    return found


def offered(catalogue: Catalogue, provider: str) -> set[str]:
    return {name for name, found in catalogue.models.items() if provider in found.providers}


# Providers


def test_a_gateway_that_is_like_a_known_one_offers_the_same_and_has_its_limits() -> None:
    catalogue = builtin(GATE + "looks_per_second = 2\n")
    row = catalogue.providers["mygate"]
    assert (row.shape, row.base_url, row.api_key_env) == ("gateway", "https://mygate.example/v2", "MYGATE_API_KEY")
    assert (row.name, row.title, row.looks_per_second) == ("mygate", "mygate", 2)
    assert row.retention_seconds == PROVIDERS["apiyi"].retention_seconds
    assert row.most_active == PROVIDERS["apiyi"].most_active == 10
    assert offered(catalogue, "mygate") == offered(builtin(), "apiyi")


@pytest.mark.parametrize("meant", Rejected)
def test_what_an_error_of_the_providers_means_can_be_said(meant: Rejected) -> None:
    assert builtin(f'{GATE}rejected_5xx = "{meant}"\n').providers["mygate"].rejected_5xx is meant


@pytest.mark.parametrize(("given", "most"), [(3, 3), (0, None)])
def test_how_many_tasks_may_be_active_can_be_changed_and_taken_away(given: int, most: int | None) -> None:
    assert builtin(f"{GATE}most_active = {given}\n").providers["mygate"].most_active == most
    assert builtin(f"[providers.apiyi]\nmost_active = {given}\n").providers["apiyi"].most_active == most


def test_the_exceptions_of_a_provider_hold_for_one_that_is_like_it() -> None:
    text = GATE.replace("apiyi", "laozhang")
    found = model(builtin(text), "wan2.7-t2v")
    row = builtin(text).providers["mygate"]
    sent = Submission("native", "wan2.7-t2v", "x" * 6000, parameters={"resolution": "480P"})
    assert check(sent, found, row) == ()
    assert [each.field for each in check(sent, found, PROVIDERS["apiyi"])] == ["resolution"]


def test_of_a_provider_that_is_like_none_only_what_all_refuse_is_refused() -> None:
    catalogue = builtin('[providers.own]\nshape = "gateway"\nbase_url = "https://own.example"\nmodels = ["wan2.7-t2v"]')
    found, row = model(catalogue, "wan2.7-t2v"), catalogue.providers["own"]
    sent = Submission("native", "wan2.7-t2v", "x" * 6000, parameters={"resolution": "480P"})
    assert check(sent, found, row) == ()
    (problem,) = check(Submission("native", "wan2.7-t2v", "x", parameters={"resolution": "4K"}), found, row)
    assert problem.field == "resolution"


def test_listed_models_are_all_that_a_provider_offers() -> None:
    assert offered(builtin(GATE + 'models = ["wan2.7-t2v", "wan2.6-t2v"]\n'), "mygate") == {"wan2.7-t2v", "wan2.6-t2v"}


def test_a_model_may_name_the_new_provider_itself() -> None:
    text = GATE + 'models = []\n[models."wan2.6-t2v"]\nproviders = ["mygate"]\n'
    assert offered(builtin(text), "mygate") == {"wan2.6-t2v"}
    assert model(builtin(text), "wan2.6-t2v").providers == ("mygate",)


def test_a_known_provider_may_get_other_limits_and_further_models() -> None:
    catalogue = builtin('[providers.laozhang]\nlooks_per_second = 3\nmodels = ["wan2.6-i2v-flash"]\n')
    assert catalogue.providers["laozhang"].looks_per_second == 3
    assert catalogue.providers["laozhang"].base_url == PROVIDERS["laozhang"].base_url
    assert offered(catalogue, "laozhang") == offered(builtin(), "laozhang") | {"wan2.6-i2v-flash"}


def test_the_builtin_rows_and_models_stay_as_they_are() -> None:
    before = dict(PROVIDERS), dict(builtin().models)
    builtin(GATE + FLAT_GATE + PRICE + ALIASES)
    assert (dict(PROVIDERS), dict(builtin().models)) == before
    assert builtin().providers == PROVIDERS
    assert (builtin().aliases, builtin().own) == ({}, frozenset())


def test_the_shape_that_may_be_asked_in_batches_is_the_one_that_can() -> None:
    assert [name for name, shape in SHAPES.items() if isinstance(shape(builtin()), BatchAdapter)] == [CALLING]


# Models and prices


def test_a_model_that_is_like_another_has_all_but_its_prices_and_snapshots() -> None:
    catalogue = builtin('[models."wan2.8-t2v"]\nlike = "wan2.7-t2v"\nprompt_maximum = 8000\nproviders = ["apiyi"]\n')
    new, old = model(catalogue, "wan2.8-t2v"), model(catalogue, "wan2.7-t2v")
    assert (new.name, new.prompt_maximum, new.providers) == ("wan2.8-t2v", 8000, ("apiyi",))
    assert (new.parameters, new.media, new.service, new.mode) == (old.parameters, old.media, old.service, old.mode)
    assert (new.prices, new.snapshots, new.source) == ((), (), "")
    assert catalogue.own == {"wan2.8-t2v"}


def test_a_price_comes_in_the_place_of_the_one_for_the_same_and_beside_all_others() -> None:
    text = PRICE + PRICE.replace("apiyi", "mygate") + GATE
    before = {(price.provider, price.resolution): price for price in model(builtin(), "wan2.7-t2v").prices}
    after = {(price.provider, price.resolution): price for price in model(builtin(text), "wan2.7-t2v").prices}
    assert after.keys() - before.keys() == {("mygate", "720P")}
    changed = {key for key, price in before.items() if after[key] != price}
    assert changed == {("apiyi", "720P")}
    assert after["apiyi", "720P"].per_second == after["mygate", "720P"].per_second == 0.07


# Aliases


def test_an_alias_is_found_as_its_model_and_as_near_name() -> None:
    catalogue = builtin(ALIASES)
    assert catalogue.find("my-wan") is catalogue.find("wan2.7-t2v")
    assert catalogue.find("pinned") is catalogue.find("wan2.7-i2v")
    assert (catalogue.real_name("my-wan"), catalogue.real_name("new")) == ("wan2.7-t2v", "new")
    assert catalogue.near("my-wann")[0] == "my-wan"
    assert catalogue.find("my-wan-2026-04-25") is None


@pytest.mark.parametrize("provider", SHAPES)
@pytest.mark.parametrize("client", SHAPES)
@pytest.mark.parametrize(("alias", "real"), [("my-horse", "happyhorse-1.0-t2v"), ("pinned", "wan2.7-i2v-2026-04-25")])
def test_the_upstream_gets_the_real_name_and_the_client_keeps_its_own(
    client: str, provider: str, alias: str, real: str
) -> None:
    spoken = {name: shape(builtin(ALIASES)) for name, shape in SHAPES.items()}
    asked = spoken[client].read_submission(_request(client, alias, horse="horse" in real))
    assert asked.model == alias
    sent = spoken[provider].write_submission(asked)
    plain = spoken[client].read_submission(_request(client, real, horse="horse" in real))
    assert sent == spoken[provider].write_submission(plain)
    assert sent.body["model"] == real


def _request(shape: str, name: str, *, horse: bool) -> Request:
    frame = "https://media.example/frame.png"
    body: dict[str, Any] = {"model": name, "prompt": "a cat"} | ({} if horse else {"image_url": frame})
    if shape == "flat":
        return Request("POST", "/happyhorse/videos" if horse else "/wan/videos", body)
    media = {} if horse else {"media": [{"type": "first_frame", "url": frame}]}
    return Request("POST", NATIVE, {"model": name, "input": {"prompt": "a cat", **media}})


# Mistakes


WRONG = [
    ("\n[models.x", 2, "", "not TOML: "),
    ("a = 1\n\nb = [1\n", 3, "", "not TOML: "),
    ('[provider.x]\nlike = "apiyi"', 1, "provider", "is not known; did you mean providers?"),
    ("\n\nproviders = 1", 3, "providers", "must be a table."),
    (GATE + 'base_ulr = "x"', 4, "providers.mygate.base_ulr", "is not known; did you mean base_url?"),
    (GATE.replace("apiyi", "apyi"), 2, "providers.mygate.like", "'apyi' is not known; did you mean apiyi?"),
    (GATE.replace("https", "ftp"), 3, "providers.mygate.base_url", "must be http:// or https://, a host"),
    (GATE.replace("mygate.ex", "me:secret@ex"), 3, "providers.mygate.base_url", "must be http:// or https://, a host"),
    (GATE.replace("/v2/", "/?k=secret"), 3, "providers.mygate.base_url", "must be http:// or https://, a host"),
    (GATE.replace("ple/", "ple:x/"), 3, "providers.mygate.base_url", "must be http:// or https://, a host"),
    (GATE + 'api_key_env = "sk-secret"', 4, "providers.mygate.api_key_env", "must be the name of a variable"),
    (GATE + "api_key_env = 7", 4, "providers.mygate.api_key_env", "must be a text."),
    (GATE + "most_active = -1", 4, "providers.mygate.most_active", "must be a whole number, 0 or more."),
    (
        GATE + 'rejected_5xx = "yes"',
        4,
        "providers.mygate.rejected_5xx",
        "'yes' is not known, known are no, ask, doubt.",
    ),
    (GATE + "looks_per_second = 0", 4, "providers.mygate.looks_per_second", "must be a number above 0."),
    (GATE + "first_look_seconds = nan", 4, "providers.mygate.first_look_seconds", "must be a number of seconds above"),
    (GATE + "retention_seconds = 1.5", 4, "providers.mygate.retention_seconds", "must be a whole number of seconds"),
    (GATE + "look_every_seconds = 1", 1, "providers.mygate", "look_every_seconds is below floor_seconds, which is 3."),
    (GATE + "batch = 5", 1, "providers.mygate", "batch and calls_back are for providers of the flat shape."),
    (GATE + "calls_back = true", 1, "providers.mygate", "batch and calls_back are for providers of the flat shape."),
    (GATE + 'shape = "gateway"', 1, "providers.mygate", "needs either `like`"),
    (GATE.replace('like = "apiyi"', ""), 1, "providers.mygate", "needs either `like`"),
    (GATE.replace('like = "apiyi"', 'shape = "gatway"'), 2, "providers.mygate.shape", "did you mean gateway?"),
    ('# x\n[providers.g]\nlike = "apiyi"', 2, "providers.g.base_url", "is missing."),
    (GATE.replace("mygate]", "My-Gate]"), 1, "providers.My-Gate", "a provider's name has up to 32 small letters"),
    (
        GATE + 'models = ["wan2.7-t3v"]',
        4,
        "providers.mygate.models[0]",
        "'wan2.7-t3v' is not known; did you mean wan2.7-",
    ),
    (
        GATE + "models = [\n'wan2.7-t2v',\n'x']",
        6,
        "providers.mygate.models[1]",
        "'x' is not known, known are wan2.6-t2v",
    ),
    (GATE + "models = []", 1, "providers.mygate", "it offers no model"),
    ('[providers.apiyi]\nlike = "laozhang"', 2, "providers.apiyi.like", "apiyi is built in and has its shape"),
    ('[models."wan2.7-t2v"]\nprovders = []', 2, 'models."wan2.7-t2v".provders', "did you mean providers?"),
    ('[models."wan2.7-t2v"]\nproviders = ["mygate"]', 2, 'models."wan2.7-t2v".providers[0]', "'mygate' is not known"),
    ('[models.new]\nmode = "t2v"\n', 1, "models.new.service", "is missing."),
    ('[models.new]\nlike = "wan2.7-t2"\n', 2, "models.new.like", "'wan2.7-t2' is not known; did you mean wan2.7-t2v?"),
    ('[models.new]\nlike = "new"\n', 2, "models.new.like", "'new' is not known"),
    ('[models.a]\nlike="b"\n[models.b]\nlike="wan2.7-t2v"', 2, "models.a.like", "b is itself like another model"),
    (PRICE + 'per_sceond = "x"', 6, 'models."wan2.7-t2v".prices[0].per_sceond', "did you mean per_second?"),
    (PRICE.replace("0.07", "-1"), 4, 'models."wan2.7-t2v".prices[0].per_second', "must be a number, 0 or more."),
    (PRICE.replace('"USD"', "1"), 5, 'models."wan2.7-t2v".prices[0].currency', "must be a text."),
    (PRICE.replace('"apiyi"', '"apyi"'), 2, 'models."wan2.7-t2v".prices[0].provider', "did you mean apiyi?"),
    (
        "[shared.wan27]\n[shared.wan27.parameters]\nduration.minimum = 99",
        3,
        'models."wan2.7-t2v".parameters.duration',
        "above",
    ),
    (ALIASES + 'other = "wan2.7-tv"', 5, "aliases.other", "'wan2.7-tv' is not known; did you mean wan2.7-t2v?"),
    (ALIASES + 'other = "my-wan"', 5, "aliases.other", "'my-wan' is an alias itself; name the model."),
    (
        ALIASES + '"wan2.6-t2v" = "wan2.7-t2v"',
        5,
        'aliases."wan2.6-t2v"',
        "is a model already; an alias is another name.",
    ),
    (ALIASES + "other = 1", 5, "aliases.other", "must be the name of a model."),
    (ALIASES + '" " = "wan2.7-t2v"', 5, 'aliases." "', "an alias has a name."),
]


@pytest.mark.parametrize(("text", "line", "key", "reason"), WRONG)
def test_a_mistake_is_told_with_its_line_and_its_key(text: str, line: int, key: str, reason: str) -> None:
    with pytest.raises(CatalogueError) as caught:
        builtin(text)
    first = next(mistake for mistake in caught.value.mistakes if reason in mistake.reason)
    assert (first.line, first.key) == (line, key)
    assert first.reason.endswith((".", "?"))
    assert "secret" not in str(caught.value)


def test_all_mistakes_are_told_at_once_in_the_order_of_the_lines() -> None:
    text = ALIASES + "x = 1\n" + GATE.replace("https", "ftp") + "bach = 1\n" + PRICE.replace("0.07", "true")
    with pytest.raises(CatalogueError) as caught:
        builtin(text)
    assert [mistake.line for mistake in caught.value.mistakes] == [5, 8, 9, 13]
