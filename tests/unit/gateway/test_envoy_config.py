from __future__ import annotations

import ipaddress
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.factories.gateway import GRANTS

from pilothouse.gateway import headers
from pilothouse.gateway.envoy import EnvoyPlan, Listener, Origin, Site, config, dashboard
from pilothouse.gateway.envoy.accesslog import FIELDS
from pilothouse.gateway.envoy.clients import BURST_S, FROM_PROXIES, names_except
from pilothouse.gateway.envoy.config import pools, script
from pilothouse.gateway.envoy.plan import AddressInvalid
from pilothouse.gateway.envoy.replies import FAILURES, Words, page, sentence
from pilothouse.gateway.envoy.routes import own_paths

CONTENT = Site(Origin.CONTENT, ("localhost",))
PLAN = EnvoyPlan(
    run=Path("/h/run"),
    bind="127.0.0.1",
    listeners=(Listener(3939, (dashboard(("localhost",)),)), Listener(3940, (CONTENT,)), Listener(3941, (), True)),
    door_secret="s3cret",
    access_log=Path("/h/logs/access.log"),
    grants=GRANTS,
    files={"apps": Path("/h/apps"), "blobs": Path("/h/blobs")},
    stage_paths=("/", "/prod/"),
)


def manager(plan: EnvoyPlan, number: int = 0) -> dict[str, Any]:
    listener = config(plan)["static_resources"]["listeners"][number]
    return dict(listener["filter_chains"][0]["filters"][0]["typed_config"])


def names(plan: EnvoyPlan) -> list[str]:
    return [entry["name"] for entry in manager(plan)["http_filters"]]


@pytest.fixture
def one_site() -> EnvoyPlan:
    return replace(PLAN, listeners=PLAN.listeners[:2])


def test_the_chain_has_the_door_between_the_two_scripts(one_site: EnvoyPlan) -> None:
    verifier, gate, door, after, changes, files, router = names(one_site)
    assert verifier.endswith("jwt_authn")
    assert (gate, after) == ("pilothouse.gate", "pilothouse.door")
    assert door.endswith("ext_authz")
    assert changes.endswith("header_mutation")
    assert files.endswith("file_server")
    assert router.endswith("router")


def test_without_folders_there_is_no_file_filter(one_site: EnvoyPlan) -> None:
    assert not any("file_server" in name for name in names(replace(one_site, files={})))


def test_the_door_fails_closed_and_outlasts_a_slow_start(one_site: EnvoyPlan) -> None:
    door = manager(replace(one_site, door_timeout_s=90))["http_filters"][2]["typed_config"]
    assert (door["failure_mode_allow"], door["status_on_error"]) == (False, {"code": 503})
    assert door["http_service"]["server_uri"]["timeout"] == "90s"
    assert door["http_service"]["retry_policy"]["retry_back_off"]["max_interval"] == "90s"


def test_the_secret_is_in_the_configuration_but_never_in_a_representation() -> None:
    assert "s3cret" not in repr(PLAN)
    assert "s3cret" in json.dumps(config(replace(PLAN, listeners=PLAN.listeners[:1])))


def test_encoded_slashes_are_kept_only_where_asked(one_site: EnvoyPlan) -> None:
    assert manager(one_site)["path_with_escaped_slashes_action"] == "REJECT_REQUEST"
    keeping = replace(one_site, listeners=(replace(one_site.listeners[0], keeps_slashes=True),))
    assert manager(keeping)["path_with_escaped_slashes_action"] == "KEEP_UNCHANGED"


def test_every_other_host_is_refused_last(one_site: EnvoyPlan) -> None:
    known, unknown = manager(one_site)["route_config"]["virtual_hosts"]
    assert (known["domains"], unknown["domains"]) == (["localhost"], ["*"])
    assert unknown["routes"][0]["direct_response"]["status"] == 421


