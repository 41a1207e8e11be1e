"""Serves the pages on a socket that is bound already, until told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Iterator

import uvicorn

from dashboards.guard import Asgi

_DRAIN_SECS = 4


class _Server(uvicorn.Server):
    """Ends quietly on SIGTERM: its own way is to drain and then die of the signal all the same."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        yield

    def _stop(self) -> None:
        self.should_exit = True


async def serve(pages: Asgi, listener: socket.socket, ready: Callable[[], None], beat: Callable[[], None]) -> None:
    """`ready` is called once pages are really answered, `beat` every second until the end."""
    config = uvicorn.Config(
        pages,
        log_level="warning",
        lifespan="off",
        ws="websockets-sansio",
        timeout_graceful_shutdown=_DRAIN_SECS,
        server_header=False,
        proxy_headers=False,
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started and not serving.done():
        await asyncio.sleep(0.01)
    if server.started:
        ready()
    while not serving.done():
        beat()
        await asyncio.wait([serving], timeout=1)
    await serving
