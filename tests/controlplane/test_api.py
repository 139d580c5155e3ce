"""docs/api.md, call by call."""

import json

import pytest

from conftest import PLAIN, UnixConnection, wait_for


@pytest.fixture
def api(daemon):
    daemon.write(PLAIN)
    return daemon.start()


def error(answer):
    return json.loads(answer[2])["error"]


def test_lists_and_shows_everything(api):
    assert [service["name"] for service in api.get("/v1/services")["services"]] == ["web", "dns"]
    web = api.get("/v1/services/web")
    assert web["address"] == "198.51.100.1" and web["port"] == 80 and web["protocol"] == "tcp"
    assert web["forward"] == "ipip" and web["flow"] is True and web["on_failure"] == "reschedule"
    assert (web["backends_up"], web["backends_total"]) == (2, 2)
    pools = api.get("/v1/pools")["pools"]
    assert [pool["name"] for pool in pools] == ["web", "dns"] and "backends" not in pools[0]
    pool = api.get("/v1/pools/web")
    assert pool["table_size"] == 251 and pool["services"] == ["web"] and pool["stale"] is False
    assert sum(backend["slots"] for backend in pool["backends"]) == 251
    assert api.get("/v1/pools/web/backends")["backends"] == pool["backends"]
    assert [b["name"] for b in api.get("/v1/backends")["backends"]] == ["web1", "web2", "ns1"]
    backend = api.get("/v1/pools/web/backends/web1")
    assert backend["health"] == "unchecked" and backend["effective"] == "up" and backend["state"] == "up"
    assert abs(backend["share"] - 0.5) < 0.01
    status = api.get("/v1/status")
    assert status["backends"] == {"total": 3, "up": 3, "drain": 0, "unhealthy": 0, "down": 0}
    assert status["config"]["source"] == "file" and status["config"]["applied_at"] > 1e9


def test_a_passive_pool_tells_what_packets_told(daemon, peer):
    daemon.write(PLAIN.replace("  web:\n", "  web:\n    passive: on\n", 1))
    peer.start()
    daemon.start()

    def signals():
        return {one["name"]: one["signals"] for one in daemon.get("/v1/backends")["backends"]}

    told = {"refused": 1, "repeated": 2, "lapsed": 3}
    wait_for(lambda: signals() == {"web1": told, "web2": told, "ns1": None}, "the dataplane's counters")
    # Without them it runs on, and nothing is left of them.
    generation = daemon.get("/v1/status")["generation"]
    daemon.write(PLAIN)
    daemon.call("POST", "/v1/config/reload")
    wait_for(lambda: daemon.get("/v1/status")["generation"] == generation + 1, "the option goes")
    wait_for(lambda: all(one is None for one in signals().values()), "the dataplane's counters")


def test_adds_changes_and_removes_backends(api):
    added = api.call("POST", "/v1/pools/web/backends", {"name": "web3", "address": "10.0.1.13", "weight": 50}, 201)
    assert added["weight"] == 50 and added["state"] == "up" and added["slots"] > 0
    assert api.call("PATCH", "/v1/pools/web/backends/web3", {"weight": 10})["weight"] == 10
    drained = api.call("PATCH", "/v1/pools/web/backends/web3", {"state": "drain"})
    assert drained["effective"] == "drain" and drained["slots"] == 0
    assert api.call("DELETE", "/v1/pools/web/backends/web3") == {}
    api.get("/v1/pools/web/backends/web3", status=404)
    assert api.get("/v1/status")["config"]["source"] == "runtime"


@pytest.mark.parametrize("body", [
    "", "[]", "null", "{", "{\"name\": \"x\"}", "\xff", "[" * 50000,
    {"name": "x", "address": "10.0.1.300"}, {"name": "x y", "address": "10.0.1.3"},
    {"name": "", "address": "10.0.1.3"}, {"name": "x" * 64, "address": "10.0.1.3"},
    {"name": "x", "address": "10.0.1.3", "weight": -1}, {"name": "x", "address": "10.0.1.3", "weight": 10001},
    {"name": "x", "address": "10.0.1.3", "weight": 1.5}, {"name": "x", "address": "10.0.1.3", "weight": 2**70},
    {"name": "x", "address": "10.0.1.3", "weight": "9"}, {"name": "x", "address": "10.0.1.3", "state": "UP"},
    {"name": "x", "address": "10.0.1.3", "colour": "red"}, {"name": 7, "address": "10.0.1.3"},
    {"name": "x", "address": "fe80::1"}, {"name": "x", "address": "224.0.0.1"},
])
def test_refuses_a_bad_backend(api, body):
    before = api.get("/v1/config", raw=True)
    text = body if isinstance(body, str) else json.dumps(body)
    answer = api.request("POST", "/v1/pools/web/backends", text.encode("latin-1"))
    assert answer[0] == 400 and error(answer)["kind"] == "invalid" and error(answer)["message"]
    assert api.get("/v1/config", raw=True) == before


