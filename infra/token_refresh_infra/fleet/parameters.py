"""What a fleet's deployment may choose."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated

from token_refresh.stored.refresh_window import refresh_window
from token_refresh_infra.common import (
    CREATE,
    NONE,
    STACK_NAME_LIMIT,
    CommonParameters,
    check_claim_in_grace,
    event_bus,
    family,
    family_problem,
    kept_tokens_key,
    overlap,
)
from token_refresh_infra.context import ParameterError, required, switch, text, whole
from token_refresh_worker.fleet.core.fleet import Limits
from token_refresh_worker.oauth.formats import ASSERTED
from token_refresh_worker.providers.loader import IN_ZIP, load_provider, profile_names
from token_refresh_worker.providers.provider import Provider

SHORTEST_TABLE_NAME = 3
HANDED_OUT_WITHIN = timedelta(minutes=2)
"""How long after its claim a secret waits for its next run: for the dispatcher, and in the queue."""
_FLEET = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
# Not at its beginning: the worker may read whatever stands in the place of {provider}.
_CLIENT = r"[A-Za-z0-9/_+=.@-]+(\{provider\}[A-Za-z0-9/_+=.@-]*)?(#[!-~]+)?"

DOCUMENTS = "documents"


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetParameters(CommonParameters):
    """One fleet: every secret whose tag `token-refresh:fleet` has its name."""

    fleet: Annotated[str, required(text(_FLEET, "lower case letters, digits and hyphens"), example="prod")]
    """Name of the fleet; also of its table, so 3 characters at least."""
    secrets_under: Annotated[str | None, family()]
    """Prefix such as `crm/prod/` or `upwork-`: the worker may refresh only secrets whose names begin with it."""
    published_under: Annotated[str | None, family()]
    """Prefix such as `published/`: each secret has a copy there for services, without the refresh token.

    It must not overlap another prefix. Default: no copies.
    """
    by_tag: Annotated[bool, switch(default=False)]
    """`true` instead of `secrets_under`: the worker may refresh each secret with the fleet's tag.

    Anybody who may tag a secret can set it.
    """
    client_secret: Annotated[
        str,
        text(
            _CLIENT,
            "a secret's name, in which {provider} may stand once, after a beginning, and #field at the end",
            default="clients/{provider}",
        ),
    ]
    """Secret with the client credentials, by default one for each provider; the worker may read it.

    With `documents`, each token document has them, and everybody who may read it sees them. What stands before
    `{provider}` must be a prefix, as in `secrets_under`.
    """
    kept_tokens_key: Annotated[str | None, kept_tokens_key()]
    """`create`, ARN or `none`: the key for received tokens that Secrets Manager refuses; 1 USD a month.

    Default: `create`.
    """
    provider: Annotated[str | None, text(r"[a-z0-9-]+", "the name of a provider profile")]
    """Provider of documents that name none. Default: `generic`."""
    event_bus: Annotated[str | None, event_bus()]
    """Name of the event bus for events about grants (docs/events.md)."""
    dispatcher_memory_mb: Annotated[int, whole(1024, low=128, high=10240)]
    """Memory of dispatcher and resync in MB."""
    timeout_seconds: Annotated[int, whole(90, low=30, high=900)]
    """Time limit of one run."""
    concurrency: Annotated[int, whole(Limits().concurrency, low=2, high=1000)]
    """How many runs may work at once; the account's quota must allow them. With fewer, hosts that hang delay others."""
    writes_per_second: Annotated[int, whole(40, low=1, high=50)]
    """How many of the account's 50 writes a second the fleet may use. Lower it if other teams write secrets, too."""
    dashboard: Annotated[bool, switch(default=True)]
    """Whether there is a dashboard; 3 USD a month."""
    schedule_enabled: Annotated[bool, switch(default=True)]
    """`false` stops dispatcher and resync, so nothing is refreshed."""

    def check(self) -> None:
        """Refuse what a fleet can't be."""
        if len(self.fleet) < SHORTEST_TABLE_NAME:
            raise ParameterError(
                f"fleet: names the table, so it must have {SHORTEST_TABLE_NAME} characters at least, is {self.fleet!r}"
            )
        if self.by_tag == (self.secrets_under is not None):
            raise ParameterError(
                "secrets_under: must be set, or by_tag = true in its place, and not both. Write the prefix that all "
                'secrets of the fleet have, as in secrets_under = "crm/prod/". With by_tag, who may tag a secret puts '
                "it within the worker's reach"
            )
        # A key of this stack could decrypt no secret that is there already.
        if self.kms_key == CREATE:
            raise ParameterError("kms_key: the secrets are there already; give the ARN of the key that they have")
        self.check_kept_tokens_key(self.kept_tokens_key_choice, self.timeout_seconds)
        own = Path(self.own_profiles) if self.own_profiles else None
        if self.provider is not None:
            if self.provider not in profile_names(own):
                raise ParameterError(
                    f"provider: must be the name of a profile, is {self.provider!r}; see docs/providers.md"
                )
            self._check_default(load_provider(self.provider, own))
        if 0 < self.reserved_concurrency < self.concurrency:
            raise ParameterError(
                f"reserved_concurrency: must be concurrency ({self.concurrency}) or more, or 0 for none: Lambda would "
                f"refuse runs that the queue has handed out, is {self.reserved_concurrency}"
            )
        self.check_place("secrets_under", self.secrets_under)
        self._check_copies()
        self._check_client_secret()

    def _check_client_secret(self) -> None:
        """Refuse a client secret of each provider that lets the worker read more than a family of secrets."""
        self.check_place("client_secret", self.client_secret_id)
        before, template, _ = (self.client_secret_id or "").partition("{provider}")
        if template and (problem := family_problem(before)):
            raise ParameterError(f"client_secret: what stands before {{provider}} must be a prefix of names: {problem}")

    def _check_copies(self) -> None:
        """Refuse a place for copies whose readers could reach another secret."""
        self.check_place("published_under", self.published_under)
        for name, prefix in self.places.items():
            if name != "published_under" and self.publishes_into(prefix):
                raise ParameterError(
                    f"published_under: {self.published_under} overlaps {name} ({prefix}), so a reader of copies "
                    "could read that, too; name another prefix, such as published/"
                )

    def check_beside(self, other: CommonParameters, file: str) -> None:
        """Refuse copies where another fleet of this account has anything, and the other way round."""
        if not isinstance(other, FleetParameters):
            return
        for one, its in ((self, other), (other, self)):
            for name, prefix in its.places.items():
                if one.publishes_into(prefix):
                    place = f"published_under ({one.published_under}) overlaps {name} ({prefix})"
                    raise ParameterError(f"published_under: with {file}, {place}; name another prefix in one of them")

    @property
    def places(self) -> Mapping[str, str]:
        """Return how the names of the fleet's secrets begin, by parameter."""
        client = (self.client_secret_id or "").partition("#")[0].partition("{provider}")[0]
        found = {
            "secrets_under": self.secrets_under,
            "client_secret": client,
            "published_under": self.published_under,
        }
        return {name: prefix for name, prefix in found.items() if prefix}

    def publishes_into(self, prefix: str) -> bool:
        """Tell whether a copy's name can begin so."""
        return self.published_under is not None and overlap(self.published_under, prefix)

    def _check_default(self, provider: Provider) -> None:
        """Refuse a provider of the documents that name none, if it has ended, or if a fleet's runs don't fit it."""
        self.check_provider(provider)
        if (method := provider.request.auth_method) in ASSERTED:
            raise ParameterError(
                f"provider: {self.provider} takes {method}, and a fleet's worker can't sign: no key or audience is its "
                "own. Deploy a worker for each of its secrets"
            )
        window = refresh_window(provider.refresh_window, provider.access_token_lifetime)
        check_claim_in_grace(provider, self.timeout_seconds, window=window, gap=HANDED_OUT_WITHIN)

    @property
    def client_secret_id(self) -> str | None:
        """Name the secret with the client credentials; None where the token documents have them."""
        return None if self.client_secret == DOCUMENTS else self.client_secret

    @property
    def stack_name_limit(self) -> int:
        """How long the stack's name may be, so that each function can have it."""
        return STACK_NAME_LIMIT - len("-dispatcher")

    @property
    def name_suffix(self) -> str | None:
        """What tells this stack apart from a worker's."""
        return f"fleet-{self.fleet}"

    @property
    def kept_tokens_key_choice(self) -> str | None:
        """Return `create` or the ARN of the key for refused tokens; None where the table keeps none."""
        return None if self.kept_tokens_key == NONE else self.kept_tokens_key or CREATE

    @property
    def dispatcher_variables(self) -> Mapping[str, str]:
        """Return what dispatcher and resync read from their environment, beside the queue."""
        return self._variables | {
            "FLEET_WRITES_PER_SECOND": str(self.writes_per_second),
            "FLEET_CONCURRENCY": str(self.concurrency),
        }

    @property
    def worker_variables(self) -> Mapping[str, str]:
        """Return what the worker reads from its environment."""
        variables = {
            "CLIENT_SECRET_ID": self.client_secret_id,
            "PROVIDER": self.provider,
            "PROVIDER_PROFILES": IN_ZIP if self.own_profiles else None,
            "EVENT_BUS": self.event_bus,
            "LOG_LEVEL": self.log_level,
        }
        return self._variables | {name: value for name, value in variables.items() if value is not None}

    @property
    def _variables(self) -> dict[str, str]:
        """Return what all functions read; the dispatcher reckons with the writes of copies."""
        copies = {"PUBLISHED_SECRET_ID": f"{self.published_under}{{secret}}"} if self.published_under else {}
        return {"FLEET_NAME": self.fleet, "CLAIM_TABLE": self.fleet, **copies}
