"""Whose request it is, by address, and how much one address may ask (SECURITY 6, 11).

A connection from one of ``plan.trusted_proxies`` gets a chain of filters of its own, the only one that reads
``X-Forwarded-For`` and keeps ``X-Forwarded-Proto``. On every other connection both are dropped like all such headers, and
the client is the peer. What runs after that sees one address only, `CLIENT_ADDRESS`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Mapping
from typing import Any

from pilothouse.gateway import headers
from pilothouse.gateway.envoy import blocks
from pilothouse.gateway.envoy.blocks import Json, extension, put
from pilothouse.gateway.envoy.plan import EnvoyPlan

#: The client as Envoy found it: the peer, or what a trusted proxy said of it.
CLIENT_ADDRESS = "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"
FORWARDED = "x-forwarded-"
#: What is left of the names that a trusted proxy may say.
FROM_PROXIES = frozenset({"for", "proto"})

#: A client that was silent for this many seconds may send this many seconds' worth of requests at once.
BURST_S = 5
#: Addresses that are counted at the same time; beyond it the one that was silent for longest starts anew.
ADDRESSES_COUNTED = 10_000
#: One household or cloud machine commands a whole /64 of IPv6, so it counts as one.
COUNTED_AS_ONE: Json = {"v4_prefix_mask_len": 32, "v6_prefix_mask_len": 64}


def from_proxies(plan: EnvoyPlan) -> Json:
    """Matches connections whose peer is a trusted proxy."""
    return {"direct_source_prefix_ranges": _ranges(plan)}


def detection(plan: EnvoyPlan, *, proxied: bool) -> Json:
    """How the connection manager finds the client's address: the rightmost one that is no trusted proxy, or the peer."""
    drops = {"early_header_mutation_extensions": [_early_drop(FROM_PROXIES if proxied else ())]}
    if not proxied:
        return {"use_remote_address": True, **drops}
    reader = extension(
        "envoy.http.original_ip_detection.xff",
        "http.original_ip_detection.xff.v3.XffConfig",
        xff_trusted_cidrs={"cidrs": _ranges(plan)},
    )
    return {"use_remote_address": False, "original_ip_detection_extensions": [reader], **drops}


def client_header() -> Json:
    """What jobs and the control plane get as ``X-Forwarded-For``: one address that nobody in front of us can add to."""
    return put("x-forwarded-for", CLIENT_ADDRESS)


def rate_limit(plan: EnvoyPlan) -> list[Json]:
    """The filter that answers 429, first in the chain: what is over the limit costs neither the door nor a job anything."""
    if not plan.requests_per_second:
        return []
    bucket = {
        "max_tokens": plan.requests_per_second * BURST_S,
        "tokens_per_fill": plan.requests_per_second,
        "fill_interval": "1s",
    }
    always = {"default_value": {"numerator": 100, "denominator": "HUNDRED"}, "runtime_key": "unused"}
    options: Mapping[str, Any] = {
        "stat_prefix": "clients",
        "filter_enabled": always,
        "filter_enforced": always,
        "token_bucket": bucket,  # required, but never taken from: every request has an address
        "always_consume_default_token_bucket": False,
        "rate_limits": [{"actions": [{"masked_remote_address": COUNTED_AS_ONE}]}],
        # Without a value the entry stands for all values, each with a bucket of its own.
        "descriptors": [{"entries": [{"key": "masked_remote_address"}], "token_bucket": bucket}],
        "max_dynamic_descriptors": ADDRESSES_COUNTED,
    }
    return [
        extension("envoy.filters.http.local_ratelimit", "filters.http.local_ratelimit.v3.LocalRateLimit", **options)
    ]


def names_except(rests: Collection[str]) -> str:
    """A regular expression, of a language without look-ahead, for all text that is none of ``rests``."""
    firsts = sorted({rest[0] for rest in rests if rest})
    others = [f"[^{''.join(firsts)}].*" if firsts else ".+"]
    longer = [f"{first}(?:{names_except({r[1:] for r in rests if r[:1] == first})})" for first in firsts]
    return "|".join([*others, *longer, *([] if "" in rests else [""])])


def _early_drop(kept: Collection[str]) -> Json:
    """Runs before Envoy writes its own X-Forwarded-…; a name with any character beyond a-z, 0-9 and "-" might be folded into a reserved one."""
    whole = [prefix for prefix in headers.RESERVED_PREFIXES if prefix != FORWARDED or not kept]
    mutations = blocks.drop(headers.RESERVED, whole)
    if kept:
        mutations.append(_drop_like(f"{FORWARDED}(?:{names_except(kept)})"))
    mutations.append(_drop_like("[^:].*[^a-z0-9-].*|[^a-z0-9:-].*"))
    name = "envoy.http.early_header_mutation.header_mutation"
    return extension(name, "http.early_header_mutation.header_mutation.v3.HeaderMutation", mutations=mutations)


def _drop_like(expression: str) -> Json:
    return {"remove_on_match": {"key_matcher": {"safe_regex": {"regex": expression}}}}


def _ranges(plan: EnvoyPlan) -> list[Json]:
    networks = [ipaddress.ip_network(text) for text in plan.trusted_proxies]
    return [{"address_prefix": str(n.network_address), "prefix_len": n.prefixlen} for n in networks]
