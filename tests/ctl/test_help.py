"""--help of every command works, lists what exists, and its examples are command lines that are taken."""
import re
import shlex

import pytest

TREE = {
    "": ["status", "service", "pool", "backend", "flow", "explain", "stats", "config", "event", "top", "completion"],
    "service": ["list", "show"],
    "pool": ["list", "show"],
    "backend": ["list", "show", "add", "remove", "weight", "drain", "up", "down"],
    "flow": ["lookup", "summary"],
    "config": ["check", "history", "diff", "rollback", "confirm", "apply", "show", "reload"],
    "event": ["list"],
}
VERBS = ["status", "explain", "stats", "top", "completion"] + [f"{noun} {verb}" for noun, verbs in TREE.items() if noun for verb in verbs]


@pytest.mark.parametrize("noun", TREE)
def test_lists_what_exists(tool, noun):
    done = tool(*noun.split(), "--help")
    assert (done.returncode, done.stderr) == (0, "")
    listed = done.stdout.split("Subcommands:\n")[1].split("\n\n")[0]
    assert [line.split()[0] for line in listed.splitlines()] == TREE[noun]


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_a_usage_line_and_examples(tool, verb):
    for flag in ("--help", "-h"):
        done = tool(*verb.split(), flag)
        assert (done.returncode, done.stderr) == (0, "")
        assert f"Usage: maglbctl {verb} " in done.stdout
        assert f"  maglbctl {verb}" in done.stdout


@pytest.mark.parametrize("verb", ["", *VERBS])
def test_examples_are_taken(tool, verb, folder):
    """No daemon runs: an example that is understood ends with 4, or with 1 for its file that is not here."""
    examples = re.findall(r"^  maglbctl (.*)$", tool(*verb.split(), "--help").stdout, re.MULTILINE)
    assert examples
    for example in examples:
        words = shlex.split(re.split(r"[|<>]", example)[0])
        expected = (0,) if words[0] == "completion" else (1, 3, 4)
        assert tool(*words, cwd=folder).returncode in expected, example


def test_the_root_says_what_the_exit_codes_mean(tool):
    text = tool("--help").stdout
    for word in ("0 ok", "1 failed", "2 usage", "3 invalid configuration", "4 daemon unreachable", "5 not found", "6 conflict",
                 "--socket", "--output", "MAGLB_SOCKET"):
        assert word in text


def test_says_its_version(tool):
    done = tool("--version")
    assert done.returncode == 0
    assert re.fullmatch(r"maglbctl \d+\.\d+\.\d+\n", done.stdout)
