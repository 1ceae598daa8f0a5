"""The command `doctor`: check the installation and a project."""

from __future__ import annotations

from pathlib import Path

import click

from workbench.app.doctor import Finding, examine_program, examine_project
from workbench.cli.command import Output, Result, command, ensure_application, opened


@command("doctor", "workbench doctor\nworkbench doctor Birds --json")
@click.argument("project", required=False, type=click.Path(path_type=Path))
def doctor_command(out: Output, project: Path | None) -> Result:
    """Check the installation and, if given, a project.

    Reports what is installed, what is missing, and whether PROJECT is intact. The exit code is 1 if
    there is a problem.
    """
    ensure_application()
    findings = list(examine_program())
    if project is not None:
        with opened(project) as session:
            findings += examine_project(session)
    _print(out, findings)
    problems = [one for one in findings if not one.ok]
    out.exit_code = 1 if problems else 0
    return {
        "ok": not problems,
        "findings": [
            {
                "topic": one.topic,
                "name": one.name,
                "value": one.value,
                "ok": one.ok,
                "remedy": "" if one.ok else one.remedy,
            }
            for one in findings
        ],
    }


def _print(out: Output, findings: list[Finding]) -> None:
    out.table(("", "", ""), [("ok" if f.ok else "!!", f.name, f.value) for f in findings])
    for one in findings:
        if not one.ok and one.remedy:
            out.print(f"\n{one.name}: {one.value}\n  {one.remedy}")
