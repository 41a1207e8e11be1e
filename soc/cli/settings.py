"""`soc config …`: what is in force, whether a file is right, what could be set."""

from __future__ import annotations

from dataclasses import asdict

import typer

from soc.cli import Json, as_json, config, out, table
from soc.config import KERNEL, example, find_home


def add_to(app: typer.Typer) -> None:
    group = typer.Typer(help="Settings: show what is in force, check a file, print an example.", no_args_is_help=True)
    group.command("show")(show)
    group.command("check")(check)
    group.command("example")(print_example)
    app.add_typer(group, name="config")


def show(json_: Json = False) -> None:
    """Every setting in force, with where it comes from.

    Example: soc config show --json
    """
    settings = config().settings
    if json_:
        as_json(asdict(one) for one in settings)
        return
    rows = [
        {"setting": f"[{one.section}] {one.key}", "value": one.value, "from": one.origin, "help": one.help} for one in settings
    ]
    table(rows, "")


def check() -> None:
    """Say whether soc.toml and the environment are right; the first mistake is named with file, section and key.

    Example: soc --home /srv/soc config check
    """
    settings = config()
    out(f"{settings.home.config if settings.home.config.exists() else 'no soc.toml, all defaults'}: right")


def print_example() -> None:
    """A soc.toml with every setting, its meaning and its default.

    Example: soc config example > "$SOC_HOME/soc.toml"
    """
    from soc import wiring

    out(example(KERNEL | wiring.sections()))
    out(f"# read from {find_home().config}")
