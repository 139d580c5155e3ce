"""What an operator does: reload, apply, ask; and what the answers are."""

import copy
import json
import re
import subprocess

import pytest
import yaml

from daemons import service_document
from load import load, open_many
from support import WEB, program, wait_until


def test_sighup_takes_a_good_file_and_refuses_a_bad_one(lab, daemons):
    document = copy.deepcopy(daemons.document)
    document["pools"]["web"]["backends"][0]["weight"] = 250
    with load(lab, "c1", "hold", connections=50, interval_ms=100, timeout_ms=15000) as held:
        daemons.write(document)
        daemons.reload()
        wait_until("the weight is the file's", lambda: daemons.backend("s1")["weight"] == 250)

        generation = daemons.ctl_json("status")["generation"]
        text = daemons.config.read_text().replace("weight: 250", "weight: heavy")
        line = 1 + text[: text.index("heavy")].count("\n")
        daemons.write(text)
        daemons.reload()
        refusal = rf"maglb\.yaml:{line}:\d+: "
        wait_until("the refusal is logged", lambda: re.search(refusal, daemons.log("maglb-controlplane")))
        assert daemons.backend("s1")["weight"] == 250
        assert daemons.ctl_json("status")["generation"] == generation
    daemons.write(document)
    assert held.seen["failed"] == 0 and held.seen["moved"] == 0
    assert open_many(lab, 100)["failed"] == 0


def test_the_file_wins_over_runtime_changes_only_when_it_changed(lab, daemons):
    daemons.ctl("backend", "weight", "web", "s1", "300")
    daemons.reload()
    daemons.kill9("maglb-controlplane")
    daemons.start_controlplane()
    daemons.wait_ready()
    assert daemons.backend("s1")["weight"] == 300

    document = copy.deepcopy(daemons.document)
    document["pools"]["web"]["backends"][1]["weight"] = 120
    daemons.write(document)
    daemons.reload()
    wait_until("the file is applied", lambda: daemons.backend("s2")["weight"] == 120)
    assert daemons.backend("s1")["weight"] == 100


def broken(lab):
    """Files with one thing wrong each, and a word of the line that must be named."""

    def change(edit):
        document = service_document(lab)
        edit(document)
        return yaml.safe_dump(document, sort_keys=False)

    def service(**values):
        return lambda document: document["services"][0].update(values)

    def pool(**values):
        return lambda document: document["pools"]["web"].update(values)

    def backend(**values):
        return lambda document: document["pools"]["web"]["backends"][0].update(values)

    def health(**values):
        return lambda document: document["pools"]["web"]["health"].update(values)

    return {
        "unknown key": (change(lambda d: d.update(colour="blue")), "colour"),
        "service key": (change(service(colour="blue")), "colour"),
        "pool key": (change(pool(colour="blue")), "colour"),
        "backend key": (change(backend(colour="blue")), "colour"),
        "port 0": (change(service(port=0)), "port: 0"),
        "port 65536": (change(service(port=65536)), "65536"),
        "not a port": (change(service(port="http")), "port: http"),
        "not prime": (change(pool(table_size=65536)), "65536"),
        "table of 0": (change(pool(table_size=0)), "table_size: 0"),
        "no such pool": (change(service(pool="wep")), "wep"),
        "bad address": (change(service(address="198.51.100.300")), "198.51.100.300"),
        "bad backend address": (change(backend(address="10.0.1")), "10.0.1\n"),
        "negative weight": (change(backend(weight=-1)), "weight: -1"),
        "weight of words": (change(backend(weight="much")), "much"),
        "unknown state": (change(backend(state="asleep")), "asleep"),
        "unknown scheduler": (change(pool(scheduler="best")), "best"),
        "unknown protocol": (change(service(protocol="icq")), "icq"),
        "unknown forward": (change(service(forward="pigeon")), "pigeon"),
        "unknown probe": (change(health(type="smell")), "smell"),
        "no unit": (change(health(interval="soon")), "soon"),
        "no interval": (change(health(interval="0s")), "0s"),
        "fall of 0": (change(health(fall=0)), "fall: 0"),
        "path": (change(health(path="healthz")), "path: healthz"),
        "version": (change(lambda d: d.update(version=2)), "version: 2"),
        "name twice": (change(lambda d: d["pools"]["web"]["backends"][1].update(name="s1")), None),
        "service twice": (change(lambda d: d["services"].append(dict(d["services"][0], name="again"))), None),
        "no address": (change(lambda d: d["services"][0].pop("address")), None),
        "backends is text": (change(pool(backends="s1")), "backends: s1"),
        "not YAML": ("version: 1\npools: {web: [\n", None),
        "a list": ("- version: 1\n", None),
        "empty": ("", None),
    }


