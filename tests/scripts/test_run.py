"""The launcher, run as a program in a checkout of its own, with programs in place of uv and of the environment."""

from __future__ import annotations

import ast
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent

UV = """#!{python}
'''Stands where uv would: notes what it is asked, and "installs" programs that say how they were called.'''
import json, os, sys, time
from pathlib import Path

root = Path({root!r})
with (root / "uv.jsonl").open("a") as notes:
    notes.write(json.dumps(sys.argv[1:]) + "\\n")
if (root / "uv-waits").exists():
    (root / "uv-waits").read_text()
if (root / "uv-fails").exists():
    sys.exit("no network")
bin = root / ".venv" / "bin"
bin.mkdir(parents=True, exist_ok=True)
for name in ("python", "ringback"):
    (bin / name).unlink(missing_ok=True)  # it may be a link to the real Python, which must not be written to
    (bin / name).write_text((root / "program").read_text())
    (bin / name).chmod(0o755)
"""

PROGRAM = """#!{python}
import json, os, sys
from pathlib import Path
call = [Path(sys.argv[0]).name, *sys.argv[1:]]
print("called " + json.dumps({{"call": call, "environ": dict(os.environ), "cwd": os.getcwd()}}), flush=True)
failing = os.environ.get("LC_FAILING")
sys.exit(7 if failing and failing in call else 0)
"""


@dataclass(frozen=True)
class Call:
    """How a program of the environment was called."""

    words: list[str]
    environ: dict[str, str]
    cwd: str


class Checkout:
    """A copy of what the launcher needs, and a `PATH` that has nothing but the stand-in for uv (if it is wanted)."""

    def __init__(self, root: Path, uv: bool = True) -> None:
        self.root = root
        for name in ("pyproject.toml", "scripts/run.py", "scripts/constraints.txt"):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, root / name)
        (root / "tools").mkdir()
        if uv:
            (root / "tools" / "uv").write_text(UV.format(python=sys.executable, root=str(root)))
            (root / "tools" / "uv").chmod(0o755)
        (root / "program").write_text(PROGRAM.format(python=sys.executable))

    def command(self, *words: str, python: str = sys.executable) -> list[str]:
        return [python, str(self.root / "scripts" / "run.py"), *words]

    def environ(self, extra: Mapping[str, str]) -> dict[str, str]:
        return {"PATH": str(self.root / "tools"), "PIP_NO_INDEX": "1", **extra}

    def run(self, *words: str, python: str = sys.executable, **environ: str) -> subprocess.CompletedProcess[str]:
        command = self.command(*words, python=python)
        return subprocess.run(command, cwd=self.root, env=self.environ(environ), capture_output=True, text=True)

    def asked(self) -> list[list[str]]:
        """What uv was asked to do, in order."""
        notes = self.root / "uv.jsonl"
        return [json.loads(line) for line in notes.read_text().splitlines()] if notes.exists() else []

    def installed(self) -> list[str]:
        """The targets of all installations."""
        return [words[words.index("--editable") + 1] for words in self.asked() if "--editable" in words]


def calls(done: subprocess.CompletedProcess[str]) -> list[Call]:
    found = [json.loads(line[7:]) for line in done.stdout.splitlines() if line.startswith("called ")]
    return [Call(each["call"], each["environ"], each["cwd"]) for each in found]


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path / "house")


DANGEROUS = {
    **dict.fromkeys(("ACEDATA_API_KEY", "LAOZHANG_API_KEY", "APIYI_API_KEY", "DASHSCOPE_API_KEY"), "key"),
    **dict.fromkeys(("ACEDATACLOUD_API_TOKEN", "RINGBACK_API_KEYS", "RINGBACK_TEST_POSTGRES"), "key"),
    **dict.fromkeys(
        ("DASHSCOPE_HTTP_BASE_URL", "DASHSCOPE_BASE_URL", "ACEDATACLOUD_BASE_URL"), "https://money.example"
    ),
    **dict.fromkeys(("RINGBACK_ACEDATA_BASE_URL", "HTTP_PROXY", "https_proxy", "ALL_PROXY"), "https://money.example"),
}


