"""The shell around the core: read what is stored, ask for the next step, carry it out, until at rest."""

from token_refresh.ports import Clock, Deadline, Log, SecretStore, SecretVersion, TokenEndpoint
from token_refresh.refresh.run import Run, Settled
from token_refresh.refresh.session import Parts

__all__ = ["Clock", "Deadline", "Log", "Parts", "Run", "SecretStore", "SecretVersion", "Settled", "TokenEndpoint"]
