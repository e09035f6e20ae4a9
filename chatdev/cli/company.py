"""`check` and `schema`: help for people who write companies."""

from __future__ import annotations

import json
from pathlib import Path

import click

from chatdev.cli.common import echo_json, json_option, overrides, set_option
from chatdev.errors import UserErrors


@click.command("check")
@click.argument("companies", nargs=-1, metavar="[NAME|FILE|DIR]...")
@set_option
@json_option
def check_command(companies: tuple[str, ...], sets: tuple[str, ...], as_json: bool) -> int:
    """Look a company over: every error at once, with file and line.

    Without a name, all companies that ship with the program are checked.
    """
    from chatdev.company import known_companies, load_company
    from chatdev.errors import UserError

    errors: list[UserError] = []
    lines: list[str] = []
    for name in companies or known_companies():
        try:
            bundle = load_company(name, overrides=overrides(sets))
        except UserErrors as found:
            errors += found.errors
            continue
        except UserError as found:
            errors.append(found)
            continue
        lines += [f"warning: {warning}" for warning in bundle.warnings]
        steps = f"{len(bundle.phases)} phases, {len(bundle.company.roles)} roles"
        lines.append(f"{bundle.company.name}: ok ({steps})")
    if as_json:
        echo_json({"errors": [str(error) for error in errors], "notes": lines})
    else:
        for line in lines:
            click.echo(line)
    if errors:
        raise UserErrors(errors)
    return 0


@click.command("schema")
@click.argument("kind", required=False, type=click.Choice(["company", "role", "phase"]))
@click.option("--out", metavar="DIR", help="Write company.json, role.json and phase.json into a folder.")
def schema_command(kind: str | None, out: str | None) -> int:
    """JSON Schemas of the three kinds of YAML files, for editors."""
    from chatdev.company import json_schemas

    schemas = json_schemas()
    if out:
        folder = Path(out)
        folder.mkdir(parents=True, exist_ok=True)
        for name, schema in schemas.items():
            path = folder / f"{name}.json"
            path.write_text(json.dumps(schema, indent=2) + "\n", encoding="utf-8")
            click.echo(str(path))
        return 0
    echo_json(schemas[kind] if kind else schemas)
    return 0
