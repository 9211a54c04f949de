"""Texts and parameters: what documents allow passes, what lies outside is named before anything is sent."""

from __future__ import annotations

import pytest

from adapters.catalogue import load
from adapters.check import Problem, check
from adapters.messages import Submission
from adapters.providers import PROVIDERS
from tests.adapters.asking import pieces, problems

INTEGER_RANGES = [
    ("wan2.6-t2v", "duration", 2, 15),
    ("wan2.6-i2v-flash", "duration", 2, 15),
    ("wan2.6-r2v", "duration", 2, 10),
    ("wan2.7-t2v", "duration", 2, 15),
    ("wan2.7-i2v", "duration", 2, 15),
    ("wan2.7-r2v", "duration", 2, 15),
    ("wan2.7-videoedit", "duration", 2, 10),
    ("wan3.0-video", "duration", 2, 30),
    ("happyhorse-1.0-t2v", "duration", 3, 15),
    ("happyhorse-1.0-i2v", "duration", 3, 15),
    ("happyhorse-1.1-r2v", "duration", 3, 15),
    ("wan2.6-t2v", "seed", 0, 2**31 - 1),
    ("wan2.7-t2v", "seed", 0, 2**31 - 1),
    ("happyhorse-1.0-video-edit", "seed", 0, 2**31 - 1),
]
VALUES = [
    ("wan2.6-i2v", "resolution", ["720P", "1080P"]),
    ("wan2.6-t2v", "shot_type", ["single", "multi"]),
    ("wan2.7-t2v", "resolution", ["720P", "1080P"]),
    ("wan2.7-t2v", "ratio", ["16:9", "9:16", "1:1", "4:3", "3:4"]),
    ("wan2.7-videoedit", "audio_setting", ["auto", "origin"]),
    ("wan3.0-video", "resolution", ["480P", "720P", "1080P"]),
    ("wan3.0-video", "ratio", ["adaptive", "16:9", "9:16", "1:1", "4:3", "3:4"]),
    ("happyhorse-1.0-r2v", "resolution", ["720P", "1080P"]),
    ("happyhorse-1.1-t2v", "ratio", ["16:9", "9:16", "1:1", "4:3", "3:4", "4:5", "5:4", "9:21", "21:9"]),
    ("happyhorse-1.0-video-edit", "audio_setting", ["auto", "origin"]),
]


@pytest.mark.parametrize(("name", "field", "low", "high"), INTEGER_RANGES)
def test_a_number_is_taken_inside_its_range_and_refused_beside_it(name: str, field: str, low: int, high: int) -> None:
    assert problems(name, parameters={field: low}) == problems(name, parameters={field: high}) == ()
    for outside in (low - 1, high + 1):
        (problem,) = problems(name, parameters={field: outside})
        assert (problem.field, problem.given) == (field, str(outside))
        assert problem.allowed.startswith(f"{low} to {high}")


@pytest.mark.parametrize(("name", "field", "values"), VALUES)
def test_a_word_is_taken_from_its_list_only(name: str, field: str, values: list[str]) -> None:
    assert all(problems(name, parameters={field: value}) == () for value in values)
    assert problems(name, parameters={field: "other"}) == (Problem(field, "other", ", ".join(values)),)


def test_a_problem_reads_as_a_sentence() -> None:
    (small,) = problems("wan2.7-t2v", parameters={"resolution": "720p"})
    (long,) = problems("wan2.7-t2v", parameters={"duration": 16})
    assert small.sentence == "resolution: 720p given, allowed: 720P, 1080P"
    assert long.sentence == "duration: 16 given, allowed: 2 to 15"


def test_all_problems_are_told_at_once() -> None:
    found = problems("wan2.7-i2v", media=(), parameters={"duration": 99, "resolution": "4K"})
    assert [problem.field for problem in found] == ["duration", "resolution", "media"]


def test_a_provider_that_claims_more_is_believed() -> None:
    assert problems("wan2.7-t2v", "laozhang", parameters={"resolution": "480P"}) == ()
    assert problems("wan2.6-i2v", "acedata", parameters={"resolution": "480P"}) == ()
    assert problems("wan2.6-r2v", "acedata", parameters={"duration": 15}) == ()
    assert problems("happyhorse-1.1-t2v", "apiyi", parameters={"duration": 2}) == ()
    (problem,) = problems("wan2.7-t2v", "apiyi", parameters={"resolution": "480P"})
    assert problem.allowed == "720P, 1080P"


