"""Backends that are down, drained or of no weight get no new flows; without any there is no backend."""
import pytest

from configs import backend, config, service
from harness import replay
from packets import ether, tcp

FRAMES = [ether(tcp(sport=1024 + i)) for i in range(300)]


def shares(*backends, **services):
    outcome = replay(config({"web": list(backends)}, [service(**services)]), FRAMES)
    return outcome, {name: traffic["packets"] for name, traffic in outcome.counters["backends"]["web"].items()}


@pytest.mark.parametrize("out", [{"state": "drain"}, {"state": "down"}, {"weight": 0}], ids=str)
@pytest.mark.parametrize("forward", ["ipip", "l2"])
def test_one_is_out(out, forward):
    outcome, packets = shares(backend("a", "10.0.1.1"), backend("b", "10.0.1.2", **out), backend("c", "10.0.1.3"),
                              forward=forward)
    assert packets["b"] == 0
    assert packets["a"] + packets["c"] == len(FRAMES)
    assert min(packets["a"], packets["c"]) > len(FRAMES) / 4
    assert outcome.dropped == {}


@pytest.mark.parametrize("out", [{"state": "drain"}, {"state": "down"}, {"weight": 0}], ids=str)
def test_all_are_out(out):
    outcome, packets = shares(backend("a", "10.0.1.1", **out), backend("b", "10.0.1.2", **out))
    assert packets == {"a": 0, "b": 0}
    assert outcome.dropped == {"no_backend": len(FRAMES)}
    assert outcome.service("web") == {"packets": 300, "bytes": 300 * 40, "new_flows": 0}


def test_weights_are_shares():
    _, packets = shares(backend("a", "10.0.1.1", weight=300), backend("b", "10.0.1.2", weight=100))
    assert 0.65 < packets["a"] / len(FRAMES) < 0.85


def test_probes_are_not_asked():
    text = config({"web": [backend("a", "10.0.1.1")]}, [service()]).replace(
        "{type: none}", "{type: http, port: 80, path: /healthz, interval: 1s, timeout: 500ms, rise: 2, fall: 3}")
    assert replay(text, FRAMES).counters["sent"] == len(FRAMES)
