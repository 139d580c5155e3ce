"""Either daemon is killed without warning; traffic and state survive."""

import subprocess
import time

from daemons import Daemons
from load import Load, load, open_many
from support import SLACK, WEB, wait_until


def xdp_of(lab):
    return lab.run("lb", "ip", "-d", "link", "show", "dev", "lb0").stdout


def test_killing_the_control_plane_loses_nothing(lab, daemons):
    lab.kill("s2")
    daemons.wait_effective("s2", "unhealthy")
    daemons.ctl("backend", "drain", "web", "s3")
    daemons.ctl("backend", "weight", "web", "s4", "40")
    daemons.wait_effective("s3", "drain")

    with load(lab, "c1", "hold", connections=100, interval_ms=100, timeout_ms=15000) as held:
        with load(lab, "c2", "open", connections=0, concurrency=20, rate=100, timeout_ms=15000) as opened:
            daemons.kill9("maglb-controlplane")
            while_dead = open_many(lab, 200, clients=["c3"])
            daemons.start_controlplane()
            daemons.wait_ready(up=2)
            states = {}
            # Never anything else, from its first answer on.
            for _ in range(20):
                for server in lab.servers:
                    states.setdefault(server, set()).add(daemons.backend(server)["effective"])
                time.sleep(0.1)
    assert while_dead["failed"] == 0 and set(while_dead["servers"]) <= {"s1", "s4"}
    assert states == {"s1": {"up"}, "s2": {"unhealthy"}, "s3": {"drain"}, "s4": {"up"}}
    assert daemons.backend("s4")["weight"] == 40
    for seen in (held.seen, opened.seen):
        assert seen["failed"] == 0 and seen["moved"] == 0, seen["failures"][:5]


def test_killing_the_control_plane_many_times_loses_no_acknowledged_change(lab, daemons):
    for turn in range(5):
        daemons.ctl("backend", "weight", "web", "s1", str(200 + turn))
        daemons.kill9("maglb-controlplane")
        daemons.start_controlplane()
        daemons.wait_ready()
        assert daemons.backend("s1")["weight"] == 200 + turn


def test_killing_the_dataplane_heals_in_two_seconds(lab, daemons):
    with load(lab, "c1", "hold", connections=100, interval_ms=200, timeout_ms=60000) as held:
        daemons.kill9("maglb-dataplane")
        started = time.monotonic()
        daemons.start_dataplane()

        def forwards():
            return lab.curl("c2", f"http://{WEB}/", "--connect-timeout", "0.3", timeout=1) in lab.servers

        wait_until("traffic is forwarded again", forwards, 60, every=0.02)
        taken = time.monotonic() - started
        daemons.wait_ready()
    print(f"forwards again after {taken:.2f} s")
    assert taken <= 2 * SLACK
    # No flow is remembered, so every one of them goes by the table, and that has not changed.
    assert held.seen["failed"] == 0 and held.seen["moved"] == 0, held.seen["failures"][:5]
    seen = open_many(lab, 400)
    assert seen["failed"] == 0 and set(seen["servers"]) == set(lab.servers)


def test_a_leftover_program_of_ours_is_replaced(lab, daemons):
    for _ in range(3):
        daemons.kill9("maglb-dataplane")
        daemons.start_dataplane()
        daemons.wait_ready()
        assert lab.curl("c1", f"http://{WEB}/") in lab.servers
    assert xdp_of(lab).count("prog/xdp") == 1


FOREIGN = """
__attribute__((section("xdp"), used)) int someone_elses(void* context) { return 2; /* XDP_PASS */ }
char license_text[] __attribute__((section("license"), used)) = "GPL";
"""


def test_a_program_of_someone_else_is_refused_by_name(lab, daemons, tmp_path):
    (tmp_path / "foreign.c").write_text(FOREIGN)
    subprocess.run(
        ["clang-14", "-O2", "-g", "-target", "bpf", "-c", "foreign.c", "-o", "foreign.o"], cwd=tmp_path, check=True
    )
    daemons.stop()
    lab.run("lb", "ip", "link", "set", "dev", "lb0", "xdp", "off", check=False)
    lab.run("lb", "ip", "link", "set", "dev", "lb0", "xdp", "obj", str(tmp_path / "foreign.o"), "sec", "xdp")
    try:
        daemons.start_dataplane()
        assert daemons.processes.pop("maglb-dataplane").wait(60) != 0
        assert "someone_elses" in daemons.log("maglb-dataplane")
        assert "xdp" in xdp_of(lab)
    finally:
        lab.run("lb", "ip", "link", "set", "dev", "lb0", "xdp", "off")
    daemons.start()
    assert lab.curl("c1", f"http://{WEB}/") in lab.servers


def test_a_clean_end_leaves_no_program_behind(lab, daemons):
    assert "xdp" in xdp_of(lab)
    codes = daemons.stop()
    assert codes == {"maglb-controlplane": 0, "maglb-dataplane": 0}
    assert "prog/xdp" not in xdp_of(lab)
    daemons.start()


def test_the_control_plane_waits_for_its_dataplane(lab, daemons):
    daemons.kill9("maglb-dataplane")
    wait_until("it says so", lambda: not daemons.ctl_json("status")["dataplane"]["connected"])
    assert daemons.ctl("backend", "drain", "web", "s1").returncode == 0
    daemons.start_dataplane()
    daemons.wait_ready(up=3)
    seen = open_many(lab, 400)
    assert seen["failed"] == 0 and "s1" not in seen["servers"]


def test_a_second_control_plane_does_not_take_over(lab, daemons):
    """One at a time holds the lease; the running one keeps it."""
    second = Daemons(lab)
    second.dataplane_socket = daemons.dataplane_socket
    try:
        second.start_controlplane()
        wait_until("it answers", lambda: second.ctl("status", check=False).stdout)
        time.sleep(1)
        assert second.ctl_json("status")["ready"] is False
        assert daemons.ctl_json("status")["ready"] is True
        one = Load(lab, "c1", "open", connections=100)
        assert one.result(stop=False)["failed"] == 0
    finally:
        second.processes["maglb-controlplane"].terminate()
        second.processes["maglb-controlplane"].wait(20)
        second.remove()
