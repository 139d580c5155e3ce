"""The same capture and configuration give the same bytes, in any process, from any order of the file."""
import random

from configs import backend, config, dataplane, service
from harness import MICRO, NANO, SECOND, Input, replay
from packets import DNS, WEB, ether, sized_tcp, tcp, udp

WEB_BACKENDS = [backend(f"web{i}", f"10.0.1.{i}", weight=10 * i) for i in range(1, 8)]
DNS_BACKENDS = [backend(f"ns{i}", f"10.0.2.{i}", **({"state": "drain"} if i == 2 else {})) for i in range(1, 5)]
SERVICES = [service(), service(DNS, "udp", 53, "dns", "dns", forward="l2"),
            service(WEB, "tcp", 443, "tls", "web", flow="off")]


def traffic(count=3000, step=SECOND // 500):
    rng = random.Random(4)
    frames = []
    for i in range(count):
        sport = rng.randrange(1024, 1324)
        packet = rng.choice([
            lambda: tcp(rng.choice(["S", "A", "PA", "FA", "R"]), sport=sport, df=rng.random() < 0.5),
            lambda: tcp("A", sport=sport, dport=443), lambda: udp(sport=sport), lambda: sized_tcp(1481, sport=sport),
            lambda: tcp(dport=99)])()
        frames.append(Input(bytes(ether(packet)), at=i * step))
    return frames


def test_two_processes_agree_byte_for_byte():
    text = config({"web": WEB_BACKENDS, "dns": DNS_BACKENDS}, SERVICES)
    frames = traffic()
    first, second = replay(text, frames), replay(text, frames)
    assert len(first.raw) > 100_000
    assert first.raw == second.raw
    assert first.counters == second.counters


def test_the_order_of_the_file_changes_nothing():
    frames = traffic()
    forward = replay(config({"web": WEB_BACKENDS, "dns": DNS_BACKENDS}, SERVICES), frames)
    backward = replay(config({"dns": DNS_BACKENDS[::-1], "web": WEB_BACKENDS[::-1]}, SERVICES[::-1]), frames)
    assert forward.raw == backward.raw
    assert forward.counters == backward.counters


def test_bursts_change_nothing():
    # All in one instant, in bursts of 32, against one at a time.
    text = config({"web": WEB_BACKENDS, "dns": DNS_BACKENDS}, SERVICES)
    together, apart = replay(text, traffic(900, 0)), replay(text, traffic(900, SECOND // 100))
    # But for the answers to what is too big, of which there are so many a second.
    answers = together.counters["events"]["icmp_suppressed"]
    assert together.counters["sent"] + answers == apart.counters["sent"]
    assert together.counters["services"] == apart.counters["services"]


def test_microseconds_and_nanoseconds():
    text = config({"web": WEB_BACKENDS, "dns": DNS_BACKENDS}, SERVICES)
    fine = [Input(bytes(ether(tcp())), at=1_234_567), Input(bytes(ether(tcp("A"))), at=2_000_000)]
    assert replay(text, fine, magic=NANO).times == [1_234_567, 2_000_000]
    assert replay(text, fine, magic=MICRO).times == [1_234_000, 2_000_000]


def test_the_machine_that_is_assumed_is_the_example():
    text = config({"web": WEB_BACKENDS, "dns": DNS_BACKENDS}, SERVICES)
    frames = traffic(300)
    assert replay(text, frames).raw == replay(text, frames, dataplane()).raw
