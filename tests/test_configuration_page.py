"""docs/configuration.md repeats names of the code: each is there."""

import ast
import re
from pathlib import Path

from token_refresh import errors
from token_refresh_worker.run.outcome import OutcomeName

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "configuration.md").read_text()
PACKAGE = ROOT / "worker" / "token_refresh_worker"
LEVELS = {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"}


def missing(names: set[str]) -> set[str]:
    return {name for name in names if f"`{name}`" not in PAGE}


def test_every_error_has_a_row() -> None:
    """Each class that a run can end with is explained; the bases are not."""
    found = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    classes = [kind for kind in found if issubclass(kind, errors.TokenRefreshError)]
    leaves = {kind.__name__ for kind in classes if not any(other.__base__ is kind for other in classes)}

    assert leaves == set(re.findall(r"^\| `([A-Z]\w+)` \|", PAGE.split("## Errors")[1], re.MULTILINE))


def test_every_variable_has_a_row() -> None:
    """Each variable that the settings are read from is explained."""
    names = set(re.findall(r'"([A-Z]+(?:_[A-Z]+)+|PROVIDER)"', (PACKAGE / "run" / "settings.py").read_text())) - LEVELS

    assert {"TOKEN_SECRET_ID", "PROVIDER"} <= names
    assert set() == missing(names)


def test_every_metric_is_named() -> None:
    """Each metric of the last line is on the page."""
    tree = ast.parse((PACKAGE / "run" / "last_line.py").read_text())
    metrics = next(node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == "_metrics")
    texts = {str(node.value) for node in ast.walk(metrics) if isinstance(node, ast.Constant)}
    names = {text for text in texts if re.fullmatch(r"[A-Z]\w+", text) and text not in {"None", "True", "False"}}

    assert {"Refreshed", "Superseded"} <= names
    assert set() == missing(names)


def test_every_outcome_is_named() -> None:
    """Each outcome that a run can have is on the page."""
    assert set() == missing(set(OutcomeName))
