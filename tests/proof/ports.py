"""The worker's ports, as a search has them: every call goes to one place, `Ports.ask`."""

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Final, NamedTuple

from proof.store import FRESH_NONCE, PUBLISHED, TOKENS, Move, Put, Read, StoreCall
from proof.world import RUN_SECONDS, Scenario, Violation
from token_refresh.errors import TokenRefreshError
from token_refresh.oauth.formats import AuthMethod, RequestFormat
from token_refresh.oauth.request import TokenRequest
from token_refresh.oauth.response import Answer
from token_refresh.ports import Deadline, SecretVersion
from token_refresh.providers.loader import load_provider
from token_refresh.refresh import Parts, Run
from token_refresh.secret_value import SecretValue
from token_refresh.stored.credentials import ClientCredentials

PUBLIC_CLIENT: Final = replace(load_provider("upwork"), request=RequestFormat(auth_method=AuthMethod.NONE))
REQUEST_SECONDS: Final = 20.0


class Send(NamedTuple):
    """A token request."""

    refresh_token: str


class Poll(NamedTuple):
    """A forced run waits for another's claim: the reply says whether there is time to look again."""


class Ended(NamedTuple):
    """The run is at rest."""

    outcome: str
    """An outcome, or the name of an error."""
    named: bool
    """Whether it is an outcome or an error of the tree."""
    retry_at: int | None = None


Call = StoreCall | Send | Poll


class Ports(ABC):
    """Token endpoint, clock and log of one run; its two secrets ask here too."""

    POLL_SECONDS: Final = 0.75
    """By its length, a poll is told from the sleeps between repeats."""

    def __init__(self, now: int) -> None:
        self.now = now
        """The time of the last reply: what passes between two calls, passes during the second."""
        self._polled_seconds = 0

    @abstractmethod
    def ask(self, call: Call) -> object:
        """Give the reply to a call."""

    def send(self, request: TokenRequest, *, timeout_seconds: float) -> Answer:
        """Send a token request."""
        del timeout_seconds
        return self.ask(Send(request.form["refresh_token"]))  # type: ignore[return-value]  # what a search replies

    def monotonic(self) -> float:
        """Give the stopwatch."""
        return float(self.now + self._polled_seconds)

    def sleep(self, seconds: float) -> None:
        """Wait; only a poll lets time pass, since others may act between any two calls anyway."""
        if seconds == self.POLL_SECONDS and not self.ask(Poll()):
            self._polled_seconds += RUN_SECONDS

    def info(self, event: str, **fields: object) -> None:
        """Log nothing: a search looks at what is done."""
        del event, fields

    def warning(self, event: str, **fields: object) -> None:
        """Log nothing."""
        del event, fields


class _Secret:
    """One secret, as a run sees it."""

    def __init__(self, name: str, ports: Ports) -> None:
        self._name = name
        self._ports = ports

    def read(self, *, label: str | None = None, version_id: str | None = None) -> SecretVersion | None:
        """Read a version."""
        return self._ports.ask(Read(self._name, label, version_id))  # type: ignore[return-value]  # what a search replies

    def put(self, version_id: str, value: SecretValue, *, label: str) -> bool:
        """Append a version."""
        return bool(self._ports.ask(Put(self._name, version_id, value.reveal(), label)))

    def move_label(self, label: str, *, to: str | None, remove_from: str | None) -> bool:
        """Move a label."""
        return bool(self._ports.ask(Move(self._name, label, to, remove_from)))


def build_run(scenario: Scenario, ports: Ports, *, force: bool) -> Run:
    """Put the real run together, on these ports."""
    return Run(
        parts=Parts(
            store=_Secret(TOKENS, ports),
            published=_Secret(PUBLISHED, ports) if scenario.published else None,
            endpoint=lambda _: ports,
            credentials=lambda _: ClientCredentials(client_id="client", client_secret=None),
            provider=PUBLIC_CLIENT,
            nonce=lambda: FRESH_NONCE,
            clock=ports,
            log=ports,
        ),
        policy=scenario.policy,
        secret_id=TOKENS,
        deadline=Deadline(clock=ports, at=ports.monotonic() + RUN_SECONDS),
        request_timeout_seconds=REQUEST_SECONDS,
        force=force,
    )


def settle(run: Run) -> Ended:
    """Execute a run to its end."""
    try:
        settled = run.execute()
    except TokenRefreshError as error:
        return Ended(type(error).__name__, named=True)
    except Violation:
        raise
    except Exception as error:  # noqa: BLE001 - a defect of the worker is what this program looks for
        return Ended(f"{type(error).__name__}: {error}", named=False)
    retry_at = None if settled.retry_at is None else int(settled.retry_at.timestamp())
    return Ended(settled.outcome, named=True, retry_at=retry_at)