def test_the_first_run_makes_the_environment_and_later_runs_use_it(checkout: Checkout) -> None:
    first = checkout.run("serve", "--port", "0")
    second = checkout.run("serve")
    assert [call.words for call in calls(first) + calls(second)] == [
        ["ringback", "serve", "--port", "0"],
        ["ringback", "serve"],
    ]
    make, fill = checkout.asked()
    assert make[0] == "venv"
    assert fill[:2] == ["pip", "install"]
    assert fill[-2:] == ["--constraint", str(checkout.root / "scripts" / "constraints.txt")]
    assert "making the environment in .venv, about half a minute, once" in first.stderr
    assert second.stderr == ""


@pytest.mark.parametrize("name", ["pyproject.toml", "scripts/constraints.txt"])
def test_other_requirements_are_installed_into_the_same_environment(checkout: Checkout, name: str) -> None:
    checkout.run("serve")
    with (checkout.root / name).open("a") as file:
        file.write("# changed\n")
    checkout.run("serve")
    checkout.run("serve")
    assert [words[0] for words in checkout.asked()] == ["venv", "pip", "pip"]


def test_a_command_gets_the_extras_it_needs_and_keeps_those_of_others(checkout: Checkout) -> None:
    for command in ("demo", "test", "demo", "check", "test"):
        checkout.run(command)
    (checkout.root / "pyproject.toml").write_text("# changed")
    checkout.run("demo")
    root = str(checkout.root)
    assert checkout.installed() == [root, f"{root}[test]", f"{root}[test,check]", f"{root}[test,check]"]


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"inputs": "x"}', '{"inputs": "x", "extras": "[other]"}'])
def test_an_environment_that_was_not_finished_is_finished(checkout: Checkout, damage: str) -> None:
    checkout.run("serve")
    (checkout.root / ".venv" / "ringback-installed.json").write_text(damage)
    assert calls(checkout.run("serve"))
    assert len(checkout.installed()) == 2


def test_a_moved_checkout_gets_its_environment_anew(checkout: Checkout) -> None:
    checkout.run("serve")
    moved = Checkout.__new__(Checkout)
    moved.root = checkout.root.rename(checkout.root.with_name("moved"))
    (moved.root / "tools" / "uv").write_text(UV.format(python=sys.executable, root=str(moved.root)))
    assert calls(moved.run("serve"))
    assert moved.installed() == [str(checkout.root), str(moved.root)]


@pytest.mark.parametrize("command", ["demo", "sim", "test", "bench"])
def test_commands_that_must_not_spend_money_see_no_key_url_proxy_or_setting(checkout: Checkout, command: str) -> None:
    words = ("bench", "detection") if command == "bench" else (command,)
    (call,) = calls(checkout.run(*words, LANG="C.UTF-8", LC_ALL="C.UTF-8", TERM="dumb", **DANGEROUS))
    seen = DANGEROUS.keys() & call.environ.keys()
    assert seen == ({"RINGBACK_TEST_POSTGRES"} if command == "test" else set())
    assert {"PATH", "LANG", "LC_ALL", "TERM"} <= call.environ.keys()


def test_serve_sees_the_whole_environment(checkout: Checkout) -> None:
    (call,) = calls(checkout.run("serve", **DANGEROUS))
    assert DANGEROUS.items() <= call.environ.items()


def test_serve_stays_where_it_was_called_and_test_runs_in_the_checkout(checkout: Checkout, tmp_path: Path) -> None:
    environ = checkout.environ({})
    for command, where in (("serve", tmp_path), ("test", checkout.root)):
        done = subprocess.run(checkout.command(command), cwd=tmp_path, env=environ, capture_output=True, text=True)
        assert calls(done)[0].cwd == str(where)


def test_test_passes_its_arguments_to_pytest(checkout: Checkout) -> None:
    (call,) = calls(checkout.run("test", "-k", "two words", "--lf"))
    assert call.words == ["python", "-m", "pytest", "-k", "two words", "--lf"]


@pytest.mark.parametrize("words", [("demo", "--once"), ("test", "--once"), ("serve", "--once")])
def test_the_exit_code_is_that_of_the_program(checkout: Checkout, words: tuple[str, ...]) -> None:
    assert checkout.run(*words, LC_FAILING="--once").returncode == 7
    assert checkout.run(*words).returncode == 0


