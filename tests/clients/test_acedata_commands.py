"""AceData's command lines, `wan` and `happyhorse`, unmodified: only a token and a base URL are in their environment.

They create once and never by themselves again, they cannot cancel, and held is their default.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.clients.shell import BIN, Program
from tests.clients.stage import KEY, Stage

both = pytest.mark.parametrize("name", ["wan", "happyhorse"])


def _program(name: str, base: str, key: str = KEY) -> Program:
    return Program((str(BIN / name),), {"ACEDATACLOUD_API_BASE_URL": base, "ACEDATACLOUD_API_TOKEN": key})


def _asked(program: Program, *arguments: str) -> Any:
    return json.loads(program.output("generate", "--json", *arguments))


@both
def test_a_held_request_is_answered_with_the_video(stage: Stage, name: str) -> None:
    said = _asked(_program(name, stage.base), f"A horse, held by {name}")
    assert (said["success"], said["state"]) == (True, "completed")
    assert said["video_url"].startswith(f"{stage.simulator}/results/")
    assert len(stage.creates(f"A horse, held by {name}")) == 1


@both
def test_a_held_request_that_fails_is_an_answer_and_one_create(stage: Stage, name: str) -> None:
    before = stage.asked("acedata", "create")
    said = _asked(_program(name, stage.base), f"A horse, doomed in {name} [sim:fail=forbidden]")
    assert (said["success"], said["state"], said["error"]["code"]) == (False, "failed", "forbidden")
    assert stage.asked("acedata", "create") == before + 1


@both
def test_a_failed_task_ends_the_wait_and_is_called_back(stage: Stage, name: str) -> None:
    """Only one of the two programs makes an exit code of it."""
    program, prompt, path = _program(name, stage.base), f"A horse, lost in {name}", f"/{name}-command-failed"
    hook = ("--async", "--callback-url", stage.inbox.url + path)
    task_id = _asked(program, f"{prompt} [sim:fail=forbidden]", *hook)["task_id"]
    [told] = stage.inbox.wait(path)
    assert (told.body["task_id"], told.body["error"]["code"]) == (task_id, "forbidden")
    ended = program.run("wait", task_id, "--interval", "1")
    assert f"Task {task_id} failed" in ended.stdout
    assert ended.returncode == (1 if name == "happyhorse" else 0)
    assert len(stage.creates(prompt)) == 1


@both
def test_a_user_who_repeats_a_command_that_lost_its_answer_pays_once_and_waits_in_peace(
    stage: Stage, name: str
) -> None:
    """A 503 of the upstream would end the wait with an error."""
    program, path, before = _program(name, stage.line.url), f"/{name}-command", stage.line.creates
    prompt = f"A horse, cut off in {name} [sim:create=delay:0.7 poll=503:2]"
    command = (prompt, "--async", "--callback-url", stage.inbox.url + path)
    assert program.run("generate", *command).returncode == 1
    task_id = _asked(program, *command)["task_id"]
    assert stage.line.creates == before + 2
    ended = json.loads(program.output("wait", task_id, "--interval", "1", "--json"))
    [told] = stage.inbox.wait(path)
    assert (ended["id"], ended["state"], ended["response"]) == (task_id, "completed", told.body)
    [create] = stage.creates(f"cut off in {name}")
    assert create.task_id in ended["video_url"]
    assert create.task.polls > 2, "the first two looks were refused"


@both
def test_refusals_are_errors_and_nothing_is_created(stage: Stage, name: str) -> None:
    nobody = _program(name, stage.base, key="nobody").run("generate", "A horse, never sent")
    assert (nobody.returncode, "Invalid API token" in nobody.stdout) == (1, True)
    refused = _program(name, stage.base).run("generate", "A horse, never sent", "--callback-url", "ftp://nowhere")
    assert (refused.returncode, "callback_url" in refused.stdout) == (1, True)
    assert stage.creates("A horse, never sent") == []


def test_several_tasks_are_read_at_once(stage: Stage) -> None:
    """`happyhorse tasks` reads a key that AceData does not answer with."""
    program = _program("wan", stage.base)
    ids = {_asked(program, f"A horse, {number} of two", "--async")["task_id"] for number in (1, 2)}
    listed = json.loads(program.output("tasks", "--json", *ids))
    assert ({one["id"] for one in listed["items"]}, listed["count"]) == (ids, 2)
    shown = program.output("tasks", *ids)
    assert all(task_id in shown for task_id in ids)
    assert len(stage.creates("of two")) == 2
