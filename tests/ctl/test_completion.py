"""Shell completion: what bash offers, and what the program answers shells."""
import os
import shutil
import subprocess

import pexpect
import pytest

from conftest import PATIENCE_SECONDS

ROOT = {"status", "service", "pool", "backend", "flow", "explain", "stats", "config", "event", "top", "completion"}

CANDIDATES = [
    ([""], ROOT),
    (["ba"], {"backend"}),
    (["backend", "dr"], {"drain"}),
    (["backend", "drain", ""], {"web/web1", "web/web2", "dns/ns1"}),
    (["backend", "drain", "web/"], {"web/web1", "web/web2"}),
    (["backend", "drain", "web", ""], {"web1", "web2"}),
    (["backend", "drain", "web/web1", ""], set()),
    (["backend", "list", ""], {"web", "dns"}),
    (["backend", "add", ""], {"web", "dns"}),
    (["backend", "add", "web", "w"], set()),
    (["backend", "add", "web", "w", "10.0.0.1", "--state", ""], {"up", "drain", "down"}),
    (["service", "show", ""], {"web", "dns"}),
    (["pool", "show", "w"], {"web"}),
    (["-o", ""], {"table", "wide", "yaml", "json"}),
    (["-o", "json", "sta"], {"status", "stats"}),
    (["--output=y"], {"--output=yaml"}),
    (["stats", "--w"], {"--watch", "--workers"}),
    (["pool", "list", "--watch", "5", "--so"], {"--socket"}),
    (["top", "--sort", "n"], {"new-flows", "name"}),
    (["flow", "lookup", ""], {"tcp", "udp"}),
    (["completion", ""], {"bash", "zsh", "fish"}),
    (["config", "check", ""], {":files"}),
    (["nonsense", ""], ROOT),
    (["backend", "list", "--", "--so"], set()),
]


def candidates(tool, *words, **options):
    done = tool("__complete", "--", *words, **options)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


@pytest.mark.parametrize("words,expected", CANDIDATES, ids=[" ".join(row[0]) for row in CANDIDATES])
def test_offers_what_fits(tool, daemon, words, expected):
    offered = candidates(tool, *words)
    if words[0] != "nonsense":
        assert set(offered) == expected
    assert len(offered) == len(set(offered))


def test_the_socket_of_the_command_line_is_asked(tool, daemon):
    nowhere = {"MAGLB_SOCKET": tool.socket_path + "x"}
    assert candidates(tool, "service", "show", "", env=nowhere) == []
    for words in (["--socket", tool.socket_path], [f"--socket={tool.socket_path}"]):
        assert candidates(tool, *words, "service", "show", "", env=nowhere) == ["web", "dns"]


def test_is_silent_without_a_daemon_and_soon_when_it_hangs(tool, raw_daemon):
    assert candidates(tool, "service", "show", "", env={"MAGLB_SOCKET": tool.socket_path + "x"}) == []
    assert candidates(tool, "service", "show", "", env={"MAGLB_SOCKET": "x" * 300}) == []
    raw_daemon(lambda connection, over: over.wait(PATIENCE_SECONDS))
    assert candidates(tool, "service", "show", "") == []


def test_offers_nothing_that_is_no_name(tool, daemon):
    evil = ["$(reboot)", "`x`", "a b", "a;b", "\x1b[2J", "", "-x", "\u4e2d", 7, None, {}]
    daemon.answers[("GET", "/v1/services")] = (200, {"services": [{"name": name} for name in [*evil, "good"]]})
    daemon.answers[("GET", "/v1/backends")] = (200, {"backends": [{"pool": name, "name": "b"} for name in evil]})
    assert candidates(tool, "service", "show", "") == ["good"]
    assert candidates(tool, "backend", "show", "") == []
    daemon.answers[("GET", "/v1/services")] = (200, {"services": "all of them"})
    assert candidates(tool, "service", "show", "") == []


def bash(tool, *words, cwd=None):
    """COMPREPLY of bash for these words, the last one typed; --option=value is three words, as bash has it."""
    quoted = " ".join("'" + word + "'" for word in [tool.path, *words])
    script = (f"source <('{tool.path}' completion bash); COMP_WORDS=({quoted}); COMP_CWORD={len(words)}; "
              "_maglbctl; printf '%s\\n' \"${COMPREPLY[@]}\"; complete -p maglbctl")
    done = subprocess.run(["bash", "--norc", "--noprofile", "-c", script], capture_output=True, text=True,
                          env={**os.environ, "MAGLB_SOCKET": tool.socket_path}, timeout=PATIENCE_SECONDS, check=True,
                          cwd=cwd)
    assert done.stderr == ""
    *offered, registered = done.stdout.splitlines()
    assert registered == "complete -F _maglbctl maglbctl"
    return [word for word in offered if word]


