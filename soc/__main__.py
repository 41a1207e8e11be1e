"""The command `soc`. What it can do stands in `soc/cli`, one file a kind of work; `soc/wiring.py` puts the parts together."""

from __future__ import annotations

import gc
import os
import sys

import typer

from soc.errors import SocError


def _take_home(arguments: list[str]) -> list[str]:
    """`--home DIR` is understood anywhere on the line, before or after the command."""
    left: list[str] = []
    rest = iter(arguments)
    for one in rest:
        if one == "--":
            return [*left, one, *rest]
        if one == "--home":
            value = next(rest, None)
            if value is None:
                raise SocError("--home needs a folder")
            os.environ["SOC_HOME"] = value
        elif one.startswith("--home="):
            os.environ["SOC_HOME"] = one.removeprefix("--home=")
        else:
            left.append(one)
    return left


def build() -> typer.Typer:
    """The whole command line."""
    from soc.cli import feed, look, operate, settings

    app = typer.Typer(
        name="soc",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        help="Lingshu SOC (灵枢安全运营中心). All data of one SOC live in one home: --home DIR, or SOC_HOME.",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for group in (operate, feed, look, settings):
        group.add_to(app)
    return app


def main() -> None:
    gc.set_threshold(50_000, 20, 20)
    try:
        sys.argv[1:] = _take_home(sys.argv[1:])
        build()()
    except SocError as error:
        sys.stderr.write(f"soc: {error}\n")
        sys.exit(2)
    except BrokenPipeError:  # the reader of a long listing has seen enough
        sys.stderr.close()
        sys.exit(0)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
