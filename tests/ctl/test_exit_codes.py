"""Exit codes are an interface: each with the message that goes with it, and nothing on standard output."""
import os
import re
import socket
import subprocess

import pytest

from fake_daemon import error

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# A question that is invalid is a wrong command line; of a change, or with places, it is the configuration.
KINDS = [("invalid", 400, 2), ("not_found", 404, 5), ("conflict", 409, 6), ("unavailable", 503, 4), ("system", 500, 1)]


def fails(done, code):
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    return done.stderr


@pytest.mark.parametrize("kind,status,code", KINDS)
def test_each_kind_of_error_has_its_code(tool, daemon, kind, status, code):
    daemon.answers[("GET", "/v1/services/web")] = (status, error(kind, "what is wrong"))
    assert fails(tool("service", "show", "web"), code).startswith("maglbctl: what is wrong\n")


@pytest.mark.parametrize("kind,status,code", KINDS)
def test_the_http_status_decides_without_a_kind(tool, daemon, kind, status, code):
    for body in ({}, {"error": {}}, {"error": "text"}, {"error": {"kind": "of another version", "message": 7}}):
        daemon.answers[("GET", "/v1/stats")] = (status, body)
        assert f"HTTP status {status}" in fails(tool("stats"), code)


@pytest.mark.parametrize("status", [301, 405, 418, 502])
def test_other_statuses_are_failures(tool, daemon, status):
    daemon.answers[("GET", "/v1/stats")] = (status, {})
    fails(tool("stats"), 1)


def test_an_invalid_change_is_an_invalid_configuration(tool, daemon):
    daemon.answers[("PATCH", "/v1/pools/web/backends/web1")] = (400, error("invalid", "weight 0 of all backends"))
    assert fails(tool("backend", "weight", "web/web1", "0"), 3) == "maglbctl: weight 0 of all backends\n"


def test_an_unknown_name_is_not_found(tool, daemon):
    for command in ("service show nope", "pool show nope", "backend show web/nope", "backend list nope",
                    "backend drain web/nope", "backend weight web/nope 1", "backend remove web/nope",
                    "backend add nope a 10.0.0.1", "flow lookup udp 1.2.3.4 1 5.6.7.8 2"):
        fails(tool(*command.split()), 5)


def test_a_conflict_changes_nothing(tool, daemon):
    daemon.answers[("POST", "/v1/pools/web/backends")] = (409, error("conflict", "pool web has a backend web1"))
    assert fails(tool("backend", "add", "web", "web1", "10.0.1.11"), 6) == "maglbctl: pool web has a backend web1\n"


def test_without_a_dataplane_says_how_to_start_it(tool, daemon):
    daemon.answers[("GET", "/v1/flows/summary")] = (503, error("unavailable", "no dataplane"))
    assert "systemctl start maglb-dataplane" in fails(tool("flow", "summary"), 4)


USAGE = [
    "", "frob", "backend", "backend frob", "service show", "service show a b", "service show a/b", "pool show ''",
    "pool show " + "x" * 64, "backend show web", "backend show web/", "backend show /web1", "backend show a/b/c",
    "backend show a b c", "backend show web/web1 web1", "backend add web", "backend add web web3",
    "backend add web/web3", "backend add web web3 10.0.0.256", "backend add web web3 name",
    "backend add web web3 10.0.0.1 extra", "backend add web web3 10.0.0.1 --weight 10001",
    "backend add web web3 10.0.0.1 --weight -1", "backend add web web3 10.0.0.1 --state sideways",
    "backend weight web/web1", "backend weight web web1", "backend weight web/web1 10001",
    "backend weight web/web1 -1", "backend weight web/web1 1.5", "backend weight web/web1 x",
    "backend weight web/web1 4294967297", "backend weight web web1 5 6", "backend drain", "backend list a b",
    "flow lookup", "flow lookup tcp 1.2.3.4 1 5.6.7.8", "flow lookup icmp 1.2.3.4 1 5.6.7.8 2",
    "flow lookup tcp 1.2.3 1 5.6.7.8 2", "flow lookup tcp 1.2.3.4 65536 5.6.7.8 2",
    "flow lookup tcp 1.2.3.4 -1 5.6.7.8 2", "flow lookup tcp 1.2.3.4 1x 5.6.7.8 2", "flow lookup tcp 1.2.3.4 1.5 5.6.7.8 2",
    "stats extra", "config check",
    "explain tcp 1.2.3.4 1 5.6.7.8 2 --flags sys", "event list --kind bogus", "config diff bogus", "config diff 0",
    "config diff 1 -2", "config show 0", "config show x", "config rollback 0", "config apply a --confirm-within 5",
    "config apply a --confirm-within 25h", "config apply a --confirm-within 5000ms",
    "config apply", "config apply a b", "status -o xml", "status --timeout 0", "status --timeout x",
    "status --socket ''", "status --socket /" + "x" * 107, "status --nope",
]


