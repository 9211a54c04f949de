"""Pushes of a whole account: where to send them, and whether they would arrive."""

from __future__ import annotations

from adapters.eventbridge import certificate_host
from adapters.messages import Response
from service.certificates import Certificates, fetch_by
from service.clock import Clock
from service.findings import Finding, good, warning
from service.guard import Resolve
from service.http import Client, NoReply, send_upstream
from service.push import PushDesk
from service.settings import Settings
from service.signing import CallbackTokens

SECONDS = 10.0


async def check_pushes(settings: Settings, client: Client, resolve: Resolve, clock: Clock) -> list[Finding]:
    """Nothing for an installation without a public URL or without a provider that pushes. The URL is shown: whoever
    knows it can still push nothing, since every push is signed."""
    tokens = CallbackTokens([key.get_secret_value() for key in settings.secret_keys])
    desk = PushDesk(settings.public_url, tokens, Certificates(fetch_by(client), clock), clock, ())
    pushing = {account.provider.name: account.provider for account in settings.accounts}
    urls = {row.title: url for row in pushing.values() if (url := desk.url(row))}
    return [await _finding(title, url, settings, client, resolve) for title, url in urls.items()]


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
