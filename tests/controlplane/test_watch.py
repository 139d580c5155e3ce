"""GET /v1/watch: what happens comes as it happens, none twice and none lost over a reconnect."""

import json
import pathlib

import jsonschema
import pytest
import yaml

from conftest import PLAIN, UnixConnection, probed, wait_for

DOCUMENT = yaml.safe_load((pathlib.Path(__file__).resolve().parents[2] / "docs/openapi.yaml").read_text("utf-8"))
EVENT = {"$ref": "#/components/schemas/Event", "components": DOCUMENT["components"]}


class Watcher:
    def __init__(self, daemon, query="", **headers):
        self.connection = UnixConnection(daemon.socket, timeout=30)
        self.connection.request("GET", "/v1/watch" + query, headers={k.replace("_", "-"): v for k, v in headers.items()})
        self.sock = self.connection.sock  # the answer takes it over
        self.answer = self.connection.getresponse()
        self.status = self.answer.status

    def next(self):
        """The next event: (id, name, data)."""
        fields = {}
        while True:
            line = self.answer.readline().decode()
            assert line, "the stream ended"
            if line == "\n" and "event" in fields:
                return int(fields.get("id", 0)), fields["event"], json.loads(fields["data"])
            name, _, value = line.rstrip("\n").partition(": ")
            if name:
                fields[name] = value

    def until(self, wanted):
        """The first event that is wanted; the busy machine may make others before it."""
        last = 0
        while True:
            event = self.next()
            assert event[0] > last
            last = event[0]
            if wanted(event[2]):
                return event

    def close(self):
        self.answer.close()
        self.connection.close()


@pytest.fixture
def api(daemon, servers):
    daemon.write(probed(servers))
    daemon.start()
    wait_for(lambda: daemon.backend("web", "web1")["health"] == "healthy", "web1 is healthy")
    wait_for(lambda: daemon.get("/v1/status")["backends"]["up"] == 3, "all are up")
    return daemon


def test_events_come_as_they_happen_and_resume_where_they_were(api, servers):
    watcher = Watcher(api, "?kinds=health")
    assert watcher.status == 200 and watcher.answer.getheader("Content-Type") == "text/event-stream"
    servers[0].status = 500
    number, name, data = watcher.until(lambda data: "500" in data["text"])
    jsonschema.Draft202012Validator(EVENT).validate(data)
    assert (name, data["pool"], data["backend"], data["number"]) == ("health", "web", "web1", number)
    assert data["text"].startswith("unhealthy: ")
    watcher.close()
    servers[0].status = 200
    wait_for(lambda: api.backend("web", "web1")["health"] == "healthy", "web1 is back")
    again = Watcher(api, "?kinds=health", Last_Event_ID=str(number))
    back = again.until(lambda data: data["backend"] == "web1")
    assert back[0] > number and back[2]["text"].startswith("healthy: ")
    again.close()
    for resumed in (Watcher(api, f"?after={number}&kinds=health"), Watcher(api, "?after=0", Last_Event_ID=str(number))):
        assert resumed.until(lambda data: data["backend"] == "web1") == back
        resumed.close()


def test_kinds_are_chosen(api, servers):
    watcher = Watcher(api, "?kinds=drain,panic&after=0")
    everything = Watcher(api, "?after=0")
    servers[1].status = 500
    wait_for(lambda: api.backend("web", "web2")["health"] == "unhealthy", "web2 fails")
    everything.until(lambda data: "500" in data["text"])
    watcher.sock.settimeout(0.3)
    with pytest.raises(TimeoutError):
        watcher.next()
    watcher.close()
    everything.close()


def test_a_number_of_another_log_is_told(api):
    watcher = Watcher(api, Last_Event_ID="999999")
    assert watcher.next()[1] == "lost"
    watcher.close()


def test_refuses_what_it_cannot_do(daemon):
    daemon.write(PLAIN)
    daemon.start()
    for query, headers in (("?kinds=weather", {}), ("?after=x", {}), ("?after=-1", {}), ("?after=", {}),
                           ("", {"Last_Event_ID": "1 or 2"})):
        assert Watcher(daemon, query, **headers).status == 400, query


def test_there_are_so_many_watchers_and_places_for_others(daemon):
    daemon.write(PLAIN)
    daemon.start()
    crowd = [Watcher(daemon) for _ in range(16)]
    assert all(watcher.status == 200 for watcher in crowd)
    for watcher in crowd:
        assert watcher.answer.readline().startswith(b"retry:")
    assert Watcher(daemon).status == 503
    for _ in range(100):
        assert daemon.answers()
    status, headers, body = daemon.request("HEAD", "/v1/watch")
    assert status in (200, 503) and body == b""
    crowd.pop().close()
    wait_for(lambda: Watcher(daemon).status == 200, "a place is free again")
    for watcher in crowd:
        watcher.close()
