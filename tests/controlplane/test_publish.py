"""What reaches the dataplane: whole states, differences, and what happens when it goes, comes or refuses."""

import signal

from conftest import PLAIN, wait_for


def ready(daemon):
    return wait_for(lambda: daemon.request("GET", "/readyz")[0] == 200, "the dataplane runs the state")


def test_works_without_a_dataplane_and_says_so(daemon):
    daemon.write(PLAIN)
    daemon.start()
    status = daemon.get("/v1/status")
    assert status["dataplane"]["connected"] is False
    assert status["dataplane"]["error"]
    assert status["ready"] is False
    assert daemon.request("GET", "/readyz")[0] == 503
    assert daemon.get("/v1/services/web")["packets"] is None
    assert daemon.get("/v1/stats")["totals"] is None
    assert daemon.call("PATCH", "/v1/pools/web/backends/web1", {"weight": 5})["weight"] == 5
    assert daemon.request("GET", "/v1/flows/summary")[0] == 503


def test_sends_the_whole_state_first_and_then_what_changed(daemon, peer):
    daemon.write(PLAIN)
    peer.start()
    daemon.start()
    ready(daemon)
    first = peer.changes()[-1]
    assert first["whole"] and first["pools"] == ["dns", "web"] and sorted(first["services"]) == ["dns", "web"]
    daemon.call("PATCH", "/v1/pools/web/backends/web1", {"weight": 50})
    second = peer.changes()[-1]
    assert second["base"] == first["generation"] and second["generation"] > first["generation"]
    assert second["pools"] == ["web"] and second["services"] is None and second["removed"] == []
    assert second["state"]["pools"]["dns"] == first["state"]["pools"]["dns"]
    assert peer.backend("web", "web1")["weight"] == 50


def test_a_change_is_published_when_it_is_acknowledged(daemon, peer):
    daemon.write(PLAIN)
    peer.start()
    daemon.start()
    ready(daemon)
    for state in ("drain", "down", "up"):
        daemon.call("PATCH", "/v1/pools/web/backends/web2", {"state": state})
        assert peer.backend("web", "web2")["state"] == state
    daemon.call("DELETE", "/v1/pools/web/backends/web2")
    assert peer.backend("web", "web2") is None


def test_removes_pools_and_services(daemon, peer):
    daemon.write(PLAIN)
    peer.start()
    daemon.start()
    ready(daemon)
    lines = PLAIN.splitlines()
    without = "\n".join(line for line in lines if "dns" not in line and "ns1" not in line)
    without = without.replace("""      - {name: web2, address: 10.0.1.12}
    table_size: 251
    health: {type: none}
""", "      - {name: web2, address: 10.0.1.12}\n")
    daemon.call("PUT", "/v1/config", without)
    last = peer.changes()[-1]
    assert last["removed"] == ["dns"] and last["services"] == ["web"] and not last["whole"]


def test_merges_changes_while_one_is_under_way(daemon, peer):
    daemon.write(PLAIN)
    peer.start("--slow-ms", "1500")
    daemon.start()
    wait_for(lambda: len(peer.changes()) == 1, "the first state")
    ready(daemon)
    for weight in range(1, 21):
        daemon.call("PATCH", "/v1/pools/web/backends/web1", {"weight": weight})
    wait_for(lambda: (peer.backend("web", "web1") or {}).get("weight") == 20, "the last weight", 60)
    assert len(peer.changes()) < 21


def test_a_dataplane_that_was_killed_gets_its_state_back(daemon, peer):
    daemon.write(PLAIN)
    peer.start()
    daemon.start()
    ready(daemon)
    before = peer.state()
    peer.stop(signal.SIGKILL)
    wait_for(lambda: not daemon.get("/v1/status")["dataplane"]["connected"], "the loss is seen")
    daemon.call("PATCH", "/v1/pools/web/backends/web1", {"weight": 9})
    count = len(peer.changes())
    peer.start()
    ready(daemon)
    after = peer.changes()[count]
    assert after["whole"]
    assert after["state"]["pools"]["dns"] == before["pools"]["dns"]
    assert peer.backend("web", "web1")["weight"] == 9


