import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import pytest

from testbed.policy import Ask, IamPolicy, resolve
from testbed.synthesis import synthesise, unvalidated
from token_refresh_infra import access
from token_refresh_infra.access import Secrets
from token_refresh_infra.modes import parameters_of
from token_refresh_infra.single.parameters import SingleParameters
from token_refresh_infra.single.stack import SingleStack

from aws_cdk import Environment, Stack, assertions  # isort: skip - after our package, see its docstring
from aws_cdk import aws_iam as iam  # isort: skip

PREFIX = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:"
KEY = "arn:aws:kms:eu-central-1:123456789012:key/the-key"
WRITES = ("PutSecretValue", "UpdateSecretVersionStage", "UpdateSecret", "DeleteSecret", "RotateSecret")

GRANTS_PAGE = (Path(__file__).parents[2] / "docs" / "grants.md").read_text()

Grant = Callable[[Stack, iam.IGrantable], None]


def granted(grant: Grant) -> IamPolicy:
    """Grant something to a role of another stack, and return what its policy then says."""
    stack = Stack(unvalidated(), "Consumer", env=Environment(account="123456789012", region="eu-central-1"))
    grant(stack, iam.Role(stack, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com")))
    policies = assertions.Template.from_stack(stack).find_resources("AWS::IAM::Policy")
    (policy,) = policies.values()
    return IamPolicy(statements=resolve(policy["Properties"]["PolicyDocument"]["Statement"], {"AWS::Partition": "aws"}))


def reads(
    policy: IamPolicy,
    name: str,
    label: str | None = "AWSCURRENT",
    *,
    version_id: str | None = None,
    tags: Mapping[str, str] = MappingProxyType({}),
) -> bool:
    """Whether a version may be read: by the label or ID that the request names, or without one."""
    named = {"secretsmanager:VersionStage": label, "secretsmanager:VersionId": version_id}
    tagged = {f"secretsmanager:ResourceTag/{tag}": value for tag, value in tags.items()}
    context = {key: value for key, value in named.items() if value} | tagged
    return policy.allows(Ask(action="secretsmanager:GetSecretValue", resource=PREFIX + name, context=context))


def reads_in_batch(policy: IamPolicy, name: str, *, tags: Mapping[str, str] = MappingProxyType({})) -> bool:
    """Whether a batch call returns what is current of a secret, whether or not IAM is told its label."""
    batch = Ask(action="secretsmanager:BatchGetSecretValue", resource="*")
    return policy.allows(batch) and all(reads(policy, name, label, tags=tags) for label in (None, "AWSCURRENT"))


def writes(policy: IamPolicy, name: str) -> list[str]:
    asked = {action: Ask(action=f"secretsmanager:{action}", resource=PREFIX + name) for action in WRITES}
    return [action for action, ask in asked.items() if policy.allows(ask)]


@pytest.mark.parametrize(
    ("of", "reached", "closed"),
    [
        (lambda stack: [access.one_secret(stack, "upwork-oauth")], ["upwork-oauth"], ["upwork-oauth-tokens", "upwork"]),
        (lambda stack: [access.one_secret(stack, f"{PREFIX}a-AbCdEf")], ["a"], ["a-GhIjKl"]),
        (
            lambda stack: [access.secrets_under(stack, "upwork/prod/partners/")],
            ["upwork/prod/partners/a"],
            ["upwork/prod/partners-secret", "upwork/prod/other"],
        ),
        (
            lambda stack: [access.secrets_under(stack, "upwork-", "stripe-", "acme/prod/slack-")],
            ["upwork-made-later", "stripe-api-key", "acme/prod/slack", "acme/prod/slack-bot"],
            ["upworker-keys", "upwork2/keys", "acme/prod/slackers", "other"],
        ),
        (lambda stack: [access.one_secret(stack, "a"), access.one_secret(stack, "b/c")], ["a", "b/c"], ["b/d"]),
        (
            lambda stack: [access.environment_secrets(stack, "upwork", "dev")],
            ["upwork/dev/tokens"],
            ["upwork/prod/tokens", "upwork/development/tokens"],
        ),
        (
            lambda stack: [access.environment_secrets(stack, "acme", "prod", "slack-", "db-")],
            ["acme/prod/slack", "acme/prod/db-main"],
            ["acme/prod/upwork", "acme/dev/slack"],
        ),
    ],
    ids=["one", "one by its ARN", "a segment", "flat families", "unrelated", "an environment", "its families"],
)
def test_what_a_grant_reaches(of: Callable[[Stack], list[Secrets]], reached: list[str], closed: list[str]) -> None:
    """A grant is one statement that reads what it names, no longer and no shorter name, and writes nothing."""
    policy = granted(lambda stack, role: access.grant_read(role, access.several(*of(stack))))

    assert reached == [name for name in (*reached, *closed) if reads(policy, f"{name}-AbCdEf")]
    assert [] == [write for name in reached for write in writes(policy, f"{name}-AbCdEf")]
    assert 1 == len(policy.statements)


def test_current_version_alone() -> None:
    """A consumer reads what is current, by its label or by naming none, and an earlier version if the grant says so."""
    policy = granted(lambda stack, role: access.grant_read(role, access.one_secret(stack, "a")))
    both = granted(
        lambda stack, role: access.grant_read(role, access.one_secret(stack, "a"), labels=("AWSCURRENT", "AWSPREVIOUS"))
    )
    labels = ("AWSCURRENT", "AWSPREVIOUS", "REFRESH_OUTCOME", None)

    assert [True, False, False, True] == [reads(policy, "a-AbCdEf", label) for label in labels]
    assert [True, True, False, True] == [reads(both, "a-AbCdEf", label) for label in labels]
    assert not any(reads(each, "a-AbCdEf", label, version_id="v") for each in (policy, both) for label in labels)


def test_published_secret() -> None:
    """A consumer of a published secret reads any version, whatever its request names, and asks which is current."""
    policy = granted(lambda stack, role: access.grant_read_published(role, access.one_secret(stack, "a")))

    def describes(name: str) -> bool:
        return policy.allows(Ask(action="secretsmanager:DescribeSecret", resource=PREFIX + name))

    assert [True, True, True] == [reads(policy, "a-AbCdEf", label) for label in ("AWSCURRENT", "AWSPREVIOUS", None)]
    assert [True, False] == [describes(name) for name in ("a-AbCdEf", "b-AbCdEf")]
    assert not reads(policy, "b-AbCdEf")
    assert [] == writes(policy, "a-AbCdEf")


@pytest.mark.parametrize(
    ("prefix", "says"),
    [
        ("", "'' would reach every secret"),
        ("/", "'/' would reach every secret"),
        ("-", "'-' would reach every secret"),
        ("*", r"'\*' has a wildcard"),
        ("upwork-*", r"'upwork-\*' has a wildcard; give the beginning of the names alone, as in 'upwork-'"),
        ("upwor?-", "has a wildcard"),
        ("upwork", r"'upwork' must end in '/' or '-': upwork\* also reaches upworker-keys and upwork2/keys"),
        ("ab-", "'ab-' must have 3 characters at least before '-'"),
        ("a/-", "must have 3 characters at least before '-'"),
        ("up work-", "can't begin the name of a secret"),
        ("arn:aws:secretsmanager:eu-central-1:123456789012:secret:upwork-", "can't begin the name of a secret"),
    ],
)
def test_a_prefix_that_is_no_family(prefix: str, says: str) -> None:
    """A prefix that would reach other names is refused with the reason: by the library, and as a parameter."""
    stack = Stack(unvalidated(), "Consumer")

    with pytest.raises(ValueError, match=says):
        access.secrets_under(stack, "fine/", prefix)
    if prefix:
        with pytest.raises(ValueError, match=f"^read_under: must be a prefix of secrets' names: .*{says}"):
            parameters_of({"environment": "prod", "read_under": [prefix]})


def test_a_deployment_s_policy_reads_families(code: Path) -> None:
    """`read_under` lets services read other secrets, with the deployment's key; what is the worker's stays closed."""
    context = {
        "environment": "prod",
        "kms_key": KEY,
        "account": "123456789012",
        "region": "eu-central-1",
        "client_secret": "upwork-client#web",
        "read_under": ["upwork-", "myapp/prod/"],
    }
    deployment = synthesise(context, code)
    known = {"AWS::Partition": "aws"} | {
        deployment.logical_id("SecretsManager::Secret", Name=name): f"{PREFIX}{name}-AbCdEf"
        for name in ("upwork-oauth-tokens", "upwork-oauth-tokens-published")
    }
    made = deployment.one("IAM::ManagedPolicy")["PolicyDocument"]["Statement"]
    policy = IamPolicy(statements=resolve(made, known))

    for name in ("upwork-api-key", "myapp/prod/stripe"):  # the second request is everybody's but the readers'
        assert [True, True] == [reads(policy, f"{name}-AbCdEf", label) for label in ("AWSCURRENT", None)]
    assert reads(policy, "upwork-webhook-secret-AbCdEf", "AWSPREVIOUS")
    assert reads(policy, "upwork-oauth-tokens-published-AbCdEf")
    closed = ("upwork-oauth-tokens", "upwork-client", "myapp/dev/stripe")
    assert not any(reads(policy, f"{name}-AbCdEf", label) for name in closed for label in ("AWSCURRENT", None))
    # Another deployment's token secret, in the same family: not opened, and open to who has a grant for it.
    own = granted(lambda stack, role: access.grant_read(role, access.one_secret(stack, "upwork-partner-tokens")))
    both = IamPolicy(statements=[*policy.statements, *own.statements])
    for tag in ("function", "fleet"):
        named = {f"token-refresh:{tag}": "other"}
        assert [False, True] == [reads(each, "upwork-partner-tokens-AbCdEf", tags=named) for each in (policy, both)]
    assert reads(policy, "upwork-partner-published-AbCdEf", tags={"token-refresh:published-from": "upwork-partner"})
    assert [] == writes(policy, "upwork-api-key-AbCdEf")
    assert policy.allows(
        Ask(
            action="kms:Decrypt",
            resource=KEY,
            context={
                "kms:ViaService": "secretsmanager.eu-central-1.amazonaws.com",
                "kms:EncryptionContext:SecretARN": f"{PREFIX}upwork-api-key-AbCdEf",
            },
        )
    )


def test_worker_reads_and_writes() -> None:
    """The worker reads, stores and labels versions of its secret, lists their IDs if asked, and nothing more."""
    policy = granted(lambda stack, role: access.grant_refresh(role, access.one_secret(stack, "tokens"), lists=True))

    assert reads(policy, "tokens-AbCdEf")
    assert ["PutSecretValue", "UpdateSecretVersionStage"] == writes(policy, "tokens-AbCdEf")
    assert [] == writes(policy, "other-AbCdEf")
    listed = {arn for _, action, arn in policy.grants(["secretsmanager:"]) if action.endswith("ListSecretVersionIds")}
    assert {f"{PREFIX}tokens-??????"} == listed


def test_an_application_gets_grants() -> None:
    """It reads what is current of its customers' secrets and its client, writes the former alone, and no other."""
    policy = granted(
        lambda stack, role: access.grant_authorize(
            role, access.secrets_under(stack, "customers/7/"), access.secrets_under(stack, "clients/")
        )
    )
    printed = IamPolicy(statements=json.loads(re.findall(r"```json\n(.*?)```", GRANTS_PAGE, re.DOTALL)[0]))
    names = ("customers/7/xero-AbCdEf", "clients/xero-AbCdEf", "published/7/xero-AbCdEf")

    assert not reads(policy, "customers/8/xero-AbCdEf")
    for each in (policy, printed):
        assert [True, True, False] == [reads(each, name) for name in names]
        assert reads(each, names[0], tags={"token-refresh:fleet": "prod"})  # the secrets that it writes have the tag
        assert not any(reads(each, name, label) for name in names for label in ("AWSPREVIOUS", "REFRESH_OUTCOME"))
        assert [["PutSecretValue", "UpdateSecretVersionStage"], [], []] == [writes(each, name) for name in names]
        # So a code is not used whose tokens would have no place.
        lists = [Ask(action="secretsmanager:ListSecretVersionIds", resource=PREFIX + name) for name in names]
        assert [True, False, False] == [each.allows(ask) for ask in lists]


def test_a_previous_key_decrypts_alone() -> None:
    """A key of before decrypts this secret through Secrets Manager, and encrypts nothing; the present one does both."""
    old = KEY.replace("the-key", "the-old-key")
    policy = granted(
        lambda stack, role: access.grant_refresh(role, access.one_secret(stack, "tokens").encrypted_with(KEY, old))
    )
    own = granted(
        lambda stack, role: access.grant_refresh(role, access.one_secret(stack, "tokens").encrypted_with(None, old))
    )

    def may(key: str, action: str, name: str = "tokens", via: str = "secretsmanager", of: IamPolicy = policy) -> bool:
        context = {
            "kms:ViaService": f"{via}.eu-central-1.amazonaws.com",
            "kms:EncryptionContext:SecretARN": f"{PREFIX}{name}-AbCdEf",
        }
        return of.allows(Ask(action=f"kms:{action}", resource=key, context=context))

    assert [True, True] == [may(KEY, action) for action in ("Decrypt", "GenerateDataKey")]
    assert [True, False, False] == [may(old, action) for action in ("Decrypt", "GenerateDataKey", "Encrypt")]
    assert [False, False] == [may(old, "Decrypt", "other"), may(old, "Decrypt", via="dynamodb")]
    assert [True, False] == [may(old, "Decrypt", of=own), may(old, "GenerateDataKey", of=own)]
    assert not policy.allows(Ask(action="kms:Decrypt", resource=old))


def test_batch_read() -> None:
    """The batch call is allowed, and each value in it still takes the permission on its own secret."""
    policy = granted(lambda stack, role: access.grant_batch_read(role, access.one_secret(stack, "a")))

    assert ["secretsmanager:BatchGetSecretValue"] == [action for _, action, arn in policy.grants([""]) if arn == "*"]
    assert [True, False] == [reads_in_batch(policy, name) for name in ("a-AbCdEf", "b-AbCdEf")]


READABLE = (("AWSCURRENT", None), (None, None))
"""By label and version ID, what a request for the current version names."""
CLOSED = (("AWSPREVIOUS", None), ("REFRESH_CLAIM", None), (None, "v"), ("AWSCURRENT", "v"))


@pytest.mark.parametrize("grant", [access.grant_read, access.grant_batch_read])
@pytest.mark.parametrize(
    "of",
    [
        lambda stack: access.secrets_under(stack, "acme/prod/", "slack-"),
        lambda stack: access.environment_secrets(stack, "acme", "prod"),
        lambda stack: access.several(access.secrets_under(stack, "acme/prod/"), access.one_secret(stack, "other")),
    ],
    ids=["families", "an environment", "beside one secret"],
)
def test_a_family_opens_no_token_secret(
    of: Callable[[Stack], Secrets], grant: Callable[[iam.IGrantable, Secrets], None]
) -> None:
    """A family opens what is current of its secrets, no older version of them, and nothing of any token secret."""
    policy = granted(lambda stack, role: grant(role, of(stack)))
    name = "acme/prod/quickbooks-AbCdEf"

    def opened(tags: Mapping[str, str]) -> list[bool]:
        versions = (*READABLE, *CLOSED)
        plain = [reads(policy, name, label, version_id=number, tags=tags) for label, number in versions]
        return [*plain, reads_in_batch(policy, name, tags=tags)]

    batch = grant is access.grant_batch_read
    assert [True, True, False, False, False, False, batch] == opened({})
    assert [True, True, False, False, False, False, batch] == opened({"token-refresh:copy-of": "customers/7"})
    for tag in ("function", "fleet"):
        assert not any(opened({f"token-refresh:{tag}": "other"}))


@pytest.mark.parametrize("grant", [access.grant_read, access.grant_batch_read])
def test_one_token_secret_by_name(grant: Callable[[iam.IGrantable, Secrets], None]) -> None:
    """Who names a token secret opens what is current of it, and no claim, kept response or older token set."""
    policy = granted(lambda stack, role: grant(role, access.one_secret(stack, "tokens")))
    tags = {"token-refresh:function": "token-refresh-prod"}

    def opens(label: str | None, number: str | None) -> bool:
        return reads(policy, "tokens-AbCdEf", label, version_id=number, tags=tags)

    assert [True, True] == [opens(*version) for version in READABLE]
    assert not any(opens(*version) for version in CLOSED)
    assert (grant is access.grant_batch_read) == reads_in_batch(policy, "tokens-AbCdEf", tags=tags)


def test_a_family_of_copies() -> None:
    """A family of published copies opens no token secret that a mistake put among them, by any request."""
    policy = granted(lambda stack, role: access.grant_read_published(role, access.secrets_under(stack, "published/7/")))

    def opened(tags: Mapping[str, str]) -> set[bool]:
        name = "published/7/xero-AbCdEf"
        named = {f"secretsmanager:ResourceTag/{tag}": value for tag, value in tags.items()}
        describe = Ask(action="secretsmanager:DescribeSecret", resource=PREFIX + name, context=named)
        versions = [reads(policy, name, label, version_id=number, tags=tags) for label, number in (*READABLE, *CLOSED)]
        return {*versions, policy.allows(describe)}

    assert {True} == opened({"token-refresh:copy-of": "customers/7/xero"})
    assert {False} == opened({"token-refresh:fleet": "prod"}) | opened({"token-refresh:function": "other"})


def test_claims_in_a_table() -> None:
    """Keeping claims is two actions on one table, and its key opens through DynamoDB for that table alone."""
    table = "arn:aws:dynamodb:eu-central-1:123456789012:table/claims"
    policy = granted(lambda _, role: access.grant_claims(role, table, name="claims", key_arn=KEY))

    def opens(via: str, name: str) -> bool:
        context = {"kms:ViaService": via, "kms:EncryptionContext:aws:dynamodb:tableName": name}
        return policy.allows(Ask(action="kms:Decrypt", resource=KEY, context=context))

    assert [(f"dynamodb:{action}", table) for action in ("GetItem", "UpdateItem")] == [
        (action, resource) for _, action, resource in policy.grants(["dynamodb:"])
    ]
    through = "dynamodb.eu-central-1.amazonaws.com"
    assert [True, False, False] == [
        opens(through, "claims"),
        opens(through, "other"),
        opens("secretsmanager.eu-central-1.amazonaws.com", "claims"),
    ]


def test_identity_tokens() -> None:
    """A client that is its role gets tokens for one audience, of five minutes, with one algorithm, and no others."""
    policy = granted(lambda _, role: access.grant_identity_token(role, "api://provider", "RS256"))
    wanted = {
        "sts:IdentityTokenAudience": "api://provider",
        "sts:DurationSeconds": "300",
        "sts:SigningAlgorithm": "RS256",
    }

    def opens(**changes: str) -> bool:
        context = wanted | {f"sts:{name}": value for name, value in changes.items()}
        return policy.allows(Ask(action="sts:GetWebIdentityToken", resource="*", context=context))

    assert opens()
    assert not opens(IdentityTokenAudience="api://other")
    assert not opens(IdentityTokenAudience="api://provider|api://other")
    assert not opens(DurationSeconds="301")
    assert not opens(SigningAlgorithm="ES384")
    assert opens(SubjectMode="AWSIdentity")
    assert not opens(SubjectMode="OriginIdentity")


@pytest.mark.parametrize(
    ("grant", "actions"),
    [
        (access.grant_read, ["kms:Decrypt"]),
        (access.grant_read_published, ["kms:Decrypt"]),
        (access.grant_refresh, ["kms:Decrypt", "kms:GenerateDataKey"]),
        (access.grant_authorize, ["kms:Decrypt", "kms:GenerateDataKey"]),
    ],
)
def test_key(grant: Callable[[iam.IGrantable, Secrets], None], actions: list[str]) -> None:
    """Reading takes decryption and refreshing also a data key, with this key and for these secrets alone."""
    policy = granted(lambda stack, role: grant(role, access.one_secret(stack, "a").encrypted_with(KEY)))

    def opens(action: str, name: str) -> bool:
        via = {"kms:ViaService": "secretsmanager.eu-central-1.amazonaws.com"}
        context = via | {"kms:EncryptionContext:SecretARN": PREFIX + name}
        return policy.allows(Ask(action=action, resource=KEY, context=context))

    assert actions == [action for _, action, _ in policy.grants(["kms:"])]
    assert [True, False] == [opens("kms:Decrypt", name) for name in ("a-AbCdEf", "b-AbCdEf")]


def test_refused() -> None:
    """What would reach more than it says is refused: wildcards, half a segment, mixed keys, a variable of IAM."""
    stack = Stack(unvalidated(), "Consumer")

    one, other = access.one_secret(stack, "a"), access.one_secret(stack, "b").encrypted_with(KEY)
    wrongs: list[Callable[[], object]] = [
        lambda: granted(lambda _, role: access.grant_identity_token(role, "api://${aws:username}", "RS256")),
        lambda: access.one_secret(stack, "upwork*"),
        lambda: access.one_secret(stack, "upwor?"),
        lambda: access.one_secret(stack, f"{PREFIX}*"),
        lambda: access.secrets_under(stack),
        lambda: access.environment_secrets(stack, "upwork", "dev/.."),
        lambda: access.environment_secrets(stack, "upwork/prod", "dev"),
        lambda: access.environment_secrets(stack, "", "dev"),
        lambda: access.several(one, other),
    ]
    for wrong in wrongs:
        with pytest.raises(ValueError, match=r"segment|wildcard|key|needs the prefix|begins a variable of IAM"):
            wrong()


def test_grantee_without_a_policy() -> None:
    """A principal that has no policy of its own is an error at synth, not a grant that silently does nothing."""
    stack = Stack(unvalidated(), "Consumer")

    with pytest.raises(RuntimeError, match="could not be added"):
        access.grant_read(iam.ServicePrincipal("lambda.amazonaws.com"), access.one_secret(stack, "a"))


def test_stack_beside(code: Path) -> None:
    """A stack beside this one gets from it the published secret alone to read, and this function alone to invoke."""
    app = unvalidated()
    context = {"environment": "prod", "token_secret": "tokens", "published_secret": "for-consumers"}
    parameters = parameters_of(context)
    assert isinstance(parameters, SingleParameters)
    worker = SingleStack(app, "Worker", parameters=parameters, code=code)
    beside = Stack(app, "Beside")
    role = iam.Role(beside, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))

    worker.grant_read(role)
    worker.grant_invoke(role)

    (policy,) = assertions.Template.from_stack(beside).find_resources("AWS::IAM::Policy").values()
    read, invoke = policy["Properties"]["PolicyDocument"]["Statement"]
    assert ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"] == read["Action"]
    assert "Condition" not in read
    assert "lambda:InvokeFunction" == invoke["Action"]
    assert str(read["Resource"]).endswith(":secret:for-consumers-??????']]}")
    assert "WorkerFunction" in invoke["Resource"]["Fn::ImportValue"]
