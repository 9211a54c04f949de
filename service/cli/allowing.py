"""The options that say what a client key may do and spend, and how that is shown."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import reduce
from typing import Any, TypeVar

import click

from service.cli.exits import Misused
from service.domain.allowances import Allowance, Budget, read_budget

F = TypeVar("F", bound=Callable[..., Any])

OPTIONS = (
    click.option("--budget", "budgets", multiple=True, metavar="AMOUNT", help='Such as "20 USD/month", /day, /total.'),
    click.option("--provider", "providers", multiple=True, metavar="NAME", help="Only this provider (several: again)."),
    click.option("--model", "models", multiple=True, metavar="NAME", help="Only this model or alias (several: again)."),
    click.option("--watch/--no-watch", default=None, help="Watch tasks on your own accounts at the providers."),
    click.option("--any-provider", is_flag=True, help="No limit to providers any more."),
    click.option("--any-model", is_flag=True, help="No limit to models any more."),
    click.option("--no-budget", is_flag=True, help="No budget any more."),
)


def allowance_options(command: F) -> F:
    """Adds the options that `changed` takes."""
    return reduce(lambda decorated, option: option(decorated), reversed(OPTIONS), command)


def changed(
    allowance: Allowance,
    known: Collection[str],
    *,
    budgets: tuple[str, ...],
    providers: tuple[str, ...],
    models: tuple[str, ...],
    watch: bool | None,
    any_provider: bool,
    any_model: bool,
    no_budget: bool,
) -> Allowance:
    """The allowance with what the options say; of what they do not name it keeps all. `known` are the names of
    providers. Raises `Misused`."""
    for name, given, removed in (
        ("provider", providers, any_provider),
        ("model", models, any_model),
        ("budget", budgets, no_budget),
    ):
        if given and removed:
            raise Misused(f"--{name} is a limit, and --{'no' if name == 'budget' else 'any'}-{name} takes it away.")
    for provider in providers:
        if provider not in known:
            raise Misused(f"--provider: {provider!r} given, allowed: {', '.join(known)}.")
    return replace(
        allowance,
        providers=None if any_provider else (tuple(dict.fromkeys(providers)) or allowance.providers),
        models=None if any_model else (tuple(dict.fromkeys(models)) or allowance.models),
        watch=allowance.watch if watch is None else watch,
        budgets=() if no_budget else (_budgets(budgets) or allowance.budgets),
    )


def in_words(allowance: Allowance) -> Mapping[str, str]:
    return {
        "may spend": " and ".join(map(str, allowance.budgets)) or "what it likes",
        "providers": _listed(allowance.providers),
        "models": _listed(allowance.models),
        "watch on your accounts": "yes" if allowance.watch else "no",
    }


def in_short(allowance: Allowance | None) -> str:
    """Only what is limited or granted."""
    if allowance is None:
        return ""
    lists = [_listed(names) for names in (allowance.providers, allowance.models) if names is not None]
    return "; ".join([*map(str, allowance.budgets), *lists, *(["watch"] if allowance.watch else [])])


def _budgets(texts: tuple[str, ...]) -> tuple[Budget, ...]:
    try:
        budgets = tuple(map(read_budget, texts))
    except ValueError as error:
        raise Misused(f"--budget: {error}.") from None
    if len({(budget.currency, budget.period) for budget in budgets}) < len(budgets):
        raise Misused("--budget: one for each currency and period is enough.")
    return budgets


def _listed(names: tuple[str, ...] | None) -> str:
    return "any" if names is None else ", ".join(names) or "none"
