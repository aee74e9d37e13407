"""The shell around the core: read what is stored, ask for the next step, carry it out, until nothing is left to do."""

from token_refresh.refresh.failures import SecretName
from token_refresh.refresh.parts import Limits, Parts
from token_refresh.refresh.run import Run

__all__ = ["Limits", "Parts", "Run", "SecretName"]
