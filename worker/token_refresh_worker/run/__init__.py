"""The shell around the core: read what is stored, ask for the next step, carry it out, until nothing is left to do."""

from token_refresh_worker.run.failures import SecretName
from token_refresh_worker.run.parts import Limits, Parts
from token_refresh_worker.run.run import Run

__all__ = ["Limits", "Parts", "Run", "SecretName"]
