"""Probes through the data path: a backend that takes no tunnel, or does not have the service's address, is
found by `via: tunnel` and by nothing else."""

import contextlib
import time

import pytest

from daemons import service_document
from support import DNS, SLACK, WEB, WEB6, program, wait_until

# fall * interval + timeout
DETECTION_SECONDS = 3 * 0.5 + 0.5
HEALTH = {"type": "http", "port": 80, "path": "/healthz", "interval": "500ms", "timeout": "500ms", "rise": 2, "fall": 3}


def services(pool, *forwards):
    """A service a forward mode on the addresses that the servers have."""
    addresses = {"ipip": WEB, "l2": DNS, "gue": WEB6, "gre": "2001:db8:f::2"}
    return [
        {"name": f"{pool}-{forward}", "address": addresses[forward], "protocol": "tcp", "port": port,
         "pool": pool, "forward": forward}
        for forward, port in forwards
    ]  # fmt: skip


def document(lab, *forwards):
    """Two pools of the same backends: web probed through its tunnels, plain directly."""
    both = service_document(lab)["pools"]
    backends = [dict(backend) for backend in both["web"]["backends"]]
    return {
        "version": 1,
        "pools": {
            "web": {"health": HEALTH | {"via": "tunnel"}, "backends": backends},
            "plain": {"health": HEALTH, "backends": [dict(backend) for backend in backends]},
        },
        "services": services("web", *forwards) + services("plain", *((forward, 8000) for forward, _ in forwards)),
    }


def by_ipip(lab):
    return document(lab, ("ipip", 80))


def by_l2(lab):
    return document(lab, ("l2", 80))


def decap(lab, server, command, *more):
    lab.run(server, program("maglb-decap"), command, "--interface", "eth0", *more)


def attach_decap(lab, server, *more):
    decap(lab, server, "attach", "--from", "10.0.0.0/24", "--from", "2001:db8::/64", *more)


@contextlib.contextmanager
def without_address(lab, server, address):
    lab.run(server, "ip", "address", "del", f"{address}/32", "dev", "lo")
    try:
        yield
    finally:
        lab.run(server, "ip", "address", "add", f"{address}/32", "dev", "lo")


def finds(lab, daemons, server):
    """Waits until web's probe has found the server. Returns how long that took."""
    began = time.monotonic()
    wait_until(
        f"{server} is found", lambda: daemons.backend(server)["effective"] == "unhealthy", DETECTION_SECONDS * 10
    )
    took = time.monotonic() - began
    print("found after", round(took, 3), "s")
    assert took <= DETECTION_SECONDS + 0.1 * SLACK
    return took


def is_unseen_by_a_plain_probe(daemons, server):
    # Long enough for it to have seen something, had there been anything for it.
    time.sleep(DETECTION_SECONDS)
    return daemons.backend(server, "plain")["effective"] == "up"


@pytest.mark.daemons(document=by_ipip)
def test_a_missing_decapsulator_is_found_through_the_tunnel_only(lab, daemons):
    assert daemons.ctl_json("status")["warnings"] == []
    decap(lab, "s1", "detach")
    finds(lab, daemons, "s1")
    assert is_unseen_by_a_plain_probe(daemons, "s1")
    assert all(daemons.backend(other)["effective"] == "up" for other in lab.servers[1:])
    attach_decap(lab, "s1")
    daemons.wait_effective("s1", "up")


@pytest.mark.daemons(document=by_ipip)
def test_a_missing_service_address_is_found_through_the_tunnel_only(lab, daemons):
    with without_address(lab, "s2", WEB):
        finds(lab, daemons, "s2")
        assert is_unseen_by_a_plain_probe(daemons, "s2")
    daemons.wait_effective("s2", "up")


@pytest.mark.daemons(document=by_l2)
def test_a_missing_service_address_is_found_by_l2_too(lab, daemons):
    with without_address(lab, "s3", DNS):
        finds(lab, daemons, "s3")
        assert is_unseen_by_a_plain_probe(daemons, "s3")
    daemons.wait_effective("s3", "up")


@pytest.mark.daemons(document=by_ipip)
def test_probes_travel_as_the_backends_traffic_does(lab, daemons):
    # Where they leave: the server's XDP program is before its capture.
    text = lab.run(
        "lb", "tcpdump", "-lnvvi", "lb0", "-Q", "out", "-c", "1", "ip proto 4 and dst 10.0.1.11", timeout=20
    ).stdout
    assert "10.0.0.2 > 10.0.1.11" in text and f"> {WEB}.80" in text and "ttl 64" in text, text
    assert "(correct)" in text and "incorrect" not in text and "bad cksum" not in text, text


@pytest.mark.daemons(document=by_ipip)
def test_rules_that_others_remove_are_mended(lab, daemons):
    lab.run("lb", "ip", "rule", "del", "pref", "90")
    wait_until("the rule is back", lambda: "0x6d600000" in lab.run("lb", "ip", "rule").stdout, 20)
    lab.run("lb", "ip", "link", "del", "maglb-probe0")
    wait_until("the device is back", lambda: lab.run("lb", "ip", "link", "show", "maglb-probe0"), 20)
    decap(lab, "s4", "detach")
    wait_until("s4 is found", lambda: daemons.backend("s4")["effective"] == "unhealthy", 30)
    attach_decap(lab, "s4")
    daemons.wait_effective("s4", "up")


@pytest.mark.daemons(document=by_ipip)
def test_a_fault_of_this_host_is_no_evidence_about_backends(lab, daemons):
    lab.run("lb", "ip", "address", "add", f"{WEB}/32", "dev", "lo")
    try:
        wait_until("the status says so", lambda: any(WEB in line for line in daemons.ctl_json("status")["warnings"]), 20)
        shown = daemons.backend("s1")
        assert shown["effective"] == "up" and shown["health"] == "unknown"
        assert "address of this host" in shown["reason"]
    finally:
        lab.run("lb", "ip", "address", "del", f"{WEB}/32", "dev", "lo")
    wait_until("probes go on", lambda: daemons.backend("s1")["health"] == "healthy", 20)
    assert daemons.ctl_json("status")["warnings"] == []