@pytest.mark.parametrize("failing", ["ruff", "--check", "mypy", "pytest", None])
def test_check_runs_everything_and_fails_if_anything_does(checkout: Checkout, failing: str | None) -> None:
    done = checkout.run("check", **({"LC_FAILING": failing} if failing else {}))
    assert [call.words[2] for call in calls(done)] == ["ruff", "ruff", "mypy", "pytest"]
    assert done.returncode == (1 if failing else 0)
    assert done.stdout.splitlines()[-1].startswith("check: failed: " if failing else "check: all passed")


def test_without_uv_and_pip_the_next_step_is_said(tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", bare], check=True)
    done = Checkout(tmp_path / "house", uv=False).run("demo", python=str(bare / "bin" / "python"))
    assert done.returncode == 2
    assert "has no pip" in done.stderr
    assert "apt install python3-pip" in done.stderr
    assert "Traceback" not in done.stderr


def test_where_uv_fails_pip_is_tried_and_where_both_fail_the_next_step_is_said(checkout: Checkout) -> None:
    (checkout.root / "uv-fails").touch()
    done = checkout.run("demo")
    assert done.returncode == 2
    assert "--without-pip" in done.stderr or "-m pip --python" in done.stderr
    assert "Next step: see that the package index can be reached" in done.stderr
    (checkout.root / "uv-fails").unlink()
    assert calls(checkout.run("demo")), "the next run starts over"


def test_bench_runs_the_bench_that_was_named_with_its_arguments(checkout: Checkout) -> None:
    (call,) = calls(checkout.run("bench", "detection", "--kind", "gateway"))
    assert call.words == ["python", "-m", "scripts.bench.detection", "--kind", "gateway"]
    assert call.cwd == str(checkout.root)


@pytest.mark.parametrize("words", [(), ("dmeo",), ("bench",), ("bench", "speed")])
def test_what_it_cannot_do_it_says_without_making_an_environment(checkout: Checkout, words: tuple[str, ...]) -> None:
    done = checkout.run(*words)
    assert done.returncode == 2
    assert "demo" in done.stdout + done.stderr or "detection" in done.stderr
    assert checkout.asked() == []


def test_help_names_every_command(checkout: Checkout) -> None:
    done = checkout.run("--help")
    assert done.returncode == 0
    assert all(command in done.stdout for command in ("demo", "serve", "sim", "test", "check", "bench"))


def test_ctrl_c_while_installing_ends_quietly_and_the_next_run_goes_on(checkout: Checkout) -> None:
    os.mkfifo(checkout.root / "uv-waits")
    environ = checkout.environ({})
    with subprocess.Popen(
        checkout.command("demo"),
        cwd=checkout.root,
        env=environ,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as running:
        assert running.stderr is not None
        assert "making the environment" in running.stderr.readline()
        with (checkout.root / "uv-waits").open("w"):  # opens when uv reads: it is in the middle of its work
            os.killpg(running.pid, signal.SIGINT)
            rest = running.stderr.read()
        assert running.wait() == 130
        assert "Traceback" not in rest
    (checkout.root / "uv-waits").unlink()
    assert calls(checkout.run("demo"))


def test_an_older_python_can_read_the_launcher_and_is_told_what_is_missing(tmp_path: Path) -> None:
    source = (ROOT / "scripts" / "run.py").read_text()
    ast.parse(source, feature_version=(3, 7))
    older = source.replace("sys.version_info[:3]", "(3, 9, 2)")
    assert older != source
    (tmp_path / "run.py").write_text(older)
    done = subprocess.run([sys.executable, tmp_path / "run.py", "demo"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "Ringback needs Python 3.11 or newer, and this is 3.9.2." in done.stderr
    assert "python3.11 scripts/run.py demo" in done.stderr


def test_the_constraints_are_exact_versions_and_nothing_of_one_machine() -> None:
    lines = (ROOT / "scripts" / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert len(pins) > 20
    for pin in pins:
        name, separator, version = pin.partition("==")
        assert separator, pin
        assert name.replace("-", "").replace("_", "").replace(".", "").isalnum(), pin
        assert version.replace(".", "").replace("b", "").isalnum(), pin
