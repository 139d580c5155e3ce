"""Which backend a new flow gets, predicted by selection.py for a thousand random flows each."""
import random

import pytest
from scapy.layers.inet import IP
from scapy.layers.l2 import Ether

from configs import backend, config, service
from harness import replay
from packets import DNS, WEB, ether, l2_mac, tcp, udp
from selection import maglev_table, siphash24, slot

FLOWS = 1000


def test_siphash_as_published():
    """Appendix A of the SipHash paper."""
    key = bytes(range(16))
    k0, k1 = (int.from_bytes(key[i:i + 8], "little") for i in (0, 8))
    assert siphash24(k0, k1, bytes(range(15))) == 0xA129CA6149BE45E5


def random_address(rng):
    return f"{rng.randrange(11, 120)}.{rng.randrange(256)}.{rng.randrange(256)}.{rng.randrange(1, 255)}"


def addresses(names):
    return {name: f"10.0.{1 + i // 200}.{1 + i % 200}" for i, name in enumerate(names)}


SETUPS = {
    "equal": (7, 65537, {f"web{i}": 100 for i in range(1, 5)}),
    "one": (7, 251, {"only": 100}),
    "weighted": (0, 65537, {"a": 1, "b": 10, "c": 100, "d": 33, "e": 0}),
    "many": (2**64 - 1, 4099, {f"backend-{i}": 1 + i % 7 for i in range(120)}),
    "small table": (123456789, 13, {"x": 3, "y": 2, "z": 2}),
}


@pytest.mark.parametrize("setup", SETUPS)
@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_the_choice(setup, protocol):
    seed, size, weights = SETUPS[setup]
    rng = random.Random(f"{setup} {protocol}")
    where = addresses(weights)
    names = list(weights)
    rng.shuffle(names)  # the order of the file changes nothing
    if protocol == "tcp":
        services = [service(forward="ipip")]
        number, destination, port, build = 6, WEB, 80, tcp
    else:
        services = [service(DNS, "udp", 53, forward="l2")]
        number, destination, port, build = 17, DNS, 53, udp
    text = config({"web": [backend(n, where[n], weight=weights[n]) for n in names]}, services, seed, size)
    flows = [(random_address(rng), rng.randrange(1, 65536)) for _ in range(FLOWS)]
    outcome = replay(text, [ether(build(src=source, sport=sport)) for source, sport in flows])

    table = maglev_table(weights, size, seed)
    expected = [table[slot(seed, size, source, destination, sport, port, number)] for source, sport in flows]
    reached = ([Ether(frame)[IP].dst for frame in outcome.frames] if protocol == "tcp"
               else [Ether(frame).dst for frame in outcome.frames])
    assert reached == [where[name] if protocol == "tcp" else l2_mac(where[name]) for name in expected]
    for name, traffic in outcome.counters["backends"]["web"].items():
        assert traffic["packets"] == expected.count(name)


def test_another_seed_chooses_otherwise():
    where = addresses(["a", "b", "c", "d"])
    frames = [ether(tcp(sport=1024 + i)) for i in range(200)]

    def choice(seed):
        text = config({"web": [backend(n, a) for n, a in where.items()]}, [service()], seed)
        return [Ether(frame)[IP].dst for frame in replay(text, frames).frames]
    same = sum(a == b for a, b in zip(choice(1), choice(2)))
    assert same < 100
