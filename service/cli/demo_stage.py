"""What is seen of the demo: a live table above which callbacks scroll by, or plain lines where no terminal is."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from adapters.providers import PROVIDERS
from service.cli.demo_house import House
from service.cli.demo_inbox import Received
from service.cli.demo_runs import TELLINGS, Run, at

WIDE = 96
REFRESHES = 8  # a second
STYLES = {"QUEUED": "yellow", "RUNNING": "cyan"}
SHORT = {name: provider.title.rpartition(" ")[2] for name, provider in PROVIDERS.items()}

INVITATION = """
Now you: all of this stays up until Ctrl-C, and callbacks to {mine} are shown here.

  curl {house.url}/wan/videos \\
    -H 'Authorization: Bearer {house.key}' -H 'Content-Type: application/json' \\
    -d '{body}'

  export RINGBACK_URL={house.url} RINGBACK_KEY={house.key}
  {command} list
  {command} submit --model wan2.7-t2v --prompt 'a cat [sim:fail]' --wait \\
    --callback {mine}
  {command} deliveries
"""


class Stage:
    """Prints to `console`. Inside the block the table is kept below all lines, if somebody looks."""

    def __init__(self, console: Console, runs: Sequence[Run]) -> None:
        self._console = console
        self._runs = runs
        self._live = ExitStack()
        utf8 = console.encoding.startswith("utf")
        self._good, self._bad = ("✓", "✗") if utf8 else ("ok", "WRONG")

    def __enter__(self) -> Self:
        if self._console.is_interactive:
            live = Live(get_renderable=self.table, console=self._console, refresh_per_second=REFRESHES)
            self._live.enter_context(live)
        return self

    def __exit__(self, *_: object) -> None:
        self._live.close()

    def say(self, text: str = "", style: str = "") -> None:
        self._console.print(Text(text, style=style))

    def introduce(self, house: House) -> None:
        titles = ", ".join(provider.title for provider in PROVIDERS.values())
        requests = len({id(run.scenario) for run in self._runs})
        self.say("Ringback demo: no account, no money, no network.", "bold")
        self.say()
        self.say(f"  service    {house.url}  speaks the API of every provider")
        self.say(f"  providers  {house.simulator_url}  simulated: {titles}")
        self.say(f"  inbox      {house.inbox_url}  takes the callbacks and checks every signature")
        self.say()
        self.say(
            f"{requests} requests from the providers' documents, each through every provider that has its model: "
            f"{len(self._runs)} tasks. The seconds count from the request to its callback."
        )
        self.say()

    def callback(self, run: Run | None, one: Received) -> None:
        """One line for a callback; one that does not verify is red and says why. `run` is None for a visitor's."""
        good = one.verdict.ok
        said = f"{self._good} signature verified" if good else f"{self._bad} {one.verdict.sentence}"
        line = Text(f"{_what(run) if run else one.path:<46}  {_end(run, one):<9}  ")
        line.append(said, style="green" if good else "bold red")
        line.append(f"  {run.scenario.model if run else ''}  {one.webhook_id}", style="dim")
        self._console.print(line, no_wrap=True, overflow="ellipsis")

    def reply(self, run: Run) -> None:
        """The line of a held request: its reply is all that is told."""
        self.say(f"{_what(run)}  {run.state.lower():<9}  {self._good} in the held reply")

    def conclude(self, report: Mapping[str, Any], log: Path) -> None:
        for run in self._runs:
            if run.problem is not None:
                self.say(f"{_what(run).strip()}: {run.problem}", "red")
        if not report["ok"]:
            for line in log.read_text().splitlines():
                if " ERROR " in line:
                    self.say(line, "dim")
        good = sum(run.ok for run in self._runs)
        first = report["first_callback_seconds"]
        self.say()
        self.say(
            f"{good} of {len(self._runs)} tasks ended as scripted. "
            f"{report['verified']} of {report['callbacks']} callbacks verified, the first after {first or 0:.1f} s. "
            f"{report['downloaded']} videos downloaded.",
            "bold green" if report["ok"] else "bold red",
        )

    def invite(self, house: House, command: str) -> None:
        """What to try next, for copy and paste."""
        mine = f"{house.inbox_url}/mine"
        body = {"action": "text2video", "model": "wan2.6-t2v", "prompt": "A lighthouse at sunset", "callback_url": mine}
        text = json.dumps(body, separators=(",", ":"))
        invitation = INVITATION.format(house=house, body=text, command=command, mine=mine)
        self._console.print(Text(invitation), soft_wrap=True)  # a line to copy stays one line

    def table(self) -> Group:
        """A row for every request, a column for every provider. A narrow terminal does without the models."""
        wide = self._console.width >= WIDE
        table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
        for column in ("shape", "request", *(["model"] if wide else []), *SHORT.values()):
            table.add_column(column, no_wrap=True, min_width=9 if column in SHORT.values() else None)
        cells = {(id(run.scenario), run.provider): self._cell(run) for run in self._runs}
        for scenario in {id(run.scenario): run.scenario for run in self._runs}.values():
            model = [Text(scenario.model, style="dim")] if wide else []
            row = [cells.get((id(scenario), name), Text("-", style="dim")) for name in SHORT]
            table.add_row(Text(scenario.shape, style="dim"), scenario.title, *model, *row)
        legend = f"{self._good} called back, with a good signature (held: replied)   - has no such model"
        return Group(Text(), table, Text(legend, style="dim"))

    def _cell(self, run: Run) -> Text:
        if run.problem is not None:
            return Text(f"{self._bad} wrong", style="bold red")
        if run.ok:
            told = "failed" if run.state == "FAILED" else f"{run.seconds:.1f} s"
            return Text(f"{told} {self._good}", style="green")
        waiting = "held" if run.scenario.held else "sending"
        return Text(run.state.lower() or waiting, style=STYLES.get(run.state, "dim"))


def _what(run: Run) -> str:
    scenario = run.scenario
    return f"{run.seconds or 0:5.1f} s  {scenario.shape:<7}  {scenario.title:<17}  {SHORT[run.provider]:<9}"


def _end(run: Run | None, one: Received) -> str:
    """The word of the end in the callback itself, in whichever shape (a visitor's may be any)."""
    tellings = [TELLINGS[run.scenario.shape]] if run else list(TELLINGS.values())
    return next((str(word) for telling in tellings if (word := at(one.body, telling.state))), "?")
