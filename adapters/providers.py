"""The upstreams as rows. A new gateway is one more row; a simulated one is a row with another base URL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Rejected(StrEnum):
    """What an error 500 or 503 in the vendor's own words says of a create. Wire notes 6 take it for a no, but have it
    from no document."""

    NO = "no"  # nothing was accepted
    ASK = "ask"  # not believed before the vendor's list shows no such task; where no list can tell, as NO
    DOUBT = "doubt"  # as much as a lost answer does


@dataclass(frozen=True, slots=True)
class Provider:
    """One upstream API and what its limits are.

    `shape` names the adapter that speaks its wire. `batch` is how many ids one query may hold (1: single looks).
    `looks_per_second` is the pace of one account's queries together. A task is first looked at after
    `first_look_seconds`, then every `look_every_seconds`; one that will call back only every `slow_look_seconds`.
    `floor_seconds` is the least time between two looks at one task that the provider's documents allow.
    `retention_seconds` is how long it knows a task. `pushes`: it can be set up to tell one URL of every end
    (`adapters.eventbridge`). `most_active` is how many tasks one account may have at work at once (None: nothing is
    known of a limit), `rejected_5xx` what its error to a create means.
    """

    name: str
    title: str
    shape: str
    base_url: str
    api_key_env: str
    calls_back: bool = False
    pushes: bool = False
    batch: int = 1
    looks_per_second: float = 10.0
    first_look_seconds: float = 3.0
    look_every_seconds: float = 5.0
    slow_look_seconds: float = 60.0
    floor_seconds: float = 3.0
    retention_seconds: int = 24 * 3600
    most_active: int | None = None
    rejected_5xx: Rejected = Rejected.NO


PROVIDERS: Mapping[str, Provider] = {
    row.name: row
    for row in (
        Provider(
            # wire.md 1.3: "stay under 1 req/s", first poll after 5-10 s, then 10-30 s; its own tools use 15 s.
            name="acedata",
            title="AceData",
            shape="flat",
            base_url="https://api.acedata.cloud",
            api_key_env="ACEDATA_API_KEY",
            calls_back=True,
            batch=50,
            looks_per_second=0.8,
            first_look_seconds=5.0,
            look_every_seconds=10.0,
            rejected_5xx=Rejected.ASK,  # one request tells, by our callback URL
        ),
        Provider(
            # seeds 000: poll every 5-10 s; seeds 001: never less than 3 s.
            name="laozhang",
            title="LaoZhang",
            shape="gateway",
            base_url="https://api.laozhang.ai",
            api_key_env="LAOZHANG_API_KEY",
            look_every_seconds=5.5,  # with learned times: half of the requests of a look every 5 s, and 95 % within 6 s
            looks_per_second=20.0,  # no limit is documented but that of each task
        ),
        Provider(
            # wire.md 2, its Wan FAQ: keep at most 10 tasks of a key active, and queue what is more.
            name="apiyi",
            title="APIYI",
            shape="gateway",
            base_url="https://api.apiyi.com",
            api_key_env="APIYI_API_KEY",
            look_every_seconds=5.5,
            looks_per_second=20.0,
            most_active=10,
        ),
        Provider(
            # wire.md 3.3: 20 queries a second for the whole Alibaba account (query, list and cancel together); a 429
            # slows this down, so that other programs find room.
            name="dashscope",
            title="Alibaba DashScope",
            shape="native",
            base_url="https://dashscope.aliyuncs.com",
            api_key_env="DASHSCOPE_API_KEY",
            pushes=True,
            looks_per_second=18.0,
        ),
    )
}
