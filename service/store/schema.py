"""The tables, written once for both engines.

Four type words differ between them ({int}: 64 bits, {text}, {bytes}, {json}); an engine renders them. The states stand
here again as CHECKs, so that no bug can write one that the tables of `service.domain.tasks` do not know.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

from service.domain.deliveries import DeliveryState, DisabledBy, Format, Signature
from service.domain.lanes import Pause, Standing
from service.domain.replays import ReplayState
from service.domain.tasks import TaskState, Verdict


def _one_of(column: str, values: Iterable[StrEnum]) -> str:
    return f"CHECK ({column} IN ({', '.join(repr(value.value) for value in values)}))"


FIRST = (
    """CREATE TABLE keys (
        id {text} PRIMARY KEY, name {text} NOT NULL, hash {text} NOT NULL UNIQUE, secret {bytes} NOT NULL,
        callback_url {text}, created_at {int} NOT NULL, revoked_at {int}){strict}""",
    f"""CREATE TABLE tasks (
        id {{text}} PRIMARY KEY, client {{text}} NOT NULL, shape {{text}} NOT NULL, service {{text}} NOT NULL,
        path {{text}} NOT NULL, model {{text}} NOT NULL, provider {{text}} NOT NULL,
        state {{text}} NOT NULL {_one_of("state", TaskState)},
        body {{json}} NOT NULL, headers {{json}} NOT NULL, metadata {{json}},
        request_id {{text}} NOT NULL, trace_id {{text}} NOT NULL,
        created_at {{int}} NOT NULL, updated_at {{int}} NOT NULL, finished_at {{int}}, due_at {{int}},
        placement {{text}}, outcome {{json}}, detector {{text}},
        digest {{text}}, idempotency_key {{text}}, answered_at {{int}}, version {{int}} NOT NULL){{strict}}""",
    "CREATE UNIQUE INDEX tasks_by_key ON tasks (client, path, idempotency_key) WHERE idempotency_key IS NOT NULL",
    "CREATE INDEX tasks_by_digest ON tasks (client, path, digest) WHERE digest IS NOT NULL",
    "CREATE INDEX tasks_by_client ON tasks (client, created_at, id)",
    "CREATE INDEX tasks_due ON tasks (due_at) WHERE due_at IS NOT NULL",
    f"""CREATE TABLE placements (
        id {{text}} PRIMARY KEY, task {{text}} NOT NULL REFERENCES tasks (id), provider {{text}} NOT NULL,
        verdict {{text}} NOT NULL {_one_of("verdict", Verdict)},
        sent_at {{int}} NOT NULL, upstream_id {{text}}, due_at {{int}}, doubt_at {{int}},
        claimed_at {{int}}, heard_at {{int}},
        looks {{int}} NOT NULL, misses {{int}} NOT NULL, empty {{int}} NOT NULL, reason {{text}}){{strict}}""",
    "CREATE INDEX placements_by_task ON placements (task)",
    "CREATE UNIQUE INDEX placements_by_upstream ON placements (provider, upstream_id)",
    "CREATE INDEX placements_due ON placements (provider, due_at) WHERE due_at IS NOT NULL",
    "CREATE INDEX placements_doubt ON placements (doubt_at) WHERE doubt_at IS NOT NULL",
    """CREATE TABLE callbacks (
        placement {text} NOT NULL REFERENCES placements (id), digest {text} NOT NULL, body {bytes} NOT NULL,
        upstream_id {text}, received_at {int} NOT NULL, PRIMARY KEY (placement, digest)){strict}""",
    """CREATE TABLE subscriptions (
        id {text} PRIMARY KEY, task {text} NOT NULL REFERENCES tasks (id), url {text} NOT NULL,
        format {text} NOT NULL CHECK (format IN ('own', 'event')), created_at {int} NOT NULL){strict}""",
    "CREATE INDEX subscriptions_by_task ON subscriptions (task)",
    f"""CREATE TABLE deliveries (
        id {{text}} PRIMARY KEY, task {{text}} NOT NULL REFERENCES tasks (id),
        subscription {{text}} NOT NULL REFERENCES subscriptions (id), client {{text}} NOT NULL,
        url {{text}} NOT NULL, receiver {{text}} NOT NULL, type {{text}} NOT NULL,
        state {{text}} NOT NULL {_one_of("state", DeliveryState)},
        body {{bytes}} NOT NULL, created_at {{int}} NOT NULL, attempts {{int}} NOT NULL, tries {{int}} NOT NULL,
        due_at {{int}}, claimed_at {{int}}, delivered_at {{int}}, UNIQUE (subscription, type)){{strict}}""",
    "CREATE INDEX deliveries_by_task ON deliveries (task)",
    "CREATE INDEX deliveries_by_client ON deliveries (client, created_at, id)",
    "CREATE INDEX deliveries_due ON deliveries (due_at) WHERE due_at IS NOT NULL",
    """CREATE TABLE attempts (
        delivery {text} NOT NULL REFERENCES deliveries (id), number {int} NOT NULL, started_at {int} NOT NULL,
        elapsed_ms {int} NOT NULL, verdict {text} NOT NULL, reason {text} NOT NULL, status {int}, reply {text},
        next_at {int}, PRIMARY KEY (delivery, number)){strict}""",
    """CREATE TABLE operator_events (
        id {text} PRIMARY KEY, at {int} NOT NULL, kind {text} NOT NULL, fields {json} NOT NULL){strict}""",
)

LANE = "(coalesce(endpoint, client || ' ' || receiver))"
"""`Delivery.lane`, as an index has it."""

LIVE = "verdict IN ('sending', 'accepted', 'in_doubt')"
"""The sends that may be at work at the upstream."""

MONEY = (
    "ALTER TABLE tasks ADD COLUMN pinned {int} NOT NULL DEFAULT 0",
    "ALTER TABLE tasks ADD COLUMN passed {json}",
    "ALTER TABLE tasks ADD COLUMN reopened_at {int}",
    "CREATE INDEX tasks_waiting ON tasks (provider, client, due_at) WHERE state = 'ACCEPTED'",
    "ALTER TABLE placements ADD COLUMN account {text} NOT NULL DEFAULT ''",
    "ALTER TABLE placements ADD COLUMN lost_at {int}",
    "ALTER TABLE placements ADD COLUMN outcome {json}",
    "ALTER TABLE placements ADD COLUMN credential {bytes}",
    f"CREATE INDEX placements_live ON placements (provider, account) WHERE {LIVE}",
    """CREATE TABLE allowances (
        client {text} PRIMARY KEY, providers {json}, models {json}, watch {int} NOT NULL, budgets {json} NOT NULL
        ){strict}""",
    """CREATE TABLE charges (
        placement {text} PRIMARY KEY REFERENCES placements (id), task {text} NOT NULL, client {text} NOT NULL,
        provider {text} NOT NULL, model {text} NOT NULL, at {int} NOT NULL,
        currency {text} NOT NULL, resolution {text} NOT NULL, per_second {int}, estimate {int}, amount {int}
        ){strict}""",
    "CREATE INDEX charges_by_client ON charges (client, currency, at, amount, estimate)",
    "CREATE INDEX charges_by_time ON charges (at)",
    "ALTER TABLE operator_events ADD COLUMN subject {text} NOT NULL DEFAULT ''",
    "ALTER TABLE operator_events ADD COLUMN times {int} NOT NULL DEFAULT 1",
    "ALTER TABLE operator_events ADD COLUMN last_at {int}",
    "UPDATE operator_events SET last_at = at",
    "CREATE INDEX operator_events_by_subject ON operator_events (kind, subject, last_at)",
    "CREATE INDEX operator_events_by_time ON operator_events (last_at, id)",
)

TIMES = (
    "ALTER TABLE placements ADD COLUMN workload {text} NOT NULL DEFAULT ''",
    "ALTER TABLE placements ADD COLUMN expected_at {int}",
    "ALTER TABLE placements ADD COLUMN hinted_by {text}",
    """CREATE TABLE completions (
        provider {text} NOT NULL, workload {text} NOT NULL, counts {json} NOT NULL, PRIMARY KEY (provider, workload)
        ){strict}""",
)

WATCH = (
    "ALTER TABLE placements ADD COLUMN watched {int} NOT NULL DEFAULT 0",
    # What we sent is ours even if somebody came to watch it before its answer did.
    "DROP INDEX placements_by_upstream",
    "CREATE UNIQUE INDEX placements_by_upstream ON placements (provider, upstream_id, watched)",
    "CREATE INDEX placements_lent ON placements (provider, account, due_at) WHERE credential IS NOT NULL",
)

QUOTES = (
    """CREATE TABLE quotes (
        task {text} PRIMARY KEY REFERENCES tasks (id), provider {text} NOT NULL, currency {text} NOT NULL,
        resolution {text} NOT NULL, per_second {int}, estimate {int}){strict}""",
    "CREATE INDEX tasks_waiting_of_client ON tasks (client, id, provider) WHERE state = 'ACCEPTED'",
    "CREATE INDEX charges_by_task ON charges (task)",
)

UNNAMED = "upstream_id IS NULL AND verdict IN ('sending', 'in_doubt', 'unproven')"
"""The sends that may have been accepted under an id that is not known."""

DOUBTS = (f"CREATE INDEX placements_unnamed ON placements (provider, sent_at) WHERE {UNNAMED}",)

WAITING = "state = 'ACCEPTED'"
"""The tasks that wait to be sent."""

AT_WORK = "state IN ('SUBMITTING', 'IN_DOUBT', 'QUEUED', 'RUNNING')"
"""The tasks that may be at work at their provider."""

FAIRNESS = (f"CREATE INDEX tasks_at_work ON tasks (provider, client) WHERE {AT_WORK}",)

AGAIN = (
    # A message that is sent as a new one has subscription and type in common with an earlier one, and a charge outlives
    # its placement. The engines have no common way to take a constraint away, so these tables are written anew.
    f"""CREATE TABLE deliveries_anew (
        id {{text}} PRIMARY KEY, task {{text}} NOT NULL REFERENCES tasks (id),
        subscription {{text}} NOT NULL REFERENCES subscriptions (id), client {{text}} NOT NULL,
        url {{text}} NOT NULL, receiver {{text}} NOT NULL, type {{text}} NOT NULL,
        state {{text}} NOT NULL {_one_of("state", DeliveryState)},
        body {{bytes}} NOT NULL, created_at {{int}} NOT NULL, attempts {{int}} NOT NULL, tries {{int}} NOT NULL,
        due_at {{int}}, claimed_at {{int}}, delivered_at {{int}}, replay_of {{text}}){{strict}}""",
    "INSERT INTO deliveries_anew SELECT id, task, subscription, client, url, receiver, type, state, body, created_at,"
    " attempts, tries, due_at, claimed_at, delivered_at, NULL FROM deliveries",
    """CREATE TABLE attempts_anew (
        delivery {text} NOT NULL REFERENCES deliveries_anew (id), number {int} NOT NULL, started_at {int} NOT NULL,
        elapsed_ms {int} NOT NULL, verdict {text} NOT NULL, reason {text} NOT NULL, status {int}, reply {text},
        next_at {int}, PRIMARY KEY (delivery, number)){strict}""",
    "INSERT INTO attempts_anew SELECT delivery, number, started_at, elapsed_ms, verdict, reason, status, reply, next_at"
    " FROM attempts",
    "DROP TABLE attempts",
    "DROP TABLE deliveries",
    "ALTER TABLE deliveries_anew RENAME TO deliveries",
    "ALTER TABLE attempts_anew RENAME TO attempts",
    "CREATE UNIQUE INDEX deliveries_once ON deliveries (subscription, type) WHERE replay_of IS NULL",
    "CREATE INDEX deliveries_by_task ON deliveries (task)",
    "CREATE INDEX deliveries_by_client ON deliveries (client, created_at, id)",
    "CREATE INDEX deliveries_by_time ON deliveries (created_at, id)",
    "CREATE INDEX deliveries_due ON deliveries (due_at) WHERE due_at IS NOT NULL",
    """CREATE TABLE charges_anew (
        placement {text} PRIMARY KEY, task {text} NOT NULL, client {text} NOT NULL, provider {text} NOT NULL,
        model {text} NOT NULL, at {int} NOT NULL, currency {text} NOT NULL, resolution {text} NOT NULL,
        per_second {int}, estimate {int}, amount {int}){strict}""",
    "INSERT INTO charges_anew SELECT placement, task, client, provider, model, at, currency, resolution, per_second,"
    " estimate, amount FROM charges",
    "DROP TABLE charges",
    "ALTER TABLE charges_anew RENAME TO charges",
    "CREATE INDEX charges_by_client ON charges (client, currency, at, amount, estimate)",
    "CREATE INDEX charges_by_time ON charges (at)",
    "CREATE INDEX charges_by_task ON charges (task)",
    f"""CREATE TABLE replays (
        id {{text}} PRIMARY KEY, client {{text}} NOT NULL, selection {{json}} NOT NULL, new_id {{int}} NOT NULL,
        rate {{int}} NOT NULL, state {{text}} NOT NULL {_one_of("state", ReplayState)}, created_at {{int}} NOT NULL,
        cursor_at {{int}} NOT NULL, cursor_id {{text}} NOT NULL, matched {{int}} NOT NULL, replayed {{int}} NOT NULL,
        skipped {{int}} NOT NULL, due_at {{int}}, claimed_at {{int}}, finished_at {{int}}){{strict}}""",
    "CREATE INDEX replays_due ON replays (due_at) WHERE due_at IS NOT NULL",
    "CREATE INDEX replays_by_time ON replays (created_at, id)",
    """CREATE TABLE replay_items (
        replay {text} NOT NULL REFERENCES replays (id), created_at {int} NOT NULL, delivery {text} NOT NULL,
        sent {text}, skipped {text}, PRIMARY KEY (replay, created_at, delivery)){strict}""",
)

ENDPOINTS = (
    f"""CREATE TABLE endpoints (
        id {{text}} PRIMARY KEY, client {{text}} NOT NULL, url {{text}} NOT NULL, description {{text}} NOT NULL,
        events {{json}}, format {{text}} NOT NULL {_one_of("format", Format)},
        schedule {{json}}, timeout_seconds {{int}}, headers {{bytes}},
        signature {{text}} NOT NULL {_one_of("signature", Signature)},
        secret {{bytes}} NOT NULL, signing_key {{bytes}} NOT NULL, is_default {{int}} NOT NULL,
        rate_per_second {{int}}, concurrency {{int}}, created_at {{int}} NOT NULL, updated_at {{int}} NOT NULL,
        disabled_at {{int}}, disabled_by {{text}} {_one_of("disabled_by", DisabledBy)}){{strict}}""",
    "CREATE INDEX endpoints_by_client ON endpoints (client, created_at, id)",
    "CREATE UNIQUE INDEX endpoints_default ON endpoints (client) WHERE is_default = 1",
    "CREATE TABLE retired_secrets (owner {text} NOT NULL, secret {bytes} NOT NULL, until {int} NOT NULL){strict}",
    "CREATE INDEX retired_secrets_by_owner ON retired_secrets (owner, until)",
    # A CHECK cannot be changed on SQLite, but a column goes with its own.
    f"ALTER TABLE subscriptions ADD COLUMN form {{text}} {_one_of('form', Format)}",
    "UPDATE subscriptions SET form = format",
    "ALTER TABLE subscriptions DROP COLUMN format",
    "ALTER TABLE subscriptions RENAME COLUMN form TO format",
    "ALTER TABLE subscriptions ADD COLUMN endpoint {text}",
    "ALTER TABLE subscriptions ADD COLUMN events {json}",
    "ALTER TABLE deliveries ADD COLUMN endpoint {text}",
    "ALTER TABLE deliveries ADD COLUMN content_type {text} NOT NULL DEFAULT 'application/json'",
    "CREATE INDEX deliveries_by_endpoint ON deliveries (endpoint, state) WHERE endpoint IS NOT NULL",
)

EVENTS = (
    """CREATE TABLE events (
        seq {int} PRIMARY KEY, task {text} NOT NULL REFERENCES tasks (id), client {text} NOT NULL,
        type {text} NOT NULL, at {int} NOT NULL, body {bytes} NOT NULL, UNIQUE (task, type)){strict}""",
    "CREATE INDEX events_by_client ON events (client, seq)",
    "CREATE INDEX events_by_time ON events (at, seq)",
    "CREATE TABLE event_head (seq {int} NOT NULL){strict}",
    "INSERT INTO event_head (seq) VALUES (0)",
)

RETENTION = (
    "ALTER TABLE tasks ADD COLUMN expunged_at {int}",
    "CREATE INDEX tasks_ended ON tasks (finished_at, id) WHERE finished_at IS NOT NULL",
    "CREATE INDEX deliveries_with_body ON deliveries (created_at, id) WHERE length(body) > 0",
    "CREATE INDEX deliveries_by_subscription ON deliveries (subscription)",
    "CREATE INDEX attempts_by_time ON attempts (started_at)",
    "CREATE INDEX callbacks_by_time ON callbacks (received_at)",
)

LANES = (
    "DROP INDEX deliveries_due",
    f"CREATE INDEX deliveries_due ON deliveries ({LANE}, due_at) WHERE due_at IS NOT NULL",
    f"""CREATE TABLE lanes (
        id {{text}} PRIMARY KEY, receiver {{text}} NOT NULL,
        standing {{text}} NOT NULL {_one_of("standing", Standing)}, next_at {{int}},
        failures {{int}} NOT NULL, failing_since {{int}}, succeeded_at {{int}},
        paused_until {{int}}, pause {{text}} {_one_of("pause", Pause)}, warned_at {{int}}){{strict}}""",
    "INSERT INTO lanes (id, receiver, standing, next_at, failures)"
    f" SELECT {LANE}, min(receiver), 'new', min(due_at), 0 FROM deliveries GROUP BY 1",
    "CREATE INDEX lanes_ready ON lanes (standing, next_at) WHERE next_at IS NOT NULL",
    *(f"ALTER TABLE attempts ADD COLUMN {step}_ms {{int}}" for step in ("dns", "connect", "tls", "first_byte")),
    "ALTER TABLE attempts ADD COLUMN address {text}",
    "ALTER TABLE attempts ADD COLUMN headers {json}",
    "ALTER TABLE attempts ADD COLUMN why {text}",
)

LINKS = ("ALTER TABLE tasks ADD COLUMN refreshed_at {int}",)

DENIED = ("ALTER TABLE placements ADD COLUMN denied {int} NOT NULL DEFAULT 0",)

NEWEST_FIRST = ("CREATE INDEX tasks_by_time ON tasks (created_at, id)",)

STEPS: Mapping[str, tuple[str, ...]] = {
    "0001_first": FIRST,
    "0002_money": MONEY,
    "0003_times": TIMES,
    "0004_watch": WATCH,
    "0005_quotes": QUOTES,
    "0006_doubts": DOUBTS,
    "0007_fairness": FAIRNESS,
    "0008_again": AGAIN,
    "0009_endpoints": ENDPOINTS,
    "0010_events": EVENTS,
    "0011_retention": RETENTION,
    "0012_lanes": LANES,
    "0013_links": LINKS,
    "0014_denied": DENIED,
    "0015_newest_first": NEWEST_FIRST,
}
"""Migrations by name, in order. A step that has shipped is never edited."""

TYPE_WORDS: Mapping[str, Mapping[str, str]] = {
    # SQLite's STRICT tables know INTEGER (64 bits), TEXT and BLOB; BIGINT and BYTEA would be refused.
    "sqlite": {"int": "INTEGER", "text": "TEXT", "bytes": "BLOB", "json": "TEXT", "strict": " STRICT"},
    # PostgreSQL's INTEGER overflows on milliseconds; JSON keeps the text as it was written, JSONB would not.
    "postgres": {"int": "BIGINT", "text": "TEXT", "bytes": "BYTEA", "json": "JSON", "strict": ""},
}


def render(statement: str, engine: str) -> str:
    """One DDL statement in an engine's own words."""
    return statement.format_map(TYPE_WORDS[engine])
