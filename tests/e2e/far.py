"""A client far away: behind routers whose link is narrower than its own and everyone else's.

    br1 --- r1 --- 1400 --- r2 --- far    its TCP offers an MSS of 1460, and 1440 for IPv6

What is longer than 1400 on its way to it comes to an end at r1, which says so to the sender.
"""

import contextlib
import subprocess

NARROW_MTU = 1400
FAR = {4: "203.0.113.2", 6: "2001:db8:d::2"}

# (namespace, interface) of both ends of each cable
CABLES = [
    (("fabric", "r1p"), ("r1", "eth0"), 1500),
    (("r1", "narrow"), ("r2", "narrow"), NARROW_MTU),
    (("r2", "wide"), ("far", "eth0"), 1500),
]

SET_UP = {
    "fabric": """
link set r1p master br1
route add 203.0.113.0/24 via 192.0.2.200
route add 2001:db8:d::/64 via 2001:db8:c::200
""",
    "r1": """
address add 192.0.2.200/24 dev eth0
address add 2001:db8:c::200/64 dev eth0
address add 10.9.0.1/24 dev narrow
address add 2001:db8:9::1/64 dev narrow
route add default via 192.0.2.1
route add default via 2001:db8:c::1
route add 203.0.113.0/24 via 10.9.0.2
route add 2001:db8:d::/64 via 2001:db8:9::2
""",
    "r2": """
address add 10.9.0.2/24 dev narrow
address add 2001:db8:9::2/64 dev narrow
address add 203.0.113.1/24 dev wide
address add 2001:db8:d::1/64 dev wide
route add default via 10.9.0.1
route add default via 2001:db8:9::1
""",
    "far": """
address add 203.0.113.2/24 dev eth0
address add 2001:db8:d::2/64 dev eth0
route add default via 203.0.113.1
route add default via 2001:db8:d::1
""",
}
UNDO_FABRIC = """
route delete 203.0.113.0/24
route delete 2001:db8:d::/64
link delete r1p
"""
NAMESPACES = ["r1", "r2", "far"]
SYSCTLS = ["net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1", "net.ipv6.conf.default.accept_dad=0"]


def run(*words, stdin=None, check=True):
    done = subprocess.run(words, input=stdin, capture_output=True, text=True)
    assert done.returncode == 0 or not check, (words, done.stderr)


def build(lab):
    for name in NAMESPACES:
        run("ip", "netns", "add", f"{lab.prefix}-{name}")
        run(*lab.command(name, "sysctl", "-qw", *SYSCTLS))
    for (left, left_link), (right, right_link), mtu in CABLES:
        run(
            "ip", "link", "add", left_link, "netns", f"{lab.prefix}-{left}", "mtu", str(mtu), "type", "veth",
            "peer", "name", right_link, "netns", f"{lab.prefix}-{right}", "mtu", str(mtu),
        )  # fmt: skip
        for name, link in ((left, left_link), (right, right_link)):
            # Whole packets, as on the lab's own cables.
            run(*lab.command(name, "ethtool", "-K", link, "tx", "off", "gso", "off", "gro", "off"))
            run(*lab.command(name, "ip", "link", "set", link, "up"))
    for name, lines in SET_UP.items():
        run(*lab.command(name, "ip", "-batch", "-"), stdin=lines)


@contextlib.contextmanager
def far_client(lab):
    """The name of its namespace, for a block."""
    try:
        build(lab)
        yield "far"
    finally:
        run(*lab.command("fabric", "ip", "-force", "-batch", "-"), stdin=UNDO_FABRIC, check=False)
        for name in NAMESPACES:
            run("ip", "netns", "delete", f"{lab.prefix}-{name}", check=False)
