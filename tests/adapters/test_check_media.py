"""Media: what documents allow passes, what lies outside is named before anything is sent."""

from __future__ import annotations

import pytest

from adapters.catalogue import load
from adapters.check import check
from adapters.messages import Kind, Media, Submission
from adapters.providers import PROVIDERS
from tests.adapters.asking import URL, pieces, problems

MEDIA = {
    "wan2.6-t2v": (["", "driving_audio"], ["first_frame", "video", "driving_audio driving_audio"]),
    "wan2.6-i2v": (["first_frame", "first_frame driving_audio"], ["", "driving_audio", "first_frame first_frame"]),
    "wan2.6-i2v-flash": (["first_frame"], ["", "last_frame first_frame"]),
    "wan2.6-r2v": (
        ["reference", "reference_image", "reference_video", "reference reference_image reference_video"],
        ["", "driving_audio", "reference " * 6, "reference_video " * 4, "first_frame reference"],
    ),
    "wan2.6-r2v-flash": (["reference_image reference_video"], ["", "reference_image " * 6]),
    "wan2.7-t2v": (["", "driving_audio"], ["first_frame", "reference_image"]),
    "wan2.7-i2v": (
        [
            "first_frame",
            "first_frame driving_audio",
            "first_frame last_frame",
            "driving_audio last_frame first_frame",
            "first_clip",
            "first_clip last_frame",
        ],
        [
            "",
            "last_frame",
            "driving_audio",
            "first_clip driving_audio",
            "first_clip first_frame",
            "first_frame first_frame",
            "first_frame reference_image",
        ],
    ),
    "wan2.7-r2v": (
        [
            "reference_image",
            "reference_video " * 5,
            "reference_image reference_video first_frame",
            "first_frame " + "reference_image " * 5,
        ],
        ["", "reference_image " * 6, "reference_image first_frame first_frame", "driving_audio reference_image"],
    ),
    "wan2.7-videoedit": (
        ["video", "video reference_image", "video " + "reference_image " * 5],  # Alibaba 0-4, APIYI 1-5
        ["", "reference_image", "video video", "video " + "reference_image " * 6, "video first_frame"],
    ),
    "wan3.0-video": (
        [
            "",
            "first_frame",
            "first_frame last_frame",
            "reference_image " * 10 + "reference_video " * 5,
            "reference_audio " * 5 + "link",
            "file",
        ],
        [
            "first_frame reference_image",
            "last_frame link",
            "file link",
            "reference_image " * 11,
            "reference_video " * 6,
            "reference_audio " * 6,
            "video",
        ],
    ),
    "happyhorse-1.0-t2v": ([""], ["first_frame", "driving_audio"]),
    "happyhorse-1.1-t2v": ([""], ["reference_image"]),
    "happyhorse-1.0-i2v": (["first_frame"], ["", "first_frame last_frame", "first_frame driving_audio"]),
    "happyhorse-1.1-i2v": (["first_frame"], ["", "first_frame first_frame"]),
    "happyhorse-1.0-r2v": (["reference_image", "reference_image " * 9], ["", "reference_image " * 10]),
    "happyhorse-1.1-r2v": (["reference_image"], ["reference_image reference_video"]),
    "happyhorse-1.0-video-edit": (
        ["video", "video " + "reference_image " * 5],
        ["", "reference_image", "video video", "video " + "reference_image " * 6],
    ),
}


@pytest.mark.parametrize(("name", "kinds"), [(name, kinds) for name, (good, _) in MEDIA.items() for kinds in good])
def test_documented_media_are_taken(name: str, kinds: str) -> None:
    assert problems(name, media=pieces(kinds)) == ()


@pytest.mark.parametrize(("name", "kinds"), [(name, kinds) for name, (_, bad) in MEDIA.items() for kinds in bad])
def test_other_media_are_refused(name: str, kinds: str) -> None:
    found = problems(name, media=pieces(kinds))
    assert found
    assert all(problem.field.startswith("media") for problem in found)