@pytest.mark.parametrize("command", USAGE)
def test_a_wrong_command_line_is_refused_before_anything_is_asked(tool, daemon, command):
    message = fails(tool(*("" if word == "''" else word for word in command.split())), 2)
    assert message.startswith("maglbctl: ")
    assert not daemon.requests


WRONG_WORDS = [
    ("frob", "'frob' is no command: expected status, service, pool"),
    ("bakend list", "'bakend' is no command: did you mean backend?"),
    ("drain web/web1", "'drain' is no command: did you mean backend drain?"),
    ("show web", "'show' is no command: did you mean service show, pool show, backend show or config show?"),
    ("backend drian web/web1", "'drian' is no verb of backend: did you mean drain?"),
    ("-o json backend frob", "'frob' is no verb of backend: expected list, show, add"),
    ("backend", "backend needs a verb: expected list, show, add, remove, weight, drain, up or down"),
    ("--socket", "--socket: 1 required"),
    ("", "a command is missing: expected status, service, pool"),
    ("\x1b[2J", "'\\x1b[2J' is no command: expected status"),
]


@pytest.mark.parametrize("command,said", WRONG_WORDS, ids=[row[0] for row in WRONG_WORDS])
def test_a_wrong_word_is_named_with_the_nearest(tool, daemon, command, said):
    assert fails(tool(*command.split()), 2).startswith(f"maglbctl: {said}")


def test_the_kinds_of_events_are_those_of_the_api(tool):
    with open(os.path.join(ROOT, "docs", "openapi.yaml"), encoding="utf-8") as file:
        kinds = re.search(r"^    EventKind: \{enum: \[(.*?)\]", file.read(), re.MULTILINE | re.DOTALL).group(1)
    offered = tool("__complete", "--", "event", "list", "--kind", "").stdout.split()
    assert offered == re.split(r",\s*", kinds)


def test_a_refused_document_names_its_places(tool, daemon, folder):
    path = os.path.join(folder, "broken.yaml")
    with open(path, "w", encoding="utf-8") as file:
        file.write("version: 9\n")
    refusal = error("invalid", "2 problems", positions=[
        {"line": 1, "column": 10, "message": "expected 1"}, {"line": 7, "column": 3, "message": "unknown key 'x'"},
        {"line": 0, "column": 0, "message": "no services"}])
    daemon.answers[("PUT", "/v1/config")] = (400, refusal)
    message = fails(tool("config", "apply", path), 3)
    assert message == (f"{path}:1:10: expected 1\n{path}:7:3: unknown key 'x'\n{path}: no services\n"
                       "maglbctl: refused; the running configuration stays as it was\n")


def test_check_names_every_place_without_a_daemon(tool, folder):
    path = os.path.join(folder, "broken.yaml")
    with open(path, "w", encoding="utf-8") as file:
        file.write("version: 1\npools:\n  web:\n    table_size: 65536\n    backends:\n"
                   "      - {name: web1, address: 10.0.1.256}\nservices: []\n")
    lines = fails(tool("config", "check", path), 3).splitlines()
    assert [line.split(" ")[0] for line in lines] == [f"{path}:4:17:", f"{path}:6:31:"]


