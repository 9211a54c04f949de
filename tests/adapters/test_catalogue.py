"""The catalogue says what the providers' documents say, and reads an operator's own data with errors that help."""

from __future__ import annotations

import pytest

from adapters.catalogue import PARAMETERS, CatalogueError, Model, builtin, default, load
from adapters.messages import Kind
from adapters.providers import PROVIDERS

ALL = {"acedata", "laozhang", "apiyi", "dashscope"}
GATEWAYS_AND_DASHSCOPE = ALL - {"acedata"}
NOT_LAOZHANG = ALL - {"laozhang"}

OFFERED = {
    "wan2.6-t2v": ALL,
    "wan2.6-i2v": ALL,
    "wan2.6-r2v": ALL,
    "wan2.6-i2v-flash": NOT_LAOZHANG,
    "wan2.6-r2v-flash": GATEWAYS_AND_DASHSCOPE,
    "wan2.7-t2v": GATEWAYS_AND_DASHSCOPE,
    "wan2.7-i2v": GATEWAYS_AND_DASHSCOPE,
    "wan2.7-r2v": GATEWAYS_AND_DASHSCOPE,
    "wan2.7-videoedit": GATEWAYS_AND_DASHSCOPE,
    "wan3.0-video": NOT_LAOZHANG,
    "wan3.0-video-prime": {"apiyi", "dashscope"},
    "happyhorse-1.0-t2v": ALL,
    "happyhorse-1.0-i2v": ALL,
    "happyhorse-1.0-r2v": ALL,
    "happyhorse-1.0-video-edit": ALL,
    "happyhorse-1.1-t2v": NOT_LAOZHANG,
    "happyhorse-1.1-i2v": NOT_LAOZHANG,
    "happyhorse-1.1-r2v": NOT_LAOZHANG,
}

WAN = {"duration", "prompt_extend", "watermark", "seed"}
WAN26 = WAN | {"shot_type", "audio"}
WAN30 = WAN | {"resolution", "ratio", "audio", "enable_thinking"}
HORSE = {"resolution", "duration", "watermark", "seed"}

TAKES = {
    "wan2.6-t2v": WAN26 | {"size"},
    "wan2.6-i2v": WAN26 | {"resolution", "template"},
    "wan2.6-i2v-flash": WAN26 | {"resolution", "template"},
    "wan2.6-r2v": WAN26 | {"size"},
    "wan2.6-r2v-flash": WAN26 | {"size"},
    "wan2.7-t2v": WAN | {"resolution", "ratio"},
    "wan2.7-i2v": WAN | {"resolution"},
    "wan2.7-r2v": WAN | {"resolution", "ratio"},
    "wan2.7-videoedit": WAN | {"resolution", "ratio", "audio_setting"},
    "wan3.0-video": WAN30,
    "wan3.0-video-prime": WAN30,
    "happyhorse-1.0-t2v": HORSE | {"ratio"},
    "happyhorse-1.0-i2v": HORSE,
    "happyhorse-1.0-r2v": HORSE | {"ratio"},
    "happyhorse-1.0-video-edit": {"resolution", "watermark", "seed", "audio_setting"},
    "happyhorse-1.1-t2v": HORSE | {"ratio"},
    "happyhorse-1.1-i2v": HORSE,
    "happyhorse-1.1-r2v": HORSE | {"ratio"},
}

DEFAULTS = [
    ("wan2.6-t2v", "flat", "prompt_extend", True),  # AceData's Wan page
    ("wan2.6-t2v", "flat", "audio", True),  # AceData's Wan page
    ("wan2.6-i2v", "flat", "watermark", False),
    ("wan2.6-i2v", "flat", "duration", None),
    ("wan2.6-r2v", "native", "prompt_extend", True),
    ("wan2.7-t2v", "native", "resolution", "1080P"),
    ("wan2.7-t2v", "gateway", "resolution", "720P"),  # APIYI's text-to-video page
    ("wan2.7-r2v", "gateway", "resolution", "1080P"),  # APIYI's Wan overview
    ("wan2.7-t2v", "flat", "prompt_extend", True),
    ("wan2.7-t2v", "gateway", "ratio", "16:9"),
    ("wan2.7-i2v", "native", "duration", 5),
    ("wan2.7-videoedit", "native", "duration", 0),
    ("wan2.7-videoedit", "native", "ratio", None),
    ("wan2.7-videoedit", "flat", "audio_setting", "auto"),
    ("wan3.0-video", "native", "ratio", "adaptive"),
    ("wan3.0-video", "flat", "watermark", False),
    ("happyhorse-1.0-t2v", "native", "watermark", True),
    ("happyhorse-1.0-t2v", "gateway", "watermark", True),
    ("happyhorse-1.1-r2v", "flat", "watermark", False),
    ("happyhorse-1.1-t2v", "flat", "resolution", "1080P"),
    ("happyhorse-1.1-t2v", "flat", "ratio", "16:9"),
    ("happyhorse-1.0-i2v", "native", "ratio", None),
    ("happyhorse-1.0-i2v", "flat", "seed", None),
]

