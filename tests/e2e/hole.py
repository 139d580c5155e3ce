"""A hole in the balancer's network: what its kernel sends to chosen targets is lost, and the data path, which
does not ask the kernel, goes on."""

import contextlib

TABLE = 77


@contextlib.contextmanager
def hole(lab):
    """There is one, for a block: a cable whose other end nobody listens to."""
    lab.run("lb", "ip", "link", "add", "hole", "type", "veth", "peer", "name", "holep")
    lab.run("lb", "ip", "-batch", "-", input="link set hole arp off up\nlink set holep up\n")
    try:
        lab.run("lb", "ip", "route", "add", "default", "dev", "hole", "table", str(TABLE))
        yield
    finally:
        lab.run("lb", "ip", "link", "delete", "hole")


@contextlib.contextmanager
def cut(lab, port, *addresses):
    """Sends TCP to this port of these addresses into the hole, for a block."""
    rules = [f"pref 50 to {one} ipproto tcp dport {port} lookup {TABLE}" for one in addresses]

    def change(what):
        lab.run("lb", "ip", "-batch", "-", input="".join(f"rule {what} {rule}\n" for rule in rules))

    change("add")
    try:
        yield
    finally:
        change("delete")
