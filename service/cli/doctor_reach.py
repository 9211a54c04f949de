"""Who reaches this server: does it run, does the public URL lead to it, do the providers' callbacks arrive."""

from __future__ import annotations

from urllib.parse import urlsplit

from adapters.messages import Response
from adapters.providers import Provider
from service.cli.serving import url_of
from service.domain.findings import Finding, Level, good, problem, warning
from service.network.addresses import why_closed
from service.network.guard import Resolve
from service.network.http import Client, NoReply, send_upstream
from service.settings import Settings, is_loopback

SECONDS = 10.0
Answer = Response | NoReply


async def check_reach(settings: Settings, client: Client, resolve: Resolve) -> list[Finding]:
    local, public = url_of(settings.host, settings.port), settings.public_url
    here = await _ask(client, "GET", f"{local}/health", host="localhost")
    server = _server(local, here)
    if public is None:
        return [server, _polled(settings)]
    instance = _instance(here)
    found = await _unreachable(public, resolve)
    if found is None and instance is None:
        found = warning("public URL", f"{public} can only be judged while a server runs.", "Run this again then.")
    found = found or _public(public, local, instance, await _ask(client, "GET", f"{public}/health"))
    leads_here = instance is not None and found.level is not Level.PROBLEM
    return [server, found, await _callbacks(settings, client, public, leads_here)]


async def _ask(client: Client, method: str, url: str, *, host: str | None = None) -> Answer:
    request = client.build_request(
        method, url, json={} if method == "POST" else None, headers={"host": host} if host else None
    )
    try:
        return await send_upstream(client, request, SECONDS)
    except NoReply as error:
        return error


def _server(local: str, answer: Answer) -> Finding:
    if isinstance(answer, NoReply):
        return warning("server", f"No server runs at {local} ({answer.reason}).", "Start it with `ringback serve`.")
    if _instance(answer) is None:
        step = "Stop what listens there, or choose another RINGBACK_PORT."
        return problem("server", f"What answers at {local} is not Ringback.", step)
    if answer.status != 200:
        return problem("server", f"A loop of the server at {local} has stopped.", "See its log, and restart it.")
    return good("server", f"A server runs at {local}.")


def _polled(settings: Settings) -> Finding:
    said = "No public URL: results are noticed by polling, which works behind NAT and needs nothing from outside."
    calling = [provider.title for provider in _calling(settings)]
    step = f"With RINGBACK_PUBLIC_URL {' and '.join(calling)} would also call back." if calling else ""
    return good("callbacks", said, step)


async def _unreachable(public: str, resolve: Resolve) -> Finding | None:
    """What keeps every provider from dialling the host. A loopback one is for providers on this machine."""
    host = urlsplit(public).hostname or ""
    if is_loopback(host):
        return None
    addresses = await resolve(host, urlsplit(public).port or 443)
    closed = [why for address in addresses if (why := why_closed(address))]
    if addresses and not closed:
        return None
    why = f"leads to an address that is not public ({closed[0]})" if closed else "does not resolve"
    step = "Give the name a public address in DNS, or leave RINGBACK_PUBLIC_URL out: then providers are polled."
    return problem("public URL", f"{host} {why}, so no provider reaches it.", step)


def _public(public: str, local: str, here: str | None, answer: Answer) -> Finding:
    lead = f"Lead the proxy or tunnel to {local}."
    if isinstance(answer, NoReply):
        step = f"{lead} A router may hide it from this machine only: try another network, too."
        return problem("public URL", f"{public} does not answer: {answer.reason}.", step)
    if answer.status == 421:
        step = "Have the proxy pass the Host header on (nginx: proxy_set_header Host $host)."
        return problem("public URL", f"The proxy at {public} replaces the Host header.", step)
    if _instance(answer) is None:
        return problem("public URL", f"What answers at {public} (HTTP {answer.status}) is not Ringback.", lead)
    if _instance(answer) != here:
        return problem("public URL", f"{public} leads to another Ringback server.", lead)
    if is_loopback(urlsplit(public).hostname or ""):
        step = "Real providers need an https:// address; without RINGBACK_PUBLIC_URL they are polled."
        return warning("public URL", f"{public} leads to this server, but only from this machine.", step)
    return good("public URL", f"{public} leads to this server.")


async def _callbacks(settings: Settings, client: Client, public: str, leads_here: bool) -> Finding:
    calling = _calling(settings)
    if not calling:
        return good("callbacks", "No configured provider calls back; all are polled.")
    titles = " and ".join(provider.title for provider in calling)
    if not leads_here:
        said = f"Whether {titles} can call back is not known; results are noticed by polling in any case."
        return warning("callbacks", said, "See the public URL first.")
    answer = await _ask(client, "POST", f"{public}/callbacks/{calling[0].name}/no-token")
    if isinstance(answer, Response) and answer.status == 404 and _is_ours(answer):
        return good("callbacks", f"{titles} can call back: what is POSTed to {public}/callbacks/ arrives.")
    told = answer.reason if isinstance(answer, NoReply) else f"HTTP {answer.status}"
    step = "Let POSTs to /callbacks/ pass the proxy without a login; until then polling notices results, later."
    return problem("callbacks", f"What is POSTed to {public}/callbacks/ does not arrive ({told}).", step)


def _calling(settings: Settings) -> list[Provider]:
    """The configured providers that call back, each once."""
    providers = {account.provider.name: account.provider for account in settings.accounts}
    return [provider for provider in providers.values() if provider.calls_back]


def _instance(answer: Answer) -> str | None:
    """Which run of a server answered its `/health`; None for what is no Ringback."""
    body = answer.body if isinstance(answer, Response) else None
    instance = body.get("instance") if isinstance(body, dict) else None
    return instance if isinstance(instance, str) else None


def _is_ours(answer: Response) -> bool:
    """A 404 of our own has an error with a code, a proxy's has a page."""
    error = answer.body.get("error") if isinstance(answer.body, dict) else None
    return isinstance(error, dict) and "code" in error
