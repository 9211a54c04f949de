#!/usr/bin/env python3
"""The launcher: makes the environment once, then runs one command in it.

    python3 scripts/run.py demo | serve | sim | test | check | bench NAME   [arguments are passed on]

Needs Python 3.11 and pip (or uv) and nothing else, so this file imports only the standard library. It stays readable
to older Pythons, so that one of them can say what is missing.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "ringback-installed.json"
CONSTRAINTS = ROOT / "scripts" / "constraints.txt"
OLDEST_PYTHON = (3, 11)

EXTRAS = ("", "[test]", "[test,check]")
"""What can be installed beside the program; each holds what stands before it."""

NEEDS = {"demo": "", "serve": "", "sim": "", "test": "[test]", "check": "[test,check]", "bench": ""}
"""Every command, and the extras that it needs."""

BENCHES = ("detection", "guard", "isolation")
"""The programs of `scripts/bench` that `bench` runs, by name."""

SEALED = frozenset({"demo", "sim", "test", "bench"})
"""Commands that must never spend money: of the caller's environment they see only `HARMLESS`."""

HARMLESS = (
    {"PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "TZ", "LANG", "LANGUAGE", "LD_LIBRARY_PATH", "CI"}
    | {"TERM", "COLORTERM", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES"}
    | {"PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "PYTEST_ADDOPTS"}
)

CHECKS = (
    ("ruff", "check"),
    ("ruff", "format", "--check"),
    ("mypy",),
    ("pytest", "-q", "tests/test_architecture.py"),
)


class Stop(Exception):
    """The launcher cannot go on; the text says why and what to do next."""


def main(argv: list[str]) -> int:
    """Runs one command and returns its exit code; does not return where the command replaces this process."""
    if not argv or argv[0] in ("-h", "--help"):
        print(__doc__)
        return 0 if argv else 2
    command, arguments = argv[0], argv[1:]
    if command not in NEEDS:
        raise Stop(f"There is no command {command!r}. Use one of: {', '.join(NEEDS)}.")
    if command == "bench" and arguments[:1] not in [[name] for name in BENCHES]:
        raise Stop(f"Which bench? Use one of: {', '.join(BENCHES)}.")
    prepare(NEEDS[command])
    environment = sealed(command, os.environ) if command in SEALED else dict(os.environ)
    if command == "check":
        return check(environment)
    if command == "test":
        os.chdir(ROOT)
        run_instead(["python", "-m", "pytest", *arguments], environment)
    if command == "bench":
        os.chdir(ROOT)
        run_instead(["python", "-m", f"scripts.bench.{arguments[0]}", *arguments[1:]], environment)
    run_instead(["ringback", command, *arguments], environment)
    raise AssertionError("unreachable")


def run_instead(words: list[str], environment: dict[str, str]) -> None:
    """Replaces this process by a program of the environment, so that signals and exit codes are its own."""
    sys.stdout.flush()
    sys.stderr.flush()
    program = str(VENV / "bin" / words[0])
    os.execve(program, [program, *words[1:]], environment)


def check(environment: dict[str, str]) -> int:
    """Runs every check, also after one has failed; 1 if any has."""
    failed = []
    for words in CHECKS:
        print("$", *words, flush=True)
        if subprocess.run([PYTHON, "-m", *words], cwd=ROOT, env=environment).returncode:
            failed.append(" ".join(words))
    print("check: " + ("failed: " + "; ".join(failed) if failed else "all passed"), flush=True)
    return 1 if failed else 0


def sealed(command: str, environ: os._Environ[str] | dict[str, str]) -> dict[str, str]:
    """The environment of a command that must not spend money: no keys, no base URLs, no proxies, no settings."""
    allowed = HARMLESS | {"RINGBACK_TEST_POSTGRES"} if command == "test" else HARMLESS
    return {name: value for name, value in environ.items() if name in allowed or name.startswith("LC_")}


def prepare(extras: str) -> None:
    """Makes `.venv` hold what the checkout and `extras` ask for; at once when nothing has changed since."""
    lock = os.open(ROOT, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)  # two launchers in one checkout: the second finds the work done
    try:
        wanted = {"inputs": fingerprint(), "extras": extras}
        made = stamp()
        if made.get("inputs") == wanted["inputs"]:
            if EXTRAS.index(made["extras"]) >= EXTRAS.index(extras):
                return
        elif made:  # what was asked for once is kept up to date
            wanted["extras"] = max(extras, made["extras"], key=EXTRAS.index)
        install(wanted)
    finally:
        os.close(lock)


def stamp() -> dict[str, str]:
    """What the last complete installation was made for; empty if there was none that can still be used."""
    try:
        made = json.loads(STAMP.read_text()) if PYTHON.exists() else {}
        return made if made.get("extras") in EXTRAS else {}
    except (OSError, ValueError, AttributeError):
        return {}


def fingerprint() -> str:
    """Changes when the environment has to be made anew: other requirements, or a moved checkout."""
    parts = (str(ROOT).encode(), (ROOT / "pyproject.toml").read_bytes(), CONSTRAINTS.read_bytes())
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def install(wanted: dict[str, str]) -> None:
    """Installs the checkout into `.venv`, by uv where there is one, else (or where it fails) by pip."""
    began = time.monotonic()
    print("run.py: making the environment in .venv, about half a minute, once ...", file=sys.stderr, flush=True)
    STAMP.unlink(missing_ok=True)
    fresh = not PYTHON.exists()
    target = ["--editable", f"{ROOT}{wanted['extras']}", "--constraint", str(CONSTRAINTS)]
    uv = shutil.which("uv")
    if not (uv and install_by_uv(uv, fresh, target)):
        install_by_pip(fresh, target)
    STAMP.write_text(json.dumps(wanted))
    print(f"run.py: ready after {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)


def install_by_uv(uv: str, fresh: bool, target: list[str]) -> bool:
    """False if uv could not: it does not read pip's configuration, so pip may reach an index that uv does not."""
    make = [uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(VENV)]
    fill = [uv, "pip", "install", "--quiet", "--python", str(PYTHON), *target]
    return all(attempt(words).returncode == 0 for words in ([make, fill] if fresh else [fill]))


def install_by_pip(fresh: bool, target: list[str]) -> None:
    """Works with Debian's Python too, which has neither ensurepip nor leave to install outside an environment."""
    if attempt([sys.executable, "-m", "pip", "--version"]).returncode:
        raise Stop(
            f"{sys.executable} has no pip, which is needed once to make the environment.\n"
            "Next step: install pip (Debian, Ubuntu: apt install python3-pip) or uv, and run this again."
        )
    make = [sys.executable, "-m", "venv", "--without-pip", "--clear", str(VENV)]
    fill = [sys.executable, "-m", "pip", "--python", str(PYTHON), "install", "--quiet", "--no-input", *target]
    for words in [make, fill] if fresh else [fill]:
        done = attempt(words)
        if done.returncode:
            raise Stop(
                f"the environment could not be made. `{' '.join(words)}` said:\n\n{done.stdout.strip()}\n\n"
                "Next step: see that the package index can be reached and that pip is 22.3 or newer\n"
                "(python3 -m pip install --upgrade pip), then run this again."
            )


def attempt(words: list[str]) -> subprocess.CompletedProcess[str]:
    """Runs a program to its end; its output, errors included, is kept for the case that it failed."""
    return subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")


def too_old(version: tuple[int, ...]) -> str | None:
    """What to say to somebody with this Python; None if it is new enough."""
    if version[:2] >= OLDEST_PYTHON:
        return None
    needed, found = (".".join(map(str, numbers)) for numbers in (OLDEST_PYTHON, version[:3]))
    return (
        f"Ringback needs Python {needed} or newer, and this is {found}.\n"
        f"Next step: run this file with a newer one, for example: python{needed} scripts/run.py demo"
    )


if __name__ == "__main__":
    try:
        complaint = too_old(tuple(sys.version_info[:3]))
        if complaint:
            raise Stop(complaint)
        sys.exit(main(sys.argv[1:]))
    except Stop as stop:
        print(f"run.py: {stop}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
