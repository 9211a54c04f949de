"""The house stays as it was drawn: who imports whom, which library lives where, what product code never does.

Each rule is a table and a check over the syntax trees of all files. `test_architecture.py` runs the checks.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from adapters.providers import PROVIDERS

LAYERS = (
    {"cli"},
    {"app", "asgi", "crew", "simulator"},
    {"routes"},
    {"openapi"},
    {"looking"},
    {"doubts"},
    {"sending"},
    {"receivers"},
    {"telling"},
    {"accounts"},
    {"keys"},
    {"keeping"},
    {"operator", "worker"},
    {"store"},
    {"network"},
    {"settings"},
    {"logs", "clock"},
    {"domain"},
    {"backoff", "jsondoor", "errors"},
)
"""Inside service, a room imports from those below it; files of the root share some layers, rooms share none, so that no
two import each other. What is not listed is below all and imports nothing of service."""

NETWORK = tuple(
    f"service/network/{name}.py" for name in ("http", "pool", "dialling", "guard", "egress", "reasons", "proxy")
)
ROOMS = {
    "starlette": ("service/routes", "service/asgi.py", "service/simulator"),
    "uvicorn": ("service/app.py", "service/cli"),
    "httpx": (*NETWORK, "service/app.py", "service/cli", "service/simulator"),
    "httpcore": NETWORK,
    "sqlite3": ("service/store",),
    "sqlite_utils": ("service/store",),
    "psycopg": ("service/store",),
    "itsdangerous": ("service/keys/signing.py",),
    "cryptography": (
        "service/keys/vault.py",
        "service/keys/asymmetric.py",
        "service/looking/certificates.py",
        "service/simulator",
    ),
    "click": ("service/cli",),
    "rich": ("service/cli",),
    "pydantic": ("service/settings", "service/routes"),
    "pydantic_settings": ("service/settings",),
}
"""Each library has its rooms. A library that is not listed has none."""

IMPURE = {"asyncio", "http", "logging", "os", "random", "secrets", "socket", "sqlite3", "ssl", "subprocess", "tempfile"}
IMPURE |= {"threading", "time", "urllib.request"}
"""What translation and the domain have no use for: no input or output, no clock, no settings and no logs."""

MAY_NAME_A_PROVIDER = (
    "service/simulator",
    "service/cli/demo",
    "service/cli/scenario",
    "service/openapi",  # tells people whose API a call is
)
MAY_KNOW_THE_SIMULATOR = ("service/simulator", "service/cli", "scripts/bench")
MAY_READ_THE_ENVIRONMENT = ("service/settings",)
LONGEST_FILE = 300


@dataclass(frozen=True)
class Import:
    """One imported name: `from a.b import c` is `a.b` and `c`. `late`: inside a function, or for types only."""

    module: str
    name: str
    line: int
    late: bool


@dataclass(frozen=True)
class Module:
    """One file of product code; `path` is relative to the checkout."""

    path: str
    source: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.source)

    @cached_property
    def name(self) -> str:
        return self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    @cached_property
    def imports(self) -> list[Import]:
        early = set(map(id, run_at_import(self.tree.body)))
        found = []
        for node in ast.walk(self.tree):
            late = id(node) not in early
            if isinstance(node, ast.Import):
                found += [Import(alias.name, "", node.lineno, late) for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                found += [Import(self.absolute(node), alias.name, node.lineno, late) for alias in node.names]
        return found

    def absolute(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        package = self.name.split(".") if self.path.endswith("/__init__.py") else self.name.split(".")[:-1]
        return ".".join([*package[: len(package) - node.level + 1], *([node.module] if node.module else [])])

    def within(self, places: tuple[str, ...]) -> bool:
        """A place is a file, a folder, or the beginning of a file's name."""
        return self.path.startswith(places)

    def part(self) -> str:
        """The room: `service/store/rows.py` is in `store`. A file of the root is a part of its own."""
        return self.name.split(".")[1] if "." in self.name else ""


