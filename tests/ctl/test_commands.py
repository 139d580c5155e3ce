"""Every command: what it asks the daemon, and what it prints in both outputs."""
import json
import os
import pty
import subprocess

import pytest

import fake_daemon

# command, requests (method, path), the answer that -o json passes through, words of the table
COMMANDS = [
    ("status", [("GET", "/v1/status")], ["ready          yes", "1 unhealthy", "warning        pool dns"]),
    ("service list", [("GET", "/v1/services")], ["SERVICE  ADDRESS", "198.51.100.1  tcp", "987.7 MB", " - "]),
    ("service show web", [("GET", "/v1/services/web")], ["service      web", "on failure   reschedule"]),
    ("pool list", [("GET", "/v1/pools")], ["POOL  SCHEDULER", "http :80/healthz every 1s", "stale"]),
    ("pool show web", [("GET", "/v1/pools/web")], ["slots        65537", "web/web2", "connection refused"]),
    ("backend list", [("GET", "/v1/backends")], ["web/web1", "dns/ns1", "3m12s", "1.2 M"]),
    ("backend list web", [("GET", "/v1/pools/web/backends")], ["web/web1", "web/web2"]),
    ("backend show web/web1", [("GET", "/v1/pools/web/backends/web1")], ["02:00:00:00:00:01 via uplink"]),
    ("backend show web web1", [("GET", "/v1/pools/web/backends/web1")], ["backend    web/web1"]),
    ("flow lookup tcp 192.0.2.11 40000 198.51.100.1 80", [("GET", fake_daemon.LOOKUP_PATH)],
     ["goes to  web/web1", "worker 1 tracks this flow"]),
    ("flow summary", [("GET", "/v1/flows/summary")], ["flows        129 of 2.1 M", "web/web1    127"]),
    ("stats", [("GET", "/v1/stats")], ["received    1,234,567", "+ dropped            10", "balance: exact",
                                       "no_service  7", "too_big     3"]),
    ("stats --workers --ports", [("GET", "/v1/stats")], ["WORKER  CORE", "25.0 %", "net_af_xdp0,iface=lb0"]),
    ("config reload", [("POST", "/v1/config/reload")], ["nothing changed, generation 18 runs"]),
    ("config history", [("GET", "/v1/config/revisions?limit=50")], ["root (maglbctl)", "runs", "two are not enough"]),
    ("config diff", [("GET", "/v1/config/diff?from=file&to=running")],
     ["from file to running:", "~ pools.web.backends.web1.weight: 100 -> 50", "pool web: 12.5 % of its slots move"]),
    ("config diff 1 2", [("GET", "/v1/config/diff?from=1&to=2")], ["from 1 to 2: alike"]),
    ("config confirm", [("POST", "/v1/config/confirm")], ["confirmed: revision 4 stays"]),
    ("event list --kind health --pool web", [("GET", "/v1/events?limit=100&pool=web&kind=health")],
     ["health     web/web1: unhealthy: http 500"]),
]

CHANGES = [
    ("backend drain web/web1", "PATCH", "/v1/pools/web/backends/web1", {"state": "drain"},
     "web/web1: state up -> drain\n"),
    ("backend drain web web1", "PATCH", "/v1/pools/web/backends/web1", {"state": "drain"},
     "web/web1: state up -> drain\n"),
    ("backend weight web/web1 100", "PATCH", "/v1/pools/web/backends/web1", {"weight": 100},
     "web/web1: weight is 100 as before\n"),
    ("backend weight web web1 100", "PATCH", "/v1/pools/web/backends/web1", {"weight": 100},
     "web/web1: weight is 100 as before\n"),
    ("backend add web web3 10.0.1.13", "POST", "/v1/pools/web/backends",
     {"name": "web3", "address": "10.0.1.13"}, "web/web3: added, address 10.0.1.13, weight 50, state up\n"),
    ("backend add web/web3 10.0.1.13 --weight 50 --state up", "POST", "/v1/pools/web/backends",
     {"name": "web3", "address": "10.0.1.13", "weight": 50, "state": "up"},
     "web/web3: added, address 10.0.1.13, weight 50, state up\n"),
    ("backend remove web/web1", "DELETE", "/v1/pools/web/backends/web1", None, "web/web1: removed\n"),
    ("backend remove web/web1 --reason a&b", "DELETE", "/v1/pools/web/backends/web1?reason=a%26b", None,
     "web/web1: removed\n"),
    ("backend drain web/web1 --reason worn", "PATCH", "/v1/pools/web/backends/web1?reason=worn", {"state": "drain"},
     "web/web1: state up -> drain\n"),
    ("config rollback 3", "POST", "/v1/config/rollback", {"revision": 3, "reason": ""},
     "rollback: applied, generation 19 runs\n"),
    ("backend remove web web1", "DELETE", "/v1/pools/web/backends/web1", None, "web/web1: removed\n"),
]

