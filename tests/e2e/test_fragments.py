"""Fragmented UDP of both families, both ways: all pieces of a datagram reach the server of its flow, whole.

Requests come in pieces of 1500 bytes, which do not fit into a tunnel: with `oversize: inner` those of IPv4
are fragmented once more, each piece in a packet of its own; the senders of IPv6 are told. Answers go straight
to the client, in pieces, too.
"""

import json

import pytest

from daemons import pools_of_both_families
from support import needs

# mode, family of the client, family of the tunnel
CASES = [("ipip", 4, 4), ("ipip", 6, 6), ("gue", 4, 6), ("gre", 6, 4), ("l2", 4, 4), ("l2", 6, 6)]


def name_of(case):
    return "{}-v{}-over-v{}".format(*case)


def address_of(case):
    number = 60 + CASES.index(case)
    return f"198.51.100.{number}" if case[1] == 4 else f"2001:db8:f::{number}"


def echoes(lab):
    services = []
    for case in CASES:
        mode, _, tunnel = case
        one = {"name": name_of(case), "address": address_of(case), "protocol": "udp", "port": 53, "forward": mode}
        one["pool"] = "web" if tunnel == 4 else "web6"
        if mode != "l2":
            one["oversize"] = "inner"
        services.append(one)
    return {"version": 1, "seed": 7, "pools": pools_of_both_families(lab), "services": services}


daemons_options = {"document": echoes, "workers": 2}


@pytest.fixture(scope="module")
def served(lab):
    with lab.served(*map(address_of, CASES)):
        yield


# From each of 40 ports: a small datagram, then big ones. Writes who answered each port, and how often
# something had to be sent again.
CLIENT = """
import json, os, socket, sys
address = sys.argv[1]
family = socket.AF_INET6 if ":" in address else socket.AF_INET
answers, again = [], 0
for n in range(40):
    with socket.socket(family, socket.SOCK_DGRAM) as s:
        s.settimeout(1)
        s.connect((address, 53))
        servers = []
        for size in (10, 4000, 8000, 100):
            payload = os.urandom(size)
            for attempt in range(5):
                try:
                    s.send(payload)
                    server, _, echo = s.recv(65535).partition(b":")
                    while echo != payload:
                        server, _, echo = s.recv(65535).partition(b":")
                    servers.append(server.decode())
                    break
                except OSError:
                    again += 1
                    if again > 10:
                        sys.exit("no answers")
        answers.append(servers)
print(json.dumps([answers, again]))
"""


@needs("fragments")
@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_datagrams_in_pieces_pass_both_ways(lab, shared_daemons, served, case):
    done = lab.run("c1", "/usr/bin/python3", "-c", CLIENT, address_of(case), timeout=60)
    answers, again = json.loads(done.stdout)
    print(f"sent again: {again} of {4 * len(answers)}")
    assert [servers for servers in answers if len(servers) != 4 or len(set(servers)) != 1] == []
    assert {servers[0] for servers in answers} == set(lab.servers)
    # One that the sender had to be told about, and what a busy machine loses.
    assert again <= 4
    shared_daemons.check_equation()


# A whole packet of 1500 bytes that says itself that it may be fragmented.
WITHOUT_DF = """
import os, socket, sys
IP_MTU_DISCOVER, IP_PMTUDISC_DONT = 10, 0
for n in range(40):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT)
        s.settimeout(1)
        s.connect((sys.argv[1], 53))
        payload = os.urandom(1472)
        for attempt in range(3):
            try:
                s.send(payload)
                assert s.recv(65535).partition(b":")[2] == payload
                break
            except socket.timeout:
                pass
        else:
            raise SystemExit("no answer")
"""


@pytest.mark.parametrize("case", [case for case in CASES if case[0] != "l2" and case[1] == 4], ids=name_of)
def test_a_packet_that_may_be_fragmented_is_cut_for_the_tunnel(lab, shared_daemons, served, case):
    lab.run("c2", "/usr/bin/python3", "-c", WITHOUT_DF, address_of(case))
    shared_daemons.check_equation()
