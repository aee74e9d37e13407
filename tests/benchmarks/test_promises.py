"""A benchmark judges: a promise that is broken ends it with status 1."""

import importlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import fleet, reader, worker
from benchmarks.fleets.goals import Result

ROOT = Path(__file__).parents[2]
BENCHMARKS = re.findall(r"^#   scripts/bench (\w+)", (ROOT / "scripts" / "bench").read_text(), re.MULTILINE)


def figures(**own: float) -> reader.Figures:
    """Figures of a reader that keeps its promises, but for what is named."""
    ours = {"cached_read_ns": 99, "calls_for_50_misses": 1, "calls_for_50_401s": 1, "early_calls": 36}
    ours |= dict.fromkeys(reader.ROWS_OF_NONE, 0)
    return {"TokenReader": ours | own, "powertools": {"cached_read_ns": 2_020}, "TTL dict": {"cached_read_ns": 115}}


@pytest.mark.parametrize(
    ("own", "broken"),
    [
        ({"cached_read_ns": 102}, 2),
        ({"cached_read_ns": 116}, 3),
        ({"calls_for_50_misses": 2}, 1),
        ({"calls_for_50_401s": 2}, 1),
        ({"early_calls": 61}, 1),
        *(({name: 1}, 1) for name in reader.ROWS_OF_NONE),
    ],
    ids=str,
)
def test_a_reader_s_broken_promise_is_seen(own: dict[str, float], broken: int) -> None:
    """A reader that is as good as promised breaks nothing; one that is worse in one figure breaks what it says."""
    assert all(reader.promises(figures(), bare_ns=88).values())

    assert broken == list(reader.promises(figures(**own), bare_ns=88).values()).count(False)


def break_fleet(monkeypatch: pytest.MonkeyPatch) -> None:
    missed = Result(scenario="herd", what="expired", figure=2, limit=1)
    monkeypatch.setattr(fleet, "run", lambda *_: [(1, missed)])


def break_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "SUBJECTS", {})
    monkeypatch.setattr(reader, "measure_cached_reads", lambda _: 86.0)
    monkeypatch.setattr(reader, "promises", lambda *_: {"kept": True, "broken": False})


def break_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = {
        contender.name: worker.Sample(
            cold_ms=100 * (1 + place), warm_ms=3, peak_memory_mb=45, store_calls=2, token_requests=1
        )
        for place, contender in enumerate(worker.CONTENDERS)
    }
    monkeypatch.setattr(worker, "run", lambda _: samples)


BREAK = {"worker": break_worker, "reader": break_reader, "fleet": break_fleet}


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_broken_promise_ends_with_status_1(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever benchmark measures a broken promise ends with 1, and so does `scripts/bench`; nightly CI runs each."""
    BREAK[name](monkeypatch)
    monkeypatch.setattr(sys, "argv", ["bench"])
    for path in ("bench", "group.sh", "usage.sh"):
        (tmp_path / "scripts").mkdir(exist_ok=True)
        shutil.copy(ROOT / "scripts" / path, tmp_path / "scripts")
    for path in ("scripts/install", ".venv/bin/python"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(f'#!/bin/sh\ncase "$*" in "-m benchmarks.{name}") exit 1 ;; esac\n')
        (tmp_path / path).chmod(0o755)

    assert 1 == importlib.import_module(f"benchmarks.{name}").main()
    assert 1 == subprocess.run([tmp_path / "scripts" / "bench", name], check=False).returncode  # noqa: S603 - our own
    assert f"name: [{', '.join(BENCHMARKS)}]" in (ROOT / ".github" / "workflows" / "nightly.yml").read_text()
