"""The settings as values. A description says what is allowed; it ends the sentence that a wrong value gets."""

from __future__ import annotations

from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    InstanceOf,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from adapters.catalogue import Catalogue, builtin
from adapters.providers import Provider, Rejected
from service.settings import checks, kept

URL = "a URL: http:// or https://, a host, and if needed a port and a path"
SECONDS = "a number of seconds above 0"
DAYS = "a whole number of days, 0 for ever"
LIST = "one or more, separated by commas"
DATABASE = "the path of an SQLite file or a postgresql:// URL"

Keys = Annotated[tuple[Annotated[SecretStr, Field(min_length=1)], ...], checks.List]
WebhookSecrets = Annotated[tuple[checks.WebhookSecret, ...], checks.List]
Regions = Annotated[tuple[checks.Region, ...], checks.List]
ApiKeys = Annotated[tuple[checks.ApiKeyEntry, ...], checks.List]


class Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=True)


def _fresh_keys() -> tuple[SecretStr, ...]:
    return (SecretStr(kept.new_secret_key()),)


def _fresh_webhook_secrets() -> tuple[SecretStr, ...]:
    return (SecretStr(kept.new_webhook_secret()),)


class UpstreamKeys(Value):
    """What was given for one provider: each entry, with or without a name, is an account."""

    api_key: ApiKeys = Field(min_length=1, description="one or more keys, separated by commas", repr=False)


class Account(Value):
    """One upstream account. `poll_seconds` is the pause between two looks at one task; a real provider has a floor.
    `name` tells the keys of one provider apart, also after a change of their order. `active` is how many tasks it may
    have at once (None: as many as the provider says; 0: any number), `rejected_5xx` what the provider's own error says
    of a create (None: what its row says)."""

    provider: Provider
    name: str = ""
    base_url: checks.BaseUrl = Field(description=URL)
    api_key: checks.HeaderSecret = Field(description="text", repr=False)
    poll_seconds: float = Field(gt=0, description=SECONDS)
    active: int | None = Field(default=None, ge=0, description="a whole number, 0 or more")
    rejected_5xx: Rejected | None = Field(default=None, description="no, ask or doubt")

    @property
    def most_active(self) -> int | None:
        """None: there is no limit."""
        return (self.provider.most_active if self.active is None else self.active) or None

    @property
    def believed(self) -> Rejected:
        """What its provider's own error says of a create."""
        return self.provider.rejected_5xx if self.rejected_5xx is None else self.rejected_5xx

    @field_validator("poll_seconds")
    @classmethod
    def _not_too_often(cls, seconds: float, info: ValidationInfo) -> float:
        if {"provider", "base_url"} <= info.data.keys():
            provider, base_url = info.data["provider"], info.data["base_url"]
            if seconds < provider.floor_seconds and _same_domain(base_url, provider.base_url):
                raise ValueError(
                    f"{provider.title} allows no less than {provider.floor_seconds:g} seconds between two looks at a "
                    "task; less is for other base URLs, such as a simulator's"
                )
        return seconds


def _same_domain(url: str, other: str) -> bool:
    """Regional hosts of a provider are the real upstream too."""
    first, second = ((urlsplit(each).hostname or "").rstrip(".").split(".")[-2:] for each in (url, other))
    return first == second


class Settings(Value):
    """Everything that an operator can set. Built directly, it has fresh secrets of its own; `load` keeps them.

    `repr=False` marks what is never shown.
    """

    database: checks.Database = Field("ringback.db", min_length=1, description=DATABASE, repr=False)
    host: str = Field("127.0.0.1", min_length=1, description="an address or a name to listen on")
    port: checks.Port = Field(8000, ge=0, le=65535, description="a whole number from 0 to 65535")  # 0: any free port
    public_url: checks.PublicUrl | None = Field(None, description=URL)
    secret_keys: Keys = Field(default_factory=_fresh_keys, min_length=1, description=LIST, repr=False)  # newest last
    api_keys: ApiKeys = Field((), description=LIST, repr=False)
    webhook_secret: WebhookSecrets = Field(
        default_factory=_fresh_webhook_secrets, min_length=1, description=LIST, repr=False
    )
    admin_token: checks.HeaderSecret | None = Field(None, description="text", repr=False)
    eventbridge_regions: Regions = Field(("cn-beijing",), description=LIST)
    eventbridge_token: checks.HeaderSecret | None = Field(None, description="text", repr=False)
    egress_allow: str = Field("", description="text with CIDR[:port] entries")  # read by network.egress
    egress_proxy: checks.ProxyUrl | None = Field(None, description="http://host:port", repr=False)  # by network.proxy
    accounts: tuple[Account, ...] = ()  # in the order of preference
    catalogue: InstanceOf[Catalogue] = Field(default_factory=lambda: builtin(), repr=False)  # `load` reads its file
    failover: Literal["off", "safe", "retry_failed"] = Field("safe", description="off, safe or retry_failed")
    retry_failed_times: int = Field(2, ge=0, description="a whole number, 0 or more")
    in_doubt_seconds: float = Field(900, gt=0, description=SECONDS)
    repeat_seconds: float = Field(600, ge=0, description="a number of seconds, 0 or more")
    repeat_answered_seconds: float = Field(0, ge=0, description="a number of seconds, 0 or more")
    submit_wait_seconds: float = Field(8, ge=0, description="a number of seconds, 0 or more")
    create_timeout_seconds: float = Field(120, gt=0, description=SECONDS)
    hold_seconds: float = Field(1800, gt=0, description=SECONDS)
    hold_per_key: int = Field(100, ge=1, description="a whole number, 1 or more")
    streams_per_key: int = Field(100, ge=1, description="a whole number, 1 or more")
    keep_bodies_days: int = Field(30, ge=0, description=DAYS)
    keep_attempts_days: int = Field(30, ge=0, description=DAYS)
    keep_tasks_days: checks.KeptTasks = Field(90, description=f"{DAYS} (tasks: {checks.LEAST_DAYS} or more)")
    create_bytes: int = Field(24 * 1024 * 1024, ge=1, description="a whole number of bytes, 1 or more")
    log: Literal["json", "text"] = Field("text", description="json or text")
    warnings: tuple[str, ...] = ()  # what `load` found odd but usable

    @property
    def on_postgres(self) -> bool:
        return "://" in self.database

    @model_validator(mode="after")
    def _nobody_has_two_roles(self) -> Self:
        for what, each in (
            ("RINGBACK_API_KEYS has two entries with the same name", [key.name for key in self.api_keys]),
            ("RINGBACK_API_KEYS has the same key twice", [key.key.get_secret_value() for key in self.api_keys]),
            ("A provider has two keys with the same name", [(each.provider.name, each.name) for each in self.accounts]),
        ):
            if len(set(each)) < len(each):
                raise ValueError(what)
        if self.admin_token and self.admin_token in [key.key for key in self.api_keys]:
            raise ValueError("RINGBACK_ADMIN_TOKEN is also one of RINGBACK_API_KEYS: a client would be the operator")
        return self


class ClientSettings(Value):
    """Where the commands that talk to a running server find it."""

    url: checks.BaseUrl = Field("http://127.0.0.1:8000", description=URL)
    key: checks.HeaderSecret | None = Field(None, description="text", repr=False)
