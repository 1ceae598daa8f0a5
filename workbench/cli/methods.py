"""The command that lists what a recipe can choose by name."""

from __future__ import annotations

import msgspec

from workbench.app.training.choices import specs
from workbench.cli.command import Output, Result, command
from workbench.domain.methods import Spec

KINDS = (("method", "Methods"), ("head", "Heads"), ("penalty", "Penalties"))


@command("methods", "workbench methods\nworkbench methods --json")
def methods_command(out: Output) -> Result:
    """List training methods, heads and penalties with their parameters, source and needs.

    A recipe names them under the keys method, head and penalty, and sets a parameter as
    options.NAME.PARAMETER.
    """
    known = specs()
    for kind, title in KINDS:
        out.say(f"{title}:")
        for spec in known:
            if spec.kind == kind:
                _say(out, spec)
    listed = [
        {**msgspec.to_builtins(spec), "needs": list(spec.needs), "parameters": _parameters(spec)}
        for spec in known
    ]
    return {"methods": listed}


def _parameters(spec: Spec) -> list[dict[str, object]]:
    return [
        {
            "name": parameter.name,
            "default": parameter.default,
            "allowed": parameter.allowed(),
            "words": parameter.words,
        }
        for parameter in spec.parameters
    ]


def _say(out: Output, spec: Spec) -> None:
    out.say(f"  {spec.name}: {spec.words}")
    for parameter in spec.parameters:
        default = parameter.default
        out.say(
            f"      options.{spec.name}.{parameter.name} = {default}  "
            f"({parameter.words}; {parameter.allowed()})"
        )
    if spec.needs:
        out.say(f"      needs: {', '.join(spec.needs)}")
    out.say(f"      {spec.source}")