def test_broken_files_are_refused_with_line_and_reason(lab, daemons, tmp_path):
    """By the daemon over its API, by the daemon's --check, and without a change to what runs."""
    generation = daemons.ctl_json("status")["generation"]
    cases = broken(lab)
    assert len(cases) >= 30
    wrong = []
    for name, (text, word) in cases.items():
        path = tmp_path / "broken.yaml"
        path.write_text(text)
        applied = daemons.ctl("config", "apply", str(path), check=False)
        checked = subprocess.run(
            [program("maglb-controlplane"), "--config", str(path), "--check"],
            capture_output=True, text=True, timeout=20,
        )  # fmt: skip
        line = r"\d+" if word is None else str(1 + text[: text.index(word)].count("\n"))
        for output, code in ((applied.stderr, applied.returncode), (checked.stderr, checked.returncode)):
            if code != 3:
                wrong.append(f"{name}: exit {code}: {output}")
            elif not re.search(rf"broken\.yaml:{line}:\d+: \S", output):
                wrong.append(f"{name}: expected line {line}: {output}")
    assert wrong == []
    assert daemons.ctl_json("status")["generation"] == generation
    assert open_many(lab, 100)["failed"] == 0


def test_every_noun_and_verb_answers_in_both_formats(lab, daemons):
    assert open_many(lab, 100)["failed"] == 0
    for arguments in (
        ["status"],
        ["service", "list"],
        ["service", "show", "web"],
        ["pool", "list"],
        ["pool", "show", "web"],
        ["backend", "list"],
        ["backend", "show", "web", "s1"],
        ["flow", "lookup", "tcp", "192.0.2.11", "4000", WEB, "80"],
        ["flow", "summary"],
        ["stats"],
        ["config", "check", str(daemons.config)],
        ["config", "show"],
    ):
        shown = daemons.ctl(*arguments)
        assert shown.stdout.strip() and not shown.stderr, arguments
        parsed = daemons.ctl("-o", "json", *arguments)
        json.loads(parsed.stdout)
    web = daemons.ctl_json("service", "show", "web")
    assert web["packets"] > 0 and web["backends_up"] == len(lab.servers)


def test_exit_codes_say_what_went_wrong(lab, daemons, tmp_path):
    unreachable = subprocess.run(
        [program("maglbctl"), "--socket", str(tmp_path / "nobody.sock"), "status"],
        capture_output=True,
        text=True,
    )
    assert unreachable.returncode == 4
    assert "maglb-controlplane" in unreachable.stderr and unreachable.stdout == ""
    for code, arguments in (
        (2, ["backend"]),
        (2, ["nonsense"]),
        (5, ["pool", "show", "nothing"]),
        (5, ["backend", "drain", "web", "nobody"]),
        (6, ["backend", "add", "web", "s1", "10.0.1.99"]),
    ):
        done = daemons.ctl(*arguments, check=False)
        assert (done.returncode, done.stdout) == (code, ""), arguments
        assert done.stderr, arguments


def http(daemons, path):
    done = subprocess.run(
        ["curl", "-s", "-m", "10", "-w", "\n%{http_code}", "--unix-socket", str(daemons.api_socket),
         f"http://localhost{path}"],
        capture_output=True,
        text=True,
    )
    body, _, code = done.stdout.rpartition("\n")
    return int(code), body


def test_metrics_and_probes_of_the_control_plane_itself(lab, daemons):
    assert http(daemons, "/livez")[0] == 200
    assert http(daemons, "/readyz")[0] == 200
    code, text = http(daemons, "/metrics")
    assert code == 200
    names = {re.split(r"[ {]", line)[0] for line in text.splitlines() if line and not line.startswith("#")}
    assert names and [name for name in names if not name.startswith("maglb_")] == []
    daemons.kill9("maglb-dataplane")
    wait_until("not ready without a dataplane", lambda: http(daemons, "/readyz")[0] == 503)
    assert http(daemons, "/livez")[0] == 200
    daemons.start_dataplane()
    daemons.wait_ready()


@pytest.mark.parametrize("name", ["maglb-dataplane", "maglb-controlplane", "maglbctl", "maglb-decap"])
def test_programs_say_what_they_are(name):
    for option in ("--help", "--version"):
        done = subprocess.run([program(name), option], capture_output=True, text=True, timeout=20)
        assert done.returncode == 0 and done.stdout.strip(), (name, option, done.stderr)
