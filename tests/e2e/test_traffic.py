"""Clients reach servers through the balancer, evenly, and nothing is lost on the way."""

import hashlib
import json
import time

import pytest

from load import Load, open_many, wrk
from support import DNS, FULL, WEB, figure


def test_every_server_answers_through_the_service(lab, daemons):
    seen = open_many(lab, 400)
    assert seen["failed"] == 0, seen["failures"][:5]
    assert set(seen["servers"]) == set(lab.servers)


def test_backends_see_the_address_of_the_client(lab, daemons):
    since = time.time()
    server = lab.curl("c2", f"http://{WEB}/")
    rows = lab.requests(server, since - 1)
    assert any((row["client"], row["address"]) == ("192.0.2.12", WEB) for row in rows)


def test_l2_forwarding_reaches_every_server(lab, daemons):
    seen = open_many(lab, 400, address=DNS)
    assert seen["failed"] == 0, seen["failures"][:5]
    assert set(seen["servers"]) == set(lab.servers)


# Sends from 200 ports, says who answered each and from where. Runs inside a client.
UDP_CLIENT = """
import json, socket, sys
answers = {}
for n in range(200):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(1)
        s.connect((sys.argv[1], 53))  # takes answers from the service's address only
        servers = set()
        for turn in range(3):
            for attempt in range(10):
                try:
                    payload = b"%d-%d-%d" % (n, turn, attempt)
                    s.send(payload)
                    server, _, echo = s.recv(2000).partition(b":")
                    if echo == payload:
                        servers.add(server.decode())
                        break
                except socket.timeout:
                    pass
        answers[n] = sorted(servers)
print(json.dumps(answers))
"""


def test_udp_comes_back_and_a_flow_keeps_its_server(lab, daemons):
    done = lab.run("c1", "/usr/bin/python3", "-c", UDP_CLIENT, DNS, timeout=300)
    answers = json.loads(done.stdout)
    assert [n for n, servers in answers.items() if len(servers) != 1] == []
    assert {servers[0] for servers in answers.values()} == set(lab.servers)


def test_no_request_fails_at_a_thousand_connections(lab, daemons):
    figures = wrk(lab, "c1", seconds=figure(60, 8), connections=1000)
    print("wrk:", figures)
    assert figures["requests"] > 1000
    errors = {kind: n for kind, n in figures.items() if kind != "requests" and n}
    assert errors == {}, figures


@pytest.mark.parametrize(
    "weights",
    [{}, {"s1": 50, "s2": 100, "s3": 150, "s4": 100}],
    ids=["equal", "unequal"],
)
def test_shares_of_new_connections_follow_the_weights(lab, daemons, weights):
    for server, weight in weights.items():
        daemons.change("backend", "weight", "web", server, str(weight))
    connections = 40_000
    seen = open_many(lab, connections, concurrency=50)
    print("new connections:", seen["servers"])
    assert seen["failed"] == 0, seen["failures"][:5]
    total = sum(weights.get(server, 100) for server in lab.servers)
    for server in lab.servers:
        expected = connections * weights.get(server, 100) / total
        share = seen["servers"].get(server, 0) / expected
        assert abs(share - 1) <= figure(0.05, 0.08), seen["servers"]


def test_a_post_of_10_mb_passes_ipip_at_mtu_1500(lab, daemons, tmp_path):
    body = tmp_path / "body"
    body.write_bytes(b"maglb" * 2_000_000)
    before = daemons.totals()["originated"]
    answer = lab.curl("c1", f"http://{WEB}/upload", "--data-binary", f"@{body}", "-H", "Expect:", timeout=60)
    assert answer.endswith(" took 10000000 bytes"), answer
    # A full segment and the outer header do not fit: the client was told a smaller MTU.
    assert daemons.totals()["originated"] > before


def test_a_download_of_10_mb_is_what_the_server_holds(lab, daemons):
    digest = lab.run("c1", "sh", "-c", f"curl -sS -m 60 http://{WEB}/big | md5sum", timeout=90).stdout.split()[0]
    with open(f"/run/maglb-lab/{lab.prefix}/www/big", "rb") as file:
        assert digest == hashlib.md5(file.read()).hexdigest()


def test_the_balancers_own_traffic_stays_with_its_kernel(lab, daemons):
    """Addresses that are no service's: ssh to the machine must work as before."""
    lab.run("c1", "ping", "-c", "2", "-W", "5", "10.0.0.2")
    assert lab.curl("lb", f"http://{lab.address_of('s1')}/") == "s1"


def test_maglbctl_answers_while_the_workers_are_busy(lab, daemons):
    one = Load(lab, "c1", "open", connections=0, concurrency=200)
    try:
        taken = []
        for _ in range(20):
            start = time.monotonic()
            daemons.ctl("stats")
            taken.append(time.monotonic() - start)
        print("maglbctl stats took", sorted(round(one * 1000, 1) for one in taken), "ms")
        # A load generator, nginx, probes and a worker share the machine's cores with it.
        assert sorted(taken)[len(taken) // 2] < 0.05 * (1 if FULL else 20), taken
        seen = one.result()
        assert seen["ok"] > 0 and seen["failed"] == 0, seen["failures"][:5]
    finally:
        one.cancel()


def test_icmp_echo_to_a_service_does_not_stop_it(lab, daemons):
    lab.run("c1", "ping", "-c", "1", "-W", "1", WEB, check=False)
    assert lab.curl("c1", f"http://{WEB}/") in lab.servers


def test_a_port_without_a_service_is_not_forwarded(lab, daemons):
    done = lab.run("c1", "curl", "-s", "-m", "1", f"http://{WEB}:81/", check=False)
    assert done.returncode != 0
