"""What a worker serves over HTTP: /metrics, /live and /ready. No data, and loopback unless told otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from streams.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Health:
    """``live``: restart it if not. ``ready``: it is doing its work."""

    live: bool
    ready: bool
    reason: str


async def serve(host: str, port: int, metrics: Metrics, health: Callable[[], Health]) -> int:
    """Start serving; returns the port. Raises ``OSError`` when the address is taken."""

    async def show_metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(metrics.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def live(_: web.Request) -> web.Response:
        now = health()
        return web.Response(text=now.reason + "\n", status=200 if now.live else 503)

    async def ready(_: web.Request) -> web.Response:
        now = health()
        return web.Response(text=now.reason + "\n", status=200 if now.ready else 503)

    application = web.Application()
    application.add_routes([web.get("/metrics", show_metrics), web.get("/live", live), web.get("/ready", ready)])
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, host, port)
    await site.start()
    assert site._server is not None
    bound: int = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
    return bound
