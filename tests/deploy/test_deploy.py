"""What is deployed agrees with the code: metrics, settings, ports."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import yaml

from streams.broker.embedded import free_ports
from streams.metrics import Metrics
from streams.settings import Settings
from tests.kafka.conftest import cluster  # noqa: F401 (a fixture)
from tests.kafka.harness import Cluster
from tests.shoppers import random_history

ROOT = Path(__file__).parents[2]
ALERTS = ROOT / "deploy" / "prometheus" / "alerts.yml"


def documents(path: Path) -> list[Any]:
    return list(yaml.safe_load_all(path.read_text()))


def test_every_metric_in_an_alert_rule_is_in_the_catalogue() -> None:
    known = {name for name, *_ in Metrics().catalogue()}
    used = set(re.findall(r"offerstream_[a-z_]+", " ".join(rule["expr"] for rule in rules())))
    assert used
    for name in used:
        assert re.sub(r"_(bucket|sum|count)$", "", name) in known | {name} & known, name


def rules() -> list[dict[str, Any]]:
    (groups,) = documents(ALERTS)
    return [rule for group in groups["groups"] for rule in group["rules"]]


def test_every_alert_has_a_severity_and_a_section_that_says_what_to_do() -> None:
    sections: dict[str, set[str]] = {}
    for rule in rules():
        assert rule["labels"]["severity"] in ("critical", "warning"), rule["alert"]
        assert rule["annotations"]["summary"], rule["alert"]
        file, _, section = rule["annotations"]["runbook_url"].partition("#")
        assert section == rule["alert"].lower()
        sections.setdefault(file, set()).add(section)
    assert sections.keys() == {"docs/operating.md"}
    headings = re.findall(r"^### (Offerstream\w+)$", (ROOT / "docs" / "operating.md").read_text(), re.MULTILINE)
    assert {heading.lower() for heading in headings} == sections["docs/operating.md"]


def test_drift_is_one_alert_per_task() -> None:
    (rule,) = (rule for rule in rules() if "offerstream_drift" in rule["expr"])
    assert rule["expr"].startswith("max by (task) (")
    assert not any("from_training" in rule["expr"] for rule in rules())


def test_campaigns_raise_an_alert_each_and_only_while_they_make_offers() -> None:
    found = {rule["alert"]: rule["expr"] for rule in rules() if "campaign" in rule["expr"]}
    assert found.keys() == {"OfferstreamCampaignSidesDiffer", "OfferstreamCampaignLosesMoney"}
    for expr in found.values():
        assert expr.startswith("max by (campaign) (")
        assert expr.endswith("and on (campaign) offerstream_campaign_open == 1")
    # The upper end of the interval: by chance alone none lies below 0.
    assert 'offerstream_campaign_profit_cents{bound="high"}) < 0' in found["OfferstreamCampaignLosesMoney"]


def test_every_metric_of_the_catalogue_is_emitted_somewhere() -> None:
    code = "".join(p.read_text() for p in (ROOT / "streams").rglob("*.py") if p.name != "metrics.py")
    for attribute in vars(Metrics()):
        if attribute not in ("registry", "_units"):
            assert re.search(rf"\b(m|metrics)\.{attribute}\b", code), attribute


def test_every_metric_has_a_unit_and_a_meaning() -> None:
    assert all(unit and meaning for _, _, unit, _, meaning in Metrics().catalogue())


def test_every_setting_in_a_deployment_exists() -> None:
    files = [ROOT / "docker-compose.yml", *(ROOT / "deploy").rglob("*.yaml"), ROOT / "deploy" / "docker" / "Dockerfile"]
    named = {name for path in files for name in re.findall(r"OFFERSTREAM_([A-Z_]+)", path.read_text())}
    assert {name.lower() for name in named} <= set(Settings.__dataclass_fields__)


def test_compose_publishes_nothing_beyond_loopback() -> None:
    (compose,) = documents(ROOT / "docker-compose.yml")
    ports = {name: service["ports"] for name, service in compose["services"].items() if "ports" in service}
    assert ports == {"kafka": ["127.0.0.1:9092:9094"], "prometheus": ["127.0.0.1:9090:9090"]}
    assert compose["services"]["worker"]["build"]["dockerfile"] == "deploy/docker/Dockerfile"


def test_compose_lets_a_producer_on_the_host_reach_kafka_where_it_is_published() -> None:
    """Kafka sends a client on to what the listener that it came through advertises: that must be the way it came."""
    (compose,) = documents(ROOT / "docker-compose.yml")
    kafka = compose["services"]["kafka"]
    (published,) = kafka["ports"]
    host, port, inside = published.split(":")

    def listeners(name: str) -> dict[str, str]:
        return dict(each.split("://") for each in kafka["environment"][name].split(","))

    bound, advertised = listeners("KAFKA_LISTENERS"), listeners("KAFKA_ADVERTISED_LISTENERS")
    (outside,) = (name for name, address in bound.items() if address == f":{inside}")
    assert advertised[outside] == f"{host}:{port}" == Settings().broker
    worker = compose["services"]["worker"]["environment"]["OFFERSTREAM_BROKER"]
    (within,) = (name for name, address in advertised.items() if address == worker)
    assert within != outside
    assert kafka["environment"]["KAFKA_INTER_BROKER_LISTENER_NAME"] == within
    protocols = dict(
        each.split(":") for each in kafka["environment"]["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"].split(",")
    )
    assert protocols.keys() == bound.keys()
    assert len(set(bound.values())) == len(bound)
    assert f"`{host}:{port}`" in (ROOT / "docs" / "producers.md").read_text()


def test_kubernetes_probes_ask_what_the_worker_serves() -> None:
    stateful, claim, service, budget = documents(ROOT / "deploy" / "k8s" / "worker.yaml")
    kinds = ["StatefulSet", "PersistentVolumeClaim", "Service", "PodDisruptionBudget"]
    assert [d["kind"] for d in (stateful, claim, service, budget)] == kinds
    (container,) = stateful["spec"]["template"]["spec"]["containers"]
    assert container["livenessProbe"]["httpGet"]["path"] == "/live"
    assert container["readinessProbe"]["httpGet"]["path"] == "/ready"
    assert container["ports"][0]["containerPort"] == Settings().port


def test_every_deployed_worker_has_the_store_of_models() -> None:
    (compose,) = documents(ROOT / "docker-compose.yml")
    dockerfile = (ROOT / "deploy" / "docker" / "Dockerfile").read_text()
    (where,) = re.findall(r"OFFERSTREAM_MODELS=(\S+)", dockerfile)
    assert f"models:{where}" in compose["services"]["worker"]["volumes"]
    stateful, claim, *_ = documents(ROOT / "deploy" / "k8s" / "worker.yaml")
    pod = stateful["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert {"name": "OFFERSTREAM_MODELS", "value": where} in container["env"]
    (mounted,) = (m["name"] for m in container["volumeMounts"] if m["mountPath"] == where)
    claims = {v["name"]: v.get("persistentVolumeClaim", {}).get("claimName") for v in pod["volumes"]}
    assert claims[mounted] == claim["metadata"]["name"]


needs_prometheus = pytest.mark.skipif(shutil.which("prometheus") is None, reason="Prometheus is not installed")


@needs_prometheus
@pytest.mark.parametrize("name", ["prometheus.yml", "compose.yml"])
def test_the_prometheus_configuration_is_valid(name: str) -> None:
    subprocess.run(["promtool", "check", "config", str(ALERTS.with_name(name))], check=True, capture_output=True)


@needs_prometheus
@pytest.mark.kafka
def test_prometheus_scrapes_a_worker(cluster: Cluster, tmp_path: Path) -> None:  # noqa: F811
    log = random_history(31, 500, 40)
    cluster.send(log)
    worker = cluster.worker()
    cluster.wait_committed(len(log))
    text = (ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text()
    config = tmp_path / "prometheus.yml"
    config.write_text(text.replace("6066", str(worker.port)).replace("5s", "1s"))
    shutil.copy(ALERTS, tmp_path)
    (port,) = free_ports(1)
    command = ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={tmp_path / 'tsdb'}"]
    prometheus = subprocess.Popen(
        [*command, f"--web.listen-address=127.0.0.1:{port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        sent = 'sum(offerstream_records_total{entity="shopper",fate=~"applied|duplicate|late|dead"})'
        query = urllib.parse.quote(sent)
        end = time.monotonic() + 30
        while True:
            assert time.monotonic() < end, "Prometheus has not seen the worker"
            time.sleep(0.5)
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/query?query={query}") as answer:
                    found = json.load(answer)["data"]["result"]
            except OSError:
                continue
            if found and float(found[0]["value"][1]) == len(log):
                break
    finally:
        prometheus.terminate()
        prometheus.wait()
    worker.stop()
