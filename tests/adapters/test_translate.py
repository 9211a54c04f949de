"""From one family to the other: what becomes of parameters, texts and unknown fields."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.messages import Unsupported
from adapters.translate import SAMPLE_IMAGE, Translation
from tests.adapters.crossing import FLAT, NATIVE, URL, flat, native, refused, to_flat, to_native
from tests.adapters.strategies import CATALOGUE

# ------------------------------------------------------------------------------------------------------------ defaults


def test_absent_fields_get_the_clients_defaults_in_full() -> None:
    assert to_native(flat("happyhorse-1.1-t2v", "happyhorse"))["parameters"] == {
        "resolution": "1080P",
        "ratio": "16:9",
        "duration": 5,
        "watermark": False,  # AceData's default: DashScope would stamp the video
    }
    assert to_flat(native("happyhorse-1.1-t2v"))["watermark"] is True


def test_within_one_family_absent_fields_stay_absent() -> None:
    assert to_native(native("wan2.7-t2v")) == {"model": "wan2.7-t2v", "input": {"prompt": "p"}}
    assert to_flat(flat("wan2.6-t2v")) == {"model": "wan2.6-t2v", "prompt": "p", "async": True}


def test_a_native_client_of_wan_2_6_keeps_its_sound_at_acedata() -> None:
    assert to_flat(native("wan2.6-t2v"))["audio"] is True


def test_a_set_value_wins_over_every_default() -> None:
    said = to_native(flat("wan2.7-t2v", resolution="720P", duration=7, prompt_extend=False))["parameters"]
    assert (said["resolution"], said["duration"], said["prompt_extend"]) == ("720P", 7, False)


# --------------------------------------------------------------------------------------------------------------- sizes


@pytest.mark.parametrize(
    ("size", "resolution", "ratio"),
    [
        ("1280*720", "720P", "16:9"),
        ("720*1280", "720P", "9:16"),
        ("960*960", "720P", "1:1"),
        ("1104*832", "720P", "4:3"),
        ("832*1104", "720P", "3:4"),
        ("1920*1080", "1080P", "16:9"),
        ("1080*1920", "1080P", "9:16"),
        ("1440*1440", "1080P", "1:1"),
        ("1648*1248", "1080P", "4:3"),
        ("1248*1648", "1080P", "3:4"),
    ],
)
def test_an_exact_size_becomes_resolution_and_ratio_for_wan_2_7(size: str, resolution: str, ratio: str) -> None:
    said = to_native(flat("wan2.7-t2v", size=size))["parameters"]
    assert (said["resolution"], said["ratio"]) == (resolution, ratio)
    assert "size" not in said


@pytest.mark.parametrize("size", ["1088*832", "1280x720", "832*480"])
def test_any_other_size_is_refused_for_wan_2_7(size: str) -> None:
    assert list(refused(flat("wan2.7-t2v", size=size))) == ["size"]


def test_a_size_that_contradicts_the_resolution_is_refused() -> None:
    assert list(refused(flat("wan2.7-t2v", size="1280*720", resolution="1080P"))) == ["size"]


def test_a_size_is_refused_where_the_first_frame_sets_the_ratio() -> None:
    assert list(refused(flat("wan2.7-i2v", size="1280*720", image_url=URL))) == ["size"]


def test_the_table_of_wan_2_7_is_no_table_for_other_models() -> None:
    assert list(refused(flat("happyhorse-1.1-t2v", "happyhorse", size="1280*720"))) == ["size"]


def test_wan_2_6_keeps_its_size() -> None:
    assert to_native(flat("wan2.6-t2v", size="1088*832"))["parameters"]["size"] == "1088*832"
    assert to_flat(native("wan2.6-t2v", {"size": "1088*832"}))["size"] == "1088*832"


# --------------------------------------------------------------------------------------------------------------- sound


@pytest.mark.parametrize("audio", [True, False])
def test_the_sound_switch_is_left_out_for_models_that_always_have_sound(audio: bool) -> None:
    assert "audio" not in to_native(flat("wan2.7-t2v", audio=audio))["parameters"]


def test_silence_contradicts_a_driving_audio() -> None:
    assert list(refused(flat("wan2.7-t2v", audio=False, audio_url=URL))) == ["audio"]
    assert to_native(flat("wan2.7-t2v", audio=True, audio_url=URL))["input"]["audio_url"] == URL


def test_wan_2_6_can_be_silent() -> None:
    assert to_native(flat("wan2.6-i2v-flash", audio=False, image_url=URL))["parameters"]["audio"] is False


# -------------------------------------------------------------------------------------- what official SDKs always send


def test_acedatas_sdk_can_ask_dashscope_for_every_wan_model() -> None:
    always = {"audio": False, "prompt_extend": False, "watermark": False, "action": "text2video"}
    needed: dict[str, dict[str, Any]] = {
        "i2v": {"image_url": URL},
        "r2v": {"reference_video_urls": [URL]},
        "edit": {"media": [{"type": "video", "url": URL}]},
    }
    for model in CATALOGUE.models.values():
        if model.service == "wan":
            body = to_native(flat(model.name, **always, **needed.get(model.mode, {})))
            assert body["parameters"]["prompt_extend"] is False


@pytest.mark.parametrize(
    ("action", "fields"),
    [
        ("generate", {}),
        ("image_to_video", {"image_url": URL}),
        ("reference_to_video", {"image_urls": [URL]}),
        ("video_edit", {"video_url": URL}),
    ],
)
def test_acedatas_sdk_can_ask_dashscope_for_every_happyhorse_action(action: str, fields: dict[str, Any]) -> None:
    always = {"ratio": "16:9", "duration": 5, "watermark": False, "resolution": "1080P", "audio_setting": "auto"}
    body = to_native(flat(None, "happyhorse", action=action, **always, **fields))
    assert body["parameters"]["watermark"] is False
    model = CATALOGUE.find(body["model"])
    assert model is not None
    assert body["parameters"].keys() <= model.parameters.keys()


def test_a_value_that_no_sdk_sends_unasked_is_refused_where_the_model_has_no_such_parameter() -> None:
    asked = flat("happyhorse-1.1-i2v", "happyhorse", image_url=URL, ratio="9:16", audio_setting="origin")
    assert sorted(refused(asked)) == ["audio_setting", "ratio"]


def test_the_sample_image_of_old_sdks_is_left_out_for_a_text_model() -> None:
    assert "media" not in to_native(flat("wan2.7-t2v", image_url=SAMPLE_IMAGE))["input"]
    assert list(refused(flat("wan2.7-t2v", image_url=URL))) == ["image_url"]


def test_what_dashscopes_sdk_always_sends_does_not_reach_acedata() -> None:
    body = to_flat(native("wan2.6-t2v", function="video-synthesis", extend_prompt=True))
    assert "function" not in body
    assert "extend_prompt" not in body
    assert "input.function" not in body


# ------------------------------------------------------------------------------------------------------------ refusals


def test_everything_that_cannot_be_said_is_named_at_once_in_the_clients_words() -> None:
    asked = native(
        "wan2.6-r2v",
        {"seed": 4, "watermark": True, "bitrate": 9},
        reference_urls=[f"{URL}.mp4", f"{URL}.png"],
        base_image_url=URL,
    )
    assert sorted(refused(asked)) == [
        "input.base_image_url",
        "input.reference_urls",
        "parameters.bitrate",
        "parameters.seed",
        "parameters.watermark",
    ]


def test_a_parameter_without_a_word_may_stay_away_where_it_changes_nothing() -> None:
    assert "watermark" not in to_flat(native("wan2.6-t2v", {"watermark": False}))


def test_shots_and_templates_are_refused_where_the_model_or_the_wire_has_none() -> None:
    assert list(refused(flat("wan2.7-t2v", shot_type="multi"))) == ["shot_type"]
    assert list(refused(native("wan2.6-i2v", img_url=URL, template="hug"))) == ["input.template"]
    assert list(refused(native("wan3.0-video", {"enable_thinking": True}))) == ["parameters.enable_thinking"]


def test_a_negative_prompt_is_refused_where_the_model_has_none() -> None:
    assert list(refused(flat("happyhorse-1.1-t2v", "happyhorse", negative_prompt="blur"))) == ["negative_prompt"]
    assert list(refused(native("happyhorse-1.1-t2v", negative_prompt="blur"))) == ["input.negative_prompt"]
    assert to_native(flat("wan2.7-t2v", negative_prompt="blur"))["input"]["negative_prompt"] == "blur"


def test_unknown_fields_are_refused_by_name() -> None:
    assert list(refused(flat("wan2.7-t2v", camera="left"))) == ["camera"]


def test_error_texts_hold_neither_prompts_nor_urls() -> None:
    secret = "https://media.example/a.png?Signature=secret"
    asked = native("wan2.6-r2v", {}, negative_prompt="secret", reference_urls=[secret], img_url=f"oss://{secret}")
    with pytest.raises(Unsupported) as error:
        FLAT.write_submission(asked)
    assert "secret" not in str(error.value)


# --------------------------------------------------------------------------------------------- what translation tells


def test_a_translation_tells_what_it_filled_in_and_what_it_left_out() -> None:
    asked = flat("wan2.7-t2v", action="text2video", size="1280*720", audio=True, image_url=SAMPLE_IMAGE)
    told = NATIVE.translate_submission(asked)
    assert told.defaulted == {"duration": 5, "prompt_extend": True, "watermark": False}
    assert told.sources == {"resolution": "size", "ratio": "size"}
    assert told.left_out == {
        "action": "the model says it",
        "audio": "wan2.7-t2v always has sound",
        "image_url": "official SDKs send it whatever is asked for",
    }
    assert NATIVE.write_submission(told.submission) == NATIVE.write_submission(asked)


def test_within_a_family_there_is_nothing_to_tell() -> None:
    asked = flat("wan2.6-t2v", action="text2video", glitter=3)
    assert FLAT.translate_submission(asked) == Translation(asked)


def test_a_word_that_is_missing_is_left_out_where_the_provider_does_so_anyway() -> None:
    told = FLAT.translate_submission(native("wan2.6-t2v", {"watermark": False}))
    assert told.left_out == {"parameters.watermark": "this provider does so anyway"}
