"""When a task in an upstream's list proves a send, and when nobody can tell."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.messages import Kind, Media, Report, State, Submission, Usage
from service.domain.proof import SKEW_MS, Candidate, Doubt, Standing, fits, prove, span_of
from service.domain.tasks import Placement, Verdict

NOW = 1_760_000_000_000
MODEL = "wan2.6-t2v"


def submission(prompt: str | None = "a cat", media: tuple[Media, ...] = (), **parameters: Any) -> Submission:
    return Submission("native", MODEL, prompt=prompt, media=media, parameters=parameters)


def doubt(name: str = "p", asked: Submission | None = None, since: int = NOW, until: int = NOW + 9) -> Doubt:
    placement = Placement(name, f"task of {name}", "x", Verdict.IN_DOUBT, sent_at=NOW, lost_at=NOW)
    return Doubt(placement, asked or submission(), since, until)


def row(name: str = "up", state: State = State.SUCCEEDED, at: int | None = NOW, model: str = MODEL) -> Report:
    return Report(name, state, created_at=at, model=model)


def video(prompt: str | None = "a cat", state: State = State.SUCCEEDED, **usage: Any) -> Report:
    return Report("up", state, prompt=prompt, usage=Usage(**{"duration": 5.0} | usage), video_url="https://v.test/1")


def candidate(name: str = "up", seen: Report | None = None, **about: Any) -> Candidate:
    return Candidate(row(name, **about), replace(seen, task_id=name) if seen else None)


def test_a_sole_video_with_our_prompt_is_ours() -> None:
    proof = candidate(seen=video())
    assert prove(doubt(), [proof], [doubt()]) == proof.seen


@pytest.mark.parametrize("state", [State.QUEUED, State.RUNNING, State.SUCCEEDED])
def test_what_has_not_been_seen_to_its_end_may_be_ours(state: State) -> None:
    fitting = candidate("fits", seen=video())
    assert prove(doubt(), [candidate(state=state)], []) is Standing.OPEN
    assert prove(doubt(), [fitting, candidate("other", state=state)], []) is Standing.OPEN


@pytest.mark.parametrize("said", [State.UNKNOWN, State.RUNNING])
def test_a_look_that_contradicts_the_list_leaves_it_open(said: State) -> None:
    assert prove(doubt(), [candidate(seen=video(state=said))], []) is Standing.OPEN


@pytest.mark.parametrize("end", [State.FAILED, State.CANCELED])
def test_what_ended_without_a_video_proves_nothing_and_is_in_nobodys_way(end: State) -> None:
    fitting = candidate("fits", seen=video())
    assert prove(doubt(), [candidate(state=end)], []) is Standing.NOTHING
    assert prove(doubt(), [fitting, candidate(state=end)], []) == fitting.seen
    assert prove(doubt(), [fitting, candidate(seen=video(state=end))], []) == fitting.seen


def test_two_that_fit_prove_nothing() -> None:
    assert prove(doubt(), [candidate(name, seen=video()) for name in "ab"], []) is Standing.NOTHING


def test_a_video_that_another_send_could_claim_proves_nothing() -> None:
    fitting = candidate(seen=video())
    assert prove(doubt(), [fitting], [doubt("rival")]) is Standing.NOTHING
    assert prove(doubt(), [fitting], [doubt("rival", submission("a dog"))]) == fitting.seen
    assert prove(doubt(), [fitting], [doubt("rival", since=NOW + 1)]) == fitting.seen
    forgotten = replace(doubt("rival"), asked=None)  # it may have asked for anything
    assert prove(doubt(), [fitting], [forgotten]) is Standing.NOTHING


@pytest.mark.parametrize(
    ("about", "spanned"),
    [
        ({"at": NOW}, True),
        ({"at": NOW + 9}, True),
        ({"at": NOW - 1}, False),
        ({"at": NOW + 10}, False),
        ({"at": None}, True),
        ({"model": ""}, True),
        ({"model": "wan2.7-t2v"}, False),
    ],
)
def test_a_task_of_another_time_or_model_is_no_candidate(about: dict[str, Any], spanned: bool) -> None:
    live = candidate(state=State.RUNNING, **about)
    assert prove(doubt(), [live], []) is (Standing.OPEN if spanned else Standing.ABSENT)


@given(st.lists(st.sampled_from(["fits", "dog", "failed", "live", "unseen"]), max_size=4))
def test_the_order_of_a_list_says_nothing(kinds: list[str]) -> None:
    made = {
        "fits": lambda name: candidate(name, seen=video()),
        "dog": lambda name: candidate(name, seen=video("a dog")),
        "failed": lambda name: candidate(name, state=State.FAILED),
        "live": lambda name: candidate(name, state=State.RUNNING),
        "unseen": candidate,
    }
    candidates = [made[kind](str(number)) for number, kind in enumerate(kinds)]
    answers = [prove(doubt(), order, []) for order in permutations(candidates)]
    assert all(answer == answers[0] for answer in answers)
    if isinstance(answers[0], Report):
        assert kinds.count("fits") == 1
        assert not {"live", "unseen"} & set(kinds)


CLIP = (Media(Kind.FIRST_CLIP, "https://m.test/1.mp4"),)
REFERENCE = (Media(Kind.REFERENCE_VIDEO, "https://m.test/1.mp4"),)
FRAME = (Media(Kind.FIRST_FRAME, "https://m.test/1.png"),)


@pytest.mark.parametrize(
    ("asked", "result", "fitting"),
    [
        (submission(), video(), True),
        (submission(" a cat\n"), video(), True),
        (submission(), video("a cat."), False),
        (submission(), video(None), False),
        (submission(None), video(None), False),
        (submission(""), video(""), False),
        (submission(), replace(video(), usage=None), False),
        (submission(duration=5), video(duration=5), True),
        (submission(duration=5), video(duration=10), False),
        (submission(duration=-1), video(duration=10), True),
        (submission(duration=0), video(duration=10), True),
        (submission(duration=13), video(duration=13.24), True),
        (submission(duration=13), video(duration=14), False),
        (submission(duration=5), video(duration=None), True),
        (submission(duration=5), video(duration=15, output_video_duration=5), True),
        (submission(duration=5), video(duration=5, output_video_duration=10), False),
        (submission(media=REFERENCE, duration=5), video(duration=12), True),
        (submission(media=REFERENCE, duration=5), video(duration=3), False),
        (submission(media=REFERENCE, duration=5), video(duration=12, output_video_duration=5), True),
        (submission(media=CLIP, duration=10), video(duration=10, output_video_duration=6), True),
        (submission(media=CLIP, duration=10), video(duration=15, output_video_duration=15), False),
        (submission(resolution="720P"), video(resolution="720P"), True),
        (submission(resolution="720p"), video(resolution="720P"), True),
        (submission(resolution="720P"), video(resolution="1080P"), False),
        (submission(resolution="720P"), video(), True),
        (submission(), video(resolution="720P"), True),
        (submission(size="1280*720"), video(resolution="720P"), True),
        (submission(size="1280*720"), video(resolution="1080P"), False),
        (submission(size="960*960"), video(resolution="720P"), True),
        (submission(size="960*960"), video(resolution="960P"), True),
        (submission(size="1248*1648"), video(resolution="1080P"), True),
        (submission(size="1248*1648"), video(resolution="720P"), False),
        (submission(size="large"), video(resolution="720P"), True),
        (submission(ratio="9:16"), video(ratio="9:16"), True),
        (submission(ratio="9:16"), video(ratio="16:9"), False),
        (submission(ratio="adaptive"), video(ratio="16:9"), True),
        (submission(ratio="9:16"), video(ratio="720*1280"), True),
        (submission(ratio="9:16", media=FRAME), video(ratio="16:9"), True),
    ],
)
def test_what_was_asked_for_must_fit_what_was_billed(asked: Submission, result: Report, fitting: bool) -> None:
    assert fits(asked, result) is fitting


def test_the_time_of_a_send_goes_from_its_first_byte_to_its_last_hope_and_clocks_differ() -> None:
    sent = Placement("p", "t", "x", Verdict.IN_DOUBT, sent_at=NOW, lost_at=NOW + 5000)
    assert span_of(sent, NOW + 10**6) == (NOW - SKEW_MS, NOW + 5000 + SKEW_MS)
    under_way = replace(sent, verdict=Verdict.SENDING, lost_at=None)
    assert span_of(under_way, NOW + 7000) == (NOW - SKEW_MS, NOW + 7000 + SKEW_MS)
    of_an_older_version = replace(sent, lost_at=None)
    assert span_of(of_an_older_version, NOW + 10**9) == (NOW - SKEW_MS, NOW + SKEW_MS)
    assert span_of(replace(sent, lost_at=NOW + 10**9), NOW)[1] - NOW == 3600_000 + SKEW_MS
