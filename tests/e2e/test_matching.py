"""Services that are prefixes with a range of ports, over AF_XDP: the workers get what matches, the balancer's
own kernel everything else, on the same addresses."""

import subprocess

import pytest

from daemons import pools_of_both_families
from support import in_url

PREFIXES = {4: "198.51.100.0/24", 6: "2001:db8:f::/64"}
# In these prefixes: the balancer's own, one of nobody, and one that has a service to itself.
OWN = {4: "198.51.100.200", 6: "2001:db8:f::c8"}
PLAIN = {4: ["198.51.100.10", "198.51.100.254"], 6: ["2001:db8:f::10", "2001:db8:f:0:ffff::1"]}
EXACT = {4: "198.51.100.7", 6: "2001:db8:f::7"}
FAMILIES = pytest.mark.parametrize("family", [4, 6], ids=["ipv4", "ipv6"])
PORTS = range(8000, 8010)


def prefixes_and_exceptions(lab):
    pools = pools_of_both_families(lab)
    pools["one"] = {"health": {"type": "none"}, "backends": [{"name": "s3", "address": lab.address_of("s3")}]}
    services = []
    for family, pool in ((4, "web"), (6, "web6")):
        one = {"protocol": "tcp", "pool": pool, "forward": "ipip"}
        services += [
            {"name": f"{pool}-range", "address": PREFIXES[family], "port": f"{PORTS[0]}-{PORTS[-1]}"} | one,
            {"name": f"{pool}-exact", "address": EXACT[family], "port": PORTS[5]} | one | {"pool": "one"},
        ]
    return {"version": 1, "seed": 7, "pools": pools, "services": services}


daemons_options = {"document": prefixes_and_exceptions, "workers": 2}

# Says who it is to everyone who connects, on two ports: one of a service's range and one outside it.
GREETER = """
import selectors, socket, sys
waiting = selectors.DefaultSelector()
for port in map(int, sys.argv[1:]):
    one = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)
    waiting.register(one, selectors.EVENT_READ)
print("ready", flush=True)
while True:
    for key, _ in waiting.select():
        with key.fileobj.accept()[0] as connection:
            connection.sendall(b"the balancer\\n")
"""


@pytest.fixture(scope="module")
def own_kernel(lab):
    """The balancer has addresses in the prefixes, and something listens on port 22 and on one of the range."""
    for family, length in ((4, 32), (6, 128)):
        lab.run("lb", "ip", "address", "add", f"{OWN[family]}/{length}", "dev", "lo")
    greeter = lab.start_process(
        "lb", "/usr/bin/python3", "-c", GREETER, "22", str(PORTS[5]), stdout=subprocess.PIPE, text=True
    )
    try:
        assert greeter.stdout.readline() == "ready\n"
        yield
    finally:
        greeter.kill()
        greeter.wait(10)
        for family, length in ((4, 32), (6, 128)):
            lab.run("lb", "ip", "address", "delete", f"{OWN[family]}/{length}", "dev", "lo")


@pytest.fixture(scope="module")
def served(lab):
    with lab.served(*PREFIXES.values()):
        yield


GREETED = """
import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2])), 5) as one:
    print(one.recv(100).decode(), end="")
"""


def greeting(lab, address, port):
    return lab.run("c1", "/usr/bin/python3", "-c", GREETED, address, str(port)).stdout.strip()


@FAMILIES
def test_every_address_and_port_of_the_range_reaches_servers(lab, shared_daemons, served, family):
    urls = [f"http://{in_url(address)}:{port}/" for address in PLAIN[family] for port in PORTS]
    answers = lab.run("c1", "curl", "-sSg", "-m", "10", *urls).stdout.split()
    assert len(answers) == len(urls) and set(answers) <= set(lab.servers)


@FAMILIES
def test_the_most_specific_service_decides(lab, shared_daemons, served, family):
    urls = [f"http://{in_url(EXACT[family])}:{PORTS[5]}/"] * 8
    assert set(lab.run("c1", "curl", "-sSg", "-m", "10", "-H", "Connection: close", *urls).stdout.split()) == {"s3"}


@FAMILIES
def test_ports_outside_the_range_stay_with_the_balancers_kernel(lab, shared_daemons, served, own_kernel, family):
    assert greeting(lab, OWN[family], 22) == "the balancer"
    # Its kernel would answer here, too, but the service has the port.
    assert lab.curl("c1", f"http://{in_url(OWN[family])}:{PORTS[5]}/") in lab.servers
    assert "1 received" in lab.run("c1", "ping", "-c", "1", "-W", "5", OWN[family]).stdout


@FAMILIES
def test_other_ports_of_the_prefix_are_not_forwarded(lab, shared_daemons, served, family):
    for port in (PORTS[0] - 1, PORTS[-1] + 1, 80):
        done = lab.run("c1", "curl", "-sg", "-m", "0.3", f"http://{in_url(PLAIN[family][0])}:{port}/", check=False)
        assert done.returncode == 28, (port, done.returncode)  # silence, no answer of whatever kind
