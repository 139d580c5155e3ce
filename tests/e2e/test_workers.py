"""Two workers: queues are not faithful, flows are."""

import copy

import pytest

from load import load, open_many
from support import WEB, wait_until


def events(daemons):
    total = {}
    for worker in daemons.ctl_json("stats")["workers"]:
        for name, count in worker["events"].items():
            total[name] = total.get(name, 0) + count
    return total


def received(daemons):
    return [worker["received"] for worker in daemons.ctl_json("stats")["workers"]]


@pytest.mark.daemons(workers=2)
def test_a_flow_that_changes_queue_after_a_pool_change_keeps_its_backend(lab, daemons):
    assert len(daemons.ctl_json("stats")["workers"]) == 2
    lab.aim_queues(0)
    with load(lab, "c1", "hold", connections=200, interval_ms=200, timeout_ms=30000) as held:
        # The table now answers differently for most flows: only what is remembered keeps them.
        for server, weight in (("s1", 1), ("s2", 1), ("s3", 400)):
            daemons.change("backend", "weight", "web", server, str(weight))
        before = received(daemons)
        lab.aim_queues(1)

        def moved_over():
            return received(daemons)[1] > before[1] and events(daemons)["flows_adopted"] >= 150

        wait_until("the other worker has taken the flows over", moved_over, 60)
        # And back again.
        lab.aim_queues(0)
        counted = sum(received(daemons))
        wait_until("traffic goes on", lambda: sum(received(daemons)) > counted + 400, 60)
    assert held.seen["failed"] == 0 and held.seen["moved"] == 0, held.seen["failures"][:5]
    assert {one["server"] for one in held.seen["held"]} == set(lab.servers)


@pytest.mark.daemons(workers=2)
def test_two_workers_share_the_traffic(lab, daemons):
    document = copy.deepcopy(daemons.document)
    seen = open_many(lab, 4000)
    assert seen["failed"] == 0, seen["failures"][:5]
    assert set(seen["servers"]) == {backend["name"] for backend in document["pools"]["web"]["backends"]}
    assert all(worker["received"] > 0 for worker in daemons.ctl_json("stats")["workers"])
    assert WEB == daemons.ctl_json("service", "show", "web")["address"]
