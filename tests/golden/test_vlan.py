"""VLANs of a port: in with one tag or two, out behind the first link that has a next hop (802.1Q, 802.1ad)."""
import pytest
from scapy.layers.inet import IP
from scapy.layers.l2 import ARP, Dot1AD, Dot1Q, Ether

from case import Case, check, each
from configs import WEB1, backend, config, service
from harness import replay
from packets import (BALANCER_MAC, CLIENT_MAC, checksums_hold, ether, fragmentation_needed, ipip, l2,
                     l2_mac, sized_tcp, tcp)
from packets6 import WEB6, tcp6
from tunnel_packets import SOURCES, tagged, tunnelled

FOUR, SIX = WEB1, "fd00:1::11"
MAC = "02:aa:bb:cc:dd:ee"
OTHER_MAC = "02:aa:bb:cc:dd:ff"
POOLS = {"four": [backend("a", FOUR)], "six": [backend("b", f"'{SIX}'")]}
CONFIG = config(POOLS, [
    service("198.51.100.1", "tcp", 80, "ipip4", "four"),
    service("198.51.100.1", "tcp", 81, "ipip6", "six"),
    service("198.51.100.1", "tcp", 82, "l2", "four", forward="l2"),
    service("198.51.100.1", "tcp", 83, "gue", "six", forward="gue", udp_checksum="true"),
    service("198.51.100.1", "tcp", 84, "gre", "four", forward="gre", gre_key=7),
    service(f"'{WEB6}'", "tcp", 80, "six4", "four"),
    service(f"'{WEB6}'", "tcp", 81, "six6", "six"),
])


def vlan(name, ids, mac=None, mtu=None):
    fields = [f"name: {name}", f"id: {ids}"] + ([f"mtu: {mtu}"] if mtu else []) + (
        [f'next_hop_mac: "{mac}"'] if mac else [])
    return "{" + ", ".join(fields) + "}"


def machine(*vlans, mtu=1500, mac=None, more=""):
    own = f', next_hop_mac: "{mac}"' if mac else ""
    return (f"cores: {{main: 0, workers: [1]}}\ntunnel_source: {SOURCES}\nports:\n"
            f'  - {{name: uplink, device: "net_af_xdp0,iface=lb0", mtu: {mtu}{own}, vlans: [{", ".join(vlans)}]}}\n{more}')


CLIENTS = machine(vlan("one", 100), vlan("two", "[200, 100]"), vlan("other", "[200, 101]"), vlan("last", 4094))
BACKENDS = machine(vlan("clients", 100), vlan("backends", 300, MAC))
BACKENDS2 = machine(vlan("clients", 100), vlan("backends", "[400, 300]", MAC))
SYN = tcp()
ARRIVALS = {"untagged": ether, "tagged": lambda packet: tagged(packet, 100)}


def taken(name, frame, packet=SYN):
    return Case(name, [frame], [tunnelled(packet, FOUR)], config=CONFIG, dataplane=CLIENTS)


def kernels(name, frame, dataplane=CLIENTS):
    return Case(name, [frame], [], kernel=1, config=CONFIG, dataplane=dataplane)


def frame_of(*tags, packet=SYN):
    frame = Ether(dst=BALANCER_MAC, src=CLIENT_MAC)
    for tag in tags:
        frame = frame / tag
    return frame / packet