@pytest.mark.parametrize("text", ["", "\0", "\x1b[2J", "[", "&a [*a]", "version: 2", "- " * 20000, "a: b: c"])
def test_check_refuses_what_is_no_configuration(tool, text):
    message = fails(tool("config", "check", "-", stdin=text), 3)
    assert message.startswith("<stdin>:")
    assert "\x1b" not in message


def test_a_refused_document_without_places_says_why(tool, daemon):
    daemon.answers[("PUT", "/v1/config")] = (400, error("invalid", "nothing in it"))
    assert fails(tool("config", "apply", "-"), 3).startswith("maglbctl: <stdin>: nothing in it\n")


def test_a_refused_reload_names_the_daemons_file(tool, daemon):
    daemon.answers[("POST", "/v1/config/reload")] = (400, error("invalid", "1 problem", positions=[
        {"line": 3, "column": 1, "message": "a duplicate"}]))
    assert fails(tool("config", "reload"), 3).startswith("/etc/maglb/maglb.yaml:3:1: a duplicate\n")


def test_a_diff_with_a_refused_file_names_it_and_its_places_once(tool, daemon):
    refusal = error("invalid", "/etc/maglb/maglb.yaml:7:42: unknown key 'x'\n/etc/maglb/maglb.yaml: no services", positions=[
        {"line": 7, "column": 42, "message": "unknown key 'x'"}, {"line": 0, "column": 0, "message": "no services"}])
    daemon.answers[("GET", "/v1/config/diff?from=file&to=running")] = (400, refusal)
    assert fails(tool("config", "diff"), 3) == ("/etc/maglb/maglb.yaml:7:42: unknown key 'x'\n"
                                                "/etc/maglb/maglb.yaml: no services\n")


def test_a_document_that_cannot_be_read_is_a_failure(tool, daemon, folder):
    assert "No such file" in fails(tool("config", "apply", os.path.join(folder, "nope.yaml")), 1)
    assert "directory" in fails(tool("config", "apply", folder), 1)
    assert not daemon.requests


def test_a_document_larger_than_the_api_takes_is_not_sent(tool, daemon, folder):
    path = os.path.join(folder, "large.yaml")
    with open(path, "wb") as file:
        file.truncate((16 << 20) + 1)
    assert "16 MiB" in fails(tool("config", "apply", path), 3)
    assert not daemon.requests


def test_a_missing_socket_says_how_to_start_the_daemon(tool):
    message = fails(tool("status"), 4)
    assert "No such file or directory" in message
    assert "systemctl start maglb-controlplane" in message
    assert f"--api-socket {tool.socket_path}" in message


def test_a_socket_that_nobody_listens_on_is_unreachable(tool):
    with socket.socket(socket.AF_UNIX) as left_over:
        left_over.bind(tool.socket_path)
    message = fails(tool("status"), 4)
    assert "Connection refused" in message
    assert "systemctl start maglb-controlplane" in message


def test_a_socket_of_another_group_says_who_may(tool, daemon, folder):
    # root may open everything: the tool runs as nobody, which reaches the folder but not the socket.
    if os.geteuid() != 0:
        os.chmod(tool.socket_path, 0o000)
        message = fails(tool("status"), 4)
    else:
        os.chmod(folder, 0o755)
        os.chmod(tool.socket_path, 0o660)
        reaches_tool = tool("--version", user=65534, group=65534, extra_groups=[]).returncode == 0
        if not reaches_tool:
            pytest.skip("user 65534 may not run the tool where it lies")
        message = fails(tool("status", user=65534, group=65534, extra_groups=[]), 4)
    assert "permission denied" in message
    assert "group" in message


def test_output_that_cannot_be_written_is_a_failure(tool, daemon):
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run([tool.path, "--socket", tool.socket_path, "status"], stdout=full, stderr=subprocess.PIPE,
                              text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert "standard output" in done.stderr
