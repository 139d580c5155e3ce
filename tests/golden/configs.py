"""Configurations that several files use. One backend a pool where the choice is not the subject."""

ONE_BACKEND = """\
version: 1
seed: 7
pools:
  web:
    table_size: 251
    health: {type: none}
    backends: [{name: web1, address: 10.0.1.11}]
  dns:
    table_size: 251
    health: {type: none}
    backends: [{name: ns1, address: 10.0.1.21}]
services:
  - {name: web, address: 198.51.100.1, protocol: tcp, port: 80, pool: web, forward: ipip}
  - {name: dns, address: 198.51.100.2, protocol: udp, port: 53, pool: dns, forward: l2}
"""

WEB1 = "10.0.1.11"
NS1 = "10.0.1.21"


def service(address="198.51.100.1", protocol="tcp", port=80, name="web", pool="web", **more):
    fields = {"name": name, "address": address, "protocol": protocol, "port": port, "pool": pool, **more}
    return "{" + ", ".join(f"{key}: {value}" for key, value in fields.items()) + "}"


def backend(name, address, **more):
    fields = {"name": name, "address": address, **more}
    return "{" + ", ".join(f"{key}: {value}" for key, value in fields.items()) + "}"


def config(pools, services, seed=7, table_size=251):
    """pools: name -> list of backend(); services: list of service()."""
    lines = ["version: 1", f"seed: {seed}", "pools:"]
    for name, backends in pools.items():
        lines += [f"  {name}:", f"    table_size: {table_size}", "    health: {type: none}", "    backends:"]
        lines += [f"      - {text}" for text in backends]
    return "\n".join(lines + ["services:"] + [f"  - {text}" for text in services]) + "\n"


def dataplane(mtu=1500, tunnel_source="{ipv4: 10.0.0.2}", port="", more=""):
    source = f"tunnel_source: {tunnel_source}\n" if tunnel_source else ""
    return (f"cores: {{main: 0, workers: [1]}}\n{source}"
            f'ports:\n  - {{name: uplink, device: "net_af_xdp0,iface=lb0", mtu: {mtu}{port}}}\n{more}')