def test_two_sites_may_share_a_port(one_site: EnvoyPlan) -> None:
    apps = replace(CONTENT, hosts=("apps.example",))
    shared = replace(one_site, listeners=(Listener(3939, (dashboard(("pilot.example",)), apps)),))
    hosts = manager(shared)["route_config"]["virtual_hosts"]
    assert [(host["name"], host["domains"]) for host in hosts] == [
        ("dashboard", ["pilot.example"]),
        ("content", ["apps.example"]),
        ("unknown", ["*"]),
    ]


def test_only_the_dashboard_sandboxes_apps_and_only_unless_told_otherwise() -> None:
    def sandboxes(site: Site) -> bool:
        return "sandbox" in json.dumps(manager(replace(PLAN, listeners=(Listener(1, (site,)),))))

    assert sandboxes(dashboard(("h",)))
    assert not sandboxes(dashboard(("h",), sandboxed=False))
    assert not sandboxes(CONTENT)


@pytest.mark.parametrize(
    "path",
    ["/", "/prod", "/prod/", "/__api__", "/__api__/v1/user", "/prod/__api__/x", "/static/a.js", "/.well-known/x"],
)
def test_own_paths_of_the_dashboard(path: str) -> None:
    assert re.fullmatch(own_paths(PLAN, dashboard(())), path)


@pytest.mark.parametrize(
    "path", ["/content/", "/prod/content/x", "/production/", "/__api__x", "/x/__api__/", "/s/", "/xwell-known/x"]
)
def test_paths_of_the_dashboard_that_the_door_decides(path: str) -> None:
    assert not re.fullmatch(own_paths(PLAN, dashboard(())), path)


def test_the_content_site_owns_only_its_health_check() -> None:
    owned = [
        p
        for p in ("/", "/prod/", "/__ping__", "/prod/__ping__", "/__api__/x", "/content/x")
        if re.fullmatch(own_paths(PLAN, CONTENT), p)
    ]
    assert owned == ["/__ping__", "/prod/__ping__"]


def test_the_last_route_never_reaches_the_control_plane(one_site: EnvoyPlan) -> None:
    for number in (0, 1):
        last = manager(one_site, number)["route_config"]["virtual_hosts"][0]["routes"][-1]
        assert last["direct_response"]["status"] == 503


def test_only_reading_requests_are_sent_twice(one_site: EnvoyPlan) -> None:
    for route in manager(one_site)["route_config"]["virtual_hosts"][0]["routes"]:
        policy = route.get("route", {}).get("retry_policy")
        if route.get("route", {}).get("cluster") == "apps":
            assert policy is None
        elif policy and "reset" in policy["retry_on"].split(","):
            assert route["match"]["headers"][0]["string_match"]["safe_regex"]["regex"] == "GET|HEAD|OPTIONS"


def test_pools_become_numbers_for_the_script() -> None:
    first, last = int(ipaddress.IPv4Address("127.64.0.0")), int(ipaddress.IPv4Address("127.127.255.255"))
    assert pools(PLAN) == f"{{ {first}, {last} }}"
    assert pools(replace(PLAN, pools=("10.0.0.0/8", "10.1.2.3/32"))).count("{") == 2
    for name in ("gate", "door"):
        assert "@" not in script(name, PLAN)


def test_every_reserved_name_is_dropped_before_anything_looks(one_site: EnvoyPlan) -> None:
    (early,) = manager(one_site)["early_header_mutation_extensions"]
    text = json.dumps(early)
    assert all(f'"{name}"' in text for name in (*headers.RESERVED, *headers.RESERVED_PREFIXES))


def test_what_the_gateway_states_can_not_be_stated_by_a_client() -> None:
    assert all(name.startswith(headers.RESERVED_PREFIXES) for name in headers.FROM_GATEWAY)
    assert not set(headers.FROM_GATEWAY) & set(headers.DOOR_SEES)
    assert "upgrade" not in headers.DOOR_SEES