def test_says_what_is_not_there_and_what_is_there_already(api):
    for method, path, body in (("GET", "/v1/services/no", None), ("GET", "/v1/pools/no", None),
                               ("GET", "/v1/pools/no/backends", None), ("GET", "/v1/pools/web/backends/no", None),
                               ("PATCH", "/v1/pools/web/backends/no", '{"weight": 1}'),
                               ("DELETE", "/v1/pools/web/backends/no", None),
                               ("POST", "/v1/pools/no/backends", '{"name": "a", "address": "10.0.0.9"}'),
                               ("GET", "/v1/nothing", None), ("GET", "/", None)):
        answer = api.request(method, path, body)
        assert answer[0] == 404 and error(answer)["kind"] == "not_found", (method, path)
    answer = api.request("POST", "/v1/pools/web/backends", '{"name": "web1", "address": "10.0.0.9"}')
    assert answer[0] == 409 and error(answer)["kind"] == "conflict"


def test_refuses_other_methods_and_bad_parameters(api):
    for method, path in (("POST", "/v1/status"), ("DELETE", "/v1/config"), ("PUT", "/v1/pools/web"),
                         ("BREW", "/v1/status")):
        assert api.request(method, path, "{}")[0] in (400, 405)
    good = "protocol=tcp&source=192.0.2.1&source_port=1&destination=198.51.100.1&destination_port=80"
    for bad in ("", good.replace("tcp", "icmp"), good.replace("_port=1", "_port=65536"), good + "&protocol=udp",
                good.replace("192.0.2.1", "::1"), good.replace("source=192.0.2.1&", ""), "%zz", "a=%"):
        assert api.request("GET", "/v1/flows/lookup?" + bad)[0] == 400, bad


def test_an_empty_patch_is_no_change(api):
    assert api.request("PATCH", "/v1/pools/web/backends/web1", "{}")[0] == 400
    before = api.get("/v1/status")["generation"]
    api.call("PATCH", "/v1/pools/web/backends/web1", {"weight": 100, "state": "up"})
    status = api.get("/v1/status")
    assert status["generation"] == before and status["config"]["source"] == "file"


def test_serves_several_requests_on_one_connection(api):
    connection = UnixConnection(api.socket)
    for _ in range(5):
        connection.request("GET", "/livez")
        answer = connection.getresponse()
        assert answer.status == 200 and answer.read() == b"ok\n"
    connection.request("HEAD", "/v1/status")
    answer = connection.getresponse()
    assert answer.status == 200 and answer.read() == b""
    connection.request("GET", "/livez")
    assert connection.getresponse().read() == b"ok\n"


def test_metrics_are_well_formed_and_named_by_the_rules(api, peer):
    from conftest import wait_for
    peer.start()
    wait_for(lambda: b"maglb_worker_received" in api.get("/metrics", raw=True), "the dataplane's metrics")
    text = api.get("/metrics", raw=True).decode()
    families, samples = {}, set()
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in families
            families[name] = kind
        elif not line.startswith("#"):
            name = line.split("{")[0].split(" ")[0]
            assert name in families or families[name.rpartition("_")[0]] == "histogram", line
            assert line.rsplit(" ", 1)[0] not in samples, line
            samples.add(line.rsplit(" ", 1)[0])
            float(line.rsplit(" ", 1)[1])
    for name, kind in families.items():
        assert name.startswith("maglb_")
        assert f"# HELP {name} " in text
        assert name.endswith("_total") == (kind == "counter"), name
    assert 'maglb_backend_slots{pool="web",backend="web1"}' in text


def test_the_sockets_rights_are_for_owner_and_group(api):
    import os
    assert os.stat(api.socket).st_mode & 0o777 == 0o660