VALID = """version: 1
pools:
  web:
    health: {type: http, port: 80, path: /healthz}
    backends:
      - {name: web1, address: 10.0.1.11}
      - {name: web2, address: 10.0.1.12, state: drain}
services:
  - {name: web, address: 198.51.100.1, protocol: tcp, port: 80, pool: web, forward: ipip}
"""


@pytest.mark.parametrize("command,requests,words", COMMANDS, ids=[row[0] for row in COMMANDS])
def test_asks_and_shows_a_table(tool, daemon, command, requests, words):
    done = tool(*command.split())
    assert (done.returncode, done.stderr) == (0, "")
    assert [(method, path) for method, path, _, _ in daemon.requests] == requests
    for word in words:
        assert word in done.stdout
    assert "\x1b" not in done.stdout
    assert not any(line.endswith(" ") for line in done.stdout.splitlines())


@pytest.mark.parametrize("command,requests,_", COMMANDS, ids=[row[0] for row in COMMANDS])
def test_passes_json_through(tool, daemon, command, requests, _):
    done = tool(*command.split(), "-o", "json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == daemon.answers[requests[-1]][1]
    assert done.stdout.startswith("{\n  ")


@pytest.mark.parametrize("command,method,path,body,line", CHANGES, ids=[row[0] for row in CHANGES])
def test_changes_and_says_what_changed_in_one_line(tool, daemon, command, method, path, body, line):
    done = tool(*command.split())
    assert (done.returncode, done.stdout, done.stderr) == (0, line, "")
    sent = next(request for request in daemon.requests if request[0] != "GET")
    assert sent[:2] == (method, path)
    assert (json.loads(sent[2]) if sent[2] else None) == body
    assert sent[3] == ("application/json" if body else None)


@pytest.mark.parametrize("command,method,path,_,__", CHANGES, ids=[row[0] for row in CHANGES])
def test_a_change_answers_json_too(tool, daemon, command, method, path, _, __):
    done = tool("-o", "json", *command.split())
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == daemon.answers[(method, path)][1]


@pytest.mark.parametrize("state", ["up", "down"])
def test_sets_the_other_states(tool, daemon, state):
    daemon.answers[("PATCH", "/v1/pools/web/backends/web1")] = (
        200, fake_daemon.changed(fake_daemon.BACKENDS[0], state=state, effective="unhealthy", reason="http 500"))
    done = tool("backend", state, "web/web1")
    before = "is up as before" if state == "up" else "up -> down"
    assert done.stdout == f"web/web1: state {before}; it is unhealthy: http 500\n"
    assert [json.loads(body) for method, _, body, _ in daemon.requests if method == "PATCH"] == [{"state": state}]


@pytest.mark.parametrize("connected,error,note", [
    (False, "/run/maglb/dp.sock: No such file or directory",
     "kept; no dataplane runs it yet: /run/maglb/dp.sock: No such file or directory"),
    (True, None, "kept; the dataplane does not run it yet")])
def test_a_change_that_nothing_runs_says_so(tool, daemon, connected, error, note):
    dataplane = {**fake_daemon.STATUS["dataplane"], "connected": connected, "error": error}
    daemon.answers[("GET", "/v1/status")] = (200, {**fake_daemon.STATUS, "ready": False, "dataplane": dataplane})
    for command in ("drain web/web1", "weight web/web1 7", "add web web3 10.0.1.13", "remove web/web1"):
        done = tool("backend", *command.split())
        assert (done.returncode, done.stderr) == (0, f"maglbctl: {note}\n"), command
        assert done.stdout.startswith("web/web")


@pytest.mark.parametrize("from_stdin", [False, True])
def test_config_apply_sends_the_document_as_it_is(tool, daemon, folder, from_stdin):
    path = os.path.join(folder, "maglb.yaml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(fake_daemon.DOCUMENT)
    done = tool("config", "apply", "-" if from_stdin else path, stdin=fake_daemon.DOCUMENT if from_stdin else "")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{'<stdin>' if from_stdin else path}: applied, generation 18 runs\n"
    assert daemon.requests == [("PUT", "/v1/config", fake_daemon.DOCUMENT.encode(), "application/yaml")]


def test_config_apply_sends_a_large_document_without_waiting(tool, daemon, folder):
    path = os.path.join(folder, "maglb.yaml")
    document = "# a comment\n" * 1_000_000
    with open(path, "w", encoding="utf-8") as file:
        file.write(document)
    assert tool("config", "apply", path).returncode == 0
    assert daemon.requests[0][2] == document.encode()


def test_config_check_asks_the_daemon_only_when_told(tool, daemon):
    done = tool("config", "check", "--daemon", "-", stdin="anything")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "<stdin>: valid: 2 services, 2 pools, 3 backends\n"
    assert daemon.requests == [("POST", "/v1/config/check", b"anything", "application/yaml")]
    assert tool("config", "check", "-", stdin=VALID).returncode == 0
    assert len(daemon.requests) == 1


@pytest.mark.parametrize("output", ["table", "json"])
def test_config_check_needs_no_daemon(tool, output):
    done = tool("config", "check", "-", "-o", output, stdin=VALID)
    assert (done.returncode, done.stderr) == (0, "")
    if output == "table":
        assert done.stdout == "<stdin>: valid: 1 service, 1 pool, 2 backends\n"
    else:
        assert json.loads(done.stdout) == {"valid": True, "services": 1, "pools": 1, "backends": 2}


def test_config_show_prints_the_document_as_it_is(tool, daemon):
    document = fake_daemon.DOCUMENT.replace("\n", "\r\n")
    daemon.answers[("GET", "/v1/config")] = (200, document)
    done = subprocess.run([tool.path, "--socket", tool.socket_path, "config", "show"], capture_output=True, check=True)
    assert done.stdout == document.encode()


def test_config_show_as_json_holds_the_document(tool, daemon):
    done = tool("config", "show", "-o", "json")
    assert json.loads(done.stdout) == {"document": fake_daemon.DOCUMENT}


def test_global_options_may_stand_anywhere(tool, daemon, folder):
    elsewhere = {"MAGLB_SOCKET": os.path.join(folder, "nobody")}
    for command in (["--socket", tool.socket_path, "backend", "list"], ["backend", "list", "--socket", tool.socket_path],
                    ["backend", f"--socket={tool.socket_path}", "list", "web"]):
        assert tool(*command, env=elsewhere).returncode == 0, command
    assert tool("backend", "list", env=elsewhere).returncode == 4


def test_names_of_commands_are_names_too(tool, daemon):
    daemon.answers[("GET", "/v1/pools/list")] = (200, {**fake_daemon.POOLS[0], "name": "list", "backends": []})
    done = tool("pool", "show", "list")
    assert done.returncode == 0
    assert "pool         list" in done.stdout


def test_no_proxy_of_the_environment_is_asked(tool, daemon):
    proxies = {name: "http://127.0.0.1:1/" for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY")}
    assert tool("status", env=proxies).returncode == 0


def run_on_a_terminal(tool, *arguments, env=None):
    """What a terminal gets to see."""
    master, slave = pty.openpty()
    environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    environment.update({"MAGLB_SOCKET": tool.socket_path, **(env or {})})
    with subprocess.Popen([tool.path, *arguments], stdout=slave, stderr=slave, env=environment) as process:
        os.close(slave)
        seen = b""
        while True:
            try:
                chunk = os.read(master, 65536)
            except OSError:
                break
            if not chunk:
                break
            seen += chunk
    os.close(master)
    return process.returncode, seen.decode()


def test_colours_health_on_a_terminal_only(tool, daemon):
    code, seen = run_on_a_terminal(tool, "backend", "list")
    assert code == 0
    assert "\x1b[32mhealthy\x1b[0m" in seen and "\x1b[31munhealthy\x1b[0m" in seen
    _, seen = run_on_a_terminal(tool, "backend", "list", env={"NO_COLOR": "1"})
    assert "\x1b" not in seen


def test_text_of_the_daemon_cannot_steer_a_terminal(tool, daemon):
    evil = "\x1b]0;owned\x07\x1b[2J\u009b31m\r\n\u202e"
    daemon.answers[("GET", "/v1/backends")] = (200, {"backends": [
        {name: evil for name in fake_daemon.BACKENDS[0]}]})
    daemon.answers[("GET", "/v1/pools/web")] = (404, fake_daemon.error("not_found", evil))
    daemon.answers[("GET", "/v1/config")] = (200, f"# {evil}")
    for command in (["backend", "list"], ["pool", "show", "web"], ["config", "show"], ["backend", "list", "-o", "json"]):
        _, seen = run_on_a_terminal(tool, *command, env={"NO_COLOR": "1"})
        for character in "\x1b\x07\u009b\u202e":
            assert character not in seen, command


def test_a_dry_run_tells_and_does_not_apply(tool, daemon):
    done = tool("config", "apply", "--dry-run", "-", stdin=fake_daemon.DOCUMENT)
    assert (done.returncode, done.stderr) == (0, "")
    assert "~ pools.web.backends.web1.weight: 100 -> 50\npool web: 12.5 % of its slots move (8,192 of 65,536)\n" in done.stdout
    assert [request[:2] for request in daemon.requests] == [("POST", "/v1/config/diff")]


def test_a_change_on_probation_says_so_to_the_daemon(tool, daemon):
    path = "/v1/config?reason=two%20more&confirm_within=5m"
    daemon.answers[("PUT", path)] = daemon.answers[("PUT", "/v1/config")]
    done = tool("config", "apply", "-", "--reason", "two more", "--confirm-within", "5m", stdin=fake_daemon.DOCUMENT)
    assert (done.returncode, done.stderr) == (0, "")
    assert [request[:2] for request in daemon.requests] == [("PUT", path)]
