"""Adding an entity and a decision takes the files and lines that CONTRIBUTING.md names, and nothing else: here both are
added, in a copy of the package."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.entities.supplier import FILES, LINES

ROOT = Path(__file__).parents[2]


def run(folder: Path, *command: str) -> str:
    """What a command says in the copy."""
    done = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def test_an_entity_and_a_decision_are_the_files_and_lines_of_the_recipes(tmp_path: Path) -> None:
    for name in ("streams", "models", "training", "tests"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text.lstrip())
    for name, lines in LINES.items():
        text = (tmp_path / name).read_text()
        for old, new in lines:
            assert text.count(old) == 1, (name, old)
            text = text.replace(old, new)
        (tmp_path / name).write_text(text)
    files = ("tests/entities/test_supplier.py", "tests/laws/test_features.py", "tests/test_imports.py")
    chosen = "supplier or every_entity or one_way or docstring"
    passed = run(tmp_path, "-m", "pytest", "-v", "-p", "no:cacheprovider", *files, "-k", chosen)
    for file in files:
        assert re.search(rf"^{re.escape(file)}::\S+ PASSED", passed, re.MULTILINE), passed
    # What the catalogues say is made of the same lines.
    shown = json.loads(run(tmp_path, "-m", "streams", "features", "list", "--json"))
    assert {row["address"] for row in shown if row["entity"] == "supplier"} > {"deliveries.lateness"}
    shown = json.loads(run(tmp_path, "-m", "streams", "topics", "list", "--json"))
    assert {"suppliers.log.v1", "suppliers.warned.v1"} < {row["topic"] for row in shown}
    assert "supplier_id" in run(tmp_path, "-m", "streams", "schema", "SupplierWarned")