SMALL = '[models.a]\nservice = "wan"\nprotocol = "media"\nmode = "t2v"\nproviders = ["dashscope"]\n'


def model(name: str) -> Model:
    found = builtin().find(name)
    assert found is not None
    return found


def test_the_catalogue_holds_the_documented_models_and_no_other() -> None:
    assert set(builtin().models) == set(OFFERED) == set(TAKES)


@pytest.mark.parametrize("name", OFFERED)
def test_a_model_is_offered_where_documents_say(name: str) -> None:
    assert set(model(name).providers) == OFFERED[name] <= set(PROVIDERS)


@pytest.mark.parametrize("name", TAKES)
def test_a_model_has_the_documented_parameters(name: str) -> None:
    assert set(model(name).parameters) == TAKES[name]


@pytest.mark.parametrize("name", OFFERED)
def test_service_protocol_and_mode_follow_from_the_name(name: str) -> None:
    found = model(name)
    assert name.startswith(found.service)
    assert found.protocol == ("legacy" if name.startswith("wan2.6") else "media")
    assert found.mode in name or found.mode == "any"


@pytest.mark.parametrize("name", OFFERED)
def test_every_model_and_price_names_its_source(name: str) -> None:
    found = model(name)
    assert found.source
    assert all(price.source and price.per_second > 0 and price.provider in found.providers for price in found.prices)


@pytest.mark.parametrize(("name", "shape", "parameter", "value"), DEFAULTS)
def test_an_absent_field_means_what_the_clients_shape_documents(
    name: str, shape: str, parameter: str, value: object
) -> None:
    assert default(model(name), shape, parameter) == value


def test_a_parameter_that_the_model_lacks_has_no_default() -> None:
    assert default(model("wan2.7-i2v"), "native", "ratio") is None


@pytest.mark.parametrize("name", OFFERED)
def test_values_that_may_be_left_out_are_for_parameters_without_effect(name: str) -> None:
    found = model(name)
    assert set(found.inert) <= set(PARAMETERS) - set(found.parameters)


def test_apiyis_prices_are_those_of_its_table() -> None:
    prices = {(p.provider, p.resolution): (p.per_second, p.currency) for p in model("wan2.7-i2v").prices}
    assert prices[("apiyi", "720P")] == (0.084, "USD")
    assert prices[("apiyi", "1080P")] == (0.14, "USD")
    assert prices[("dashscope", "1080P")] == (1.0, "CNY")


@pytest.mark.parametrize("name", ["wan2.7-t2v-2026-06-12", "wan2.7-i2v-2026-04-25", "wan2.7-r2v-2026-06-12"])
def test_a_snapshot_is_found_as_its_model(name: str) -> None:
    assert model(name).name == name[: -len("-2026-06-12")]
    assert name.removeprefix(model(name).name + "-") in model(name).snapshots


def test_an_unknown_model_is_not_found() -> None:
    assert builtin().find("wan2.8-t2v") is None
    assert builtin().find("wan2.7-t2v-2026") is None
    assert builtin().find("") is None


@pytest.mark.parametrize(
    ("misspelt", "meant"),
    [
        ("wan2.7-video-edit", "wan2.7-videoedit"),
        ("wan-2.7-t2v", "wan2.7-t2v"),
        ("Wan2.6-I2V", "wan2.6-i2v"),
        ("happyhorse-1.0-videoedit", "happyhorse-1.0-video-edit"),
        ("happy-horse-1.1-r2v", "happyhorse-1.1-r2v"),
    ],
)
def test_a_misspelt_model_is_answered_with_near_names(misspelt: str, meant: str) -> None:
    near = builtin().near(misspelt)
    assert near[0] == meant
    assert len(near) <= 3


def test_a_name_like_no_other_has_no_near_names() -> None:
    assert builtin().near("sora-2-pro") == ()


def test_the_builtin_catalogue_is_read_once() -> None:
    assert builtin() is builtin()


def test_shared_tables_are_laid_under_the_models_own_keys() -> None:
    text = (
        "[shared.x]\nprompt_maximum = 7\n[shared.x.parameters]\nduration = { minimum = 2, maximum = 9 }\nseed = {}\n"
        + SMALL
        + 'uses = ["x"]\n[models.a.parameters]\nduration = { maximum = 5 }\n'
    )
    found = load(text).models["a"]
    assert (found.prompt_maximum, found.name) == (7, "a")
    assert (found.parameters["duration"].minimum, found.parameters["duration"].maximum) == (2, 5)
    assert set(found.parameters) == {"duration", "seed"}


