"""The pages: every one can be found from the README, and links lead somewhere."""
import os
import re
import subprocess

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# Read by what they are made for: tests and the build.
NOT_PAGES = {"docs/prometheus/alerts_test.yml", "docs/systemd/meson.build"}


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def links(path):
    """What the page links to, as paths from the root, without anchors."""
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", read(path))
    folder = os.path.dirname(path)
    return {os.path.normpath(os.path.join(folder, target)) for target in targets if "://" not in target}


def files(folder):
    return {os.path.relpath(os.path.join(at, name), ROOT)
            for at, _, names in os.walk(os.path.join(ROOT, folder)) for name in names}


PAGES = ["README.md", "bench/README.md", *sorted(path for path in files("docs") if path.endswith(".md"))]


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_to_a_file(page):
    assert [target for target in links(page) if not os.path.exists(os.path.join(ROOT, target))] == []


def test_every_file_is_linked_from_the_readme_or_a_page_that_is():
    seen, waiting = set(), ["README.md"]
    while waiting:
        page = waiting.pop()
        new = links(page) - seen
        seen |= new
        waiting += [target for target in new if target.endswith(".md")]
    tracked = set(subprocess.run(["git", "-C", ROOT, "ls-files", "docs"], capture_output=True, text=True,
                                 check=False).stdout.split()) or files("docs")
    of_folders = {path for path in tracked if os.path.dirname(path) in seen}
    assert tracked - NOT_PAGES - seen - of_folders == set()


@pytest.mark.parametrize("page", PAGES)
def test_every_anchor_is_a_heading(page):
    for target, anchor in re.findall(r"\]\(([^)#\s]*)#([^)]*)\)", read(page)):
        path = os.path.normpath(os.path.join(os.path.dirname(page), target)) if target else page
        if "://" not in target:
            headings = re.findall(r"^#+ (.*)$", read(path), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}, target
