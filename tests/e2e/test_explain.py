"""`explain` says what the workers do: asked before and after each of many random packets, while backends drain,
come back and change weight."""

import random
import threading
import time

import pytest

from api import Api
from daemons import service_document
from support import DNS, WEB, figure
from wire import SYN, TCP, UDP, Capture, Opener, packet

FLOWS = figure(10_000, 200)
# What of each pool is the same on every machine, so that explain foretells it; of the others it names one of
# those that it may be.
TARGETS = [
    (WEB, 80, TCP, True),
    (DNS, 80, TCP, True),
    (DNS, 53, UDP, True),
    (WEB, 8000, TCP, True),
    (WEB, 8001, TCP, False),
]


def document(lab):
    one = service_document(lab)
    for scheduler, port in (("source-hash", 8000), ("round-robin", 8001)):
        backends = [dict(backend) for backend in one["pools"]["dns"]["backends"]]
        one["pools"][scheduler] = {"scheduler": scheduler, "backends": backends}
        one["services"].append(
            {"name": scheduler, "address": WEB, "protocol": "tcp", "port": port, "pool": scheduler, "forward": "ipip"}
        )
    for pool in one["pools"].values():
        pool["health"] = {"type": "none"}
    return one


class Changes:
    """Drains, returns and weights in all pools, one after the other, from a thread, around a block."""

    def __init__(self, daemons, seed):
        self.made = 0
        self._daemons = daemons
        self._random = random.Random(seed)
        self._running = True
        self._failure = None
        self._thread = threading.Thread(target=self._run)

    def _run(self):
        try:
            api = Api(self._daemons)
            while self._running:
                self._change(api)
                self.made += 1
                time.sleep(self._random.uniform(0, 0.05))
        except Exception as error:  # told by the test's thread
            self._failure = error

    def _change(self, api):
        pool = self._random.choice(["web", "dns", "source-hash", "round-robin"])
        # s4 always takes new flows.
        server = self._random.choice(["s1", "s2", "s3"])
        body = self._random.choice([{"state": "drain"}, {"state": "up"}, {"weight": self._random.randint(1, 300)}])
        api.ask("PATCH", f"/v1/pools/{pool}/backends/{server}", body)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._running = False
        self._thread.join()
        if self._failure is not None:
            raise self._failure


def random_flows(seed):
    """Distinct ones: a flow that was there before would be no new one."""
    chosen = random.Random(seed)
    seen = set()
    while len(seen) < FLOWS:
        flow = (f"203.0.113.{chosen.randint(1, 254)}", chosen.randint(1, 65535), chosen.choice(TARGETS))
        if flow not in seen:
            seen.add(flow)
            yield flow


def explained(api, flow, flags):
    source, source_port, (destination, port, protocol, _) = flow
    return api.get(
        "/v1/explain", protocol="tcp" if protocol == TCP else "udp", source=source, source_port=source_port,
        destination=destination, destination_port=port, flags=flags,
    )  # fmt: skip


def sent_to(opener, frames, flow):
    """Sends the flow's first packet. Returns the backend that the balancer sent it to."""
    source, source_port, (destination, port, protocol, _) = flow
    opener.send(packet(source, source_port, destination, port, SYN, protocol))
    for _ in range(100):
        for one in frames.read(0.1):
            if (one.source, one.source_port, one.destination, one.port) == (source, source_port, destination, port):
                return one.backend
    raise AssertionError(f"{flow} did not leave the balancer")


@pytest.mark.daemons(document=document)
def test_explain_agrees_with_the_workers_during_changes(lab, daemons):
    seed = random.randrange(1 << 32)
    print("seed", seed)
    api, opener = Api(daemons), Opener(lab, "c1")
    foretold = backends = 0
    with Capture(lab) as frames, Changes(daemons, seed) as changes:
        for flow in random_flows(seed):
            before = explained(api, flow, "syn")
            assert before["flow"] is None, (flow, before)
            went = sent_to(opener, frames, flow)
            after = explained(api, flow, "ack")
            assert after["flow"] is not None and after["flow"]["backend"] == went, (flow, went, after)
            assert after["result"]["backend"] == went, (flow, went, after)
            if before["generation"] == after["generation"] and flow[2][3]:
                foretold += 1
                assert before["new_flow"]["backend"] == went, (flow, went, before)
            backends += 1
    print(f"{backends} flows, {foretold} foretold, {changes.made} changes meanwhile")
    assert foretold > FLOWS / 20 and changes.made > FLOWS / 50
    opener.close()
    api.close()