def test_a_sample_image_that_old_sdks_put_into_every_flat_request_does_no_harm() -> None:
    stray = {"media": pieces("first_frame")}
    assert problems("wan2.6-t2v", "acedata", "flat", **stray) == ()
    assert [problem.field for problem in problems("wan2.6-t2v", "acedata", "native", **stray)] == ["media[0]"]


@pytest.mark.parametrize(
    "url",
    [
        "https://a.example/x.png",
        "http://10.0.0.1/x",
        "HTTPS://A.example/x",
        "oss://bucket/x",
        "data:image/png;base64,AA",
        "iVBORw0KGgo=" * 100,
        "/9j/4AAQSkZJRg",
    ],
)
def test_an_image_may_be_an_address_or_inline(url: str) -> None:
    assert problems("wan2.6-i2v", media=(Media(Kind.FIRST_FRAME, url, field="img_url"),)) == ()


@pytest.mark.parametrize("url", ["", "cat.png", "file:///etc/passwd", "https://", "http://[::1", "C:\\cat.png"])
def test_an_image_from_nowhere_is_refused(url: str) -> None:
    (problem,) = problems("wan2.7-i2v", media=(Media(Kind.FIRST_FRAME, url),))
    assert (problem.field, problem.allowed) == ("media[0]", "http, https, oss, data")


@pytest.mark.parametrize("kind", ["video", "reference_video", "first_clip", "driving_audio", "reference_audio"])
@pytest.mark.parametrize("url", ["data:video/mp4;base64,AAAA", "AAAA"])
def test_videos_and_sound_are_not_sent_inline(kind: str, url: str) -> None:
    any_media = load(
        '[models.any]\nservice = "wan"\nprotocol = "media"\nmode = "any"\nproviders = []\nparameters = {}\n'
        f'media = [{{ kinds = ["{kind}"] }}]\n'
    ).models["any"]
    (problem,) = check(
        Submission("native", "any", "p", media=(Media(Kind(kind), url),)), any_media, PROVIDERS["dashscope"]
    )
    assert (problem.field, problem.allowed) == ("media[0]", "http, https, oss")


@pytest.mark.parametrize("provider", ["acedata", "laozhang", "apiyi"])
def test_an_upload_to_dashscope_means_nothing_elsewhere(provider: str) -> None:
    (problem,) = problems("wan2.6-i2v", provider, media=(Media(Kind.FIRST_FRAME, "oss://bucket/key"),))
    assert (problem.given, problem.allowed) == ("oss://bucket", "http, https, data")


def test_the_wrong_piece_is_named_by_its_place() -> None:
    media = (*pieces("reference_image reference_image"), Media(Kind.REFERENCE_IMAGE, "ftp://h.example/x"))
    (problem,) = problems("wan2.7-r2v", media=media)
    assert (problem.field, problem.given) == ("media[2]", "ftp://h.example")


def test_a_voice_is_taken_by_the_one_model_that_has_voices() -> None:
    def spoken(voice: str) -> tuple[Media, ...]:
        return (Media(Kind.REFERENCE_IMAGE, URL, voice=voice),)

    assert problems("wan2.7-r2v", media=spoken(URL)) == ()
    assert [p.field for p in problems("wan2.7-r2v", media=spoken("data:audio/mp3;base64,AA"))] == ["media[0]"]
    assert [p.given for p in problems("happyhorse-1.1-r2v", media=spoken(URL))] == ["a voice"]


def test_nothing_secret_is_repeated() -> None:
    secret = "https://user:hunter2@h.example/hunter2?Signature=hunter2"
    media = (Media(Kind.VIDEO, secret), Media(Kind.REFERENCE_IMAGE, "hunter2:hunter2"))
    media += (Media(Kind.REFERENCE_IMAGE, secret.replace("https", "ftp")), Media(Kind.LINK, secret))
    found = problems("wan2.7-videoedit", media=media, prompt="hunter2" * 9999, negative_prompt="hunter2" * 999)
    assert len(found) == 3
    assert "hunter2" not in " ".join(problem.sentence for problem in found)
