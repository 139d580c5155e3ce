"""Each kind of event is made to happen, and comes out of /v1/watch and /v1/events alike."""

import os
import subprocess

import pytest

from conftest import wait_for
from test_watch import Watcher

DOCUMENT = """\
version: 1
pools:
  web:
    table_size: 251
    min_healthy: 2
    health: {{type: http, port: {port}, path: /, interval: 100ms, timeout: 90ms, rise: 1, fall: 2}}
    backends:
      - {{name: web1, address: 10.99.0.1}}
      - {{name: web2, address: 10.99.0.2}}
  shop:
    table_size: 251
    slow_start: 1s
    fallback: sorry
    health: {{type: http, port: {port}, path: /, interval: 100ms, timeout: 90ms, rise: 1, fall: 2}}
    backends: [{{name: shop1, address: 10.99.0.3}}]
  sorry:
    table_size: 251
    drain_timeout: 1s
    health: {{type: none}}
    backends:
      - {{name: sorry1, address: 10.0.1.50}}
      - {{name: sorry2, address: 10.0.1.51, state: down}}
services:
  - {{name: web, address: 198.51.100.1, protocol: tcp, port: 80, pool: web}}
  - {{name: shop, address: 198.51.100.2, protocol: tcp, port: 80, pool: shop}}
"""


@pytest.fixture
def api(daemon, peer, servers):
    daemon.write(DOCUMENT.format(port=servers[0].port))
    peer.start()
    daemon.start()
    wait_for(lambda: daemon.get("/v1/status")["backends"]["up"] == 4, "all are up")
    return daemon


def expect(watcher, kind, words, pool=None):
    found = watcher.until(lambda data: data["kind"] == kind and words in data["text"] and data["pool"] == pool)
    return found[2]


def test_each_kind_is_told_as_it_happens(api, servers):
    watcher = Watcher(api, "?after=0")
    told = [expect(watcher, "publish", "runs")]

    api.call("PATCH", "/v1/pools/sorry/backends/sorry2?reason=worn", {"state": "drain"})
    seen = {}
    while not {"config", "drain", "publish"} <= seen.keys():
        data = watcher.next()[2]
        seen[data["kind"]] = data
    assert "worn" in seen["config"]["text"] and seen["drain"]["backend"] == "sorry2"
    told += [seen["config"], expect(watcher, "drain", "", "sorry")]  # its deadline

    servers[2].status = 500
    told += [expect(watcher, "health", "unhealthy: ", "shop"), expect(watcher, "fallback", "", "shop")]
    assert api.get("/v1/pools/shop")["fallback_serves"]
    assert b'maglb_pool_fallback_serving{pool="shop"} 1' in api.get("/metrics", raw=True)
    servers[2].status = 200
    told.append(expect(watcher, "ramp", "began", "shop"))

    servers[0].status = 500
    told.append(expect(watcher, "panic", "", "web"))
    assert api.get("/v1/pools/web")["panic"] and api.backend("web", "web1")["panic"]
    assert b'maglb_pool_panic{pool="web"} 1' in api.get("/metrics", raw=True)
    servers[0].status = 200
    wait_for(lambda: api.get("/v1/status")["backends"]["up"] == 4, "all are up again")

    for server in servers:
        server.status = 500
    told.append(expect(watcher, "hold", "failed together"))
    watcher.close()
    kept = api.get("/v1/events?limit=10000")["events"]
    assert all(event in kept for event in told)
    assert {event["kind"] for event in kept} >= {"publish", "config", "drain", "health", "fallback", "ramp", "panic",
                                                 "hold", "dataplane"}


def test_maglbctl_follows(api, servers):
    command = [os.environ["MAGLBCTL"], "--socket", api.socket, "event", "list", "--follow", "--kind", "health"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as follower:
        servers[2].status = 500
        assert any("shop/shop1: unhealthy" in line for line in iter(follower.stdout.readline, ""))
        servers[2].status = 200
        assert any("shop/shop1: healthy" in line for line in iter(follower.stdout.readline, ""))
        api.stop()
        assert follower.wait(30) == 4
        assert "not reachable" in follower.stderr.read()
