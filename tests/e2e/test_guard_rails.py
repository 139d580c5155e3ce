"""Each guard rail, with the disaster that it is there for.

A server dies by SIGKILL, or its probes do: cut() sends what the balancer's kernel sends to a server's probed
port into a hole, and the data path goes on.
"""

import contextlib
import json
import time

import pytest

from api import Api
from daemons import service_document
from hole import cut as hole_for, hole
from load import load, open_many
from support import DNS, WEB, wait_until
from wire import ACK, SYN, TCP, UDP, Capture, Opener, Steady, packet

daemons_options = {}
PROBED = 8009
HEALTH = {"type": "tcp", "port": PROBED, "interval": "200ms", "timeout": "200ms", "rise": 1, "fall": 3}
# Clients that do not exist: what servers answer them is lost, and their flows are only ours.
NOBODY = "192.0.2.250"


@pytest.fixture(scope="module", autouse=True)
def a_hole(lab):
    with hole(lab):
        yield


def cut(lab, *servers):
    """Takes the probes to these servers off the network, and nothing else."""
    return hole_for(lab, PROBED, *[lab.address_of(server) for server in servers])


def backends(lab, *servers):
    return [{"name": server, "address": lab.address_of(server)} for server in servers or lab.servers]


def service(name, port, pool="rail", **more):
    one = {"name": name, "address": WEB, "protocol": "tcp", "port": port, "pool": pool, "forward": "ipip"}
    return one | more


@pytest.fixture
def serve(lab, shared_daemons):
    """serve(pools, services, ...) makes these run, every backend known; returns the API."""
    daemons = shared_daemons
    lab.mend_all()
    api = Api(daemons)

    def start(pools, services, **top):
        document = service_document(lab)
        document["pools"]["web"]["health"] = {"type": "none"}
        document["pools"] |= {name: {"health": HEALTH} | pool for name, pool in pools.items()}
        document["services"] += services
        daemons.write(json.loads(json.dumps(document | top)))  # without aliases
        daemons.change("config", "apply", str(daemons.config))
        wait_until("all are healthy", lambda: all(health_of(api, pool) <= {"healthy"} for pool in pools), 30)
        daemons.wait_published()
        return api

    yield start
    api.close()


def pool_of(api, pool):
    return api.get(f"/v1/pools/{pool}")


def effective_of(api, pool):
    return {one["name"]: one["effective"] for one in pool_of(api, pool)["backends"]}


def health_of(api, pool):
    return {one["health"] for one in pool_of(api, pool)["backends"]}


def texts(api, after, kind):
    return [event["text"] for event in api.events(after, kind)]


def wait_effective(daemons, api, pool, **wanted):
    wait_until(
        f"{pool}: {wanted}",
        lambda: all(effective_of(api, pool)[name] == state for name, state in wanted.items()), 30,
    )  # fmt: skip
    daemons.wait_published()


def test_in_panic_all_are_treated_as_healthy(lab, shared_daemons, serve):
    """Probes fail where the servers are well: below min_healthy nobody leaves, and those who left return."""
    api = serve({"rail": {"backends": backends(lab), "min_healthy": 3}}, [service("rail", 8001)])
    after = api.last_event()
    with cut(lab, "s1"):
        wait_effective(shared_daemons, api, "rail", s1="unhealthy")
        assert not pool_of(api, "rail")["panic"]
        assert "s1" not in open_many(lab, 200, port=8001)["servers"]
        with cut(lab, "s2"):
            wait_until("the pool is in panic", lambda: pool_of(api, "rail")["panic"], 30)
            wait_effective(shared_daemons, api, "rail", s1="up", s2="up")
            assert [one["panic"] for one in pool_of(api, "rail")["backends"]] == [True, True, False, False]
            assert any("rail" in line for line in api.get("/v1/status")["warnings"])
            seen = open_many(lab, 400, port=8001)
            assert seen["failed"] == 0 and set(seen["servers"]) == set(lab.servers)
        wait_effective(shared_daemons, api, "rail", s1="unhealthy", s2="up")
    wait_effective(shared_daemons, api, "rail", s1="up")
    assert [text.split(":")[0] for text in texts(api, after, "panic")] == ["panic", "panic is over"]


