"""Pushes of a whole account: where to send them, whether they would arrive, and whether they do."""

from __future__ import annotations

from pathlib import Path

from adapters.eventbridge import certificate_host
from adapters.messages import Response
from service.clock import Clock
from service.domain.findings import Finding, Level, good, warning
from service.keys.signing import CallbackTokens
from service.looking.certificates import Certificates, fetch_by
from service.looking.push import PushDesk
from service.network.guard import Resolve
from service.network.http import Client, NoReply, send_upstream
from service.settings import Settings
from service.store.inspection import noticed_by

SECONDS = 10.0
DAY_MS = 24 * 3600 * 1000
FEW = 5
"""Fewer ends say nothing."""


async def check_pushes(settings: Settings, client: Client, resolve: Resolve, clock: Clock) -> list[Finding]:
    """Nothing for an installation without a public URL or without a provider that pushes. The URL is shown: whoever
    knows it can still push nothing, since every push is signed."""
    tokens = CallbackTokens([key.get_secret_value() for key in settings.secret_keys])
    desk = PushDesk(settings.public_url, tokens, Certificates(fetch_by(client), clock), clock, ())
    pushing = {account.provider.name: account.provider for account in settings.accounts}
    urls = {row.name: url for row in pushing.values() if (url := desk.url(row))}
    findings = []
    for name, url in urls.items():
        way = await _finding(pushing[name].title, url, settings, client, resolve)
        findings.append(_arriving(way, name, settings, clock()) if way.level is Level.OK else way)
    return findings


def _arriving(way: Finding, provider: str, settings: Settings, now: int) -> Finding:
    """What the last day shows of the rule in the console, which nobody but its owner can look at."""
    noticed = noticed_by(Path(settings.database), provider, now - DAY_MS)
    ends = sum(noticed[detector] for detector in ("push", "list", "look"))
    if ends < FEW:
        return way
    if not noticed["push"]:
        said = f"{way.said} None of the {ends} ends of the last day was noticed by a push."
        return warning("pushes", said, "Make the rule in EventBridge's console, or look at its delivery log there.")
    return good("pushes", f"{way.said} {noticed['push']} of the {ends} ends of the last day were noticed by a push.")


async def _finding(title: str, url: str, settings: Settings, client: Client, resolve: Resolve) -> Finding:
    unknown = [each for each in settings.eventbridge_regions if not await resolve(f"{certificate_host(each)}.", 443)]
    if unknown:
        said = f"The certificates of {', '.join(unknown)} have no address here, so no push from there is believed."
        return warning("pushes", said, "Check RINGBACK_EVENTBRIDGE_REGIONS and this machine's DNS.")
    request = client.build_request("POST", url, json={})
    try:
        answer: Response | NoReply = await send_upstream(client, request, SECONDS)
    except NoReply as error:
        answer = error
    if isinstance(answer, Response) and answer.status == 403:
        token = "with the token of RINGBACK_EVENTBRIDGE_TOKEN" if settings.eventbridge_token else "without a token"
        return good("pushes", f"{title} can push: an EventBridge rule may lead to the HTTP target {url}, {token}.")
    told = answer.reason if isinstance(answer, NoReply) else f"HTTP {answer.status}"
    step = "Start the server and see the public URL first; without pushes the list and looks notice results."
    return warning("pushes", f"What {title} would push to {url} does not arrive ({told}).", step)
