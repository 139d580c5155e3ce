"""A difference of documents with huge tables takes seconds to build: the daemon answers and probes meanwhile."""

import json
import threading
import time

from conftest import PLAIN, UnixConnection, probed, wait_for


def huge(pools):
    """Each pool is some hundred milliseconds of work."""
    def pool(number):
        backends = "".join(f"      - {{name: b{i}, address: 10.{number}.0.{i}, weight: {1 + i}}}\n" for i in range(1, 41))
        return f"  p{number}:\n    table_size: 4194301\n    health: {{type: none}}\n    backends:\n{backends}"
    return "version: 1\npools:\n" + "".join(pool(number) for number in range(1, pools + 1))


class Asking(threading.Thread):
    """POST /v1/config/diff, and how long it took."""

    def __init__(self, daemon, document):
        super().__init__(daemon=True)
        self.api, self.document = daemon, document
        self.status = self.retry_after = self.body = self.seconds = None
        self.start()

    def run(self):
        began = time.monotonic()
        connection = UnixConnection(self.api.socket, timeout=200)
        connection.request("POST", "/v1/config/diff", body=self.document)
        answer = connection.getresponse()
        self.status, self.retry_after, self.body = answer.status, answer.getheader("Retry-After"), answer.read()
        connection.close()
        self.seconds = time.monotonic() - began


def test_a_huge_difference_holds_nobody_up(daemon, servers):
    daemon.write(probed(servers))
    daemon.start()
    wait_for(lambda: daemon.get("/v1/pools/web")["backends_up"] == 3, "all are up")
    asking = Asking(daemon, huge(8))
    probed_before = servers[0].requests
    slowest, count, probes = 0.0, 0, 0
    while asking.is_alive():
        began = time.monotonic()
        daemon.get("/v1/status")
        slowest, count = max(slowest, time.monotonic() - began), count + 1
        probes = servers[0].requests - probed_before
        time.sleep(0.01)
    assert asking.status == 200 and len(json.loads(asking.body)["pools"]) == 9
    print(f"difference {asking.seconds:.2f} s; meanwhile {count} answers, the slowest {slowest:.3f} s; {probes} probes")
    assert count > 3 and slowest < asking.seconds / 2, (count, slowest, asking.seconds)
    assert probes > 1


def test_more_than_a_few_are_sent_away(daemon):
    daemon.write(PLAIN)
    daemon.start()
    crowd = [Asking(daemon, huge(2)) for _ in range(12)]
    for one in crowd:
        one.join(200)
    refused = [one for one in crowd if one.status == 503]
    assert refused and all(int(one.retry_after) > 0 for one in refused)
    assert len(crowd) - len(refused) >= 5 and all(one.status == 200 for one in crowd if one not in refused)