def test_the_fallback_serves_while_all_are_dead(lab, shared_daemons, serve):
    api = serve(
        {"rail": {"backends": backends(lab, "s1", "s2", "s3"), "fallback": "sorry"},
         "sorry": {"backends": backends(lab, "s4")}},
        [service("rail", 8001)],
    )  # fmt: skip
    after = api.last_event()
    assert "s4" not in open_many(lab, 200, port=8001)["servers"]
    for server in ("s1", "s2", "s3"):
        lab.kill(server)
    wait_until("the fallback serves", lambda: pool_of(api, "rail")["fallback_serves"], 30)
    shared_daemons.wait_published()
    with load(lab, "c1", "hold", port=8001, connections=20, interval_ms=100, timeout_ms=15000) as held:
        seen = open_many(lab, 200, port=8001)
        assert seen["failed"] == 0 and set(seen["servers"]) == {"s4"}
        for server in ("s1", "s2", "s3"):
            lab.start(server)
        wait_effective(shared_daemons, api, "rail", s1="up", s2="up", s3="up")
        assert not pool_of(api, "rail")["fallback_serves"]
        seen = open_many(lab, 200, port=8001)
        assert seen["failed"] == 0 and set(seen["servers"]) == {"s1", "s2", "s3"}
    assert held.seen["failed"] == 0 and held.seen["moved"] == 0, held.seen["failures"][:3]
    assert {one["server"] for one in held.seen["held"]} == {"s4"}
    assert len(texts(api, after, "fallback")) == 2


def test_nobody_leaves_when_all_probes_fail_together(lab, shared_daemons, serve):
    patient = HEALTH | {"fall": 20}
    api = serve({"rail": {"backends": backends(lab), "health": patient}}, [service("rail", 8001)])
    after, generation = api.last_event(), api.get("/v1/status")["generation"]
    with cut(lab, *lab.servers):
        wait_until("a hold begins", lambda: texts(api, after, "hold"), 30)
        assert any("hold" in line or "held" in line for line in api.get("/v1/status")["warnings"])
        seen = open_many(lab, 400, port=8001)
        assert seen["failed"] == 0 and set(seen["servers"]) == set(lab.servers)
        assert set(effective_of(api, "rail").values()) == {"up"}
    wait_until("the hold is over", lambda: len(texts(api, after, "hold")) == 2, 30)
    assert "succeeded" in texts(api, after, "hold")[1]
    assert texts(api, after, "health") == []
    assert api.get("/v1/status")["generation"] == generation, "no table was touched"
    # And then probes are judged as ever.
    with cut(lab, "s1"):
        wait_effective(shared_daemons, api, "rail", s1="unhealthy", s2="up", s3="up", s4="up")


@pytest.mark.parametrize("wish", ["hold", "act"])
def test_a_hold_is_not_for_ever_and_not_for_who_wants_none(lab, shared_daemons, serve, wish):
    api = serve({"rail": {"backends": backends(lab)}}, [service("rail", 8001)], network_failure=wish)
    after = api.last_event()
    with cut(lab, *lab.servers):
        wait_until("the last table stays", lambda: pool_of(api, "rail")["stale"], 30)
        holds = texts(api, after, "hold")
        assert (len(holds) == 2 and "count as dead" in holds[1]) if wish == "hold" else holds == []
        seen = open_many(lab, 200, port=8001)
        assert seen["failed"] == 0
        # Where there was a hold, all left together, and so nobody did.
        assert wish == "act" or set(seen["servers"]) == set(lab.servers)
    wait_until("all are healthy", lambda: health_of(api, "rail") == {"healthy"}, 30)


def test_a_drain_ends_at_its_deadline_as_configured(lab, shared_daemons, serve):
    pools = {
        end: {"backends": backends(lab), "drain_timeout": "1500ms", "drain_end": end} for end in ("close", "leave")
    }
    api = serve(pools, [service("close", 8001, "close"), service("leave", 8002, "leave")])
    after = api.last_event()
    with contextlib.ExitStack() as stack:
        held = {
            end: stack.enter_context(
                load(lab, "c1", "hold", port=port, connections=60, interval_ms=100, timeout_ms=15000)
            )
            for end, port in (("close", 8001), ("leave", 8002))
        }
        drained = time.monotonic()
        for end in pools:
            api.ask("PATCH", f"/v1/pools/{end}/backends/s1", {"state": "drain"})
        wait_effective(shared_daemons, api, "close", s1="drain")
        assert "s1" not in open_many(lab, 200, port=8001)["servers"]
        wait_effective(shared_daemons, api, "close", s1="down")
        wait_effective(shared_daemons, api, "leave", s1="drain")
        time.sleep(0.5)  # a few requests on each connection
    broken = {one["server"] for one in held["close"].seen["held"] if one["broken"]}
    assert broken == {"s1"}
    assert all(failure["at"] - drained > 1.4 for failure in held["close"].seen["failures"]), "before its time"
    assert all(one["broken"] for one in held["close"].seen["held"] if one["server"] == "s1")
    assert held["leave"].seen["failed"] == 0 and held["leave"].seen["moved"] == 0
    assert "s1" in held["leave"].seen["servers"]
    assert sum("deadline has passed" in text for text in texts(api, after, "drain")) == 2


