"""ICMP of both families: pings are answered, senders learn the tunnel's MTU, and what a router on the way
to a client says of a reply reaches the backend that sent it."""

import contextlib
import hashlib
import json
import re
import subprocess

import pytest

from daemons import pools_of_both_families
from far import FAR, NARROW_MTU
from kernel_figures import Watch, learnt_mtu
from support import WEB, WEB6, in_url

ADDRESSES = {4: WEB, 6: WEB6}
# Another address of s1, which the balancer reaches by a router and a narrow way, and services that lead to it:
# by the families of client and tunnel.
BEHIND = {4: "10.8.0.1", 6: "2001:db8:8::1"}
THROUGH = {(4, 4): "198.51.100.41", (4, 6): "198.51.100.42", (6, 4): "2001:db8:f::41", (6, 6): "2001:db8:f::42"}
FAMILIES = pytest.mark.parametrize("family", [4, 6], ids=["ipv4", "ipv6"])


def web_and_any_udp(lab):
    services = []
    for family, address in ADDRESSES.items():
        pool = "web" if family == 4 else "web6"
        one = {"address": address, "pool": pool, "forward": "ipip"}
        services += [
            {"name": f"{pool}-tcp", "protocol": "tcp", "port": 80} | one,
            {"name": f"{pool}-udp", "protocol": "udp", "port": "any"} | one,
        ]
    pools = pools_of_both_families(lab)
    for (client, outer), address in THROUGH.items():
        name = f"narrow-{client}-{outer}"
        pools[name] = {"health": {"type": "none"}, "backends": [{"name": "s1", "address": BEHIND[outer]}]}
        one = {"name": name, "address": address, "pool": name, "forward": "ipip"}
        services.append(one | {"protocol": "tcp", "port": 80})
    return {"version": 1, "seed": 7, "pools": pools, "services": services}


daemons_options = {"document": web_and_any_udp, "workers": 2}


def ping(lab, address, *more):
    return lab.run("c1", "ping", "-q", "-n", "-c", "3", "-i", "0.1", "-W", "2", *more, address).stdout


@FAMILIES
@pytest.mark.parametrize("size", [0, 56, 1400])
def test_a_service_address_answers_pings(lab, shared_daemons, family, size):
    assert "3 received" in ping(lab, ADDRESSES[family], "-s", str(size))


@FAMILIES
def test_it_answers_pings_when_all_backends_are_down(lab, shared_daemons, family):
    pool = "web" if family == 4 else "web6"
    with all_down(lab, shared_daemons, pool):
        assert lab.run("c1", "curl", "-s", "-m", "0.5", f"http://{in_url(ADDRESSES[family])}/", check=False).returncode
        assert "3 received" in ping(lab, ADDRESSES[family])
    assert lab.curl("c1", f"http://{in_url(ADDRESSES[family])}/") in lab.servers


@contextlib.contextmanager
def all_down(lab, daemons, pool):
    for server in lab.servers:
        daemons.ctl("backend", "down", pool, server)
    daemons.wait_published()
    try:
        yield
    finally:
        for server in lab.servers:
            daemons.ctl("backend", "up", pool, server)
        daemons.wait_published()


@FAMILIES
def test_tracepath_shows_the_mtu_of_the_tunnel(lab, shared_daemons, family):
    shown = lab.run("c2", "tracepath", f"-{family}", "-n", "-m", "6", ADDRESSES[family]).stdout
    print(shown)
    mtu = 1500 - (20 if family == 4 else 40)
    assert f"pmtu {mtu}" in shown
    # And the backend behind it answers for the address.
    assert re.search(rf"{ADDRESSES[family]} .* reached", shown), shown


# Opens N connections, each with a first answer; when told to, takes a megabyte over all of them at once.
# Writes the server of each, then the checksums.
DOWNLOADER = """
import hashlib, http.client, json, sys, threading
address, count = sys.argv[1], int(sys.argv[2])
connections = [http.client.HTTPConnection(address, 80, timeout=60) for _ in range(count)]
servers, digests = [], [None] * count
for one in connections:
    one.request("GET", "/")
    servers.append(one.getresponse().read().decode().strip())
print(json.dumps(servers), flush=True)
sys.stdin.readline()
def take(k):
    connections[k].request("GET", "/big", headers={"Range": "bytes=0-999999"})
    digests[k] = hashlib.md5(connections[k].getresponse().read()).hexdigest()
threads = [threading.Thread(target=take, args=(k,)) for k in range(count)]
for one in threads:
    one.start()
for one in threads:
    one.join()
print(json.dumps(digests), flush=True)
"""