def test_an_operators_text_adds_models_and_changes_known_ones() -> None:
    ours = SMALL + "parameters = {}\n"
    theirs = '[models.a]\nproviders = ["apiyi"]\n' + ours.replace("models.a", "models.b")
    both = load(ours, theirs)
    assert (both.models["a"].providers, both.models["a"].mode) == (("apiyi",), "t2v")
    assert both.models["b"].providers == ("dashscope",)


def test_an_operators_change_of_a_shared_table_reaches_every_model_that_uses_it() -> None:
    ours = "[shared.x]\nprompt_maximum = 7\n" + SMALL + 'uses = ["x"]\nparameters = {}\n'
    assert load(ours, "[shared.x]\nprompt_maximum = 9\n").models["a"].prompt_maximum == 9


def test_media_rules_are_read_as_kinds() -> None:
    text = SMALL + 'parameters = {}\nmedia = [{ kinds = ["video"], minimum = 1 }]\ncombinations = [["video", "file"]]\n'
    found = load(text).models["a"]
    assert (found.media[0].kinds, found.media[0].minimum, found.media[0].maximum) == ((Kind.VIDEO,), 1, 1)
    assert found.combinations == (frozenset({Kind.VIDEO, Kind.FILE}),)


A = ("models", "a")


@pytest.mark.parametrize(
    ("text", "path", "part"),
    [
        ("[models.a", (), "not TOML"),
        ("[others]\n", ("others",), "is not known"),
        ("models = 1\n", ("models",), "table"),
        ("[models]\na = 1\n", A, "table"),
        (SMALL, (*A, "parameters"), "missing"),
        (SMALL + "parameters = {}\ncolour = 1\n", (*A, "colour"), "is not known"),
        (SMALL + "parameters = {}\nvoice = 1\n", (*A, "voice"), "true or false"),
        (SMALL + "parameters = {}\nprompt_maximum = true\n", (*A, "prompt_maximum"), "an integer"),
        (SMALL + 'parameters = {}\nuses = ["x"]\n', (*A, "uses", 0), "shared.x"),
        (SMALL + 'parameters = {}\nuses = "x"\n', (*A, "uses"), "a list"),
        (SMALL + 'parameters = {}\nsnapshots = ["x", 1]\n', (*A, "snapshots", 1), "a text"),
        (SMALL + 'parameters = {}\nmedia = [{ kinds = ["gif"] }]\n', (*A, "media", 0, "kinds", 0), "'gif'"),
        (SMALL + "parameters = {}\nmedia = [{ maximum = 1 }]\n", (*A, "media", 0, "kinds"), "missing"),
        (SMALL + "parameters = { speed = {} }\n", (*A, "parameters", "speed"), "is not known"),
        (SMALL + "parameters.seed.minimum = 0.5\n", (*A, "parameters", "seed", "minimum"), "an integer"),
        (SMALL + "parameters.seed.minimum = 0\n", (*A, "parameters", "seed"), "a minimum and a maximum"),
        (SMALL + "parameters.seed = { minimum = 2, maximum = 1 }\n", (*A, "parameters", "seed"), "above its maximum"),
        (SMALL + 'parameters.duration.values = ["5"]\n', (*A, "parameters", "duration"), "int"),
        (SMALL + "parameters.audio.default.flat = 1\n", (*A, "parameters", "audio"), "bool"),
        (
            SMALL + "parameters.audio.default.flot = true\n",
            (*A, "parameters", "audio", "default", "flot"),
            "mean flat?",
        ),
        (SMALL.replace('"t2v"', '"t3v"') + "parameters = {}\n", (*A, "mode"), "mean t2v?"),
        (SMALL.replace('"media"', '"old"') + "parameters = {}\n", (*A, "protocol"), "known are media, legacy"),
        (SMALL.replace("dashscope", "dashcope") + "parameters = {}\n", (*A, "providers", 0), "mean dashscope?"),
        ('shared.x = 1\n[models.a]\nuses = ["x"]\n', ("shared", "x"), "table"),
    ],
)
def test_bad_data_is_a_mistake_that_names_its_place(text: str, path: tuple[str | int, ...], part: str) -> None:
    with pytest.raises(CatalogueError) as caught:
        load(text)
    (mistake,) = caught.value.mistakes
    assert mistake.path == path
    assert part in mistake.reason
    assert mistake.key in str(caught.value)
