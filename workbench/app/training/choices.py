"""Methods, penalties and heads for recipes, queried once from the learning program."""

from __future__ import annotations

import threading
from collections.abc import Generator, Mapping

import msgspec

from workbench.app.jobs import Task, run_to_end, when_done
from workbench.app.learner import BEAT, EXIT_SECONDS, ChildProcess
from workbench.domain.backbones import BACKBONES
from workbench.domain.errors import KnownError, ValueRefused
from workbench.domain.methods import (
    NO_PENALTY,
    ONE_LABEL,
    WITH_HEAD,
    Spec,
    Value,
    penalty_names,
)
from workbench.domain.recipes import Recipe
from workbench.domain.text import Message, counted

SECONDS = 120  # timeout; loading from a slow disk takes long
_known: list[Spec] = []
_listing = threading.Lock()


def specs() -> list[Spec]:
    """Specs of all methods, penalties and heads.

    The first call starts the learning program, which takes seconds; the window uses `specs_task`
    instead. Raises KnownError if it fails.
    """
    with _listing:
        if not _known:
            _known.extend(run_to_end(_listed()))
    return list(_known)


def specs_task() -> Task[list[Spec]]:
    """A job that queries the specs and ends Done(list of Spec)."""

    def work() -> Generator[None, None, list[Spec]]:
        return list(_known) or (yield from _listed())

    def keep(found: list[Spec]) -> None:
        _known[:] = found

    return Task(Message("List methods"), work, finish=when_done(keep), kind="specs")


def _listed() -> Generator[None, None, list[Spec]]:
    found: list[Spec] | None = None
    with ChildProcess(["--specs"], msgspec.json.Decoder(list[Spec]).decode) as child:
        for _ in range(int(SECONDS / BEAT)):
            found = child.read(BEAT)
            if found is not None:
                return found
            if child.ended:
                break
            yield None
        else:
            late = counted(
                SECONDS, "no answer within {n:,} second", "no answer within {n:,} seconds"
            )
            raise _failure(late)
        code = child.wait(EXIT_SECONDS)
    lines = child.errors.strip().splitlines()
    raise _failure(lines[-1] if lines else Message("it ended with code {code}", code=code))


def _failure(reason: str) -> KnownError:
    return KnownError(
        "The methods cannot be listed by the learning program: {reason}.",
        "Reinstall this program.",
        reason=reason,
    )


def check_choices(recipe: Recipe, exclusive: bool = True) -> None:
    """Check the method, penalties, head and parameters of a recipe.

    Raises ValueRefused for an unknown one, and for one that needs exclusive labels if they are not.
    Default methods and recommended heads are accepted without starting the learning program.
    """
    plain = Recipe(target=recipe.target)
    heads = {plain.head, *(known.head for known in BACKBONES.values() if known.head)}
    same = (recipe.method, recipe.penalty) == (plain.method, plain.penalty) and recipe.head in heads
    if same and not recipe.options:
        return
    found = [
        chosen(specs(), "method", recipe.method),
        chosen(specs(), "head", recipe.head),
        *penalties_of(specs(), recipe.penalty),
    ]
    _check_options(found, recipe.options)
    for spec in found:
        if not exclusive and ONE_LABEL in spec.needs:
            allowed = Message("those for labels that do not exclude each other")
            raise ValueRefused(spec.kind, spec.name, allowed)
        _check_head(spec, recipe.head)


def _check_head(spec: Spec, head: str) -> None:
    for need in spec.needs:
        if need.startswith(WITH_HEAD) and need != WITH_HEAD + head:
            allowed = Message("only with the head “{head}”", head=need.removeprefix(WITH_HEAD))
            raise ValueRefused(spec.kind, spec.name, allowed)


def chosen(known: list[Spec], kind: str, name: str) -> Spec:
    """The spec of a kind called `name`. Raises ValueRefused, listing the known names."""
    named = {spec.name: spec for spec in known if spec.kind == kind}
    if name not in named:
        raise ValueRefused(kind, name, ", ".join(named))
    return named[name]


def penalties_of(known: list[Spec], names: str) -> list[Spec]:
    """Specs of the penalties in a recipe's `penalty`. Raises ValueRefused for an unknown one."""
    try:
        return [chosen(known, "penalty", name) for name in penalty_names(names)]
    except ValueRefused as error:
        listed = f"{NO_PENALTY}, {error.allowed}"
        allowed = Message("{names}, or several joined by “+”", names=listed)
        raise ValueRefused("penalty", names, allowed) from error


def _check_options(found: list[Spec], options: Mapping[str, Mapping[str, Value]]) -> None:
    names = [spec.name for spec in found]
    for name in options:
        if name not in names:
            raise ValueRefused(f"options.{name}", dict(options[name]), ", ".join(names))
    for spec in found:
        spec.options(options)
