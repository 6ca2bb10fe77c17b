"""GET /events: server-sent events that keep open pages as they would be if they were opened now.

part     a section that changed: {"id", "version", "html"}
census   the newest census, for the chart
beat     nothing has changed, and the service is there
bye      the service is stopping: come back in a while
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from dataclasses import dataclass

from aiohttp import hdrs, web

from exporters.http.auth import AUTHORIZER
from exporters.http.errors import ApiError
from exporters.http.routing import PlainCall
from exporters.page.broadcast import (
    BroadcastClosedError,
    EventBroadcaster,
    PageUpdate,
    Subscriber,
    TooManyStreamsError,
)

BEAT_SECONDS = 15.0
"""Proxies close what is silent for a minute; a page calls itself live no longer than 40 s."""
WRITE_SECONDS = 10.0
"""Whoever takes no byte for so long is gone."""
_HEADERS = {
    hdrs.CONTENT_TYPE: "text/event-stream; charset=utf-8",
    hdrs.CACHE_CONTROL: "no-store",
    # nginx would keep events until its buffer is full.
    "X-Accel-Buffering": "no",
}


@dataclass(frozen=True, slots=True)
class SseTimeouts:
    """How long the stream waits for what, in seconds."""

    beat: float = BEAT_SECONDS
    write: float = WRITE_SECONDS


SSE_TIMEOUTS = web.AppKey("sse_timeouts", SseTimeouts)


async def follow_page(call: PlainCall) -> web.StreamResponse:
    """What changes on the status page.

    Server-sent events: `part` is a section with its HTML, `census` the newest counts, `beat` comes
    where nothing changed for 15 seconds, `bye` when the service stops. Made for the page; the HTML
    may change at any time.
    """
    request, broadcaster = call.request, call.context.page.broadcaster
    response = web.StreamResponse(headers=_HEADERS)
    if request.method == hdrs.METH_HEAD:
        return response
    try:
        async with broadcaster.subscribe() as subscriber:
            await response.prepare(request)
            await _follow(request, response, broadcaster, subscriber)
    except TooManyStreamsError:
        message = "All streams for live pages are taken; this page stays as it is. Reload it later."
        raise ApiError("too_many_streams", message, {"Retry-After": "30"}) from None
    except BroadcastClosedError:
        raise ApiError("stopping", "The service is stopping; come back in a moment.") from None
    except (ConnectionError, TimeoutError):
        pass  # the reader has gone
    return response


async def _follow(
    request: web.Request,
    response: web.StreamResponse,
    broadcaster: EventBroadcaster,
    subscriber: Subscriber,
) -> None:
    """Send what is new as often as there is something, a heartbeat where there is not."""
    authorizer, beat = request.app[AUTHORIZER], request.app[SSE_TIMEOUTS].beat
    # What a browser waits before it comes again by itself.
    await _send(request, response, "retry: 10000\n\n")
    while True:
        text = _event("beat", {})
        with suppress(TimeoutError):
            await asyncio.wait_for(subscriber.wake.wait(), beat)
            text = ""
        subscriber.wake.clear()
        if broadcaster.closed:
            await _send(request, response, _event("bye", {}))
            return
        if not authorizer.still_admits(request):
            return  # the page comes again, and hears that its token is none any more
        if not text and broadcaster.latest is not None:
            text = "".join(_events_of(subscriber.unsent(broadcaster.latest)))
        if text:
            await _send(request, response, text)


def _events_of(update: PageUpdate) -> list[str]:
    events = [
        _event("part", {"id": part.id, "version": part.version, "html": part.html})
        for part in update.sections
    ]
    if update.point is not None:
        point = update.point
        counts = {
            "t": round(point.as_of.timestamp(), 3),
            "tracked": point.tracked,
            "fresh": point.fresh,
            "storage": point.storage,
            "legacy_untracked": point.legacy_untracked,
        }
        events.append(_event("census", counts))
    return events


def _event(name: str, data: object) -> str:
    # JSON has no raw line breaks, so that the data are one line.
    return f"event: {name}\ndata: {json.dumps(data, allow_nan=False)}\n\n"


async def _send(request: web.Request, response: web.StreamResponse, text: str) -> None:
    """Raises ConnectionError, TimeoutError: the reader has gone."""
    await asyncio.wait_for(response.write(text.encode()), request.app[SSE_TIMEOUTS].write)
    if request.transport is None:
        # A connection that ends while a write waits for it lets the write come back as if it had
        # been taken.
        raise ConnectionResetError
