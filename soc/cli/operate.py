"""`soc up` starts the SOC of this machine; `soc run …` is one of its processes."""

from __future__ import annotations

import json
import sys
import time
from typing import Annotated

import typer

from soc.cli import Json, config, err, out


def add_to(app: typer.Typer) -> None:
    app.command("up")(up)
    roles = typer.Typer(help="One process of the SOC; `soc up` starts these.", no_args_is_help=True)
    roles.command("collect")(collect)
    roles.command("work")(work)
    roles.command("web")(web)
    roles.command("job")(job)
    app.add_typer(roles, name="run")


def up(json_: Json = False) -> None:
    """Start the SOC on this machine and keep it running. Ctrl-C or SIGTERM drains and stops it.

    Example: soc --home /srv/soc up --json
    """
    from soc import wiring
    from soc.process import Heartbeat, only_one, stop_signal
    from soc.supervisor import Supervisor

    settings = config()
    stop = stop_signal()
    with only_one(settings.home, "supervisor"):
        password = wiring.first_password(settings)
        supervisor = Supervisor(settings.home, wiring.children(settings), wiring.jobs(), err)
        heartbeat = Heartbeat(settings.home, "supervisor", supervisor.figures)
        try:
            addresses = supervisor.start(stop)
            if not stop.is_set():
                _announce(addresses, str(password or ""), json_, str(settings.home.path))
                heartbeat.beat(force=True)
                supervisor.stay(wiring.sticky(settings, addresses))
                supervisor.watch(stop, heartbeat.beat)
        except RuntimeError as error:
            err(f"soc: {error}")
            raise typer.Exit(1) from None
        finally:
            supervisor.stop()
            heartbeat.gone()
    if not json_:
        err("stopped")


def _announce(addresses: dict[str, str], password_file: str, json_: bool, home: str) -> None:
    pages = f"http://{addresses.get('web', '')}"
    if json_:
        ready = {"ready": True, "pages": pages, "listeners": addresses, "home": home}
        if password_file:
            ready |= {"first_user": "admin", "first_password_file": password_file}
        out(json.dumps(ready))
        return
    out(f"Lingshu SOC is up: {pages}")
    for name, address in sorted(addresses.items()):
        if name != "web":
            out(f"  {name:<16} {address}")
    if password_file:
        with open(password_file, encoding="utf-8") as file:
            out(f"  sign in once as admin with the password {file.read().strip()}")
            out(f"  (also in {password_file}, until you change it)")
    sys.stdout.flush()


def collect() -> None:
    """Listen and append to the event log.

    Example: soc run collect
    """
    import asyncio

    from soc import wiring
    from soc.process import die_with_parent, only_one

    die_with_parent()
    settings = config()
    with only_one(settings.home, "collect", wait_secs=10):
        asyncio.run(wiring.collect(settings))


def work(
    share: Annotated[int, typer.Option(help="Which share of the log, from 0.")] = 0,
    shares: Annotated[int, typer.Option(help="How many workers share it.")] = 1,
) -> None:
    """Parse, detect, raise and store one share of the event log.

    Example: soc run work --share 0 --shares 2
    """
    import gc

    from soc import wiring
    from soc.process import Heartbeat, die_with_parent, only_one, say_ready, stop_signal

    stop = stop_signal()
    die_with_parent()
    settings = config()
    name = f"work-{share}"
    with only_one(settings.home, name, wait_secs=10):
        worker = wiring.worker(settings, share, shares)
        heartbeat = Heartbeat(settings.home, name, worker.figures)
        gc.collect()
        gc.freeze()
        gc.set_threshold(200_000, 50, 50)
        say_ready(name)
        idle, next_forward = 0.002, 0.0
        while not stop.is_set():
            if worker.step():
                idle = 0.002
            else:
                time.sleep(idle)
                idle = min(idle * 1.5, 0.1)
            if share == 0 and time.monotonic() >= next_forward:
                next_forward = time.monotonic() + 2
                worker.forward_audit()
            heartbeat.beat()
        worker.flush()
        worker.close()
        heartbeat.gone()


def web() -> None:
    """Serve the pages.

    Example: SOC_WEB__PORT=8080 soc run web
    """
    from soc import wiring
    from soc.process import die_with_parent, only_one

    die_with_parent()
    settings = config()
    with only_one(settings.home, "web", wait_secs=10):
        wiring.web(settings)


def job(name: Annotated[str, typer.Argument(help="retain, compact, prune or verify.")]) -> None:
    """Do one scheduled piece of work now.

    Example: soc run job retain
    """
    from soc import wiring
    from soc.process import only_one

    settings = config()
    with only_one(settings.home, f"job-{name}"):
        wiring.job(settings, name)