def test_what_the_log_keeps_of_the_doors_words_has_a_key_each() -> None:
    said = (
        headers.PRINCIPAL,
        headers.JOB,
        headers.SUBJECT,
        headers.STAGE,
        headers.BUNDLE,
        headers.PAGE_LOAD,
        headers.TO,
    )
    assert all(any(f":{name})" in value for value in FIELDS.values()) for name in said)


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: failure.english.title)
def test_pages_of_failures_are_whole_and_escape_envoys_percent_sign(failure: Any) -> None:
    text = page(replace(failure, english=Words("Full", "100 % <b>")), "en")
    assert text.startswith("<!doctype html>")
    assert "100 %% &lt;b&gt;" in text
    assert "{" not in text.partition("<style>")[0]
    assert json.loads(sentence(failure))["error"].startswith(failure.english.title)


def test_a_name_instead_of_an_address_is_refused_with_the_setting_to_change() -> None:
    with pytest.raises(AddressInvalid, match=r"server\.host .* “localhost” now"):
        replace(PLAN, bind="localhost")


def test_an_address_for_all_of_ipv6_takes_ipv4_too(one_site: EnvoyPlan) -> None:
    (first, _) = config(replace(one_site, bind="::"))["static_resources"]["listeners"]
    assert first["address"]["socket_address"]["ipv4_compat"] is True


def chains(plan: EnvoyPlan) -> list[dict[str, Any]]:
    listener = config(plan)["static_resources"]["listeners"][0]
    return list(listener["filter_chains"])


def test_without_trusted_proxies_nobody_may_say_where_a_request_came_from(one_site: EnvoyPlan) -> None:
    (only,) = chains(one_site)
    assert "filter_chain_match" not in only
    assert manager(one_site)["use_remote_address"] is True
    assert "original_ip_detection_extensions" not in manager(one_site)


def test_trusted_proxies_get_a_chain_of_their_own_and_others_the_same_as_ever(one_site: EnvoyPlan) -> None:
    (before,) = chains(one_site)
    proxied, direct = chains(replace(one_site, trusted_proxies=("10.0.0.0/8", "::1/128")))
    assert direct == before
    networks = [{"address_prefix": "10.0.0.0", "prefix_len": 8}, {"address_prefix": "::1", "prefix_len": 128}]
    assert proxied["filter_chain_match"] == {"direct_source_prefix_ranges": networks}
    options = proxied["filters"][0]["typed_config"]
    (reader,) = options["original_ip_detection_extensions"]
    assert options["use_remote_address"] is False
    assert reader["typed_config"]["xff_trusted_cidrs"] == {"cidrs": networks}
    assert {key for key in options if options[key] != manager(one_site).get(key)} == {
        "use_remote_address",
        "original_ip_detection_extensions",
        "early_header_mutation_extensions",
    }


@pytest.mark.parametrize("name", ["for", "proto"])
def test_a_trusted_proxy_may_say_two_things(name: str) -> None:
    assert not re.fullmatch(names_except(FROM_PROXIES), name)


@pytest.mark.parametrize(
    "name", ["", "f", "fo", "fort", "fox", "p", "prot", "protox", "prefix", "host", "user", "for-x", "x", "server"]
)
def test_and_nothing_else(name: str) -> None:
    assert re.fullmatch(names_except(FROM_PROXIES), name)


def test_nobody_counts_as_internal(one_site: EnvoyPlan) -> None:
    assert manager(one_site)["internal_address_config"]["cidr_ranges"]


def test_the_limit_comes_before_everything_and_is_off_at_zero(one_site: EnvoyPlan) -> None:
    limited = replace(one_site, requests_per_second=7)
    assert names(limited)[0].endswith("local_ratelimit")
    assert names(limited)[1:] == names(one_site)
    options = manager(limited)["http_filters"][0]["typed_config"]
    (descriptor,) = options["descriptors"]
    assert descriptor["token_bucket"] == {
        "max_tokens": 7 * BURST_S,
        "tokens_per_fill": 7,
        "fill_interval": "1s",
    }
    assert "value" not in descriptor["entries"][0]
    assert options["always_consume_default_token_bucket"] is False
