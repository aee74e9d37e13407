"""Which secrets and parameters a grant reaches; `access.py` has the grants, and these names too."""

from dataclasses import dataclass, replace

from aws_cdk import Stack, Token
from constructs import Construct

from token_refresh_infra.common import family_problem

# A `?` is any one character, and Secrets Manager appends six: the pattern is as long as the ARN, so that no longer name
# fits.
_SUFFIX = "-??????"


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """The secrets that a grant reaches.

    Attributes:
        arns: Complete ARNs, or patterns of them.
        key_arn: The customer-managed key that encrypts them all; nothing for the account's own AWS-managed key, which
            needs no grant.
        previous_keys: The keys that still encrypt older versions: a change of the key encrypts anew what has
            `AWSCURRENT`, `AWSPENDING` or `AWSPREVIOUS` alone.
    """

    arns: tuple[str, ...]
    key_arn: str | None = None
    previous_keys: tuple[str, ...] = ()

    def encrypted_with(self, key_arn: str | None, *previous_keys: str) -> "Secrets":
        """Return the same secrets, encrypted with a key of your own, and with others before."""
        return replace(self, key_arn=key_arn, previous_keys=previous_keys)


def one_secret(scope: Construct, name_or_arn: str) -> Secrets:
    """Reach exactly one secret of this account and region, by its name or its complete ARN."""
    if Token.is_unresolved(name_or_arn):
        return Secrets(arns=(name_or_arn,))
    _refuse_wildcards(name_or_arn)
    if name_or_arn.startswith("arn:"):
        return Secrets(arns=(name_or_arn,))
    return Secrets(arns=(_arn(scope, name_or_arn + _SUFFIX),))


def one_replica(scope: Construct, name: str, region: str) -> Secrets:
    """Reach the replica of a secret in another region, where it has the same name."""
    _refuse_wildcards(name)
    return Secrets(arns=(_arn(scope, name + _SUFFIX, region),))


def secrets_under(scope: Construct, *prefixes: str) -> Secrets:
    """Reach families of secrets by the prefixes of their names, and those that are made later.

    A prefix ends in `/`, or in `-` after at least three characters: `upwork*` would also reach `upworker-keys`. Secrets
    Manager ends each ARN with a hyphen and six characters, so `upwork-` also reaches the secret `upwork`.
    """
    if not prefixes:
        raise ValueError("a grant on families of secrets needs the prefix of one")
    for problem in filter(None, map(family_problem, prefixes)):
        raise ValueError(f"a family of secrets is a prefix of names: {problem}")
    return Secrets(arns=tuple(_arn(scope, f"{prefix}*") for prefix in prefixes))


def environment_secrets(scope: Construct, app: str, environment: str, *families: str) -> Secrets:
    """Reach the secrets of one environment of one application, named `{app}/{environment}/{service}`.

    With `families`, those whose service begins so: `environment_secrets(self, "myapp", "prod", "slack-", "stripe-")`.
    """
    if "/" in app + environment:
        raise ValueError(f"an application and an environment are one segment each, are {app!r} and {environment!r}")
    if not app or not environment:
        raise ValueError(f"an application and an environment are a segment each, are {app!r} and {environment!r}")
    return secrets_under(scope, *(f"{app}/{environment}/{family}" for family in families or ("",)))


def several(*which: Secrets) -> Secrets:
    """Reach unrelated secrets that share a key, or have none; grant others one by one."""
    keys = {(secrets.key_arn, secrets.previous_keys) for secrets in which}
    if len(keys) != 1:
        raise ValueError("secrets under different keys need a grant each, so that no key opens more than its own")
    ((key_arn, previous_keys),) = keys
    arns = tuple(arn for secrets in which for arn in secrets.arns)
    return Secrets(arns=arns, key_arn=key_arn, previous_keys=previous_keys)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredParameters:
    """The parameters of Parameter Store that a grant reaches: ARNs or patterns, and the key, as in `Secrets`."""

    arns: tuple[str, ...]
    key_arn: str | None = None

    def encrypted_with(self, key_arn: str | None) -> "StoredParameters":
        """Return the same parameters, encrypted with a key of your own."""
        return replace(self, key_arn=key_arn)


def one_parameter(scope: Construct, path: str) -> StoredParameters:
    """Reach exactly one parameter of this account and region, by its path."""
    _refuse_wildcards(path)
    if not path.startswith("/") or not path.strip("/") or path.endswith("/"):
        raise ValueError(f"a parameter's path must be as in '/myapp/dev/stripe', is {path!r}")
    return StoredParameters(arns=(_parameter_arn(scope, path),))


def parameters_under(scope: Construct, path: str) -> StoredParameters:
    """Reach a family of parameters by their path, which ends in `/` so that it is a whole segment."""
    _refuse_wildcards(path)
    if not path.startswith("/") or not path.strip("/") or not path.endswith("/"):
        raise ValueError(f"a family's path must be whole segments, begin and end in '/', is {path!r}")
    return StoredParameters(arns=(_parameter_arn(scope, f"{path}*"),))


def _arn(scope: Construct, name: str, region: str | None = None) -> str:
    stack = Stack.of(scope)
    return f"arn:{stack.partition}:secretsmanager:{region or stack.region}:{stack.account}:secret:{name}"


def _parameter_arn(scope: Construct, path: str) -> str:
    stack = Stack.of(scope)
    return f"arn:{stack.partition}:ssm:{stack.region}:{stack.account}:parameter{path}"


def _refuse_wildcards(name: str) -> None:
    if "*" in name or "?" in name:
        raise ValueError(f"a name has no wildcard; use secrets_under or parameters_under for a family: {name!r}")