def test_a_refused_state_is_told_and_the_next_one_is_tried(daemon, peer):
    daemon.write(PLAIN)
    peer.start("--refuse", "no room for it")
    daemon.start()
    wait_for(lambda: "no room for it" in daemon.request("GET", "/readyz")[2].decode(), "the reason")
    assert daemon.get("/v1/status")["dataplane"]["error"] == "no room for it"
    changed = PLAIN.replace("seed: 7", "seed: 8")
    answer = daemon.call("PUT", "/v1/config", changed, status=409)
    assert "no room for it" in answer["error"]["message"]
    peer.stop()
    peer.start()
    ready(daemon)
    assert daemon.call("PUT", "/v1/config", changed)["warning"] is None


def test_a_refusal_is_of_the_state_that_was_sent(daemon, peer):
    """Not of what became wanted while it was under way: that is tried without a pause."""
    daemon.write(PLAIN)
    peer.start("--refuse", "no room for it", "--slow-ms", "2000")
    daemon.start()
    wait_for(lambda: daemon.get("/v1/status")["dataplane"]["connected"], "the first state is under way")
    daemon.call("PATCH", "/v1/pools/web/backends/web1", {"weight": 9})
    wait_for(lambda: len(peer.changes()) >= 2, "both are refused")
    first, second = (change["generation"] for change in peer.changes()[:2])
    assert first < second

    def refused():
        with open(daemon.log, encoding="utf-8") as log:
            return [line.split("refused generation ")[1].split(":")[0] for line in log if "refused generation" in line]

    wait_for(lambda: len(refused()) >= 2, "both refusals are told")
    assert refused()[:2] == [str(first), str(second)]


def test_another_control_plane_waits_for_the_lease(daemon, peer, directory):
    from conftest import Daemon
    daemon.write(PLAIN)
    peer.start()
    daemon.start()
    ready(daemon)
    second = Daemon(directory)
    second.socket += "2"
    second.state_dir += "2"
    try:
        second.start()
        wait_for(lambda: "lease" in (second.get("/v1/status")["dataplane"]["error"] or ""), "the refusal")
        assert second.get("/v1/status")["ready"] is False
        count = len(peer.changes())
        second.call("PATCH", "/v1/pools/web/backends/web1", {"weight": 3})
        assert len(peer.changes()) == count
        daemon.stop(signal.SIGKILL)
        wait_for(lambda: second.get("/v1/status")["ready"], "the second takes over")
        assert peer.backend("web", "web1")["weight"] == 3
        assert peer.changes()[-1]["generation"] > peer.changes()[count - 1]["generation"]
    finally:
        second.stop(signal.SIGKILL)


def test_counters_come_from_the_dataplane(daemon, peer):
    daemon.write(PLAIN)
    peer.start()
    daemon.start()
    ready(daemon)
    wait_for(lambda: daemon.get("/v1/services/web")["packets"] == 10, "counters")
    totals = daemon.get("/v1/stats")["totals"]
    assert totals == {"received": 7, "originated": 0, "sent": 6, "kernel": 0, "held": 0,
                      "dropped": {"too_big": 1}}
    assert daemon.get("/v1/flows/summary")["states"]["established"] == 5
    found = daemon.get("/v1/flows/lookup?protocol=tcp&source=192.0.2.1&source_port=999"
                       "&destination=198.51.100.1&destination_port=80")
    assert found["service"] == "web" and found["backend"] == "web1" and found["flow"] == {"found": False}
    daemon.get("/v1/flows/lookup?protocol=tcp&source=192.0.2.1&source_port=999"
               "&destination=198.51.100.9&destination_port=80", status=404)


def test_answers_while_the_dataplane_is_slow(daemon, peer):
    import time
    daemon.write(PLAIN)
    peer.start("--stats-ms", "800")
    daemon.start()
    wait_for(lambda: daemon.get("/v1/stats")["totals"], "counters")
    waits = []
    for _ in range(20):
        begin = time.monotonic()
        assert daemon.get("/v1/stats")["totals"]["received"] == 7
        waits.append(time.monotonic() - begin)
    # The dataplane answers no faster than every 800 ms: who waited for it would take that long.
    assert sorted(waits)[10] < 0.4, waits
