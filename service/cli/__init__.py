"""The command line. This file is its index: a command's module, with all that it needs, is imported only when it runs.

ringback --help
ringback <command> --help
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

import click

GROUPS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "Start here": {
        "demo": ("demo.demo", "See it work: every provider simulated, every callback verified."),
    },
    "Run a server": {
        "serve": ("serve.serve", "Run the server."),
        "sim": ("sim.sim", "Run the simulated providers: no account, no money."),
        "keys": ("keys.keys", "Make, list and revoke client keys; what they may do and spend."),
        "doctor": ("doctor.doctor", "Check keys, clock, addresses and database, at no cost."),
    },
    "Operate a server": {
        "events": ("events.events", "Show what needs you, and what to do next."),
        "adopt": ("adopt.adopt", "Say under which id the provider has a lost submission."),
        "send-again": ("send_again.send_again", "Have a task made once more that is in doubt."),
        "settle": ("settle.settle", "Say what a send did cost of which nobody knows."),
    },
    "Use a server": {
        "submit": ("submit.submit", "Submit a video task."),
        "explain": ("explain.explain", "Show what a task would become at each provider; nothing is sent."),
        "wait": ("wait.wait", "Wait for the end of a task."),
        "get": ("tasks.get", "Show everything that is known of a task."),
        "list": ("tasks.list_tasks", "List tasks."),
        "cost": ("cost.cost", "Show what was spent."),
        "cancel": ("cancel.cancel", "Cancel a task."),
        "expunge": ("expunge.expunge", "Delete what a task was about, at once."),
        "subscribe": ("subscribe.subscribe", "Have one more URL called back."),
        "attach": ("attach.attach", "Be called back for a task that was created at a provider itself."),
        "endpoints": ("endpoints.endpoints", "Make and change standing receivers of callbacks, and check one."),
        "deliveries": ("deliveries.deliveries", "List callbacks and how they went."),
        "listen": ("listen.listen", "Have callbacks handed to a receiver on this machine."),
        "trigger": ("trigger.trigger", "Send an event that did not happen, to try a receiver."),
        "replay": ("replay.replay", "Send callbacks again: one, a task's, or all that failed."),
        "replays": ("replays.replays", "List replays, show how one goes, cancel one."),
        "models": ("models.models", "List the models and who offers them."),
    },
    "Anywhere": {
        "verify": ("verify.verify", "Check the signature of a callback."),
        "openapi": ("openapi.openapi", "Print the OpenAPI document of the server."),
        "version": ("version.version", "Show the version."),
    },
}
"""Every command: where it is (module and name), and its one line of help; in the order of `ringback --help`."""

COMMANDS = {name: command for group in GROUPS.values() for name, command in group.items()}

ALIASES = {"endpoint": "endpoints"}
"""`ringback endpoint check URL` reads like what it is."""

EPILOG = """\b
Exit codes:
  0  it worked
  1  what was asked about failed: the task, the signature, the start of a server
  2  it was asked for in a wrong way: options, settings
  3  the server cannot be reached
  4  the server refused: a wrong key, a request it does not take
  5  still unfinished when `wait --timeout` was over

\b
Commands that use a server find it by RINGBACK_URL (http://127.0.0.1:8000) and
RINGBACK_KEY. What is shown as a table is JSON with --json.
"""


class Index(click.Group):
    """Knows the names of the commands, and imports one when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        cmd_name = ALIASES.get(cmd_name, cmd_name)
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(".")
        command: click.Command = getattr(import_module(f"service.cli.{module}"), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(map(len, COMMANDS)) - 1
        for title, commands in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), line) for name, (_, line) in commands.items()])


@click.version_option(package_name="ringback", prog_name="ringback", message="%(prog)s %(version)s")
@click.command(
    cls=Index, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
def main() -> None:
    """Ringback tells your program when a video is done: submit a task in the words of any supported API, and get one
    signed POST when it ends, whichever provider made it."""
