"""Probes and tables: what leaves, what comes back, what waits, and what stays when nothing is left."""

from conftest import probed, wait_for


def effective(daemon, name):
    return daemon.backend("web", name)["effective"]


def all_up(daemon):
    wait_for(lambda: daemon.get("/v1/pools/web")["backends_up"] == 3 and
             all(b["health"] == "healthy" for b in daemon.get("/v1/pools/web/backends")["backends"]), "all are up")


def test_a_dead_server_leaves_and_returns(daemon, peer, servers):
    daemon.write(probed(servers))
    peer.start()
    daemon.start()
    all_up(daemon)
    servers[1].stop()
    wait_for(lambda: (peer.backend("web", "web2") or {}).get("state") == "unhealthy", "web2 leaves the table")
    backend = daemon.backend("web", "web2")
    assert backend["health"] == "unhealthy" and backend["slots"] == 0 and backend["reason"]
    assert peer.backend("web", "web2")["slots"] == 0
    servers[1].start()
    wait_for(lambda: peer.backend("web", "web2")["state"] == "up", "web2 returns")


def test_serves_at_once_and_a_server_that_is_dead_from_the_start_leaves(daemon, peer, servers):
    servers[2].stop()
    daemon.write(probed(servers, interval="300ms"))
    peer.start()
    daemon.start()
    wait_for(lambda: (peer.backend("web", "web3") or {}).get("state") == "unhealthy", "web3 leaves")
    first = peer.changes()[0]["state"]["pools"]["web"]["backends"]
    assert any(backend["slots"] > 0 for backend in first.values())
    assert effective(daemon, "web1") == "up"


def test_an_added_backend_waits_for_its_first_good_probe(daemon, peer, servers):
    daemon.write(probed(servers[:2]))
    peer.start()
    daemon.start()
    wait_for(lambda: daemon.get("/v1/pools/web")["backends_up"] == 2, "both are up")
    servers[2].stop()
    daemon.call("POST", "/v1/pools/web/backends", {"name": "web3", "address": servers[2].address}, 201)
    wait_for(lambda: daemon.backend("web", "web3")["health"] == "unhealthy", "it was probed")
    assert all(change["state"]["pools"]["web"]["backends"].get("web3", {}).get("slots", 0) == 0
               for change in peer.changes())
    servers[2].start()
    wait_for(lambda: peer.backend("web", "web3")["slots"] > 0, "it is used")


def test_the_last_table_stays_when_every_server_is_dead(daemon, peer, servers):
    daemon.write(probed(servers))
    peer.start()
    daemon.start()
    all_up(daemon)
    for server in servers:
        server.stop()
    wait_for(lambda: daemon.get("/v1/pools/web")["stale"], "the pool is stale")
    assert any("web" in warning for warning in daemon.get("/v1/status")["warnings"])
    assert sum(backend["slots"] for backend in peer.state()["pools"]["web"]["backends"].values()) == 251
    assert b'maglb_pool_stale{pool="web"} 1' in daemon.get("/metrics", raw=True)
    servers[0].start()
    wait_for(lambda: not daemon.get("/v1/pools/web")["stale"], "one is back")
    wait_for(lambda: peer.backend("web", "web1")["slots"] == 251, "it has every slot")


def test_a_drained_backend_is_probed_and_stays_drained(daemon, peer, servers):
    daemon.write(probed(servers))
    peer.start()
    daemon.start()
    all_up(daemon)
    daemon.call("PATCH", "/v1/pools/web/backends/web1", {"state": "drain"})
    assert peer.backend("web", "web1") == {**peer.backend("web", "web1"), "state": "drain", "slots": 0}
    servers[0].stop()
    wait_for(lambda: effective(daemon, "web1") == "unhealthy", "its probe fails")
    servers[0].start()
    wait_for(lambda: effective(daemon, "web1") == "drain", "it is drained again")


def test_a_changed_probe_moves_nothing(daemon, peer, servers):
    daemon.write(probed(servers))
    peer.start()
    daemon.start()
    all_up(daemon)
    table = peer.state()["pools"]["web"]["table"]
    count = len(peer.changes())
    daemon.write(probed(servers, fall=4, interval="150ms"))
    daemon.call("POST", "/v1/config/reload")
    all_up(daemon)
    assert all(change["state"]["pools"]["web"]["table"] == table for change in peer.changes()[count:])