def test_bash_completes_live_names(tool, daemon, folder):
    assert bash(tool, "backend", "down", "web/") == ["web/web1", "web/web2"]
    assert bash(tool, "service", "show", "") == ["web", "dns"]
    assert bash(tool, "conf") == ["config"]
    assert bash(tool, "--output", "=", "j") == ["json"]
    assert bash(tool, "--output", "=", "json", "servi") == ["service"]
    assert bash(tool, "nonsense", "nonsense") == []
    with open(os.path.join(folder, "maglb.yaml"), "w", encoding="ascii"):
        pass
    assert bash(tool, "config", "apply", "magl", cwd=folder) == ["maglb.yaml"]


def test_bash_runs_nothing_that_a_name_says(tool, daemon, folder):
    trap = os.path.join(folder, "trap")
    daemon.answers[("GET", "/v1/services")] = (200, {"services": [{"name": f"$(touch {trap})"}, {"name": "web"}]})
    assert bash(tool, "service", "show", "") == ["web"]
    assert not os.path.exists(trap)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_script_asks_this_program(tool, shell):
    done = tool("completion", shell)
    assert (done.returncode, done.stderr) == (0, "")
    assert "__complete -- " in done.stdout
    assert tool("completion", "csh").returncode == 2


def fish(tool, line, cwd=None):
    """What fish offers for the line."""
    if not shutil.which("fish"):
        pytest.skip("fish is not installed")
    script = f"'{tool.path}' completion fish | source; complete -C 'maglbctl {line}'"
    done = subprocess.run(["fish", "--no-config", "-c", script], capture_output=True, text=True, cwd=cwd, check=True,
                          timeout=PATIENCE_SECONDS, env=shells_environment(tool))
    assert done.stderr == ""
    return done.stdout.splitlines()


def shells_environment(tool):
    """The program under its own name in front of others."""
    path = os.path.dirname(tool.path) + os.pathsep + os.environ["PATH"]
    return {**os.environ, "MAGLB_SOCKET": tool.socket_path, "PATH": path, "HOME": os.path.dirname(tool.socket_path)}


def test_fish_completes_live_names(tool, daemon, folder):
    assert fish(tool, "backend down web/") == ["web/web1", "web/web2"]
    assert fish(tool, "service show ") == ["dns", "web"]
    assert fish(tool, "conf") == ["config"]
    assert fish(tool, "--output=j") == ["--output=json"]
    with open(os.path.join(folder, "maglb.yaml"), "w", encoding="ascii"):
        pass
    assert fish(tool, "config apply magl", cwd=folder) == ["maglb.yaml"]


@pytest.fixture
def zsh(tool, folder):
    """completed(typed): the line after a tab at its end."""
    if not shutil.which("zsh"):
        pytest.skip("zsh is not installed")
    shell = pexpect.spawn("zsh", ["-f", "-i"], env={**shells_environment(tool), "TERM": "dumb"}, encoding="utf-8",
                          timeout=PATIENCE_SECONDS, dimensions=(50, 200), cwd=folder)
    shell.sendline("unsetopt zle_bracketed_paste prompt_cr prompt_sp; bindkey -e; PS1='' PS2=''; autoload -U compinit; "
                   "compinit -u -D; source <(maglbctl completion zsh); echo RE''ADY")
    shell.expect("READY")

    def completed(typed):
        shell.send(f"maglbctl {typed}\t\x01echo \"<\x05>\"\n")
        shell.expect(r"\n<maglbctl ([^>\n]*)>")
        return shell.match.group(1)

    yield completed
    shell.sendeof()
    shell.close(force=True)


def test_zsh_completes_live_names(zsh, daemon, folder):
    assert zsh("conf") == "config"
    assert zsh("service show d") == "service show dns"
    assert zsh("backend down web/") == "backend down web/web"
    assert zsh("-o j") == "-o json"
    with open(os.path.join(folder, "maglb.yaml"), "w", encoding="ascii"):
        pass
    assert zsh("config apply mag") == "config apply maglb.yaml"
