"""The object storage with the results: signed links that expire and that no other credential may accompany."""

from __future__ import annotations

import base64
import hmac
import re
from hashlib import sha1
from pathlib import Path
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from service.simulator.drops import Dropped, proxy_page
from service.simulator.markers import Fault
from service.simulator.tasks import Task
from service.simulator.world import World

VIDEO = Path(__file__).with_name("result.mp4").read_bytes()
RANGE = re.compile(r"bytes=(\d*)-(\d*)")


def video_of(task_id: str) -> bytes:
    """The MP4 of a task: the same film for all, made unique by the task's id in a trailing `free` box, which players
    skip (ISO/IEC 14496-12, 8.1.2)."""
    note = b"free" + task_id.encode()
    return VIDEO + (len(note) + 4).to_bytes(4, "big") + note


class Results:
    """Signs and serves `/results/<task id>.mp4`, in the manner of an OSS link that carries its own permission."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._secret = f"simulator {world.settings.seed}".encode()

    def url(self, task: Task, since: float) -> str:
        """The link to a task's result that is valid for `link_seconds` from `since`."""
        expires = str(int(since + self._world.settings.link_seconds))
        query = urlencode({"Expires": expires, "Signature": self._signature(task.id, expires)})
        return f"{task.order.base}/results/{task.id}.mp4?{query}"

    def link(self, name: str, task: Task, since: float) -> dict[str, str]:
        """The link under the name that a vendor gives it; nothing for a task that is to succeed without a result."""
        return {} if task.behaviour.nourl else {name: self.url(task, since)}

    def route(self) -> Route:
        return Route("/results/{task_id}.mp4", self.serve, methods=["GET"])

    async def serve(self, request: Request) -> Response:
        """The video, whole or in one range; 403 with OSS's XML for a link that is expired, altered or accompanied by an
        Authorization header (LaoZhang's Wan page)."""
        task_id = request.path_params["task_id"]
        expires = request.query_params.get("Expires", "")
        genuine = hmac.compare_digest(
            self._signature(task_id, expires).encode(), request.query_params.get("Signature", "").encode()
        )
        if "authorization" in request.headers or not genuine:
            return _forbidden("SignatureDoesNotMatch", "The request signature we calculated does not match.")
        if self._world.clock() >= int(expires):
            return _forbidden("AccessDenied", "Request has expired.")
        task = self._world.tasks.get(task_id)
        fault = task.next_download_fault() if task else None
        return _wrong(fault) if fault else _part(video_of(task_id), request.headers.get("range"))

    def _signature(self, task_id: str, expires: str) -> str:
        text = f"GET\n\n\n{expires}\n/results/{task_id}.mp4"
        return base64.b64encode(hmac.digest(self._secret, text.encode(), sha1)).decode()


def _part(video: bytes, wanted: str | None) -> Response:
    headers = {"Accept-Ranges": "bytes"}
    found = RANGE.fullmatch(wanted or "")
    if found is None or found.groups() == ("", ""):
        return Response(video, media_type="video/mp4", headers=headers)
    first, last = found.groups()
    start = int(first) if first else max(len(video) - int(last), 0)
    stop = min(int(last) + 1, len(video)) if first and last else len(video)
    if start >= stop:
        return Response(status_code=416, headers=headers | {"Content-Range": f"bytes */{len(video)}"})
    headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(video)}"
    return Response(video[start:stop], 206, headers, "video/mp4")


def _wrong(fault: Fault) -> Response:
    if fault.kind == "lost":
        return Dropped()
    return proxy_page(fault.status) if fault.kind == "html" else _error(fault.status, "InternalError", "Try again.")


def _forbidden(code: str, message: str) -> Response:
    return _error(403, code, message)


def _error(status: int, code: str, message: str) -> Response:
    page = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>\n'
    return Response(page, status, media_type="application/xml")