def test_a_backend_that_returns_gets_its_share_slowly(lab, shared_daemons, serve):
    ramp = 2.0
    api = serve({"rail": {"backends": backends(lab), "slow_start": "2s"}}, [service("rail", 8001)])
    after = api.last_event()
    weights = set()
    with Capture(lab) as frames:
        with Steady(lab, "c1", WEB, port=8001, rate=1000):
            with cut(lab, "s1"):
                wait_effective(shared_daemons, api, "rail", s1="unhealthy")

            def ended():
                weights.add(pool_of(api, "rail")["backends"][0]["effective_weight"])
                return any(text.startswith("ended") for text in texts(api, after, "ramp"))

            wait_until("the ramp has ended", ended, 30)
            time.sleep(1)
        seen = [one for one in frames.read() if one.flags == SYN]
        assert frames.dropped() == 0
    began, finished = (event["time"] for event in api.events(after, "ramp"))
    assert finished - began >= ramp * 0.85

    def share(begin, end):
        to = [one.backend for one in seen if begin <= one.at < end]
        assert len(to) > 100, "too few flows to tell"
        return to.count("s1") / len(to)

    first, last, then = share(began, began + ramp / 3), share(finished - ramp / 3, finished), share(finished, 1e12)
    print(f"shares of s1: {first:.3f} at first, {last:.3f} at last, {then:.3f} then; weights {sorted(weights)}")
    # A tenth to three tenths of the weight at first, so 3 to 9 % of the flows; then 25 %.
    assert first < last < then + 0.05 and 2 * first < then
    assert abs(then - 0.25) < 0.08
    assert len(weights) >= 4 and max(weights) == 100 and 10 in weights


def test_a_backend_gets_no_more_connections_than_it_may(lab, shared_daemons, serve):
    timeouts = {"closing": "100ms", "opening": "1s"}
    api = serve(
        {"bounded": {"backends": backends(lab), "max_connections": 5}},
        [service("bounded", 8001, "bounded", timeouts=timeouts)],
    )
    dropped = shared_daemons.totals()["dropped"].get("backends_full", 0)
    with load(lab, "c1", "hold", port=8001, connections=40, interval_ms=100, timeout_ms=2500) as held:
        shown = pool_of(api, "bounded")["backends"]
        assert [one["flows"] for one in shown] == [5, 5, 5, 5]
    assert held.seen["servers"] == {server: 5 for server in lab.servers}
    assert held.seen["failed"] == 20
    assert sum(one["refused"] for one in pool_of(api, "bounded")["backends"]) >= 20
    assert shared_daemons.totals()["dropped"]["backends_full"] - dropped >= 20
    wait_until("there is room again", lambda: lab.curl("c1", f"http://{WEB}:8001/", timeout=1, check=False), 30)


def opened_flows(opener, frames, services):
    """Flows from 60 ports to each service (address, port, protocol), established; and the backend of each."""
    flows = [(number, *one) for one in services for number in range(30000, 30060)]
    for flags in (SYN, ACK):
        went = went_to(opener, frames, flows, flags)
    return flows, went


def went_to(opener, frames, flows, flags=ACK):
    frames.read()
    for source_port, address, port, protocol in flows:
        opener.send(packet(NOBODY, source_port, address, port, flags, protocol))
    went = {}

    def all_came():
        went.update({(one.source_port, one.destination, one.port, one.protocol): one.backend for one in frames.read()})
        return len(went) == len(flows)

    wait_until("every packet left the balancer", all_came, 10, every=0.01)
    return went


def test_flows_of_a_dead_backend_move_or_stay_as_the_service_says(lab, shared_daemons, serve):
    """And datagrams never stay, whatever it says."""
    api = serve(
        {"rail": {"backends": backends(lab)}},
        [service("moved", 8001),
         service("kept", 9000, address="198.51.100.3", protocol="any", on_failure="keep"),
         service("datagrams", 8001, address=DNS, protocol="udp", forward="l2")],
    )  # fmt: skip
    moved, kept = (WEB, 8001, TCP), ("198.51.100.3", 9000, TCP)
    datagrams = [("198.51.100.3", 9000, UDP), (DNS, 8001, UDP)]
    opener = Opener(lab, "c1")
    with Capture(lab) as frames:
        flows, before = opened_flows(opener, frames, [moved, kept, *datagrams])
        lab.kill("s1")
        wait_effective(shared_daemons, api, "rail", s1="unhealthy")
        now = went_to(opener, frames, flows)
        lab.start("s1")
        wait_effective(shared_daemons, api, "rail", s1="up")
        later = went_to(opener, frames, flows)
    opener.close()
    for kind in (moved, kept, *datagrams):
        mine = [flow for flow in flows if flow[1:] == kind]
        of_it = [flow for flow in mine if before[flow] == "s1"]
        assert of_it, kind
        assert all(now[flow] == before[flow] for flow in mine if flow not in of_it), kind
        stayed = {flow for flow in of_it if now[flow] == "s1"}
        assert stayed == (set(of_it) if kind == kept else set()), kind
        # Back from the dead it gets none of the old ones.
        assert all(later[flow] == now[flow] for flow in mine), kind
