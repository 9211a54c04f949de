"""What kind of video a send asks for, as far as that says how long it will take."""

from __future__ import annotations

from dataclasses import replace

from adapters.messages import Submission
from service.accounts.upstream import Upstream
from service.domain.price import meant, meant_resolution


def workload_at(upstream: Upstream, submission: Submission) -> str:
    """Of a submission that `upstream` has taken: `wan2.7-t2v/720P/5`; a dash is left to the provider."""
    catalogue, provider = upstream.adapter.catalogue, upstream.provider
    real = replace(submission, model=catalogue.real_name(submission.model))
    said = upstream.adapter.translate_submission(real).submission
    model = catalogue.find(real.model)
    if model is None:
        return real.model
    resolution, duration = meant_resolution(model, provider, said), meant(model, provider, said, "duration")
    return "/".join((model.name, resolution or "-", "-" if duration is None else str(duration)))
