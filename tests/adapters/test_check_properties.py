"""Whatever the catalogue's rules allow passes, and a step outside is named by the right field."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import product
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from adapters.catalogue import Model, builtin
from adapters.check import check
from adapters.messages import Kind, Media, Submission
from adapters.providers import PROVIDERS, Provider
from tests.adapters.asking import URL, model


@cache
def media_that_fit(name: str) -> list[tuple[Kind, ...]]:
    """Every multiset of media that the model's rules allow."""
    found = model(name)
    kinds = sorted({kind for rule in found.media for kind in rule.kinds})
    most = [min(rule.maximum for rule in found.media if kind in rule.kinds) for kind in kinds]
    fitting = []
    for counts in product(*(range(top + 1) for top in most)):
        number = dict(zip(kinds, counts, strict=True))
        used = {kind for kind in kinds if number[kind]}
        if (
            all(rule.minimum <= sum(number[kind] for kind in rule.kinds) <= rule.maximum for rule in found.media)
            and (not found.combinations or used in found.combinations)
            and sum(1 for group in found.exclusive if used & group) < 2
        ):
            fitting.append(tuple(kind for kind in kinds for _ in range(number[kind])))
    return fitting


@st.composite
def fitting_submissions(draw: st.DrawFn) -> tuple[Submission, Model, Provider]:
    found = model(draw(st.sampled_from(sorted(builtin().models))))
    provider = PROVIDERS[draw(st.sampled_from(found.providers))]
    media = tuple(Media(kind, URL) for kind in draw(st.sampled_from(media_that_fit(found.name))))
    parameters: dict[str, Any] = {}
    for name in draw(st.sets(st.sampled_from(sorted(found.parameters)))):
        rule = found.parameters[name]
        if rule.minimum is not None and rule.maximum is not None:
            top = min([rule.maximum, *(rule.maximum_with.get(piece.kind, rule.maximum) for piece in media)])
            parameters[name] = draw(st.integers(rule.minimum, top) | st.sampled_from((rule.minimum, *rule.also)))
        elif rule.values:
            parameters[name] = draw(st.sampled_from((*rule.values, *rule.providers.get(provider.name, ()))))
    family = draw(st.sampled_from(["native", "flat"]))
    prompt = draw(st.text(min_size=1).filter(str.strip))
    return Submission(family, found.name, prompt, draw(st.none() | st.text()), media, parameters), found, provider


@given(fitting_submissions())
def test_everything_inside_the_rules_passes(case: tuple[Submission, Model, Provider]) -> None:
    assert check(*case) == ()


@given(fitting_submissions(), st.data())
def test_a_parameter_pushed_outside_is_the_one_that_is_named(
    case: tuple[Submission, Model, Provider], data: Any
) -> None:
    sent, found, provider = case
    name = data.draw(st.sampled_from([n for n, r in sorted(found.parameters.items()) if r.values or r.maximum]))
    rule = found.parameters[name]
    outside: st.SearchStrategy[Any] = st.text()
    if rule.minimum is not None and rule.maximum is not None:
        outside = st.integers(max_value=rule.minimum - 1) | st.integers(min_value=rule.maximum + 1)
    known = {*rule.values, *rule.also, *rule.providers.get(provider.name, ())}
    value = data.draw(outside.filter(lambda value: value not in known))
    (problem,) = check(replace(sent, parameters={**sent.parameters, name: value}), found, provider)
    assert problem.field == name


@given(fitting_submissions(), st.sampled_from(Kind))
def test_a_kind_that_the_model_does_not_take_is_named_by_its_place(
    case: tuple[Submission, Model, Provider], kind: Kind
) -> None:
    sent, found, provider = case
    extra = replace(sent, media=(*sent.media, Media(kind, URL)), family="native")
    fields = [problem.field for problem in check(extra, found, provider)]
    if any(kind in rule.kinds for rule in found.media):
        assert all(field == "media" or field == "duration" for field in fields)
    else:
        assert fields == [f"media[{len(sent.media)}]"]
