"""Pools with backends of both families: each flow gets the outer header of its backend's family."""
import collections

import pytest

from configs import backend, config, dataplane, service
from harness import replay
from packets import ether, l2, l2_mac, tcp
from packets6 import WEB6, l2_mac6, tcp6
from tunnel_packets import BOTH_SOURCES, outer_of, tunnelled, without_flow_fields

WHERE = {"a4": "10.0.1.1", "b4": "10.0.1.2", "a6": "fd00:1::1", "b6": "fd00:1::2"}
POOLS = {"web": [backend(name, f"'{address}'") for name, address in WHERE.items()]}
MODES = {"ipip": {}, "gue": {}, "gue with checksum": {"udp_checksum": "true"}, "gre": {}, "gre with key": {"gre_key": 0}}
FLOWS = 120


def config_of(mode, **more):
    forward = mode.split()[0]
    return config(POOLS, [service(forward=forward, **MODES.get(mode, {}), **more),
                          service(f"'{WEB6}'", name="web6", forward=forward, **MODES.get(mode, {}), **more)])


PACKETS = [build(flags, sport=2000 + i, size=size) for flags, size in (("S", 0), ("A", 9), ("FA", 0))
           for i in range(FLOWS) for build in (tcp, tcp6)]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("flow", ["on", "off"])
def test_each_flow_by_its_backends_family(mode, flow):
    outcome = replay(config_of(mode, flow=flow), [ether(packet) for packet in PACKETS], BOTH_SOURCES)
    chosen = [outer_of(frame).dst for frame in outcome.frames]
    first = chosen[:2 * FLOWS]
    assert chosen == first * 3
    assert min(collections.Counter(first).values()) > FLOWS / 4 and set(first) == set(WHERE.values())
    key = 0 if mode == "gre with key" else None
    for frame, packet, to in zip(outcome.frames, PACKETS, chosen, strict=True):
        assert outer_of(frame).version == (6 if ":" in to else 4)
        assert without_flow_fields(frame) == tunnelled(packet, to, mode.split()[0], gre_key=key)
    for name, address in WHERE.items():
        assert outcome.backend("web", name)["packets"] == chosen.count(address)


def test_by_l2_the_frame_stays_of_its_own_family():
    outcome = replay(config_of("l2"), [ether(packet) for packet in PACKETS])
    macs = {name: l2_mac6(address) if ":" in address else l2_mac(address) for name, address in WHERE.items()}
    sent = collections.Counter()
    for frame, packet in zip(outcome.frames, PACKETS, strict=True):
        name = next(name for name, mac in macs.items() if frame[:6].hex(":") == mac)
        assert frame == l2(packet, macs[name])
        sent[name] += 1
    assert sent == {name: outcome.backend("web", name)["packets"] for name in WHERE}


@pytest.mark.parametrize("source,missing", [("{ipv4: 10.0.0.2}", 6), ("{ipv6: 'fd00::2'}", 4)], ids=["no 6", "no 4"])
def test_without_a_source_of_one_family_only_its_backends_go_without(source, missing):
    frames = [ether(packet) for packet in PACKETS]
    whole = replay(config_of("ipip"), frames, BOTH_SOURCES)
    part = replay(config_of("ipip"), frames, dataplane(tunnel_source=source))
    kept = [frame for frame in whole.frames if outer_of(frame).version != missing]
    assert part.dropped == {"no_tunnel_source": len(whole.frames) - len(kept)}
    assert [without_flow_fields(frame)[-40:] for frame in part.frames] == [frame[-40:] for frame in kept]


def test_the_pool_is_one_for_both_services():
    outcome = replay(config_of("ipip"), [ether(packet) for packet in PACKETS], BOTH_SOURCES)
    assert outcome.service("web")["new_flows"] == outcome.service("web6")["new_flows"] == FLOWS
