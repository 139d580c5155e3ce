"""What the kernels of a lab know: of their TCP connections, of ICMP, of the way to an address."""

import re


def counters(lab, name):
    """/proc/net/snmp and snmp6 of a namespace: Tcp.OutSegs, Icmp.InDestUnreachs, Icmp6InPktTooBigs."""
    done = lab.run(name, "cat", "/proc/net/snmp", "/proc/net/snmp6")
    counts, names = {}, []
    for line in done.stdout.splitlines():
        first, *words = line.split()
        if not first.endswith(":"):
            counts[first] = int(words[0])
        elif words[0].lstrip("-").isdigit():
            counts |= {f"{first[:-1]}.{key}": int(value) for key, value in zip(names, words)}
        else:
            names = words
    return counts


class Watch:
    """Counts of a block, over all of the namespaces."""

    def __init__(self, lab, *names):
        self.lab, self.names = lab, names

    def _sums(self):
        all_counts = [counters(self.lab, name) for name in self.names]
        return {key: sum(counts.get(key, 0) for counts in all_counts) for key in set().union(*all_counts)}

    def __enter__(self):
        self.before = self._sums()
        return self

    def __exit__(self, *_):
        self.counts = {key: value - self.before.get(key, 0) for key, value in self._sums().items()}
        self.segments = self.counts["Tcp.OutSegs"]
        self.again = self.counts["Tcp.RetransSegs"]
        self.share_again = self.again / max(1, self.segments)
        self.errors = self.counts["Icmp.InDestUnreachs"] + self.counts["Icmp6InPktTooBigs"]
        self.errors_sent = self.counts["Icmp.OutDestUnreachs"] + self.counts["Icmp6OutPktTooBigs"]
        # About a connection that is not there.
        self.stray_errors = self.counts["Icmp.InErrors"] + self.counts["Icmp6InErrors"]


def learnt_mtu(lab, name, address):
    """What the kernel has been told of the way to the address; None: nothing."""
    found = re.search(r"\bmtu (\d+)", lab.run(name, "ip", "route", "get", address).stdout)
    return int(found.group(1)) if found else None
