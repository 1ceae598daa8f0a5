"""The command `methods`: list methods, heads and penalties."""

from __future__ import annotations

import json

from workbench.app.training.choices import specs
from workbench.cli.command import Output, Result, as_json_values, command
from workbench.domain.methods import Spec, need_text
from workbench.domain.values import Json

KINDS = (("method", "Methods"), ("head", "Heads"), ("penalty", "Penalties"))


@command("methods", "workbench methods\nworkbench methods --json")
def methods_command(out: Output) -> Result:
    """List training methods, heads and penalties.

    Each is shown with its parameters, source and requirements. A recipe selects them with the keys
    method, head and penalty, and sets a parameter as options.NAME.PARAMETER.
    """
    known = specs()
    for kind, title in KINDS:
        out.print(f"{title}:")
        for spec in known:
            if spec.kind == kind:
                _print(out, spec)
    listed = [
        {**as_json_values(spec), "needs": list(spec.needs), "parameters": _parameters(spec)}
        for spec in known
    ]
    return {"methods": listed}


def _parameters(spec: Spec) -> list[dict[str, Json]]:
    return [
        {
            "name": parameter.name,
            "default": parameter.default,
            "allowed": parameter.allowed(),
            "words": parameter.description,
        }
        for parameter in spec.parameters
    ]


def _print(out: Output, spec: Spec) -> None:
    out.print(f"  {spec.name}: {spec.description}")
    for parameter in spec.parameters:
        default = json.dumps(parameter.default)  # as in a recipe
        out.print(
            f"      options.{spec.name}.{parameter.name} = {default}  "
            f"({parameter.description}; {parameter.allowed()})"
        )
    if spec.needs:
        out.print(f"      needs {', '.join(map(need_text, spec.needs))}")
    out.print(f"      {spec.source}")
