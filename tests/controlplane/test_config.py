"""Files and documents: what is taken, what is refused and where, and which of file and store wins."""

import json
import os
import signal
import subprocess
import time

import pytest

from conftest import PLAIN, wait_for


def put(text):
    return PLAIN.replace(*text)


# What is wrong, as an edit of a good document.
BROKEN = [
    ("version: 1", "version: 2"), ("version: 1\n", ""), ("seed: 7", "seed: -1"), ("seed: 7", "seed: abc"),
    ("seed: 7", "sede: 7"), ("table_size: 251", "table_size: 250"), ("table_size: 251", "table_size: 1"),
    ("table_size: 251", "table_size: 99999999999999999999"), ("table_size: 251", "table_sise: 251"),
    ("type: none", "type: ping"), ("type: none", "type: tcp, interval: 0s"),
    ("type: none", "type: tcp, port: 65536"), ("type: none", "type: http, path: healthz"),
    ("type: none", "type: tcp, rise: 0"), ("type: none", "type: tcp, fall: -3"),
    ("type: none", "type: tcp, timeout: fast"), ("name: web1", "name: web2"), ("name: web1", "name: 'a b'"),
    ("name: web1, ", ""), ("address: 10.0.1.11", "address: 10.0.1.256"),
    ("address: 10.0.1.11", "address: fe80::1"), ("address: 10.0.1.11", "address: 10.0.1.11, weight: 10001"),
    ("address: 10.0.1.11", "address: 10.0.1.11, weight: -1"),
    ("address: 10.0.1.11", "address: 10.0.1.11, state: asleep"), ("pool: web", "pool: nowhere"),
    ("port: 80", "port: 0"), ("port: 80", "port: 65536"), ("protocol: tcp", "protocol: sctp"),
    ("forward: ipip", "forward: teleport"), ("name: dns, address: 198.51.100.2, protocol: udp, port: 53",
                                             "name: dns, address: 198.51.100.1, protocol: tcp, port: 80"),
    ("name: dns, address", "name: web, address"), ("address: 198.51.100.1", "address: 198.51.100.1/33"),
    ("services:", "pools:"), ("pools:", "\tpools:"), ("pools:", "pools: &a"), (PLAIN, "just text"),
    (PLAIN, "\x00\x01"), (PLAIN, "[" * 10000), (PLAIN, ""), ("scheduler", "x"),
]
BROKEN = [edit for edit in BROKEN if edit[0] in PLAIN]


def test_there_are_thirty_broken_configurations():
    assert len(BROKEN) >= 30
    assert len({PLAIN.replace(*edit, 1) for edit in BROKEN}) == len(BROKEN)


def test_each_broken_document_is_refused_with_its_place_and_the_state_stays(daemon, peer):
    daemon.write(PLAIN)
    peer.start()
    daemon.start()
    wait_for(lambda: daemon.request("GET", "/readyz")[0] == 200, "the state runs")

    def running():
        services = [{key: value for key, value in service.items() if key not in ("packets", "bytes", "new_flows")}
                    for service in daemon.get("/v1/services")["services"]]
        return daemon.get("/v1/pools"), services, daemon.get("/v1/config", raw=True)

    before = running()
    changes = len(peer.changes())
    for edit in BROKEN:
        text = PLAIN.replace(*edit, 1)
        for method, path in (("PUT", "/v1/config"), ("POST", "/v1/config/check")):
            status, _, body = daemon.request(method, path, text.encode())
            error = json.loads(body)["error"]
            assert status == 400 and error["kind"] == "invalid", (edit, body)
            assert error["message"]
            assert all(place["line"] >= 0 and place["message"] for place in error["positions"]), error
            assert error["positions"], edit
        daemon.write(text)
        status, _, body = daemon.request("POST", "/v1/config/reload")
        assert status == 400 and daemon.config in json.loads(body)["error"]["message"], (edit, body)
    assert running() == before
    assert len(peer.changes()) == changes


def test_names_line_and_column(daemon):
    daemon.write(PLAIN)
    daemon.start()
    status, _, body = daemon.request("PUT", "/v1/config", PLAIN.replace("table_size: 251", "table_size: 250", 1))
    place = json.loads(body)["error"]["positions"][0]
    assert status == 400 and (place["line"], place["column"]) == (5, 17)
    assert "prime" in place["message"]


def test_check_only_checks(daemon):
    daemon.write(PLAIN)
    daemon.start()
    before = daemon.get("/v1/config", raw=True)
    other = PLAIN.replace("10.0.1.11", "10.0.1.99")
    assert daemon.call("POST", "/v1/config/check", other) == {"valid": True, "services": 2, "pools": 2,
                                                              "backends": 3}
    assert daemon.get("/v1/config", raw=True) == before


