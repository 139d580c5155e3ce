"""Two namespaces and a veth, with the dataplane's end to be taken by AF_XDP:

    [ fabric: p0 10.0.0.1, 10.0.1.11, 10.0.1.12 ] ---- veth, two queues ---- [ lb: lb0 10.0.0.2 ]

The fabric is client, router and servers in one: it sends to the service and sees the IPIP packets.
"""
import json
import os
import subprocess

from harness import eventually, service_file

HERE = os.path.dirname(os.path.abspath(__file__))
PORTS = "  - {name: uplink, device: \"net_af_xdp0,iface=lb0\"}\n"


def ip(*words):
    return subprocess.run(["ip", *words], check=True, capture_output=True, text=True).stdout


class Wire:
    def __init__(self):
        self.lb = f"maglb-dpdk-{os.getpid()}-lb"
        self.fabric = f"maglb-dpdk-{os.getpid()}-fabric"

    def up(self):
        for namespace in (self.lb, self.fabric):
            ip("netns", "add", namespace)
            subprocess.run(["ip", "netns", "exec", namespace, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1"],
                           check=True)
        queues = ("numtxqueues", "2", "numrxqueues", "2")
        ip("link", "add", "lb0", "netns", self.lb, *queues, "type", "veth", "peer", "name", "p0", "netns", self.fabric,
           *queues)
        ip("-n", self.lb, "addr", "add", "10.0.0.2/16", "dev", "lb0")
        for address in ("10.0.0.1/16", "10.0.1.11/16", "10.0.1.12/16"):
            ip("-n", self.fabric, "addr", "add", address, "dev", "p0")
        ip("-n", self.lb, "link", "set", "lb0", "up")
        ip("-n", self.fabric, "link", "set", "p0", "up")

    def down(self):
        for namespace in (self.lb, self.fabric):
            subprocess.run(["ip", "netns", "del", namespace], check=False, capture_output=True)

    def run_script(self, name, *arguments, namespace=None, interface="p0"):
        """One of the scripts beside this file: in the fabric, or beside the dataplane on its other end."""
        mine = "lb0" if namespace is None else interface
        mac = json.loads(ip("-j", "-n", self.lb, "link", "show", mine))[0]["address"]
        command = ["ip", "netns", "exec", namespace or self.fabric, "/usr/bin/python3", "-B", f"{HERE}/{name}"]
        done = subprocess.run([*command, interface, mac, *map(str, arguments)], capture_output=True, text=True,
                              timeout=60, check=True)
        return json.loads(done.stdout)

    def exchange(self, count):
        return self.run_script("exchange.py", count)

    def ping(self):
        return subprocess.run(["ip", "netns", "exec", self.fabric, "ping", "-c1", "-W2", "10.0.0.2"],
                              capture_output=True, check=False).returncode == 0

    def xdp(self):
        return json.loads(ip("-j", "-n", self.lb, "link", "show", "lb0"))[0].get("xdp")


def resolved(dataplane):
    return all("via uplink" in backend["next_hop"] for backend in dataplane.stats().raw["backends"])


def serve(dataplane):
    dataplane.apply(service_file())
    eventually(lambda: resolved(dataplane), "the next hops")
