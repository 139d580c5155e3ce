"""Revisions, rollback, changes on probation, events: over restarts; and kill -9 while it is written to."""

import os
import random
import re
import signal
import sqlite3
import threading
import time

from conftest import PLAIN, probed, wait_for

KILLS = 200 if os.environ.get("MAGLB_FULL") == "1" else 20


def revisions(daemon):
    return daemon.get("/v1/config/revisions")["revisions"]


def weight(daemon):
    return daemon.backend("web", "web1")["weight"]


def texts(daemon, kind=""):
    return [event["text"] for event in daemon.get("/v1/events?limit=1000" + (kind and "&kind=" + kind))["events"]]


def test_every_change_is_a_revision_with_who_and_why(daemon):
    daemon.write(PLAIN)
    daemon.start()
    daemon.call("PATCH", "/v1/pools/web/backends/web1", {"weight": 50})
    daemon.call("PATCH", "/v1/pools/web/backends/web1?reason=maintenance", {"state": "drain"})
    third, second, first = revisions(daemon)
    assert first["who"]["user"] == "file" and first["who"]["pid"] is None
    assert second["why"] == "backend web1 of pool web: weight 100 -> 50"
    assert third["why"] == "maintenance (backend web1 of pool web: state up -> drain)"
    assert third["who"]["uid"] == os.geteuid() and third["who"]["pid"] == os.getpid() and third["running"]
    shown = daemon.get("/v1/config/revisions/2")
    changes = [{"path": "pools.web.backends.web1.weight", "before": "100", "after": "50"}]
    assert "weight: 50" in shown["document"] and shown["changes"] == changes
    difference = daemon.get("/v1/config/diff?from=1&to=2")
    assert difference["changes"] == changes
    assert [pool["pool"] for pool in difference["pools"]] == ["web"] and 0.1 < difference["pools"][0]["share"] < 0.3
    alike = daemon.get("/v1/config/diff?from=file&to=1")
    assert alike == {"from": "file", "to": "1", "changes": [], "pools": []}
    assert first["running"] is False and daemon.get("/v1/config/revisions/1")["changes"] is None
    assert len(daemon.get("/v1/config/revisions?limit=1&before=3")["revisions"]) == 1
    daemon.get("/v1/config/revisions/99", status=404)
    daemon.get("/v1/config/diff?from=x", status=400)
    daemon.get("/v1/config/revisions?limit=9999", status=400)


def test_a_rollback_is_a_new_revision(daemon):
    daemon.write(PLAIN)
    daemon.start()
    daemon.call("PATCH", "/v1/pools/web/backends/web1", {"weight": 50})
    daemon.call("POST", "/v1/config/rollback", {"revision": 1, "reason": "too much"})
    assert weight(daemon) == 100 and revisions(daemon)[0]["why"] == "rollback to revision 1: too much"
    daemon.stop(signal.SIGKILL)
    daemon.start()
    assert weight(daemon) == 100 and len(revisions(daemon)) == 3
    daemon.call("POST", "/v1/config/rollback", {"revision": 77}, status=404)
    daemon.call("POST", "/v1/config/rollback", {"revision": -1}, status=400)


def test_an_unconfirmed_change_reverts_by_itself(daemon):
    daemon.write(PLAIN)
    daemon.start()
    changed = PLAIN.replace("10.0.1.12", "10.0.1.99")
    applied = daemon.call("PUT", "/v1/config?confirm_within=2s", changed)
    assert applied["confirm_by"] and applied["revision"] == 2
    daemon.call("PATCH", "/v1/pools/web/backends/web1", {"weight": 50}, status=409)
    wait_for(lambda: daemon.backend("web", "web2")["address"] == "10.0.1.12", "it goes back")
    assert "not confirmed in time" in revisions(daemon)[0]["why"]
    daemon.call("POST", "/v1/config/confirm", status=409)


def test_a_confirmed_change_stays(daemon):
    daemon.write(PLAIN)
    daemon.start()
    daemon.call("PUT", "/v1/config?confirm_within=300s", PLAIN.replace("10.0.1.12", "10.0.1.99"))
    daemon.stop(signal.SIGKILL)
    daemon.start()
    assert daemon.backend("web", "web2")["address"] == "10.0.1.99"
    assert any(re.search(r"not confirmed: .* by itself at \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$", warning) for warning in daemon.get("/v1/status")["warnings"])
    daemon.call("POST", "/v1/config/confirm")
    daemon.call("PATCH", "/v1/pools/web/backends/web1", {"weight": 50})
    daemon.call("PUT", "/v1/config?confirm_within=0s", PLAIN, status=400)