def test_reload_by_signal_and_by_call(daemon):
    daemon.write(PLAIN)
    daemon.start()
    daemon.write(PLAIN.replace("10.0.1.11", "10.0.1.99"))
    daemon.process.send_signal(signal.SIGHUP)
    wait_for(lambda: daemon.backend("web", "web1")["address"] == "10.0.1.99", "the file is read again")
    daemon.write(PLAIN)
    applied = daemon.call("POST", "/v1/config/reload")
    assert applied["changed"] is True and applied["source"] == "file"
    assert daemon.backend("web", "web1")["address"] == "10.0.1.11"
    again = daemon.call("POST", "/v1/config/reload")
    assert again["warning"], "there is no dataplane that could run it"
    assert again == {**applied, "changed": False, "warning": again["warning"]}


def test_a_bad_file_on_reload_is_logged_with_its_place_and_warned_of(daemon):
    daemon.write(PLAIN)
    daemon.start()
    daemon.write(PLAIN.replace("port: 80", "port: 99999"))
    daemon.process.send_signal(signal.SIGHUP)
    place = daemon.config + ":15:"
    wait_for(lambda: place in open(daemon.log, encoding="utf-8").read(), "the place is logged")
    assert any(place in warning for warning in daemon.get("/v1/status")["warnings"])
    assert daemon.get("/v1/services/web")["port"] == 80
    daemon.write(PLAIN)
    daemon.call("POST", "/v1/config/reload")
    assert daemon.get("/v1/status")["warnings"] == []


def test_an_unchanged_file_keeps_runtime_changes_and_a_changed_one_wins(daemon):
    daemon.write(PLAIN)
    daemon.start()
    daemon.call("PATCH", "/v1/pools/web/backends/web1", {"state": "drain"})
    assert daemon.call("POST", "/v1/config/reload")["changed"] is False
    assert daemon.backend("web", "web1")["state"] == "drain"
    daemon.write(PLAIN + "# touched\n")
    assert daemon.call("POST", "/v1/config/reload")["changed"] is True
    assert daemon.backend("web", "web1")["state"] == "up"
    assert daemon.get("/v1/status")["config"]["source"] == "file"


def test_the_running_document_reads_back(daemon):
    daemon.write(PLAIN)
    daemon.start()
    assert daemon.get("/v1/config", raw=True).decode() == PLAIN
    daemon.call("PATCH", "/v1/pools/web/backends/web1", {"weight": 7, "state": "drain"})
    text = daemon.get("/v1/config", raw=True)
    before = daemon.get("/v1/pools/web"), daemon.get("/v1/services")
    applied = daemon.call("PUT", "/v1/config", text)
    assert applied["changed"] is False
    assert (daemon.get("/v1/pools/web"), daemon.get("/v1/services")) == before


def test_check_option_reads_the_file_only(daemon):
    def check(text):
        daemon.write(text)
        return subprocess.run([*daemon.arguments(), "--check"], capture_output=True, text=True, timeout=60,
                              check=False)
    good = check(PLAIN)
    assert good.returncode == 0 and not os.path.exists(daemon.state_dir)
    bad = check(PLAIN.replace("table_size: 251", "table_size: 250", 1))
    assert bad.returncode == 3 and bad.stderr.startswith(daemon.config + ":5:17: ")


@pytest.mark.parametrize("text", ["", "version: 1\nservices: 3\n"])
def test_does_not_start_with_a_bad_file_and_nothing_stored(daemon, text):
    daemon.write(text)
    done = subprocess.run(daemon.arguments(), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 3 and daemon.config in done.stderr


def test_a_second_daemon_does_not_take_the_state_directory(daemon):
    daemon.write(PLAIN)
    daemon.start()
    done = subprocess.run([*daemon.arguments(), "--api-socket", daemon.socket + "2"], capture_output=True, text=True,
                          timeout=60, check=False)
    assert done.returncode in (1, 2) and daemon.answers()


def test_tells_systemd(daemon, directory):
    import socket
    path = os.path.join(directory, "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(path)
        notify.settimeout(20)
        daemon.write(PLAIN)
        daemon.start(NOTIFY_SOCKET=path, WATCHDOG_USEC="600000")
        said = b""
        daemon_pid = daemon.process.pid
        assert daemon_pid
        end = time.monotonic() + 20
        while not (b"READY=1" in said and b"WATCHDOG=1" in said) and time.monotonic() < end:
            said += notify.recv(4096)
        daemon.process.send_signal(signal.SIGHUP)
        while b"RELOADING=1" not in said:
            said += notify.recv(4096)
        assert daemon.stop() == 0
        while b"STOPPING=1" not in said:
            said += notify.recv(4096)
