"""The guest as a backend: its addresses, its services, the far end of a tunnel, and its kernel's verdict."""

import pathlib

from network import GATEWAY, GUEST, MTU, SERVICE
from support import wait_until

HERE = pathlib.Path(__file__).resolve().parent
TUNNEL = "judge0"
MODULES = ("ipip", "sit", "ip6_tunnel", "ip_gre", "ip6_gre", "fou", "fou6", "8021q")
# What the kernel counts when it did not like a packet. Nothing in these tests may be disliked.
COMPLAINTS = (
    "IpInHdrErrors", "IpInAddrErrors", "IpInUnknownProtos", "IpReasmFails", "IpExtInCsumErrors", "IpExtInTruncatedPkts",
    "IcmpInErrors", "IcmpInCsumErrors", "TcpInErrs", "TcpInCsumErrors", "UdpInErrors", "UdpInCsumErrors",
    "Ip6InHdrErrors", "Ip6InAddrErrors", "Ip6InUnknownProtos", "Ip6InTruncatedPkts", "Ip6ReasmFails",
    "Icmp6InErrors", "Icmp6InCsumErrors", "Udp6InErrors", "Udp6InCsumErrors",
)  # fmt: skip


class Backend:
    """The guest's kernel: `guest` is up, and this gives it the network of network.py."""

    def __init__(self, guest):
        self.guest = guest
        guest.run("modprobe", "-a", *MODULES)
        guest.shell(f"""
            for name in all default eth0; do
                echo 0 >/proc/sys/net/ipv4/conf/$name/rp_filter
                echo 1 >/proc/sys/net/ipv4/conf/$name/arp_ignore
                echo 2 >/proc/sys/net/ipv4/conf/$name/arp_announce
                echo 0 >/proc/sys/net/ipv6/conf/$name/accept_ra
            done
            ip link set lo up
            ethtool -K eth0 gro off
            ip link set eth0 mtu {MTU} up
            ip address add {GUEST[4]}/16 dev eth0
            ip address add {GUEST[6]}/64 dev eth0 nodad
            ip route add default via {GATEWAY[4]}
            ip route add default via {GATEWAY[6]}
            ip address add {SERVICE[4]}/32 dev lo
            ip address add {SERVICE[6]}/128 dev lo nodad
        """)
        guest.start("/usr/bin/python3", "-B", str(HERE / "services.py"), "guest", "--ready", "/run/services", log="/run/log")
        wait_until("the guest's services run", lambda: guest.run("test", "-e", "/run/services", check=False)[0] == 0)

    def open_tunnel(self, forward, address=None):
        """The kernel's end of `forward` at `address`, whoever the sender is."""
        local = f"local {address or GUEST[forward.outer]} remote {'any' if forward.outer == 4 else '::'}"
        script = [f"ip fou add port {forward.port} gue {'-6' if forward.outer == 6 else ''}"] if forward.port else []
        script += [
            f"ip link add {TUNNEL} type {forward.device} {local} {forward.options}",
            f"ethtool -K {TUNNEL} gro off",  # else several packets count as one
            f"ip link set {TUNNEL} up",
            f"echo 0 >/proc/sys/net/ipv4/conf/{TUNNEL}/rp_filter",
        ]
        self.guest.shell("\n".join(script))

    def close_tunnel(self, forward):
        script = [f"ip link del {TUNNEL}"]
        script += [f"ip fou del port {forward.port} {'-6' if forward.outer == 6 else ''}"] if forward.port else []
        self.guest.shell("\n".join(script))

    def received(self, device=TUNNEL):
        """Packets that came in by a device, and those it did not like."""
        names = [f"/sys/class/net/{device}/statistics/rx_{name}" for name in ("packets", "errors", "dropped")]
        packets, errors, dropped = map(int, self.guest.read(*names))
        return packets, errors + dropped

    def counters(self):
        """The kernel's, by the names that nstat gives them."""
        *tables, lines = self.guest.read("/proc/net/snmp", "/proc/net/netstat", "/proc/net/snmp6")
        found = {name: int(value) for name, value in (line.split() for line in lines.splitlines())}
        rows = [line.split() for line in "".join(tables).splitlines()]
        for names, values in zip(rows[::2], rows[1::2]):
            prefix = names[0].rstrip(":")
            found |= {prefix + name: int(value) for name, value in zip(names[1:], values[1:])}
        return found

    def complaints(self):
        counted = self.counters()
        found = {name: counted[name] for name in COMPLAINTS if counted.get(name)}
        _, errors = self.received()
        return found | ({TUNNEL: errors} if errors else {})

    def forget_path_mtus(self):
        self.guest.run("ip", "route", "flush", "cache")
        self.guest.run("ip", "-6", "route", "flush", "cache")

    def path_mtu(self, destination):
        words = self.guest.run("ip", "route", "get", destination).split()
        return int(words[words.index("mtu") + 1]) if "mtu" in words else None
