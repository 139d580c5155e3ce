"""The manual page, docs/maglbctl.md and the program say the same: every command and option, and no other.

An option stands with its command, or in the section of options when several commands share it.
"""
import json
import os
import re
import shutil
import subprocess

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PAGE = os.path.join(ROOT, "docs", "man", "maglbctl.1")
GUIDE = os.path.join(ROOT, "docs", "maglbctl.md")


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def section(text, begin, end):
    assert begin in text
    return text.split(begin, 1)[1].split(end, 1)[0]


def page():
    """({command: options}, shared options) of the manual page, whose items are ".It Ic backend add Ar ..."."""
    text = read(PAGE)
    commands = {}
    for line in re.findall(r"^\.It (Ic .*)$", section(text, ".Sh COMMANDS\n", "\n.Sh "), re.MULTILINE):
        words = line.split()
        end = next((i for i, word in enumerate(words) if i > 0 and word[0].isupper()), len(words))
        commands.setdefault(" ".join(words[1:end]), set()).update(flags(line))
    shared = set()
    for line in re.findall(r"^\.It (Fl .*)$", section(text, ".Sh OPTIONS\n", "\n.Sh "), re.MULTILINE):
        shared |= flags(line)
    return commands, shared


def flags(line):
    return {"-" + name.replace("\\-", "-") for name in re.findall(r"\bFl (\S+)", line)}


def guide():
    """The same of docs/maglbctl.md, whose tables begin with `backend add POOL ... [--weight N]`."""
    text = read(GUIDE)
    commands = {}
    for cell in first_cells(section(text, "## Commands\n", "\n## ")):
        words = re.match(r"[a-z][a-z -]*[a-z]", cell).group(0)
        words = re.split(r" -", words)[0]
        commands.setdefault(words, set()).update(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", cell))
    shared = set()
    for cell in first_cells(section(text, "## Options\n", "\n## ")):
        shared |= set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", cell))
    return commands, shared


def first_cells(text):
    rows = [line.split(" | ")[0] for line in text.splitlines() if line.startswith("| `")]
    return [row.removeprefix("| ").replace("`", "") for row in rows]


@pytest.fixture
def tree(tool):
    return json.loads(tool("__commands").stdout)


def names(options):
    return {name for option in options for name in option["names"]}


@pytest.mark.parametrize("manual", [page, guide])
def test_a_manual_has_every_command_and_option_and_no_other(tree, manual):
    described, shared = manual()
    assert set(described) == {command["command"] for command in tree["commands"]}
    known = names(tree["options"])
    for command in tree["commands"]:
        own = names(command["options"])
        known |= own
        beside = described[command["command"]]
        assert beside <= own, command["command"]
        assert {name for name in own if name.startswith("--")} <= beside | shared, command["command"]
    assert {name for name in names(tree["options"]) if name.startswith("--")} <= shared
    assert shared <= known


def test_help_says_what_the_tree_says(tool, tree):
    for command in tree["commands"]:
        shown = " ".join(tool(*command["command"].split(), "--help").stdout.split())
        assert " ".join(command["description"].split()) in shown
        for option in command["options"]:
            assert option["description"] and " ".join(option["description"].split()) in shown, option
            assert all(name in shown for name in option["names"])


def test_the_manual_page_has_no_errors():
    if not shutil.which("mandoc"):
        pytest.skip("mandoc is not installed")
    done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", PAGE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_manual_knows_every_exit_code(tool):
    codes = re.findall(r"(\d) \w+", tool("--help").stdout.split("Exit codes:")[1])
    assert re.findall(r"^\.It (\d)$", read(PAGE), re.MULTILINE) == codes
    assert re.findall(r"^\| (\d) \|", read(GUIDE), re.MULTILINE) == codes
