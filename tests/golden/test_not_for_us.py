"""What no service matches is the kernel's, unchanged and uncounted by services."""
from scapy.layers.inet import ICMP, IP
from scapy.layers.inet6 import IPv6
from scapy.layers.inet import TCP
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.packet import Raw

from case import Case, check, each
from configs import WEB1
from packets import BALANCER_MAC, CLIENT, CLIENT_MAC, DNS, WEB, ether, ipip, tcp, udp


def kernels(name, frame):
    return Case(name, [frame], [], kernel=1, new_flows={"web": 0, "dns": 0})


CASES = [
    kernels("arp request", Ether(dst="ff:ff:ff:ff:ff:ff", src=CLIENT_MAC) / ARP(pdst=WEB)),
    kernels("arp reply", ether(ARP(op=2, psrc=CLIENT, pdst=WEB))),
    kernels("ipv6", ether(IPv6(src="2001:db8::1", dst="2001:db8::2") / TCP(dport=80))),
    kernels("ping of no service's address", ether(IP(src=CLIENT, dst="198.51.100.99") / ICMP())),
    kernels("icmp error for a service's address", ether(IP(src=CLIENT, dst=WEB) / ICMP(type=3, code=4) / Raw(bytes(tcp())[:28]))),
    kernels("another address", ether(tcp(dst="198.51.100.99"))),
    kernels("another port", ether(tcp(dport=81))),
    kernels("another protocol on the same port", ether(udp(dst=WEB, dport=80))),
    kernels("tcp where the service is udp", ether(tcp(dst=DNS, dport=53))),
    kernels("from the service, not to it", ether(tcp(src=WEB, dst=CLIENT, sport=80, dport=40000))),
    kernels("sctp", ether(IP(src=CLIENT, dst=WEB, proto=132) / Raw(b"\0" * 40))),
    kernels("ip in ip", ether(IP(src=CLIENT, dst=WEB, proto=4) / Raw(bytes(tcp())))),
    kernels("vlan", Ether(dst=BALANCER_MAC, src=CLIENT_MAC) / Dot1Q(vlan=7) / tcp()),
    kernels("802.3 length instead of a type", Ether(dst=BALANCER_MAC, src=CLIENT_MAC, type=46) / Raw(b"\xaa" * 46)),
    kernels("a broadcast frame with a packet for a service", ether(tcp(), dst="ff:ff:ff:ff:ff:ff")),
    kernels("a multicast frame with a packet for a service", ether(tcp(), dst="01:00:5e:00:00:01")),
    Case("between the service's packets", [ether(tcp()), ether(ARP()), ether(tcp("A"))],
         [ipip(tcp(), WEB1), ipip(tcp("A"), WEB1)], kernel=1),
]


@each(CASES)
def test_not_for_us(case):
    check(case)