def head_of_big(lab, length):
    with open(f"/run/maglb-lab/{lab.prefix}/www/big", "rb") as file:
        return hashlib.md5(file.read(length)).hexdigest()


def change_weights(daemons, pool, weights):
    for server, weight in weights.items():
        daemons.ctl("backend", "weight", pool, server, str(weight))
    daemons.wait_published()


@FAMILIES
def test_too_big_from_a_router_on_the_way_reaches_the_backend_of_the_flow(lab, shared_daemons, far, family):
    pool = "web" if family == 4 else "web6"
    lab.forget_routes(*lab.servers)
    process = lab.start_process(
        far, "/usr/bin/python3", "-c", DOWNLOADER, ADDRESSES[family], "32",
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        servers = json.loads(process.stdout.readline())
        assert set(servers) == set(lab.servers)
        assert {learnt_mtu(lab, server, FAR[family]) for server in lab.servers} == {None}
        # From now on the table names s4 for nearly all: only the flows' entries know who is meant.
        change_weights(shared_daemons, pool, {"s1": 1, "s2": 1, "s3": 1, "s4": 400})
        with Watch(lab, *lab.servers) as seen, Watch(lab, "r1") as router:
            out, _ = process.communicate("go\n", timeout=60)
    finally:
        process.kill()
        process.wait(10)
        change_weights(shared_daemons, pool, dict.fromkeys(lab.servers, 100))
    assert set(json.loads(out)) == {head_of_big(lab, 1_000_000)}
    # What the router said came to the one whom it concerned. (A kernel that has learnt tells itself, too.)
    print(f"{router.errors_sent} errors, {seen.again} of {seen.segments} segments again")
    assert router.errors_sent > 0 and seen.stray_errors == 0
    assert seen.errors - seen.errors_sent == router.errors_sent
    assert {learnt_mtu(lab, server, FAR[family]) for server in lab.servers} == {NARROW_MTU}


@FAMILIES
def test_a_download_over_a_narrow_link_completes(lab, shared_daemons, far, family):
    lab.forget_routes(*lab.servers)
    url = f"http://{in_url(ADDRESSES[family])}/big"
    done = lab.run(far, "sh", "-c", f"curl -sS -m 60 {url} | md5sum", timeout=90)
    assert done.stdout.split()[0] == head_of_big(lab, -1)
    assert NARROW_MTU in {learnt_mtu(lab, server, FAR[family]) for server in lab.servers}


@pytest.fixture(scope="module")
def narrow_way(lab):
    """From the router on to s1."""
    routes = [(BEHIND[family], lab.address_of("s1", family)) for family in (4, 6)]
    with lab.served(*BEHIND.values(), *THROUGH.values()):
        for to, via in routes:
            lab.run("fabric", "ip", "route", "add", to, "via", via, "mtu", str(NARROW_MTU))
        yield
        for to, via in routes:
            lab.run("fabric", "ip", "route", "delete", to, "via", via)


@pytest.mark.parametrize("client", [4, 6], ids=["ipv4", "ipv6"])
@pytest.mark.parametrize("outer", [4, 6], ids=["over-ipv4", "over-ipv6"])
def test_a_narrow_way_to_a_backend_is_told_to_the_client(lab, shared_daemons, narrow_way, client, outer):
    address = THROUGH[client, outer]
    lab.forget_routes("c1")
    answer = lab.curl(
        "c1", f"http://{in_url(address)}/upload", "-H", "Expect:",
        "--data-binary", f"@/run/maglb-lab/{lab.prefix}/www/big", timeout=30,
    )  # fmt: skip
    assert answer.endswith(f" took {10 << 20} bytes"), answer
    assert learnt_mtu(lab, "c1", address) == NARROW_MTU - (20 if outer == 4 else 40)
