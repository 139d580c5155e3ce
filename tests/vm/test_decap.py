"""maglb-decap under a stock kernel, whose verifier is another than this machine's, in place of a tunnel device.

The packets are made by the RFCs and come straight from the balancer's namespace; the socket behind must
get what was in them.
"""

import json

import pytest
from scapy.layers.l2 import Ether

from forwards import FORWARDS
from network import GUEST_MAC
from support import program, wait_until
from test_judge import asked, query, send, tunnelled

SOURCES = ["--from", "10.0.0.0/24"]
SOURCES6 = ["--from", "2001:db8:1::/64"]


def named(forward):
    return forward.name


def decapsulated(guest):
    """How many packets it says that it has stripped, and how many it has not."""
    status = guest.run(program("maglb-decap"), "status", "--interface", "eth0", "-o", "json")
    counters = json.loads(status)["interfaces"][0]["counters"]
    stripped = counters.pop("decapsulated")
    return stripped, sum(counters.values())


@pytest.mark.parametrize("mode", ["xdp", "tc"])
@pytest.mark.parametrize("forward", FORWARDS, ids=named)
def test_strips(forward, mode, network, guest, backend):
    tool = program("maglb-decap")
    sources = SOURCES if forward.outer == 4 else SOURCES6
    guest.run(tool, "attach", "--interface", "eth0", "--mode", mode, *sources, *forward.decap_options)
    try:
        before = asked(backend, forward.inner)
        send(network, Ether(dst=GUEST_MAC) / tunnelled(forward, query(forward.inner)))
        wait_until("the datagram arrives", lambda: asked(backend, forward.inner) == before + 1, 5)
        assert decapsulated(guest) == (1, 0)
    finally:
        guest.run(tool, "detach", "--interface", "eth0")