INGRESS = [
    taken("untagged beside vlans", ether(SYN)),
    taken("one tag", tagged(SYN, 100)),
    taken("the last id", tagged(SYN, 4094)),
    taken("two tags", tagged(SYN, 200, 100)),
    taken("two tags, the same outer one", tagged(SYN, 200, 101)),
    taken("a priority in the tag", frame_of(Dot1Q(vlan=100, prio=5, id=1))),
    taken("priorities in both tags", frame_of(Dot1AD(vlan=200, prio=7), Dot1Q(vlan=100, prio=3))),
    taken("a priority tag counts as none", tagged(SYN, 0)),
    taken("a priority tag of the highest", frame_of(Dot1Q(vlan=0, prio=7))),
    taken("a priority tag around a tag", tagged(SYN, 0, 100)),
    taken("two of 802.1q", frame_of(Dot1Q(vlan=200), Dot1Q(vlan=100))),
    taken("one of 802.1ad", frame_of(Dot1AD(vlan=100))),
    taken("ipv6", tagged(tcp6(), 100), tcp6()),
    taken("ipv6, two tags", tagged(tcp6(), 200, 100), tcp6()),
    taken("padding goes", bytes(tagged(SYN, 200, 100)) + b"\xaa" * 9),
    Case("a priority tag without vlans", [tagged(SYN, 0)], [tunnelled(SYN, FOUR)], config=CONFIG),
    Case("l2, two tags", [tagged(tcp(dport=82), 200, 100)], [l2(tcp(dport=82), l2_mac(FOUR))], config=CONFIG,
         dataplane=CLIENTS),
    Case("gre", [tagged(tcp(dport=84), 100)], [tunnelled(tcp(dport=84), FOUR, "gre", gre_key=7)], config=CONFIG,
         dataplane=CLIENTS),
    Case("gue", [tagged(tcp(dport=83), 200, 100)], [tunnelled(tcp(dport=83), SIX, "gue")], config=CONFIG,
         dataplane=CLIENTS, by_flow=True),
    kernels("an unknown id", tagged(SYN, 101)),
    kernels("the outer id alone", tagged(SYN, 200)),
    kernels("an unknown outer id", tagged(SYN, 201, 100)),
    kernels("an unknown inner id", tagged(SYN, 200, 102)),
    kernels("the ids the other way round", tagged(SYN, 100, 200)),
    kernels("three tags", tagged(SYN, 200, 100, 100)),
    kernels("any id without vlans", tagged(SYN, 100), ""),
    kernels("an unknown id of what is malformed", bytes(tagged(SYN, 101))[:48]),
    kernels("arp in a vlan", tagged(ARP(pdst="198.51.100.1"), 100)),
    kernels("for another port, in a vlan", tagged(tcp(dport=443), 100)),
    Case("malformed in a vlan", [bytes(tagged(SYN, 100))[:48]], [],
         {"truncated": 1}, config=CONFIG, dataplane=CLIENTS),
    Case("wrong checksum behind two tags", [tagged(IP(bytes(SYN)[:10] + b"\xde\xad" + bytes(SYN)[12:]), 200, 100)], [],
         {"bad_ip_checksum": 1}, config=CONFIG, dataplane=CLIENTS),
    Case("a tag cut", [bytes(tagged(SYN, 100))[:17]], [], {"truncated": 1}, config=CONFIG, dataplane=CLIENTS),
    Case("the second tag cut", [bytes(tagged(SYN, 200, 100))[:20]], [], {"truncated": 1}, config=CONFIG,
         dataplane=machine(vlan("outer", 200))),
]


def leaving(name, packet, to, mode="ipip", **how):
    """By one tag and by two, from clients with a tag and without."""
    return [Case(f"{name}: {arrival}, out by {tags}", [arrive(packet)],
                 [tunnelled(packet, to, mode, tags=tags, next_hop=MAC, **how)], config=CONFIG, dataplane=dataplane,
                 by_flow=mode == "gue" or ":" in to)
            for arrival, arrive in ARRIVALS.items()
            for tags, dataplane in (((300,), BACKENDS), ((400, 300), BACKENDS2))]


def bridged(packet, *tags):
    return tagged(packet, *tags, dst=MAC, src=BALANCER_MAC)


FITS, TOO_BIG = sized_tcp(1380, flags="A"), sized_tcp(1381, flags="A")
SMALL = machine(vlan("clients", 100), vlan("backends", 300, MAC, mtu=1400))
LARGE = machine(vlan("clients", 100), vlan("backends", "[400, 300]", MAC, mtu=9600))
JUMBO = sized_tcp(9600 - 52, flags="A", dport=83)
ANSWER = fragmentation_needed(TOO_BIG, 1380)

