"""A case: a name, packets in, packets out, and what is counted. One file of them for each feature."""
import dataclasses

import pytest

from configs import ONE_BACKEND
from harness import replay
from tunnel_packets import without_flow_fields


@dataclasses.dataclass(frozen=True)
class Case:
    name: str
    sent: list                                      # frames into the balancer
    expected: list                                  # frames out of it, in their order
    dropped: dict = dataclasses.field(default_factory=dict)
    kernel: int = 0
    originated: int = 0
    held: int = 0                                   # that wait at the end
    new_flows: dict = dataclasses.field(default_factory=dict)  # by service; those named are checked
    config: str = ONE_BACKEND
    dataplane: str = ""
    by_flow: bool = False  # expected without what flows choose of tunnels


def each(cases):
    return pytest.mark.parametrize("case", cases, ids=[case.name for case in cases])


def check(case):
    outcome = replay(case.config, case.sent, case.dataplane)
    frames = [without_flow_fields(frame) for frame in outcome.frames] if case.by_flow else outcome.frames
    assert [frame.hex(" ") for frame in frames] == [bytes(frame).hex(" ") for frame in case.expected]
    assert outcome.dropped == case.dropped
    assert outcome.counters["kernel"] == case.kernel
    assert outcome.counters["originated"] == case.originated
    assert outcome.counters["held"] == case.held
    for service, count in case.new_flows.items():
        assert outcome.service(service)["new_flows"] == count
    return outcome
