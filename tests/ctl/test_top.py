"""maglbctl top on a real terminal (a pty) and into a pipe, against a daemon whose counters grow."""
import signal
import subprocess
import termios
import time

import pexpect
import pytest

import fake_daemon
from conftest import PATIENCE_SECONDS

ENTER = "\x1b[?1049h"
LEAVE = "\x1b[?1049l"
SHOW_CURSOR = "\x1b[?25h"


@pytest.fixture
def terminal(tool):
    children = []

    def start(*arguments, columns=100, rows=40):
        child = pexpect.spawn(tool.path, ["--socket", tool.socket_path, "top", "--interval", "0.2", *arguments],
                              encoding="utf-8", timeout=PATIENCE_SECONDS, dimensions=(rows, columns))
        children.append(child)
        child.expect_exact(ENTER)
        child.expect_exact("ready ")
        return child

    yield start
    for child in children:
        child.close(force=True)


def frame_after(child, mark="\x1b[H"):
    """A whole frame that was drawn from now on."""
    child.expect_exact(mark)
    child.expect_exact("\x1b[J")
    child.expect_exact(mark)
    child.expect_exact("\x1b[J")
    return child.before


def ended(child):
    """What was written last; the exit code is 0 and the terminal as it was."""
    child.expect(pexpect.EOF)
    rest = child.before
    child.wait()
    assert child.exitstatus == 0, (child.exitstatus, child.signalstatus)
    assert rest.rindex(SHOW_CURSOR) < rest.rindex(LEAVE)
    return rest


def test_draws_and_quits_with_the_terminal_as_it_was(tool, daemon, terminal):
    child = terminal()
    assert "web/web1" in frame_after(child)
    raw = termios.tcgetattr(child.fileno())
    assert raw[3] & (termios.ICANON | termios.ECHO) == 0
    child.send("q")
    ended(child)


def test_puts_the_modes_back(tool, daemon):
    """Under a shell that stays, so that the terminal can be asked afterwards."""
    script = f"stty -a; '{tool.path}' --socket '{tool.socket_path}' top --interval 0.2; echo code $?; stty -a; echo over"
    child = pexpect.spawn("/bin/sh", ["-c", script], encoding="utf-8", timeout=PATIENCE_SECONDS, dimensions=(30, 90))
    child.expect_exact(ENTER)
    before = child.before
    child.expect_exact("ready ")
    child.send("q")
    child.expect_exact("code 0\r\n")
    child.expect_exact("over")
    assert child.before == before.replace("\x1b[?25l", "")
    child.close(force=True)


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_a_signal_ends_it_with_the_terminal_as_it_was(tool, daemon, terminal, end):
    child = terminal()
    frame_after(child)
    child.kill(end)
    ended(child)


def test_ctrl_c_ends_it(tool, daemon, terminal):
    child = terminal()
    child.sendintr()
    ended(child)


def test_fits_the_terminal_when_that_changes(tool, daemon, terminal):
    child = terminal(columns=100, rows=40)
    frame_after(child)
    child.setwinsize(8, 30)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        lines = [line.rstrip("\r") for line in frame_after(child).replace("\x1b[K", "").split("\n")]
        plain = [line.replace("\x1b[32m", "").replace("\x1b[31m", "").replace("\x1b[33m", "").replace("\x1b[0m", "")
                 for line in lines]
        if len(lines) <= 8 and all(len(line) <= 30 for line in plain):
            break
        assert time.monotonic() < deadline
    assert len(lines) == 8
    child.send("q")
    ended(child)


def test_sorts_and_scrolls(tool, daemon, terminal):
    child = terminal(rows=10)
    for word in ("bytes", "new-flows", "name", "packets"):
        child.send("s")
        child.expect_exact(f"sorted by {word}")
    child.send("\x1b[F")  # End
    child.expect_exact("web/web2")
    child.send("\x1b[5~\x1b[5~\x1b[5~\x1b[5~\x1b[5~\x1b[5~")
    child.expect_exact("WORKER  CORE")
    child.send("q")
    ended(child)


def test_says_what_is_wrong_and_goes_on(tool, daemon, terminal):
    child = terminal()
    daemon.answers[("GET", "/v1/stats")] = (503, fake_daemon.error("unavailable", "the dataplane is away\x1b[2J"))
    child.expect_exact("the dataplane is away\\x1b[2J")
    daemon.answers[("GET", "/v1/stats")] = (200, fake_daemon.STATS)
    child.expect_exact("q quit")
    child.send("q")
    ended(child)


def test_a_daemon_that_hangs_does_not_hold_up_a_key(tool, daemon, terminal):
    child = terminal()
    frame_after(child)
    hanging = daemon.hang()
    time.sleep(0.5)
    begin = time.monotonic()
    child.send("q")
    ended(child)
    assert time.monotonic() - begin < 9  # the timeout of a request is 10 s
    hanging.set()


def test_ends_after_so_many_frames(tool, daemon, terminal):
    ended(terminal("-n", "2"))


def growing(daemon, packets):
    """Packets that come between two samples: the first sees none of them."""
    first = fake_daemon.SERVICES[0]
    daemon.sequences[("GET", "/v1/services")] = [
        {"services": [first]}, {"services": [{**first, "packets": first["packets"] + packets}]}]


def test_prints_rates_into_a_pipe(tool, daemon):
    growing(daemon, 10**9)
    done = tool("top", "--once", "--interval", "0.2")
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    row = next(line for line in done.stdout.splitlines() if line.startswith("web  "))
    assert row.split("1/2")[1].split()[1] in ("M", "G"), row  # 1 G over 0.2 s, or more on a busy machine


def test_prints_frames_into_a_pipe_until_it_is_interrupted(tool, daemon):
    assert tool("top", "-n", "3", "--interval", "0.1").stdout.count("ready ") == 3
    running = subprocess.Popen([tool.path, "--socket", tool.socket_path, "top", "--interval", "0.1"],
                               stdout=subprocess.PIPE, text=True)
    while "SERVICE" not in running.stdout.readline():
        assert running.poll() is None
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=PATIENCE_SECONDS)
    assert running.returncode == 0


def test_is_for_people(tool, daemon):
    for output in ("json", "yaml"):
        assert tool("top", "--once", "-o", output).returncode == 2
    assert tool("top", "--once", env={"MAGLB_SOCKET": tool.socket_path + "x"}).returncode == 4
    daemon.answers[("GET", "/v1/services")] = (200, {"services": 7})
    assert tool("top", "--once", "--interval", "0.1").returncode == 1