def test_a_deadline_that_passed_while_away_is_reverted_at_the_start(daemon, peer):
    daemon.write(PLAIN)
    peer.start()
    daemon.start()
    daemon.call("PUT", "/v1/config?confirm_within=2s", PLAIN.replace("10.0.1.12", "10.0.1.99"))
    daemon.stop(signal.SIGKILL)
    count = len(peer.changes())
    time.sleep(2.1)
    daemon.start()
    assert daemon.backend("web", "web2")["address"] == "10.0.1.12"
    wait_for(lambda: len(peer.changes()) > count, "it is published")
    assert all("10.0.1.99" not in str(change) for change in peer.changes()[count:])


def test_a_dry_run_changes_nothing_and_tells_what_moves(daemon):
    daemon.write(PLAIN)
    daemon.start()
    document = PLAIN.replace("      - {name: web2, address: 10.0.1.12}\n", "")
    told = daemon.call("POST", "/v1/config/diff", document)
    removed, = told["changes"]
    assert removed["path"] == "pools.web.backends.web2" and "10.0.1.12" in removed["before"] and removed["after"] is None
    web, = told["pools"]
    assert web["pool"] == "web" and web["slots"] == 251 and 0.4 < web["share"] < 0.6
    assert web["moved"] == round(web["share"] * 251)
    assert len(revisions(daemon)) == 1
    daemon.call("POST", "/v1/config/diff", "version: 1\npools: 3\n", status=400)


def test_events_survive_and_their_numbers_go_on(daemon, peer):
    daemon.write(PLAIN)
    peer.start()
    daemon.start()
    daemon.call("PATCH", "/v1/pools/web/backends/web1", {"weight": 50})
    wait_for(lambda: any("weight 100 -> 50" in text for text in texts(daemon, "publish")), "a reason of a publish")
    assert any(text.startswith("connected") for text in texts(daemon, "dataplane"))
    last = daemon.get("/v1/events")["last"]
    time.sleep(1.2)
    daemon.stop(signal.SIGKILL)
    daemon.start()
    events = daemon.get("/v1/events?limit=1000")["events"]
    numbers = [event["number"] for event in events]
    assert len(set(numbers)) == len(numbers) and numbers == sorted(numbers)
    assert any("weight 100 -> 50" in event["text"] and event["number"] <= last for event in events)
    assert all(event["number"] > last for event in daemon.get(f"/v1/events?after={last}")["events"])
    daemon.get("/v1/events?kind=nonsense", status=400)


class Writer(threading.Thread):
    """Changes a weight as fast as it goes; knows the last acknowledged one and the one that was asked for."""

    def __init__(self, daemon, start):
        super().__init__(daemon=True)
        self.target, self.asked, self.acknowledged, self.revision = daemon, start, None, None

    def run(self):
        try:
            while True:
                self.asked = self.asked % 9999 + 1
                status, _, _ = self.target.request("PATCH", "/v1/pools/web/backends/web1",
                                                   '{"weight": %d}' % self.asked)
                if status != 200:
                    return
                self.acknowledged = self.asked
        except Exception:  # killed
            pass


def test_nothing_acknowledged_is_lost_through_kills(daemon, servers):
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chosen = random.Random(seed)
    daemon.write(probed(servers))
    daemon.start()
    wait_for(lambda: daemon.get("/v1/pools/web")["backends_up"] == 3, "all are up")
    servers[2].stop()
    wait_for(lambda: daemon.backend("web", "web3")["health"] == "unhealthy", "web3 is dead")
    time.sleep(0.2)
    at, changes, known = 100, 0, revisions(daemon)[0]["revision"]
    for _ in range(KILLS):
        writer = Writer(daemon, at)
        writer.start()
        time.sleep(chosen.random() * 0.15)
        os.kill(daemon.process.pid, signal.SIGKILL)
        daemon.process.wait(20)
        writer.join(30)
        assert not writer.is_alive()
        with sqlite3.connect(os.path.join(daemon.state_dir, "state.db")) as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        daemon.start()
        now = weight(daemon)
        assert now in {writer.acknowledged if writer.acknowledged is not None else at, writer.asked}, (seed, now)
        newest = revisions(daemon)[0]
        assert newest["running"] and newest["why"].endswith(f"-> {now}") or newest["revision"] == 1
        assert newest["revision"] >= known
        changes += newest["revision"] - known
        known, at = newest["revision"], now
        assert daemon.backend("web", "web3")["health"] == "unhealthy"
        assert daemon.backend("web", "web1")["health"] == "healthy"
    print(f"{KILLS} kills, {changes} changes")