EGRESS = [
    *leaving("4 in 4", SYN, FOUR),
    *leaving("4 in 6", tcp(dport=81), SIX),
    *leaving("6 in 4", tcp6(), FOUR),
    *leaving("6 in 6", tcp6(dport=81), SIX),
    *leaving("gue", tcp(dport=83, size=33), SIX, "gue"),
    *leaving("gre", tcp(dport=84), FOUR, "gre", gre_key=7),
    Case("l2, one tag", [ether(tcp(dport=82))], [bridged(tcp(dport=82), 300)], config=CONFIG, dataplane=BACKENDS),
    Case("l2, two tags", [ether(tcp(dport=82))], [bridged(tcp(dport=82), 400, 300)], config=CONFIG, dataplane=BACKENDS2),
    Case("l2, a tag for another", [tagged(tcp(dport=82), 100)], [bridged(tcp(dport=82), 300)], config=CONFIG,
         dataplane=BACKENDS),
    Case("l2, out of the vlan it came by", [tagged(tcp(dport=82), 300)], [bridged(tcp(dport=82), 300)], config=CONFIG,
         dataplane=BACKENDS),
    Case("no priority is taken along", [frame_of(Dot1Q(vlan=100, prio=5))],
         [tunnelled(SYN, FOUR, tags=(300,), next_hop=MAC)], config=CONFIG, dataplane=BACKENDS),
    Case("padding goes", [bytes(ether(SYN)) + b"\xaa" * 20], [tunnelled(SYN, FOUR, tags=(300,), next_hop=MAC)],
         config=CONFIG, dataplane=BACKENDS),
    Case("the port's next hop comes first", [ether(SYN)], [ipip(SYN, FOUR, next_hop=OTHER_MAC)], config=CONFIG,
         dataplane=machine(vlan("backends", 300, MAC), mac=OTHER_MAC)),
    Case("another port's next hop comes before a vlan's", [ether(SYN)], [ipip(SYN, FOUR, next_hop=OTHER_MAC)],
         config=CONFIG, dataplane=machine(vlan("backends", 300, MAC), more=(
             f'  - {{name: back, device: "net_af_xdp1,iface=lb1", next_hop_mac: "{OTHER_MAC}"}}\n'))),
    Case("a vlan of the second port", [tagged(SYN, 100)], [tunnelled(SYN, FOUR, tags=(100,), next_hop=MAC)],
         config=CONFIG, dataplane=machine(vlan("clients", 100), more=(
             '  - {name: back, device: "net_af_xdp1,iface=lb1", vlans: '
             f'[{{name: backends, id: 100, next_hop_mac: "{MAC}"}}]}}\n'))),
    Case("what is another port's vlan is the kernel's", [tagged(SYN, 300)], [], kernel=1, config=CONFIG,
         dataplane=machine(vlan("clients", 100), more=(
             '  - {name: back, device: "net_af_xdp1,iface=lb1", vlans: [{name: backends, id: 300}]}\n'))),
    Case("fits the vlan's mtu", [ether(FITS)], [tunnelled(FITS, FOUR, tags=(300,), next_hop=MAC)], config=CONFIG,
         dataplane=SMALL),
    Case("one byte too many", [ether(TOO_BIG)], [ANSWER], {"too_big": 1}, originated=1, config=CONFIG, dataplane=SMALL),
    Case("the answer goes by the vlan of the question", [tagged(TOO_BIG, 100)],
         [tagged(Ether(ANSWER)[IP], 100, dst=CLIENT_MAC, src=BALANCER_MAC)], {"too_big": 1}, originated=1,
         config=CONFIG, dataplane=SMALL),
    Case("the port's mtu, where the vlan has none", [ether(sized_tcp(1480, flags="A"))],
         [tunnelled(sized_tcp(1480, flags="A"), FOUR, tags=(300,), next_hop=MAC)], config=CONFIG, dataplane=BACKENDS),
    Case("tags are not of the mtu", [ether(sized_tcp(1480, flags="A"))],
         [tunnelled(sized_tcp(1480, flags="A"), FOUR, tags=(400, 300), next_hop=MAC)], config=CONFIG,
         dataplane=BACKENDS2),
    Case("a larger mtu than the port's, and the longest header", [ether(JUMBO)],
         [tunnelled(JUMBO, SIX, "gue", tags=(400, 300), next_hop=MAC)], config=CONFIG, dataplane=LARGE, by_flow=True),
]


@each(INGRESS)
def test_ingress(case):
    for frame in check(case).frames:
        assert Ether(frame).type in (0x0800, 0x86DD)
        assert checksums_hold(frame)


@each(EGRESS)
def test_egress(case):
    for frame in check(case).frames:
        assert case.originated or checksums_hold(frame)


@pytest.mark.parametrize("dataplane,types", [(BACKENDS, [0x8100]), (BACKENDS2, [0x88A8, 0x8100])], ids=["one", "two"])
def test_the_tags_types(dataplane, types):
    frame = replay(CONFIG, [ether(SYN)], dataplane).frames[0]
    assert [int.from_bytes(frame[12 + 4 * i:14 + 4 * i], "big") for i in range(len(types))] == types
    assert frame[12 + 4 * len(types):][:2] == b"\x08\0"


def test_a_flow_is_one_with_any_tags():
    frames = [ether(SYN), tagged(tcp("A"), 100), tagged(tcp("A"), 200, 100), tagged(tcp("FA"), 0)]
    outcome = replay(CONFIG, frames, CLIENTS)
    assert outcome.service("ipip4")["new_flows"] == 1 and len(outcome.frames) == 4
