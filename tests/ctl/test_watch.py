"""--watch repeats a command until it is told to stop."""
import json
import signal
import subprocess
import time

import pexpect
import pytest
import yaml

import fake_daemon
from conftest import PATIENCE_SECONDS


def started(tool, *arguments):
    return subprocess.Popen([tool.path, "--socket", tool.socket_path, *arguments], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)


def until(condition):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_repeats_with_a_blank_line_between_until_it_is_interrupted(tool, daemon, end):
    watching = started(tool, "service", "list", "--watch", "0.1")
    until(lambda: len(daemon.requests) >= 4)
    watching.send_signal(end)
    out, errors = watching.communicate(timeout=PATIENCE_SECONDS)
    assert (watching.returncode, errors) == (0, "")
    assert "\x1b" not in out
    frames = out.split("\n\n")
    assert len(frames) >= 3
    assert all(frame.startswith("SERVICE  ADDRESS") for frame in frames)


def test_json_is_repeated_as_well(tool, daemon):
    watching = started(tool, "-o", "json", "status", "--watch=0.1")
    until(lambda: len(daemon.requests) >= 3)
    watching.send_signal(signal.SIGINT)
    out, _ = watching.communicate(timeout=PATIENCE_SECONDS)
    assert json.loads(out.split("\n\n")[0]) == fake_daemon.STATUS


def test_fails_when_there_is_nothing_to_watch(tool, daemon):
    assert tool("service", "show", "nothing", "--watch").returncode == 5
    assert tool("status", "--watch", env={"MAGLB_SOCKET": tool.socket_path + "x"}).returncode == 4


def test_goes_on_when_the_daemon_is_away_for_a_while(tool, daemon):
    watching = started(tool, "status", "--watch", "0.1")
    until(lambda: len(daemon.requests) >= 2)
    daemon.answers[("GET", "/v1/status")] = (503, fake_daemon.error("unavailable", "away"))
    seen = len(daemon.requests)
    until(lambda: len(daemon.requests) >= seen + 3)
    daemon.answers[("GET", "/v1/status")] = (200, fake_daemon.STATUS)
    seen = len(daemon.requests)
    until(lambda: len(daemon.requests) >= seen + 3)
    watching.send_signal(signal.SIGINT)
    out, _ = watching.communicate(timeout=PATIENCE_SECONDS)
    assert watching.returncode == 0
    assert "maglbctl: away" in out
    assert "ready          yes" in out.split("maglbctl: away")[-1]


def test_an_interrupt_ends_a_request_that_hangs(tool, raw_daemon):
    asked = []

    def hang(_, over):
        asked.append(1)
        over.wait(PATIENCE_SECONDS)

    raw_daemon(hang)
    watching = started(tool, "--timeout", "3600", "status", "--watch")
    until(lambda: asked)
    watching.send_signal(signal.SIGINT)
    watching.communicate(timeout=PATIENCE_SECONDS)
    assert watching.returncode == 0


def test_redraws_on_a_terminal(tool, daemon):
    child = pexpect.spawn(tool.path, ["--socket", tool.socket_path, "pool", "list", "--watch", "0.1"],
                          encoding="utf-8", timeout=PATIENCE_SECONDS)
    for _ in range(3):
        child.expect_exact("\x1b[2J\x1b[H")
        child.expect_exact("POOL  SCHEDULER")
    child.sendintr()
    child.expect(pexpect.EOF)
    child.wait()
    assert child.exitstatus == 0


@pytest.mark.parametrize("words,why", [("status --watch web", "--watch alone stands at the end"),
                                       ("status --watch=0", "0.1 to 3600"), ("status --watch nan", "0.1 to 3600"),
                                       ("backend drain web/web1 --watch", ""), ("config apply x --watch", "")])
def test_refuses_what_cannot_be_watched(tool, daemon, words, why):
    done = tool(*words.split())
    assert done.returncode == 2
    assert why in done.stderr
    assert not daemon.requests


COMMANDS = ["status", "service list", "service show web", "pool list", "pool show web", "backend list",
            "backend show web/web1", "flow summary", "stats", "config show"]


@pytest.mark.parametrize("command", COMMANDS)
def test_yaml_says_what_json_says(tool, daemon, command):
    daemon.answers[("GET", "/v1/config")] = (200, "# \x1b[2J\u202e yes\n\u4e2d: 1\n")
    of_json = tool(*command.split(), "-o", "json")
    of_yaml = tool(*command.split(), "-o", "yaml")
    assert of_yaml.returncode == 0
    assert of_yaml.stdout.isascii() and of_yaml.stdout.replace("\n", "").isprintable()
    assert yaml.safe_load(of_yaml.stdout) == json.loads(of_json.stdout)


@pytest.mark.parametrize("command", COMMANDS[:-1])
def test_wide_shows_at_least_what_a_table_shows(tool, daemon, command):
    table = tool(*command.split()).stdout
    wide = tool(*command.split(), "-o", "wide").stdout
    assert len(wide) >= len(table)
    assert set(table.split()) <= set(wide.split())
