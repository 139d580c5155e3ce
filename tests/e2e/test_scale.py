"""A thousand services of a hundred backends: how long a start, a flap and a reload take, and what they touch.

Most backends are addresses that nobody has and nobody asks; those that are probed are all s1's:

    lb --- fabric --- s1: 10.21.0.0/16 on lo
"""

import contextlib
import json
import os
import re
import time

import pytest

from api import Api
from daemons import Daemons
from hole import cut, hole
from load import load
from support import SLACK, WEB, figure, wait_until

SERVICES = figure(1000, 50)
BACKENDS = figure(100, 20)  # of each
FLAPS = figure(20, 2)
RELOADED = figure(100, 10)  # pools of 100 probed backends
NETWORK = "10.21.0.0/16"
LIMITS = {"limits": {"services": 4096, "pools": 4096, "backends": 1 << 17}}
PROBED = 8009
HEALTH = {"type": "tcp", "port": PROBED, "interval": "200ms", "timeout": "200ms", "rise": 1, "fall": 3}


@pytest.fixture(scope="module", autouse=True)
def many_addresses(lab):
    """s1 has all addresses of NETWORK."""
    lab.run("fabric", "ip", "route", "add", NETWORK, "via", lab.address_of("s1"))
    lab.run("s1", "ip", "route", "add", "local", NETWORK, "dev", "lo")
    with hole(lab):
        yield
    lab.run("s1", "ip", "route", "delete", "local", NETWORK, "dev", "lo")
    lab.run("fabric", "ip", "route", "delete", NETWORK)


def pool(number, backends, health, table_size):
    """As text: a library takes longer to write it than maglb to read it."""
    lines = [f"  p{number}:", f"    health: {json.dumps(health)}"]
    lines += [f"    table_size: {table_size}"] if table_size else []
    lines += ["    backends:"]
    for k in range(number * backends, (number + 1) * backends):
        lines.append(f"      - {{name: b{k}, address: 10.21.{k // 250 % 250}.{k % 250 + 1}}}")
    return lines


def document(lab, pools, backends, health, table_size=None):
    """Pool web of the lab's servers, probed; and `pools` others, a service for each."""
    web = [f"      - {{name: {server}, address: {lab.address_of(server)}}}" for server in lab.servers]
    lines = ["version: 1", "pools:", "  web:", f"    health: {json.dumps(HEALTH)}", "    backends:", *web]
    for number in range(pools):
        lines += pool(number, backends, health, table_size)
    lines += ["services:", f"  - {{name: web, address: {WEB}, protocol: tcp, port: 80, pool: web}}"]
    lines += [
        f"  - {{name: s{k}, address: {WEB}, protocol: tcp, port: {10000 + k}, pool: p{k}}}" for k in range(pools)
    ]
    return "\n".join(lines) + "\n"


@contextlib.contextmanager
def running(lab, text):
    """Both daemons, and the API: the control plane's start is the last thing that happens."""
    lab.mend_all()
    daemons = Daemons(lab, machine=LIMITS)
    daemons.write(text)
    try:
        daemons.attach_decap()
        daemons.start_dataplane()
        wait_until("the dataplane listens", daemons.dataplane_socket.exists, 60)
        before = cpu_seconds(daemons, "maglb-dataplane")
        began = time.time()
        daemons.start_controlplane()
        api = Api(daemons)
        wait_until("the first state is published", lambda: api_events(daemons, "publish"), 120)
        print(
            f"CPU until then: control plane {cpu_seconds(daemons, 'maglb-controlplane'):.2f} s, "
            f"dataplane {cpu_seconds(daemons, 'maglb-dataplane') - before:.2f} s"
        )
        yield daemons, api, began
        daemons.check_running()
        daemons.check_equation()
        assert all(code == 0 for code in daemons.stop().values())
    except BaseException:
        for name in ("maglb-dataplane", "maglb-controlplane"):
            print(f"--- {name}\n{daemons.log(name)[-3000:]}")
        raise
    finally:
        daemons.stop()
        daemons.remove()


def api_events(daemons, kind):
    """By a connection of its own: the first ones find nobody there."""
    with contextlib.closing(Api(daemons)) as api:
        return api.events(0, kind)


def peak_mib(daemons, name):
    pid = daemons.processes[name].pid
    with open(f"/proc/{pid}/status") as status:
        return int(re.search(r"VmHWM:\s+(\d+) kB", status.read()).group(1)) // 1024


