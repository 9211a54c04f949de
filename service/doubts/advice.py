"""What the operator's events mean, how a task stands that needs a person, and what to do next: one sentence each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from service.domain.tasks import (
    NO_RESULT,
    NOT_ACCEPTED,
    OUTCOME_UNKNOWN,
    TASK_EXPIRED,
    Placement,
    Task,
    TaskState,
    Verdict,
)
from service.doubts.reopen import reason_for

EVENTS: Mapping[str, str] = {
    "submission.in_doubt": (
        "The provider's answer to a submission was lost, so a video may be made and billed; proof is waited for, and"
        " `ringback get ID` shows how it stands and what you can do yourself."
    ),
    "submission.unproven": (
        "Nothing proved that a lost submission was accepted, and its client was told outcome_unknown; look for the"
        " video in the provider's console, then adopt it (`ringback adopt ID UPSTREAM_ID`) or pay for another one"
        " (`ringback send-again ID`), or write its charge off (`ringback settle ID --free`)."
    ),
    "submission.overruled": (
        "A provider said no to a submission and makes its video all the same; the task goes on by it, or its result is"
        " still told, so nothing is lost, but that provider's errors are not to be believed: set"
        " RINGBACK_<PROVIDER>_REJECTED_5XX to ask or doubt if it happens again."
    ),
    "submission.paid_twice": (
        "A provider said no to a submission and makes its video all the same, and by then the task had been sent once"
        " more: both may be billed, the first video is told, and `ringback get ID` shows both ids; ask the provider for"
        " the money, and set RINGBACK_<PROVIDER>_REJECTED_5XX to ask or doubt."
    ),
    "upstream.account_refused": (
        "The provider refused a submission because of your account there: its key is wrong or its money is used up;"
        " nothing was sent or billed, tasks that were accepted before wait, so put the account in order"
        " (`ringback doctor` checks its key)."
    ),
    "upstream.look_refused": (
        "The provider refuses to say how tasks are, because of your account there; they go on and nothing fails, but no"
        " result is heard of until the key or the account is in order (`ringback doctor` checks the key)."
    ),
    "provider.missing": (
        "Unfinished tasks belong to a provider that this server has no key for; what waits goes elsewhere if it may,"
        " and nobody looks at the others: they expire once the provider forgets them, unless it is configured again."
    ),
    "account.missing": (
        "Unfinished tasks belong to an account whose key this server does not have any more; nobody looks at them, and"
        " they expire once the provider forgets them, unless that key is configured again."
    ),
    "provider.stalled": (
        "A provider has told nothing of its tasks for a while; they are looked at ever more slowly and none fails by"
        " it: see whether the provider or your network is down."
    ),
    "provider.heard": (
        "A provider that had been silent answers again and its tasks are looked at now; there is nothing to do."
    ),
    "task.expired": (
        "A task ended as task_expired: nothing said how its video went before the provider forgets it; a late result is"
        " still told, and the provider's console may show it (the upstream's id is in `ringback get ID`)."
    ),
    "delivery.hindered": (
        "Callbacks cannot be sent, through no fault of their receivers: the proxy of RINGBACK_EGRESS_PROXY does not"
        " serve us (`ringback doctor` looks at it), or a webhook secret was sealed with a key that is not among"
        " RINGBACK_SECRET_KEYS any more; they wait, none is given up, and go on by themselves when that is mended."
    ),
    "receiver.failing": (
        "Nothing but failures has come from a receiver for a day or more; its messages wait and are tried on, see why"
        " in `ringback deliveries` and let its owner know: after five days an endpoint is disabled."
    ),
    "endpoint.disabled": (
        "An endpoint was disabled, because it asked for no more messages or failed for five days; its messages are"
        " kept, and are sent when it is enabled again."
    ),
    "budget.reached": (
        "A client key has spent its budget and its submissions are refused before anything is sent; raise the budget,"
        " or let it be (`ringback cost` shows what was spent)."
    ),
    "watch.key_unreadable": (
        "The upstream key of a watched task was sealed with a secret key that this server has no more; nobody"
        " looks at the task until that key is among RINGBACK_SECRET_KEYS again."
    ),
    "upstream.unknown_word": (
        "A provider says a word for a task's state that Ringback does not know; the task counts as running, so report"
        " the word, or see whether a newer Ringback knows it."
    ),
}
"""By kind."""

DOUBTFUL = (
    "Proof is waited for; meanwhile, if the provider's console shows the video, its operator can say so"
    " (`ringback adopt {task} UPSTREAM_ID`), or pay for another one (`ringback send-again {task}`)."
)
ENDED: Mapping[str, str] = {
    OUTCOME_UNKNOWN.code: (
        "If the provider's console shows the video, the operator can have it told"
        " (`ringback adopt {task} UPSTREAM_ID`); if not, have another one made (`ringback send-again {task}`)."
    ),
    TASK_EXPIRED.code: (
        "If the provider still has the video, the operator can have it told (`ringback adopt {task} {upstream_id}`); if"
        " not, have another one made (`ringback send-again {task}`)."
    ),
    NO_RESULT.code: (
        "The operator can ask the provider for the video by its id {upstream_id}, or have another one made and paid for"
        " (`ringback send-again {task}`)."
    ),
    NOT_ACCEPTED.code: "The operator can have it sent again (`ringback send-again {task}`); nothing was paid for it.",
}
"""What is left to do for a task, by the words of ours that it ended by."""


def next_step(task: Task, sends: Sequence[Placement]) -> str | None:
    """What a person can do for a task now; None: nothing, it goes on by itself or is over."""
    reason = reason_for(task)
    if reason is None or any(send.verdict is Verdict.ACCEPTED for send in sends):
        return None
    text = DOUBTFUL if task.state is TaskState.IN_DOUBT else ENDED[reason]
    named = (send.upstream_id for send in reversed(sends) if send.upstream_id)
    return text.format(task=task.id, upstream_id=next(named, "UPSTREAM_ID"))
