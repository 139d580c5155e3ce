"""kill -9 at any time: drains, weights and health are as before, and nothing moves."""

import random
import signal

from conftest import PLAIN, probed, wait_for


def ready(daemon):
    wait_for(lambda: daemon.request("GET", "/readyz")[0] == 200, "the state runs")


def test_a_restart_publishes_the_same_state(daemon, peer, servers):
    daemon.write(probed(servers))
    peer.start()
    daemon.start()
    wait_for(lambda: daemon.get("/v1/pools/web")["backends_up"] == 3, "all are up")
    servers[2].stop()
    wait_for(lambda: daemon.backend("web", "web3")["health"] == "unhealthy", "web3 is dead")
    daemon.call("PATCH", "/v1/pools/web/backends/web1", {"state": "drain"})
    daemon.call("PATCH", "/v1/pools/web/backends/web2", {"weight": 30})
    before = peer.state()
    for _ in range(3):
        count = len(peer.changes())
        daemon.stop(signal.SIGKILL)
        daemon.start()
        ready(daemon)
        new = peer.changes()[count:]
        assert new[0]["whole"] and all(change["state"] == before for change in new), (before, new)
        assert new[0]["generation"] > peer.changes()[count - 1]["generation"]
        status = daemon.get("/v1/status")
        assert status["config"]["source"] == "runtime"
        assert daemon.backend("web", "web1")["state"] == "drain"
        assert daemon.backend("web", "web3")["health"] == "unhealthy"


def test_a_restart_of_a_stale_pool_keeps_its_table(daemon, peer, servers):
    # Servers that die one right behind the other may look like a network that is gone.
    daemon.write(probed(servers) + "network_failure: act\n")
    peer.start()
    daemon.start()
    wait_for(lambda: daemon.get("/v1/pools/web")["backends_up"] == 3, "all are up")
    for server in (servers[2], servers[0], servers[1]):
        server.stop()
        name = "web" + str(servers.index(server) + 1)
        wait_for(lambda: daemon.backend("web", name)["health"] == "unhealthy", "it is dead")
    wait_for(lambda: daemon.get("/v1/pools/web")["stale"], "the pool is stale")
    table = peer.state()["pools"]["web"]["table"]
    count = len(peer.changes())
    daemon.stop(signal.SIGKILL)
    daemon.start()
    ready(daemon)
    wait_for(lambda: daemon.get("/v1/pools/web")["stale"], "the pool is stale again")
    assert all(change["state"]["pools"]["web"]["table"] == table for change in peer.changes()[count:])


def test_the_file_wins_when_it_changed_meanwhile(daemon):
    daemon.write(PLAIN)
    daemon.start()
    daemon.call("PATCH", "/v1/pools/web/backends/web1", {"state": "drain"})
    daemon.stop(signal.SIGKILL)
    daemon.start()
    assert daemon.backend("web", "web1")["state"] == "drain"
    daemon.stop()
    daemon.write(PLAIN.replace("10.0.1.12", "10.0.1.99"))
    daemon.start()
    assert daemon.backend("web", "web1")["state"] == "up"
    assert daemon.backend("web", "web2")["address"] == "10.0.1.99"


def test_a_file_that_went_bad_or_away_does_not_stop_a_restart(daemon):
    import os
    daemon.write(PLAIN)
    daemon.start()
    daemon.stop()
    daemon.write("version: 1\npools: 3\n")
    daemon.start()
    assert daemon.get("/v1/services/web")["port"] == 80
    assert any(daemon.config + ":2:" in warning for warning in daemon.get("/v1/status")["warnings"])
    daemon.stop()
    os.unlink(daemon.config)
    daemon.start()
    assert daemon.get("/v1/services/web")["port"] == 80 and daemon.get("/v1/status")["warnings"]


def test_every_acknowledged_change_survives_kills_at_random_times(daemon):
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chosen = random.Random(seed)
    daemon.write(PLAIN)
    daemon.start()
    for _ in range(8):
        acknowledged = 0
        for _ in range(chosen.randrange(1, 12)):
            acknowledged = chosen.randrange(1, 10000)
            daemon.call("PATCH", "/v1/pools/web/backends/web1", {"weight": acknowledged})
        daemon.stop(signal.SIGKILL)
        daemon.start()
        assert daemon.backend("web", "web1")["weight"] == acknowledged


def test_stops_in_order_on_sigterm(daemon, peer):
    import os
    daemon.write(PLAIN)
    peer.start()
    daemon.start()
    ready(daemon)
    assert daemon.stop() == 0
    assert not os.path.exists(daemon.socket)