def test_a_reference_video_lowers_the_longest_duration() -> None:
    assert problems("wan2.7-r2v", media=pieces("reference_image"), parameters={"duration": 15}) == ()
    assert problems("wan2.7-r2v", media=pieces("reference_video"), parameters={"duration": 10}) == ()
    (problem,) = problems("wan2.7-r2v", media=pieces("reference_image reference_video"), parameters={"duration": 11})
    assert problem == Problem("duration", "11", "2 to 10")


def test_zero_means_the_input_length_and_minus_one_the_models_choice() -> None:
    assert problems("wan2.7-videoedit", parameters={"duration": 0}) == ()
    assert problems("wan3.0-video", parameters={"duration": -1}) == ()
    (problem,) = problems("wan2.7-videoedit", parameters={"duration": 1})
    assert problem.allowed == "2 to 10 or 0"
    assert [p.field for p in problems("wan2.7-t2v", parameters={"duration": 0})] == ["duration"]


def test_a_parameter_without_a_rule_is_not_looked_at() -> None:
    assert problems("wan2.7-i2v", parameters={"ratio": "7:3", "shot_type": "triple"}) == ()
    assert problems("wan2.6-t2v", parameters={"size": "13*7"}) == ()


@pytest.mark.parametrize("name", ["wan2.6-t2v", "wan2.7-t2v", "wan2.7-r2v", "happyhorse-1.1-t2v", "wan3.0-video"])
@pytest.mark.parametrize("prompt", [None, "", "  "])
def test_a_missing_prompt_is_refused_where_one_is_needed(name: str, prompt: str | None) -> None:
    assert [problem.field for problem in problems(name, prompt=prompt)] == ["prompt"]


@pytest.mark.parametrize("name", ["wan2.6-i2v", "wan2.7-i2v", "wan2.7-videoedit", "happyhorse-1.0-i2v"])
def test_a_prompt_may_be_missing_where_media_say_enough(name: str) -> None:
    assert problems(name, prompt=None) == ()


def test_wan3_needs_a_prompt_or_media() -> None:
    assert problems("wan3.0-video", prompt=None, media=pieces("first_frame")) == ()


@pytest.mark.parametrize("provider", ["acedata", "laozhang", "apiyi", "dashscope"])
def test_a_text_that_upstreams_cut_off_is_not_refused(provider: str) -> None:
    assert problems("happyhorse-1.0-t2v", provider, prompt="x" * 5001) == ()
    assert problems("wan2.6-t2v", provider, negative_prompt="x" * 501) == ()


class TestAProviderThatRefusesLongTexts:
    """An operator who would rather be told than have a paid video made from half a prompt empties `truncates`."""

    strict = load(
        '[models.horse]\nservice = "happyhorse"\nprotocol = "media"\nmode = "t2v"\nproviders = ["dashscope"]\n'
        "parameters = {}\nprompt_maximum = 5000\nhan_weight = 2\nnegative_prompt_maximum = 500\n"
        'truncates = ["acedata"]\n'
    ).models["horse"]

    @pytest.mark.parametrize("prompt", ["x" * 5000, "马" * 2500, "马" * 2000 + "x" * 1000])
    def test_takes_a_prompt_of_the_full_length(self, prompt: str) -> None:
        assert check(Submission("native", "horse", prompt=prompt), self.strict, PROVIDERS["dashscope"]) == ()

    @pytest.mark.parametrize(("prompt", "length"), [("x" * 5001, 5001), ("马" * 2501, 5002), ("马" * 2500 + "x", 5001)])
    def test_counts_a_chinese_character_twice(self, prompt: str, length: int) -> None:
        (problem,) = check(Submission("native", "horse", prompt=prompt), self.strict, PROVIDERS["dashscope"])
        assert (problem.field, problem.given.split()[0], problem.allowed) == ("prompt", str(length), "up to 5000")

    def test_refuses_a_long_negative_prompt(self) -> None:
        sent = Submission("native", "horse", prompt="a", negative_prompt="马" * 501)
        (problem,) = check(sent, self.strict, PROVIDERS["dashscope"])
        assert problem == Problem("negative_prompt", "501 characters", "up to 500")

    def test_leaves_alone_a_provider_that_cuts_them_off(self) -> None:
        sent = Submission("flat", "horse", prompt="x" * 9000, negative_prompt="x" * 501)
        assert check(sent, self.strict, PROVIDERS["acedata"]) == ()
