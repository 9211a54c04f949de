"""Translation between video APIs: pure, standard library only.

`SHAPES` are the wire shapes by name: each speaks to an upstream and to our own clients alike, and is made with a
`Catalogue` (`SHAPES["flat"](catalogue)`; instances are stateless and cheap). `PROVIDERS` are the upstreams as rows.
"""

from __future__ import annotations

from collections.abc import Mapping

from adapters.base import Adapter, BatchAdapter, CancelAdapter, ListAdapter
from adapters.flat import Flat
from adapters.gateway import Gateway
from adapters.native import Native
from adapters.providers import PROVIDERS, Provider

SHAPES: Mapping[str, type[Adapter]] = {shape.name: shape for shape in (Flat, Native, Gateway)}

__all__ = [
    "PROVIDERS",
    "SHAPES",
    "Adapter",
    "BatchAdapter",
    "CancelAdapter",
    "Flat",
    "Gateway",
    "ListAdapter",
    "Native",
    "Provider",
]