def run_at_import(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that run when the module is imported: not those in functions or under `if TYPE_CHECKING`."""
    for node in body:
        yield node
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for block in ("body", "orelse", "finalbody"):
            if not (block == "body" and isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)):
                yield from run_at_import(getattr(node, block, []))
        for handler in getattr(node, "handlers", []):
            yield from run_at_import(handler.body)


def read(root: Path) -> list[Module]:
    files = [file for folder in ("adapters", "service", "scripts") for file in sorted((root / folder).rglob("*.py"))]
    return [Module(file.relative_to(root).as_posix(), file.read_text()) for file in files]


# The checks: each tells what is wrong, as `path:line: sentence`.


def adapters_are_pure(modules: list[Module]) -> Iterator[str]:
    for module in modules:
        for imported in module.imports if module.within(("adapters/",)) else ():
            top = imported.module.split(".")[0]
            if top != "adapters" and top not in sys.stdlib_module_names:
                yield f"{module.path}:{imported.line}: adapters import the standard library only, not {imported.module}"
            elif top in IMPURE or imported.module in IMPURE:
                yield f"{module.path}:{imported.line}: adapters are pure and have no use for {imported.module}"


def the_domain_is_pure(modules: list[Module]) -> Iterator[str]:
    for module in modules:
        for imported in module.imports if module.within(("service/domain/",)) else ():
            if not IMPURE.isdisjoint((imported.module, imported.module.split(".")[0])):
                yield f"{module.path}:{imported.line}: the domain is pure and has no use for {imported.module}"


def scripts_need_nothing_installed(modules: list[Module]) -> Iterator[str]:
    for module in modules:
        for imported in module.imports if module.path == "scripts/run.py" else ():
            if imported.module.split(".")[0] not in sys.stdlib_module_names:
                yield f"{module.path}:{imported.line}: the launcher runs before {imported.module} is installed"


def libraries_stay_in_their_rooms(modules: list[Module]) -> Iterator[str]:
    own = {"service", "adapters", "_typeshed"}  # the last is known to type checkers only
    for module in modules:
        for imported in module.imports if module.within(("service/",)) else ():
            library = imported.module.split(".")[0]
            foreign = library not in own and library not in sys.stdlib_module_names
            if (foreign or library in ROOMS) and not module.within(ROOMS.get(library, ())):
                rooms = ", ".join(ROOMS.get(library, ())) or "no room yet"
                yield f"{module.path}:{imported.line}: {library} does not live here (its rooms: {rooms})"


def layers_import_downwards(modules: list[Module]) -> Iterator[str]:
    for module in modules:
        for imported in module.imports if module.within(("service/",)) else ():
            target = imported.module if imported.module != "service" else f"service.{imported.name}"
            part = target.split(".")[1] if target.startswith("service.") else ""
            if part and part != module.part() and layer(part) < layer(module.part()):
                yield f"{module.path}:{imported.line}: {part} is above {module.part()} and must not be imported here"


def layer(part: str) -> int:
    return next((index for index, parts in enumerate(LAYERS) if part in parts), len(LAYERS))


def the_simulator_stands_alone(modules: list[Module]) -> Iterator[str]:
    """It is written from the providers' documents. If it shared our code, a mistake in that would cancel out."""
    for module in modules:
        for imported in module.imports:
            full = f"{imported.module}.{imported.name}"
            ours = full.startswith(("adapters", "service.")) and not full.startswith("service.simulator")
            if module.within(("service/simulator",)) and ours:
                yield f"{module.path}:{imported.line}: the simulator shares no code with us, not {full}"
            if not module.within(("service/simulator", "service/cli", "scripts/bench")) and full.startswith(
                "service.simulator"
            ):
                yield f"{module.path}:{imported.line}: the product does not know the simulator"


def no_import_goes_in_a_circle(modules: list[Module]) -> Iterator[str]:
    known = {module.name for module in modules}
    graph = {module.name: set(imported_modules(module, known)) - {module.name} for module in modules}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        yield " <- ".join(error.args[1])


def imported_modules(module: Module, known: set[str]) -> Iterator[str]:
    for imported in module.imports:
        full = f"{imported.module}.{imported.name}"
        if not imported.late:
            yield full if full in known else imported.module


def only_translation_names_a_provider(modules: list[Module]) -> Iterator[str]:
    named = re.compile("|".join(map(re.escape, PROVIDERS)), re.IGNORECASE)
    for module in modules:
        if module.within(("service/",)) and not module.within(MAY_NAME_A_PROVIDER):
            for line, text in literals(module.tree):
                if named.search(text):
                    yield f"{module.path}:{line}: {text!r} names a provider"


def literals(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """String literals with their lines, but for docstrings and comments written as strings."""
    said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said:
            yield node.lineno, node.value


def only_settings_read_the_environment(modules: list[Module]) -> Iterator[str]:
    for module in modules:
        if module.within(("service/",)) and not module.within(MAY_READ_THE_ENVIRONMENT):
            for node in ast.walk(module.tree):
                if isinstance(node, ast.Attribute) and ast.unparse(node) in ("os.environ", "os.getenv", "os.environb"):
                    yield f"{module.path}:{node.lineno}: only settings read the environment"
            for imported in module.imports:
                if imported.module == "os" and imported.name in ("environ", "getenv", "environb"):
                    yield f"{module.path}:{imported.line}: only settings read the environment"


def files_have_one_purpose(modules: list[Module]) -> Iterator[str]:
    for module in modules:
        if (lines := len(module.source.splitlines())) > LONGEST_FILE:
            yield f"{module.path}: {lines} lines; which second thing lives here?"


def no_error_is_swallowed(modules: list[Module]) -> Iterator[str]:
    for module in modules:
        for node in ast.walk(module.tree):
            swallowed = f"{module.path}:{getattr(node, 'lineno', 0)}: an error of any kind is swallowed"
            if isinstance(node, ast.ExceptHandler) and catches_all(node.type) and all(map(does_nothing, node.body)):
                yield swallowed
            if isinstance(node, ast.Call) and suppresses_all(node):
                yield swallowed


def catches_all(caught: ast.expr | None) -> bool:
    parts = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return any(part is None or ast.unparse(part) in ("Exception", "BaseException") for part in parts)


def suppresses_all(call: ast.Call) -> bool:
    return ast.unparse(call.func).endswith("suppress") and any(map(catches_all, call.args))


def does_nothing(node: ast.stmt) -> bool:
    return isinstance(node, ast.Pass | ast.Continue) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    )
