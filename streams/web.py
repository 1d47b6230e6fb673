"""What a worker serves over HTTP: /metrics, /live and /ready, loopback unless told otherwise; and /search, on loopback
whatever was told. No data of shoppers is shown."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from ipaddress import ip_address

import msgspec
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from streams.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Health:
    """``live``: restart it if not. ``ready``: it is doing its work."""

    live: bool
    ready: bool
    reason: str


#: Characters of a query, and items of an answer.
MOST_QUERY, MOST_ITEMS, ITEMS = 256, 100, 10


def _asked(request: web.Request) -> tuple[str, int, str | None]:
    """A query, how many items are wanted, and who asks. Raises ``ValueError`` that says what to do."""
    unknown = sorted(set(request.query) - {"q", "n", "shopper"})
    if unknown:
        raise ValueError(
            f"{unknown[0][:20]!r} is no parameter of /search: there are q (the query), n (items, 1 to 100) and shopper "
            "(the id of who asks)."
        )
    query = request.query.get("q", "")
    if not query.strip():
        raise ValueError("Say what to search for: /search?q=tea")
    if len(query) > MOST_QUERY:
        raise ValueError(f"q has {len(query)} characters: say it in {MOST_QUERY} or fewer.")
    wanted = request.query.get("n", str(ITEMS))
    if not (wanted.isascii() and wanted.isdigit() and len(wanted) < 5 and 1 <= int(wanted) <= MOST_ITEMS):
        raise ValueError(f"n is {wanted[:20]!r}: it is how many items are wanted, 1 to {MOST_ITEMS}.")
    return query, int(wanted), request.query.get("shopper")


def _from_here(request: web.Request) -> bool:
    try:
        return ip_address(request.remote or "").is_loopback
    except ValueError:
        return False


async def serve(
    host: str,
    port: int,
    metrics: Metrics,
    health: Callable[[], Health],
    search: Callable[[str, int, str | None], Awaitable[object]],
) -> int:
    """Start serving; returns the port. ``search``: what a query finds, at most so many items, for a shopper, as what
    JSON is made of. Raises ``OSError`` when the address is taken."""

    async def show_metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(metrics.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def live(_: web.Request) -> web.Response:
        now = health()
        return web.Response(text=now.reason + "\n", status=200 if now.live else 503)

    async def ready(_: web.Request) -> web.Response:
        now = health()
        return web.Response(text=now.reason + "\n", status=200 if now.ready else 503)

    async def show_search(request: web.Request) -> web.Response:
        if not _from_here(request):
            return _refused(403, "/search is answered on the worker's own machine only.")
        try:
            query, n, shopper = _asked(request)
        except ValueError as error:
            return _refused(400, str(error))
        found = await search(query, n, shopper)
        return web.Response(body=msgspec.json.encode(found), content_type="application/json")

    application = web.Application()
    application.add_routes([web.get("/metrics", show_metrics), web.get("/live", live), web.get("/ready", ready)])
    application.add_routes([web.get("/search", show_search)])
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, host, port)
    await site.start()
    assert site._server is not None
    bound: int = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
    return bound


def _refused(status: int, error: str) -> web.Response:
    return web.json_response({"error": error}, status=status)
