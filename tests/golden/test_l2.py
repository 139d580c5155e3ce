"""Forward l2: the packet as it is, in a frame to the backend's MAC."""
from scapy.layers.l2 import Ether

from case import Case, check, each
from configs import NS1, backend, config, dataplane, service
from packets import WEB, checksums_hold, ether, l2, l2_mac, tcp, udp

QUERY = udp()
MAC = l2_mac(NS1)
WEB_BY_L2 = config({"web": [backend("web1", "10.0.1.11")]}, [service(forward="l2")])

CASES = [
    Case("query", [ether(QUERY)], [l2(QUERY, MAC)], new_flows={"dns": 1}),
    Case("padding goes", [bytes(ether(udp(size=1))) + b"\0" * 17], [l2(udp(size=1), MAC)]),
    Case("empty datagram", [ether(udp(size=0))], [l2(udp(size=0), MAC)]),
    Case("df, tos, ttl and id stay", [ether(udp(df=True, tos=0xB9, ttl=3, id=4711))],
         [l2(udp(df=True, tos=0xB9, ttl=3, id=4711), MAC)]),
    Case("fills the mtu", [ether(udp(size=1472))], [l2(udp(size=1472), MAC)]),
    Case("tcp", [ether(tcp())], [l2(tcp(), l2_mac("10.0.1.11"))], config=WEB_BY_L2),
    Case("needs no tunnel source", [ether(QUERY)], [l2(QUERY, MAC)], dataplane=dataplane(tunnel_source="")),
    Case("next_hop_mac of dataplane.yaml", [ether(QUERY)], [l2(QUERY, "02:aa:bb:cc:dd:ee")],
         dataplane=dataplane(port=', next_hop_mac: "02:aa:bb:cc:dd:ee"')),
    Case("no udp checksum", [ether(udp(size=4, id=1).__class__(bytes(udp(size=4))[:26] + b"\0\0" + bytes(udp(size=4))[28:]))],
         [l2(bytes(udp(size=4))[:26] + b"\0\0" + bytes(udp(size=4))[28:], MAC)]),
]


@each(CASES)
def test_l2(case):
    for frame in check(case).frames:
        assert Ether(frame).type == 0x0800
        assert checksums_hold(frame) or case.name == "no udp checksum"


def test_the_mac_is_made_of_the_backends_address():
    assert l2_mac("10.0.1.11") == "02:00:0a:00:01:0b"
    assert WEB == "198.51.100.1"
