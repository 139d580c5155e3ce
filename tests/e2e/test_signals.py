"""Passive signals: a server whose listener is gone answers SYNs with resets. That shows in its backend's counters,
and in no other's, also where the resets do not pass maglb."""

import json

import pytest

from support import WEB, program, wait_until

NAT = "198.51.100.90"
DEAD = "s2"
DEAF = "s3"
CONNECTIONS = 200


def document(lab):
    backends = [{"name": server, "address": lab.address_of(server)} for server in lab.servers]
    pools = ("direct", "translated", "tunnelled", "silent")
    return {
        "version": 1,
        "seed": 7,
        # Short, so that flows lapse soon; long enough for an answer of a busy machine.
        "timeouts": {"opening": "3s"},
        "pools": {pool: {"health": {"type": "none"}, "passive": pool != "silent",
                         "backends": [dict(backend) for backend in backends]} for pool in pools},
        "services": [
            {"name": "direct", "address": WEB, "protocol": "tcp", "port": 80, "pool": "direct", "forward": "ipip"},
            {"name": "silent", "address": WEB, "protocol": "tcp", "port": 8000, "pool": "silent", "forward": "ipip"},
            {"name": "tunnelled", "address": WEB, "protocol": "tcp", "port": 8001, "pool": "tunnelled",
             "forward": "ipip"},
            {"name": "translated", "address": NAT, "protocol": "tcp", "port": 81, "backend_port": 80,
             "pool": "translated", "forward": "nat"},
        ],
    }  # fmt: skip


daemons_options = {"document": document, "workers": 2, "machine": {"nat_source": {"ipv4": "10.7.0.1"}}}

CLIENT = """
import json, socket, sys
address, port, connections = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
refused = other = 0
for _ in range(connections):
    try:
        socket.create_connection((address, port), 20).close()
    except ConnectionRefusedError:
        refused += 1
    except OSError:
        other += 1
print(json.dumps([refused, other]))
"""

# All at once, and for long enough to send each SYN twice.
PATIENT_CLIENT = """
import concurrent.futures, socket, sys
address, port, connections = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
def connect(_):
    try:
        socket.create_connection((address, port), 2).close()
    except OSError:
        pass
with concurrent.futures.ThreadPoolExecutor(connections) as pool:
    list(pool.map(connect, range(connections)))
"""


@pytest.fixture(scope="module")
def dead(lab, shared_daemons):
    """The daemons, with a server that refuses."""
    lab.kill(DEAD)
    yield shared_daemons
    lab.start(DEAD)


def refused_connections(lab, address, port):
    done = lab.run("c1", "/usr/bin/python3", "-c", CLIENT, address, str(port), str(CONNECTIONS), timeout=120)
    refused, other = json.loads(done.stdout)
    assert 0 < refused < CONNECTIONS and other == 0, done.stdout
    return refused


def backends_of(daemons, pool):
    return {one["name"]: one for one in daemons.ctl_json("pool", "show", pool)["backends"]}


def shares(daemons, pool, *counters):
    """By server, how many of its new flows these have counted."""
    return {name: sum(one["signals"][counter] for counter in counters) / max(one["new_flows"], 1)
            for name, one in backends_of(daemons, pool).items()}  # fmt: skip


def expect_one_stands_out(found):
    assert found[DEAD] > 0.9, found
    assert max(share for name, share in found.items() if name != DEAD) < 0.1, found


def test_with_direct_return_its_flows_lapse(lab, dead):
    refused = refused_connections(lab, WEB, 80)
    wait_until("they lapse", lambda: backends_of(dead, "direct")[DEAD]["signals"]["lapsed"] >= refused)
    expect_one_stands_out(shares(dead, "direct", "lapsed"))
    # The reset went past maglb.
    assert all(one["signals"]["refused"] == 0 for one in backends_of(dead, "direct").values())
    assert backends_of(dead, "direct")[DEAD]["effective"] == "up", "signals decide nothing"


def test_through_nat_they_are_refused(lab, dead):
    refused = refused_connections(lab, NAT, 81)
    wait_until("they count", lambda: backends_of(dead, "translated")[DEAD]["signals"]["refused"] >= refused)
    expect_one_stands_out(shares(dead, "translated", "refused"))
    assert max(shares(dead, "translated", "lapsed").values()) < 0.1


@pytest.fixture
def deaf(lab, dead):
    """The daemons, with a server that takes no tunnel."""
    decap = [program("maglb-decap"), "attach", "--interface", "eth0"]
    lab.run(DEAF, decap[0], "detach", *decap[2:])
    # A client's kernel hashes a repeated SYN anew, and a veth's queues go by that, as no card's do.
    lab.aim_queues(0)
    yield dead
    lab.spread_queues()
    lab.run(DEAF, *decap, "--from", "10.0.0.0/24", "--from", "2001:db8::/64")


def test_a_tunnel_that_nobody_takes_is_refused_and_its_syns_are_repeated(lab, deaf):
    before = backends_of(deaf, "tunnelled")
    lab.run("c1", "/usr/bin/python3", "-c", PATIENT_CLIENT, WEB, "8001", str(CONNECTIONS))
    wait_until("they lapse", lambda: shares(deaf, "tunnelled", "lapsed")[DEAF] > 0.9)
    signals = {name: one["signals"] for name, one in backends_of(deaf, "tunnelled").items()}
    assert sum(before[DEAF]["signals"].values()) == 0
    assert signals[DEAF]["refused"] > 0, "its kernel says so, as often as it may"
    assert all(signals[name]["refused"] == 0 for name in signals if name != DEAF), signals
    assert shares(deaf, "tunnelled", "repeated")[DEAF] > 0.9
    assert shares(deaf, "tunnelled", "repeated")[DEAD] < 0.1


def test_people_see_it(lab, dead):
    refused_connections(lab, WEB, 80)
    shown = dead.ctl("backend", "show", "direct", DEAD).stdout
    assert [line.split()[0] for line in shown.splitlines()][-3:] == ["refused", "repeated", "lapsed"]
    heading = dead.ctl("-o", "wide", "backend", "list", "direct").stdout.splitlines()[0]
    assert heading.split()[-3:] == ["REFUSED", "REPEATED", "LAPSED"]


def test_a_pool_that_does_not_ask_has_none(lab, dead):
    assert all(one["signals"] is None for one in backends_of(dead, "silent").values())
    assert "lapsed" not in dead.ctl("backend", "show", "silent", DEAD).stdout