def cpu_seconds(daemons, name):
    """What a daemon has used so far: it says more than the clock does on a busy machine."""
    with open(f"/proc/{daemons.processes[name].pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def metric(api, name):
    """The sum of a metric's samples."""
    return sum(float(line.split()[-1]) for line in api.get("/metrics").splitlines() if re.match(rf"{name}[ {{]", line))


def told_after(api, after):
    """The seconds from the first transition of s2 to the dataplane's word that it runs; None before that."""
    events = api.events(after)
    health = next((one for one in events if one["kind"] == "health" and one["backend"] == "s2"), None)
    for one in events:
        if health and one["kind"] == "publish" and one["number"] > health["number"]:
            return max(one["time"] - health["time"], 1e-9)
    return None


def flap(lab, api):
    """s2 leaves and comes back. Returns how long both took to the workers."""
    after = api.last_event()
    with cut(lab, PROBED, lab.address_of("s2")):
        left = wait_until("it is out", lambda: told_after(api, after), 30)
        after = api.last_event()
    return [left, wait_until("it is back", lambda: told_after(api, after), 30)]


@pytest.mark.parametrize("table_size", [4099, None], ids=["small-tables", "default-tables"])
def test_a_start_and_a_flap_of_many_services(lab, table_size):
    text = document(lab, SERVICES, BACKENDS, {"type": "none"}, table_size)
    with running(lab, text) as (daemons, api, began):
        first = api.events(0, "publish")[0]["time"] - began
        started = {name: peak_mib(daemons, name) for name in daemons.processes}
        assert api.get("/v1/status")["services"] == SERVICES + 1
        before = metric(api, "maglb_table_builds_total")
        times = sorted(one for _ in range(FLAPS) for one in flap(lab, api))
        built = metric(api, "maglb_table_builds_total") - before
        print(
            f"{SERVICES} services of {BACKENDS}, tables of {table_size or 65537}: first table after {first:.3f} s; "
            f"a flap took {times[len(times) // 2] * 1000:.1f} ms, at worst {times[-1] * 1000:.1f}; "
            f"control plane {started['maglb-controlplane']} MiB at its start, "
            f"{peak_mib(daemons, 'maglb-controlplane')} with a page of metrics, "
            f"dataplane {peak_mib(daemons, 'maglb-dataplane')} MiB"
        )
        assert first < 2 * SLACK
        assert times[len(times) // 2] < 0.010 * SLACK
        assert built == 2 * FLAPS, "a flap is one table"
        api.close()


def known(api):
    """Of every probed backend: its health, and since when it has it."""
    now = time.time()
    return {
        (one["pool"], one["name"]): (one["health"], now - (one["since"] or 0))
        for one in api.get("/v1/backends")["backends"]
    }


def test_a_reload_starts_no_probe_anew_and_moves_no_flow(lab):
    interval = 10
    health = HEALTH | {"interval": f"{interval}s", "timeout": "2s"}
    text = document(lab, RELOADED, 100, health, 1009)
    with running(lab, text) as (daemons, api, _):
        wait_until("all are healthy", lambda: all(one[0] == "healthy" for one in known(api).values()), 60, every=0.5)
        with load(lab, "c1", "hold", connections=100, interval_ms=100, timeout_ms=15000) as held:
            before, attempts = known(api), metric(api, "maglb_probe_attempts_total")
            generation = api.get("/v1/status")["generation"]
            began = time.monotonic()
            daemons.write(text.replace("name: b7,", "name: b7, weight: 50,"))
            applied = api.ask("POST", "/v1/config/reload")
            took = time.monotonic() - began
            after, again = known(api), metric(api, "maglb_probe_attempts_total") - attempts
            seconds = time.monotonic() - began
        print(f"{RELOADED * 100} backends: reload in {took:.3f} s, {again:.0f} probes in {seconds:.2f} s around it")
        assert applied["changed"] and applied["generation"] == generation + 1
        assert took < 1 * SLACK
        # What the interval asks for, a sixteenth of jitter, the web pool's own, and the seconds' rounding.
        due = (RELOADED * 100 / interval * 16 / 15 + 4 / 0.18) * (seconds + 0.5)
        assert again <= due * 1.5, "probes were started anew"
        assert set(after) == set(before)
        for key, (state, since) in before.items():
            assert after[key][0] == state and abs(after[key][1] - since) <= 0.5 + seconds, (key, after[key])
        assert held.seen["failed"] == 0 and held.seen["moved"] == 0, held.seen["failures"][:3]
        api.close()
