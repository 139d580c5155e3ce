"""A server that dies drops out, takes only its own connections with it, and comes back by itself."""

import time

import pytest

from daemons import pools_of_both_families, service_document
from load import Load, load, open_many
from support import FULL, SLACK, WEB, WEB6, wait_until


def probing(lab):
    """The figures of the promise: a probe a second, half a second for an answer, three in a row."""
    document = service_document(lab)
    document["pools"]["web"]["health"]["timeout"] = "500ms" if FULL else "1s"
    return document


FALL_SECONDS = 3 * 1.0 + (0.5 if FULL else 1.0)


def kill_and_watch(lab, daemons, server, address=WEB):
    """Kills the server under load. Returns how long new connections still went to it."""
    opening = Load(lab, "c2", "open", address=address, connections=0, concurrency=100, rate=100, timeout_ms=10000)
    try:
        wait_until("connections are made", lambda: daemons.backend(server)["effective"] == "up")
        killed = time.monotonic()
        lab.kill(server)
        daemons.wait_effective(server, "unhealthy", FALL_SECONDS * 3 + 10)
        time.sleep(0.5)  # of new connections after the change
        seen = opening.result()
    finally:
        opening.cancel()
    assert all(failure["at"] >= killed - 1 for failure in seen["failures"])
    return max([failure["at"] - killed for failure in seen["failures"]], default=0.0)


@pytest.mark.daemons(document=probing)
def test_only_connections_of_a_killed_server_break(lab, daemons):
    with load(lab, "c1", "hold", connections=200, interval_ms=200, timeout_ms=15000) as held:
        last = kill_and_watch(lab, daemons, "s1")
    broken = [one for one in held.seen["held"] if one["broken"]]
    assert broken and {one["server"] for one in broken} == {"s1"}
    assert held.seen["moved"] == 0
    print("last new connection to it after", round(last, 3), "s")
    assert last <= FALL_SECONDS + 0.1 * SLACK, f"new connections reached it {last} s after"

    after = open_many(lab, 400)
    assert after["failed"] == 0 and "s1" not in after["servers"]

    lab.start("s1")
    daemons.wait_effective("s1", "up")
    again = open_many(lab, 400)
    assert again["failed"] == 0 and again["servers"].get("s1", 0) > 0


@pytest.mark.skipif(not FULL, reason="20 trials of several seconds each: MAGLB_FULL=1")
@pytest.mark.daemons(document=probing)
def test_a_killed_server_gets_no_connection_after_its_time(lab, daemons):
    times = []
    for trial in range(20):
        server = lab.servers[trial % len(lab.servers)]
        times.append(kill_and_watch(lab, daemons, server))
        lab.start(server)
        daemons.wait_effective(server, "up")
    times.sort()
    print("dropped out after", times)
    assert times[18] <= FALL_SECONDS + 0.1, times


@pytest.mark.daemons(document=probing)
def test_a_server_that_only_hangs_is_taken_out_too(lab, daemons):
    lab.stop("s2")
    daemons.wait_effective("s2", "unhealthy", 30)
    seen = open_many(lab, 400)
    assert seen["failed"] == 0 and "s2" not in seen["servers"]
    lab.cont("s2")
    daemons.wait_effective("s2", "up", 30)


def probing_ipv6(lab):
    """IPv6 from the client to the probe, no IPv4 anywhere."""
    document = probing(lab)
    document["pools"] = {"web": document["pools"]["web"]}
    document["pools"]["web"]["backends"] = pools_of_both_families(lab)["web6"]["backends"]
    document["services"] = [
        {"name": "web", "address": WEB6, "protocol": "tcp", "port": 80, "pool": "web", "forward": "ipip"}
    ]
    return document


@pytest.mark.daemons(document=probing_ipv6)
def test_a_killed_server_drops_out_and_comes_back_over_ipv6(lab, daemons):
    with load(lab, "c1", "hold", address=WEB6, connections=40, interval_ms=200, timeout_ms=15000) as held:
        last = kill_and_watch(lab, daemons, "s1", WEB6)
    assert {one["server"] for one in held.seen["held"] if one["broken"]} == {"s1"}
    assert held.seen["moved"] == 0
    assert last <= FALL_SECONDS + 0.1 * SLACK, f"new connections reached it {last} s after"

    after = open_many(lab, 400, address=WEB6)
    assert after["failed"] == 0 and "s1" not in after["servers"]

    lab.start("s1")
    daemons.wait_effective("s1", "up")
    again = open_many(lab, 400, address=WEB6)
    assert again["failed"] == 0 and again["servers"].get("s1", 0) > 0


def test_when_every_backend_fails_the_last_table_stays_loudly(lab, daemons):
    for server in lab.servers:
        lab.kill(server)
    wait_until("the pool says so", lambda: daemons.ctl_json("pool", "show", "web")["stale"], 30)
    assert daemons.ctl_json("status")["warnings"]
    for server in lab.servers:
        lab.start(server)
    # Clients are served again as soon as servers are there, whatever the probes know yet.
    wait_until("a server answers", lambda: lab.curl("c1", f"http://{WEB}/", timeout=2), 30)
    wait_until("all are up", lambda: daemons.ctl_json("pool", "show", "web")["backends_up"] == len(lab.servers), 60)
