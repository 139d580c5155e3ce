"""A case: a name, packets in, packets out, and what is counted. One file of them for each feature."""
import dataclasses

import pytest

from configs import ONE_BACKEND
from harness import replay


@dataclasses.dataclass(frozen=True)
class Case:
    name: str
    sent: list                                      # frames into the balancer
    expected: list                                  # frames out of it, in their order
    dropped: dict = dataclasses.field(default_factory=dict)
    kernel: int = 0
    originated: int = 0
    new_flows: dict = dataclasses.field(default_factory=dict)  # by service; those named are checked
    config: str = ONE_BACKEND
    dataplane: str = ""


def each(cases):
    return pytest.mark.parametrize("case", cases, ids=[case.name for case in cases])


def check(case):
    outcome = replay(case.config, case.sent, case.dataplane)
    assert [frame.hex(" ") for frame in outcome.frames] == [bytes(frame).hex(" ") for frame in case.expected]
    assert outcome.dropped == case.dropped
    assert outcome.counters["kernel"] == case.kernel
    assert outcome.counters["originated"] == case.originated
    for service, count in case.new_flows.items():
        assert outcome.service(service)["new_flows"] == count
    return outcome
