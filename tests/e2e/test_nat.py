"""Services by nat: the backends know no service address, and what they learn of the client is in the PROXY
protocol's header."""

import hashlib
import json

import pytest

from daemons import pools_of_both_families
from far import NARROW_MTU
from support import in_url, needs, wait_until

pytestmark = needs("nat")

# What no server has on its lo.
ADDRESSES = {4: "198.51.100.90", 6: "2001:db8:f::5a"}
FAMILIES = pytest.mark.parametrize("family", [4, 6], ids=["ipv4", "ipv6"])
PLAIN, PROXY, CLAMPED = 81, 82, 83


def by_nat(lab):
    services = []
    for family, pool in ((4, "web"), (6, "web6")):
        one = {"address": ADDRESSES[family], "pool": pool, "forward": "nat"}
        tcp = one | {"protocol": "tcp"}
        services += [
            {"name": f"{pool}-plain", "port": PLAIN, "backend_port": 80} | tcp,
            {"name": f"{pool}-proxy", "port": PROXY, "backend_port": 8010, "proxy_protocol": "v2"} | tcp,
            {"name": f"{pool}-clamped", "port": CLAMPED, "backend_port": 80, "mss": NARROW_MTU - 60} | tcp,
            {"name": f"{pool}-udp", "protocol": "udp", "port": 5300, "backend_port": 53} | one,
        ]
    return {"version": 1, "seed": 7, "pools": pools_of_both_families(lab), "services": services}


NAT_SOURCE = {"ipv4": "10.7.0.1", "ipv6": "2001:db8:7::1"}
daemons_options = {"document": by_nat, "workers": 2, "machine": {"nat_source": NAT_SOURCE}}


@FAMILIES
def test_every_server_answers_on_its_own_port(lab, shared_daemons, family):
    url = f"http://{in_url(ADDRESSES[family])}:{PLAIN}/"
    answers = lab.run("c1", "curl", "-sSg", "-m", "20", "-H", "Connection: close", *[url] * 60).stdout.split()
    assert len(answers) == 60 and set(answers) == set(lab.servers)


@FAMILIES
def test_the_proxy_protocol_names_the_client(lab, shared_daemons, family):
    for client in ("c1", "c2"):
        said = lab.curl(client, f"http://{in_url(ADDRESSES[family])}:{PROXY}/", "-g", "--local-port", "20000-30000")
        address, port, service, service_port = said.split()
        assert (address, service, service_port) == (lab.address_of(client, family), ADDRESSES[family], str(PROXY))
        assert 20000 <= int(port) <= 30000


@FAMILIES
def test_a_connection_with_a_proxy_header_carries_10_mb_either_way(lab, shared_daemons, family):
    big = f"/run/maglb-lab/{lab.prefix}/www/big"
    url = f"http://{in_url(ADDRESSES[family])}:{PROXY}"
    digest = lab.run("c1", "sh", "-c", f"curl -gsS -m 60 {url}/big | md5sum").stdout.split()[0]
    with open(big, "rb") as file:
        assert digest == hashlib.md5(file.read()).hexdigest()
    answer = lab.curl("c1", f"{url}/upload", "-g", "-H", "Expect:", "--data-binary", f"@{big}", timeout=60)
    assert answer.endswith(f" took {10 << 20} bytes"), answer


UDP_CLIENT = """
import json, socket, sys
address = sys.argv[1]
answers, again = [], 0
for n in range(60):
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(1)
        s.connect((address, 5300))  # takes answers from the service's address and port only
        servers = []
        for turn in range(3):
            payload = b"%d-%d" % (n, turn)
            for attempt in range(5):
                try:
                    s.send(payload)
                    server, _, echo = s.recv(2000).partition(b":")
                    if echo == payload:
                        servers.append(server.decode())
                        break
                except OSError:
                    again += 1
        answers.append(servers)
print(json.dumps([answers, again]))
"""


@FAMILIES
def test_udp_comes_back_and_a_flow_keeps_its_server(lab, shared_daemons, family):
    done = lab.run("c1", "/usr/bin/python3", "-c", UDP_CLIENT, ADDRESSES[family])
    answers, again = json.loads(done.stdout)
    assert [servers for servers in answers if len(servers) != 3 or len(set(servers)) != 1] == []
    assert {servers[0] for servers in answers} == set(lab.servers)
    assert again <= 3

    def uses():
        workers = shared_daemons.ctl_json("stats")["workers"]
        return [
            use for worker in workers for use in worker["nat"]
            if (use["protocol"], use["family"]) == ("udp", f"ipv{family}")
        ]  # fmt: skip

    wait_until("the sessions are counted", lambda: sum(use["sessions"] for use in uses()) >= 60, 10)
    assert [use["ports"] for use in uses()] == [64512 // 2] * 2


def check_narrow_download(lab, far, address, port):
    lab.forget_routes(*lab.servers)
    with open(f"/run/maglb-lab/{lab.prefix}/www/big", "rb") as file:
        wanted = hashlib.md5(file.read()).hexdigest()
    for _ in range(4):
        done = lab.run(far, "sh", "-c", f"curl -gsS -m 30 http://{in_url(address)}:{port}/big | md5sum")
        assert done.stdout.split()[0] == wanted, done.stderr


@FAMILIES
def test_a_download_over_a_narrow_link_completes(lab, shared_daemons, far, family):
    """The router's "too big" reaches the backend, whichever worker it comes to."""
    check_narrow_download(lab, far, ADDRESSES[family], PLAIN)


@FAMILIES
def test_a_clamped_download_over_a_narrow_link_completes(lab, shared_daemons, far, family):
    check_narrow_download(lab, far, ADDRESSES[family], CLAMPED)


EXCHANGE = """
import socket, sys
address, port = sys.argv[1], int(sys.argv[2])
with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as s:
    s.settimeout(1)
    s.bind(("", port))
    s.connect((address, 5300))
    for attempt in range(5):
        try:
            s.send(b"x")
            print(s.recv(2000).partition(b":")[0].decode())
            break
        except OSError:
            pass
"""


@FAMILIES
def test_explain_knows_the_session_that_its_worker_has(lab, shared_daemons, family):
    source = "10.7.0.1:" if family == 4 else "[2001:db8:7::1]:"
    for port in range(45000, 45008):
        server = lab.run("c1", "/usr/bin/python3", "-c", EXCHANGE, ADDRESSES[family], str(port)).stdout.strip()
        flow = ("udp", lab.address_of("c1", family), str(port), ADDRESSES[family], "5300")
        said = shared_daemons.ctl_json("explain", *flow)
        assert said["flow"]["backend"] == said["result"]["backend"] == server, said
        assert said["flow"]["state"] == "udp" and said["flow"]["nat_source"].startswith(source), said
        looked_up = shared_daemons.ctl_json("flow", "lookup", *flow)
        assert looked_up["flow"]["found"] and looked_up["flow"]["backend"] == looked_up["backend"] == server
        nat_port = said["flow"]["nat_source"].removeprefix(source)
        backend = lab.address_of(server, family)
        reply = shared_daemons.ctl_json("explain", "udp", backend, "53", NAT_SOURCE[f"ipv{family}"], nat_port)
        assert reply["flow"]["backend"] == server and reply["result"]["verdict"] == "sent", reply
        assert reply["new_flow"] is None and "back to the client" in str(reply["steps"]), reply
