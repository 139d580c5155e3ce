"""ETag, If-Match and If-None-Match: an update of what has changed meanwhile is refused, and not lost."""

import json
import os
import subprocess
import threading

import pytest

from conftest import PLAIN, UnixConnection, wait_for

WEB1 = "/v1/pools/web/backends/web1"


@pytest.fixture
def api(daemon):
    daemon.write(PLAIN)
    return daemon.start()


def ask(daemon, method, path, body=None, **headers):
    connection = UnixConnection(daemon.socket)
    try:
        connection.request(method, path, body=json.dumps(body) if isinstance(body, dict) else body,
                           headers={name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.getheader("ETag"), answer.read()
    finally:
        connection.close()


def tag(daemon, path):
    status, value, _ = ask(daemon, "GET", path)
    assert status == 200 and value.startswith('"') and value.endswith('"')
    return value


def test_the_second_of_two_writers_is_refused(api):
    seen = tag(api, WEB1)
    status, new, _ = ask(api, "PATCH", WEB1, {"weight": 10}, If_Match=seen)
    assert status == 200 and new != seen and new == tag(api, WEB1)
    status, _, body = ask(api, "PATCH", WEB1, {"weight": 90}, If_Match=seen)
    error = json.loads(body)["error"]
    assert status == 412 and error["kind"] == "precondition" and new in error["message"]
    assert api.get(WEB1)["weight"] == 10
    assert ask(api, "DELETE", WEB1, If_Match=seen)[0] == 412
    assert ask(api, "DELETE", WEB1, If_Match=f'"other", {new}')[0] == 200


def test_documents_and_pools_have_tags_of_what_is_in_them(api):
    config, pool, other = tag(api, "/v1/config"), tag(api, "/v1/pools/web"), tag(api, "/v1/pools/dns")
    assert tag(api, "/v1/pools/web/backends") == pool
    added = {"name": "web3", "address": "10.0.1.13"}
    status, created, _ = ask(api, "POST", "/v1/pools/web/backends", added, If_Match=pool)
    assert status == 201 and created == tag(api, "/v1/pools/web/backends/web3")
    assert tag(api, "/v1/config") != config and tag(api, "/v1/pools/web") != pool
    assert tag(api, "/v1/pools/dns") == other
    assert ask(api, "PUT", "/v1/config", PLAIN, If_Match=config)[0] == 412
    assert ask(api, "POST", "/v1/config/reload", If_Match=config)[0] == 412
    status, now, _ = ask(api, "PUT", "/v1/config", PLAIN, If_Match=tag(api, "/v1/config"))
    assert status == 200 and now == config
    assert tag(api, "/v1/pools/web") == pool


def test_a_tag_is_the_same_after_a_restart(api):
    ask(api, "PATCH", WEB1, {"weight": 10})
    before = [tag(api, path) for path in ("/v1/config", "/v1/pools", "/v1/pools/web", "/v1/backends", WEB1)]
    api.stop()
    api.start()
    assert [tag(api, path) for path in ("/v1/config", "/v1/pools", "/v1/pools/web", "/v1/backends", WEB1)] == before


def test_what_a_reader_has_is_not_sent_again(api):
    for path in ("/v1/config", "/v1/pools", "/v1/pools/web", "/v1/pools/web/backends", "/v1/backends", WEB1):
        seen = tag(api, path)
        for header in (seen, f"W/{seen}", f'"other" , {seen}', "*"):
            assert ask(api, "GET", path, If_None_Match=header) == (304, seen, b""), path
        assert ask(api, "HEAD", path, If_None_Match=seen) == (304, seen, b"")
        for header in ('"other"', seen.strip('"'), "", ","):
            assert ask(api, "GET", path, If_None_Match=header)[0] == 200
    assert ask(api, "PATCH", WEB1, {"weight": 7}, If_None_Match="*")[0] == 412


def test_a_condition_is_strong_and_of_what_is_there(api):
    seen = tag(api, WEB1)
    assert ask(api, "PATCH", WEB1, {"weight": 7}, If_Match=f"W/{seen}")[0] == 412
    assert ask(api, "PATCH", WEB1, {"weight": 7}, If_Match=",,,\"")[0] == 412
    assert ask(api, "PATCH", WEB1, {"weight": 7}, If_Match="*")[0] == 200
    assert ask(api, "PATCH", "/v1/pools/web/backends/no", {"weight": 7}, If_Match="*")[0] == 404
    assert ask(api, "GET", WEB1, If_Match=seen)[0] == 412


def test_the_tag_of_a_change_is_of_what_it_made_though_another_overtakes_its_answer(daemon, peer):
    """A slow dataplane's answer is waited for: time for another change."""
    daemon.write(PLAIN)
    peer.start("--slow-ms", "700")
    api = daemon.start()
    wait_for(lambda: api.request("GET", "/readyz")[0] == 200, "the state runs")
    first, second = PLAIN.replace("10.0.1.12", "10.0.1.98"), PLAIN.replace("10.0.1.12", "10.0.1.99")
    made = {}
    asking = threading.Thread(target=lambda: made.update(first=ask(api, "PUT", "/v1/config", first)))
    asking.start()
    wait_for(lambda: b"10.0.1.98" in api.get("/v1/config", raw=True), "the first is committed")
    assert not made, "and not answered"
    status, of_second, _ = ask(api, "PUT", "/v1/config", second)
    asking.join(60)
    assert (status, made["first"][0]) == (200, 200)
    assert of_second == tag(api, "/v1/config") and made["first"][1] != of_second
    assert ask(api, "PUT", "/v1/config", PLAIN, If_Match=made["first"][1])[0] == 412
    assert ask(api, "PUT", "/v1/config", first, If_Match=of_second)[0] == 200
    assert tag(api, "/v1/config") == made["first"][1]


def test_maglbctl_does_not_overwrite_what_it_has_not_seen(api):
    """Several at once on one backend: each changes what it read, or says that it has changed and ends with 6."""
    command = [os.environ["MAGLBCTL"], "--socket", api.socket, "backend", "weight", "web/web1"]
    crowd = [subprocess.Popen([*command, str(weight)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
             for weight in range(1, 9)]
    came_from = []
    for process in crowd:
        output, complaint = process.communicate(timeout=60)
        assert process.returncode == 0 or (process.returncode == 6 and "changed since" in complaint), complaint
        if process.returncode == 0:
            came_from.append(output)
    assert came_from and len(set(came_from)) == len(came_from)
    assert 1 <= api.get(WEB1)["weight"] <= 8
