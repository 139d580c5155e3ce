"""Backends come, go and change weight under load; nobody else's connection notices."""

import copy

from load import load, open_many
from support import WEB, figure


def broken_of(seen, servers):
    return [one for one in seen["held"] if one["broken"] and one["server"] in servers]


def test_changes_break_no_connection_of_an_untouched_backend(lab, daemons):
    turns = figure(100, 15)
    with load(lab, "c1", "hold", connections=200, interval_ms=100, timeout_ms=15000) as held:
        with load(lab, "c2", "open", connections=0, concurrency=20, rate=100, timeout_ms=15000) as opened:
            for turn in range(turns):
                daemons.ctl("backend", "remove", "web", "s4")
                daemons.ctl("backend", "weight", "web", "s3", str(50 + turn % 100))
                daemons.ctl("backend", "add", "web", "s4", lab.address_of("s4"), "--weight", "100")
    # s4 is the one that was removed: what was on it may break, and so may what was just being opened to it.
    assert broken_of(held.seen, {"s1", "s2", "s3"}) == []
    assert held.seen["moved"] == 0
    assert opened.seen["ok"] > 0
    assert opened.seen["failed"] <= 2 * turns, opened.seen["failures"][:5]


def test_a_new_backend_gets_its_share(lab, daemons):
    daemons.change("backend", "remove", "web", "s4")
    seen = open_many(lab, 400)
    assert seen["failed"] == 0 and "s4" not in seen["servers"]
    daemons.change("backend", "add", "web", "s4", lab.address_of("s4"))
    daemons.wait_effective("s4", "up")
    seen = open_many(lab, 400)
    assert seen["failed"] == 0 and seen["servers"].get("s4", 0) > 0


def test_a_drained_backend_keeps_its_connections_and_gets_no_new_ones(lab, daemons):
    with load(lab, "c1", "hold", connections=200, interval_ms=100, timeout_ms=15000) as held:
        daemons.change("backend", "drain", "web", "s1")
        daemons.wait_effective("s1", "drain")
        seen = open_many(lab, 2000)
    assert seen["failed"] == 0 and "s1" not in seen["servers"]
    assert held.seen["failed"] == 0 and held.seen["moved"] == 0
    assert held.seen["servers"].get("s1", 0) > 0, "the test needs connections on the drained server"
    daemons.change("backend", "up", "web", "s1")
    daemons.wait_effective("s1", "up")
    assert open_many(lab, 400)["servers"].get("s1", 0) > 0


def test_a_backend_that_is_down_gets_nothing(lab, daemons):
    daemons.change("backend", "down", "web", "s3")
    daemons.wait_effective("s3", "down")
    seen = open_many(lab, 400)
    assert seen["failed"] == 0 and "s3" not in seen["servers"]


def test_the_order_of_the_file_changes_nothing(lab, daemons):
    before = {b["name"]: b["slots"] for b in daemons.ctl_json("pool", "show", "web")["backends"]}
    with load(lab, "c1", "hold", connections=100, interval_ms=100, timeout_ms=15000) as held:
        document = copy.deepcopy(daemons.document)
        document["pools"]["web"]["backends"].reverse()
        daemons.write(document)
        daemons.change("config", "apply", str(daemons.config))
    assert {b["name"]: b["slots"] for b in daemons.ctl_json("pool", "show", "web")["backends"]} == before
    assert held.seen["failed"] == 0 and held.seen["moved"] == 0


def test_flow_lookup_names_the_server_that_answers(lab, daemons):
    """The tables are asked about a connection before it is made. From ports that no other test's
    connections were given."""
    for port in range(501, 506):
        answer = daemons.ctl_json("flow", "lookup", "tcp", "192.0.2.11", str(port), WEB, "80")
        assert lab.curl("c1", f"http://{WEB}/", "--local-port", str(port)) == answer["backend"]
    assert daemons.ctl_json("flow", "summary")["flows"] > 0
