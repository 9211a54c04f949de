"""The house stays as it was drawn (the rules are in `architecture.py`).

Every check runs on the real tree, and on a small made-up tree that breaks it, so that none can pass because it sees
nothing; and on one that keeps all rules.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from adapters.providers import PROVIDERS
from tests.architecture import (
    Module,
    adapters_are_pure,
    files_have_one_purpose,
    layers_import_downwards,
    libraries_stay_in_their_rooms,
    no_error_is_swallowed,
    no_import_goes_in_a_circle,
    only_settings_read_the_environment,
    only_translation_names_a_provider,
    read,
    scripts_need_nothing_installed,
    the_domain_is_pure,
    the_simulator_stands_alone,
)

Check = Callable[[list[Module]], Iterator[str]]

ROOT = Path(__file__).resolve().parent.parent
PROVIDER = next(iter(PROVIDERS))
BROKEN: tuple[tuple[Check, dict[str, str], str], ...] = (
    (adapters_are_pure, {"adapters/flat.py": "import httpx"}, "adapters/flat.py:1: adapters import the standard"),
    (
        adapters_are_pure,
        {"adapters/flat.py": "def f():\n    from service import logs"},
        ":2: adapters import the stand",
    ),
    (adapters_are_pure, {"adapters/flat.py": "import json, time"}, "have no use for time"),
    (the_domain_is_pure, {"service/domain/a.py": "def f():\n    import asyncio"}, ":2: the domain is pure"),
    (the_domain_is_pure, {"service/domain/a.py": "from urllib.request import X"}, "no use for urllib.request"),
    (layers_import_downwards, {"service/domain/a.py": "from service.clock import X"}, "clock is above domain"),
    (scripts_need_nothing_installed, {"scripts/run.py": "import rich"}, "runs before rich is installed"),
    (libraries_stay_in_their_rooms, {"service/looking/poll.py": "import httpx"}, "poll.py:1: httpx does not live here"),
    (libraries_stay_in_their_rooms, {"service/domain/a.py": "from sqlite3 import Row"}, "sqlite3 does not live here"),
    (libraries_stay_in_their_rooms, {"service/network/http.py": "import aiohttp"}, "does not live here (its rooms: no"),
    (libraries_stay_in_their_rooms, {"service/network/addresses.py": "import httpx"}, "httpx does not live here"),
    (libraries_stay_in_their_rooms, {"service/keys/clients.py": "import itsdangerous"}, "does not live here"),
    (libraries_stay_in_their_rooms, {"service/app.py": "if X:\n    import click"}, ":2: click does not live here"),
    (layers_import_downwards, {"service/domain/tasks.py": "from service.store import Store"}, "store is above domain"),
    (layers_import_downwards, {"service/store/rows.py": "from service import routes"}, "routes is above store"),
    (layers_import_downwards, {"service/store/rows.py": "from .. import routes"}, "routes is above store"),
    (layers_import_downwards, {"service/looking/a.py": "def f():\n    import service.app"}, ":2: app is above looking"),
    (layers_import_downwards, {"service/telling/a.py": "from service.sending.b import B"}, "sending is above telling"),
    (layers_import_downwards, {"service/worker.py": "from service.sending import send"}, "sending is above worker"),
    (layers_import_downwards, {"service/attic/a.py": "from service import logs"}, "logs is above attic"),
    (layers_import_downwards, {"service/settings/x.py": "from service.keys.a import X"}, "keys is above settings"),
    (the_simulator_stands_alone, {"service/simulator/x.py": "from adapters import flat"}, "not adapters.flat"),
    (the_simulator_stands_alone, {"service/simulator/x.py": "from service.domain import tasks"}, "not service.domain"),
    (the_simulator_stands_alone, {"service/app.py": "from service.simulator import X"}, "does not know the simulator"),
    (
        no_import_goes_in_a_circle,
        {
            "service/keys/a.py": "from service.keys.b import B",
            "service/keys/b.py": "try:\n    from . import a\nfinally:\n    pass",
        },
        "service.keys.a <- service.keys.b <- service.keys.a",
    ),
    (only_translation_names_a_provider, {"service/keys/a.py": f"x = f'{PROVIDER.upper()}_{{y}}'"}, "names a provider"),
    (only_settings_read_the_environment, {"service/cli/x.py": "import os\nos.environ['X']"}, "x.py:2: only settings"),
    (only_settings_read_the_environment, {"service/cli/x.py": "from os import getenv"}, "x.py:1: only settings"),
    (files_have_one_purpose, {"scripts/run.py": "x = 1\n" * 301}, "301 lines"),
    (no_error_is_swallowed, {"service/a.py": "try:\n    f()\nexcept Exception:\n    pass"}, "a.py:3: an error of any"),
    (no_error_is_swallowed, {"service/a.py": "try:\n    f()\nexcept (OSError, BaseException):\n    ..."}, "a.py:3: "),
    (no_error_is_swallowed, {"adapters/a.py": "for x in y:\n  try:\n    f()\n  except:\n    continue"}, "a.py:4: "),
    (no_error_is_swallowed, {"service/a.py": "with contextlib.suppress(Exception):\n    f()"}, "a.py:1: "),
)
CHECKS = tuple(dict.fromkeys(check for check, _, _ in BROKEN))

ALLOWED = {
    "adapters/__init__.py": "from adapters.flat import Flat",
    "adapters/flat.py": "import json\nfrom importlib.resources import files",
    "service/asgi.py": "from starlette.applications import Starlette\nfrom service import routes",
    "service/routes/__init__.py": "from service.routes.own import Own\nimport starlette",
    "service/routes/own.py": "from service.sending import submit\nif TYPE_CHECKING:\n    from service.routes import X",
    "service/sending/submit.py": f"'''Asks {PROVIDER}.'''\ntry:\n    f()\nexcept Exception:\n    log.failure('x')",
    "service/cli/demo.py": f"from service.simulator import X\nx = '{PROVIDER}'",
    "service/simulator/app.py": f"from service.simulator import rows\nimport httpx\nx = '{PROVIDER}'",
    "service/simulator/rows.py": "",
    "service/settings/given.py": "import os\nos.environ",
    "scripts/bench/x.py": "from service.simulator import X",
    "scripts/run.py": "import os\nos.environ\nfrom pathlib import Path",
}


def plant(root: Path, files: dict[str, str]) -> list[Module]:
    for path, source in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(source)
    return read(root)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_house_stays_as_it_was_drawn(check: Check) -> None:
    modules = read(ROOT)
    assert {"adapters/providers.py", "service/settings/values.py", "scripts/run.py"} <= {each.path for each in modules}
    assert not (told := list(check(modules))), "\n" + "\n".join(told)


@pytest.mark.parametrize(("check", "files", "said"), BROKEN)
def test_what_breaks_a_rule_is_told(check: Check, files: dict[str, str], said: str, tmp_path: Path) -> None:
    (told,) = check(plant(tmp_path, files))
    assert said in told


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_what_keeps_the_rules_is_left_alone(check: Check, tmp_path: Path) -> None:
    assert list(check(plant(tmp_path, ALLOWED))) == []


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a checkout: what belongs to the project is not known")
def test_nothing_else_lies_at_the_top() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
    top = {path.partition("/")[0] for path in listed if path and not path.startswith(".")}
    assert top == {"LICENSE", "README.md", "adapters", "pyproject.toml", "scripts", "service", "tests"}
