"""/metrics by promtool's rules, and that the dashboard and the alerts of docs/ ask for metrics that exist."""

import json
import pathlib
import re
import shutil
import subprocess

import pytest
import yaml

from conftest import PLAIN, wait_for

DOCS = pathlib.Path(__file__).resolve().parents[2] / "docs"
DASHBOARD = json.loads((DOCS / "grafana/maglb.json").read_text("utf-8"))
ALERTS = yaml.safe_load((DOCS / "prometheus/alerts.yml").read_text("utf-8"))


@pytest.fixture
def text(daemon, peer, servers):
    """Of a daemon whose probes have ended and whose dataplane has counted something of everything."""
    probe = f"{{type: http, port: {servers[0].port}, path: /, interval: 100ms, timeout: 90ms}}"
    document = PLAIN.replace("{type: none}", probe, 1).replace("  web:\n", "  web:\n    passive: on\n", 1)
    for number, server in enumerate(servers[:2], start=1):
        document = document.replace(f"10.0.1.1{number}", server.address)
    daemon.write(document)
    peer.start()
    daemon.start()
    wait_for(lambda: b"maglb_backend_packets_total" in daemon.get("/metrics", raw=True), "the dataplane's counters")
    wait_for(lambda: b"maglb_probe_duration_seconds_bucket" in daemon.get("/metrics", raw=True), "a probe")
    wait_for(lambda: b"maglb_publish_duration_seconds_count 1" in daemon.get("/metrics", raw=True), "a publish")
    return daemon.get("/metrics", raw=True).decode()


def names_of(text):
    return {line.split("{")[0].split(" ")[0] for line in text.splitlines() if line and not line.startswith("#")}


def asked_for(expression):
    return set(re.findall(r"\bmaglb_[a-z0-9_]+", re.sub(r'"[^"]*"', '""', expression)))


def promtool(*arguments, **options):
    assert shutil.which("promtool"), "promtool is of Debian's package prometheus"
    done = subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True, timeout=60, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_promtool_finds_nothing_to_say(text):
    assert promtool("check", "metrics", input=text) == ""


def test_says_what_operators_ask_for(text):
    names = names_of(text)
    for name in ("maglb_services", "maglb_pools", "maglb_backends", "maglb_worker_flows", "maglb_config_revision",
                 "maglb_worker_dropped_packets_total", "maglb_worker_busy_cycles_total", "maglb_worker_cycles_total",
                 "maglb_table_builds_total", "maglb_table_build_seconds_total", "maglb_pool_stale",
                 "maglb_publish_duration_seconds_bucket", "maglb_publish_duration_seconds_sum", "maglb_pool_panic",
                 "maglb_pool_fallback_serving", "maglb_probe_hold", "maglb_backend_flows", "maglb_backend_refused_total"):
        assert name in names, name
    assert 'maglb_worker_nat_sessions{worker="0",protocol="tcp",family="ipv6"} 2' in text
    assert 'maglb_worker_nat_ports{worker="0",protocol="tcp",family="ipv6"} 9' in text
    # Of the pool that is passive alone.
    signals = re.findall(r'maglb_backend_opening_(\w+)_total\{pool="(\w+)",backend="(\w+)"\} (\d+)', text)
    assert sorted(signals) == sorted((name, "web", backend, count) for backend in ("web1", "web2")
                                     for name, count in (("refused", "1"), ("repeated", "2"), ("lapsed", "3")))
    assert re.search(r'maglb_probe_attempts_total\{type="http",result="success"\} [1-9]', text)
    assert re.search(r'maglb_probe_duration_seconds_count\{pool="web",result="success"\} [1-9]', text)
    assert 'maglb_events_total{kind="members"} 0' in text and 'reason="too_big"' in text
    assert "maglb_table_builds_total 2\n" in text and "maglb_pools 2\n" in text and "maglb_backends 3\n" in text


def test_a_change_counts_the_table_that_it_builds(daemon, peer):
    daemon.write(PLAIN)
    peer.start()
    daemon.start()
    wait_for(lambda: daemon.request("GET", "/readyz")[0] == 200, "the state runs")
    daemon.call("PATCH", "/v1/pools/web/backends/web1", {"weight": 7})
    after = daemon.get("/metrics", raw=True).decode()
    assert "maglb_table_builds_total 3\n" in after and "maglb_config_revision 2\n" in after
    assert "maglb_publish_duration_seconds_count 2\n" in after
    buckets = [int(count) for count in re.findall(r'maglb_publish_duration_seconds_bucket\{le="[^"]+"\} (\d+)', after)]
    assert buckets == sorted(buckets) and buckets[-1] == 2


def test_the_dashboard_shows_what_exists(text):
    names = names_of(text)
    panels = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
    expressions = [target["expr"] for panel in panels for target in panel["targets"]]
    expressions += [variable["definition"] for variable in DASHBOARD["templating"]["list"] if "definition" in variable]
    assert len(expressions) > 20
    for expression in expressions:
        assert asked_for(expression) and asked_for(expression) <= names, expression
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    for panel in DASHBOARD["panels"]:
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24


def test_the_dashboards_expressions_are_promql(tmp_path):
    """As recording rules, with Grafana's variables filled in: promtool parses them."""
    rules = []
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", []):
            expression = target["expr"].replace("$__rate_interval", "1m").replace("$instance", ".*").replace("$pool", ".*")
            assert "$" not in expression
            rules.append({"record": f"panel:{panel['id']}:{target['refId']}", "expr": expression})
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    promtool("check", "rules", file)


def test_the_alerts_are_good_rules_about_what_exists(text):
    promtool("check", "rules", DOCS / "prometheus/alerts.yml")
    for rule in ALERTS["groups"][0]["rules"]:
        assert asked_for(rule["expr"]) <= names_of(text), rule["alert"]
        assert rule["annotations"]["summary"] and rule["labels"]["severity"] in ("warning", "critical")


def test_each_alert_fires_when_it_should_and_only_then():
    promtool("test", "rules", "alerts_test.yml", cwd=DOCS / "prometheus")
    cases = yaml.safe_load((DOCS / "prometheus/alerts_test.yml").read_text("utf-8"))["tests"]
    fires = [test["alert_rule_test"][0]["alertname"] for test in cases if "exp_alerts" in test["alert_rule_test"][0]]
    quiet = [test["alert_rule_test"][0]["alertname"] for test in cases if "exp_alerts" not in test["alert_rule_test"][0]]
    assert sorted(fires) == sorted(quiet) == sorted(rule["alert"] for rule in ALERTS["groups"][0]["rules"])
    operating = (DOCS / "operating.md").read_text("utf-8")
    for name in fires:
        assert f"`{name}`" in operating, name


def test_documents_name_only_what_exists(text):
    names = {re.sub("_(bucket|sum|count)$", "", name) for name in names_of(text)} | names_of(text)
    for page in ("api.md", "operating.md", "controlplane.md"):
        for name in re.findall(r"`(maglb_[a-z0-9_]+)`", (DOCS / page).read_text("utf-8")):
            assert name in names, (page, name)
