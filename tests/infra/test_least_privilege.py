import pytest

from infra.enforced import FUNCTION, KEY, World
from testbed.policy import Ask, IamPolicy
from testbed.provider.token_endpoint import TokenEndpoint
from testbed.secrets_manager.server import SecretsManagerServer
from testbed.synthesis import Synthesis
from token_refresh.errors import TokenRefreshError
from token_refresh_worker.handlers import refresh

SECRETS_AND_KEY = ("secretsmanager:", "kms:")


def of_secrets(policy: IamPolicy) -> list[tuple[int, str, str]]:
    """The permissions on secrets and their key that each refresh uses; those on messages are Lambda's."""
    messages = [number for number, s in enumerate(policy.statements) if "sqs.*" in str(s.get("Condition"))]
    return [grant for grant in policy.grants(SECRETS_AND_KEY) if grant[0] not in messages]


@pytest.fixture
def worker_policy(world: World, everything: Synthesis) -> IamPolicy:
    return world.policy(everything, everything.policy_of_role("lambda.amazonaws.com"))


def test_nothing_granted_goes_unused(world: World, worker_policy: IamPolicy, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every action on every secret, and on the key, is needed for one refresh and its publication."""
    world.enforce(worker_policy)

    with world.running(monkeypatch):
        refresh({}, None)

    assert set(of_secrets(worker_policy)) == {use for use in worker_policy.used if use[1].startswith(SECRETS_AND_KEY)}


def test_everything_granted_is_needed(everything: Synthesis, monkeypatch: pytest.MonkeyPatch) -> None:
    """With any one permission but the list of versions taken away, the run fails and says what it lacks."""
    ended = [run_without(number, everything, monkeypatch) for number in range(13)]

    assert ["SecretAccessDenied"] * 12 + ["refreshed"] == sorted(ended)
    with pytest.raises(IndexError):
        run_without(13, everything, monkeypatch)


def run_without(number: int, deployment: Synthesis, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run the worker with one of its permissions taken away, and return how it ended."""
    with SecretsManagerServer() as store, TokenEndpoint(reuse="revokes") as endpoint:
        world = World(deployment, store, endpoint)
        world.fill_all(lives_seconds=60)
        policy = world.policy(deployment, deployment.policy_of_role("lambda.amazonaws.com"))
        world.enforce(policy.without(of_secrets(policy)[number]))
        with world.running(monkeypatch):
            try:
                return str(refresh({}, None)["outcome"])
            except TokenRefreshError as error:
                return type(error).__name__


def test_consumers_only_read_what_is_published(world: World, everything: Synthesis) -> None:
    """The policy for consumers reads and describes the published secret alone, and changes nothing."""
    policy = world.policy(everything, everything.one("IAM::ManagedPolicy")["PolicyDocument"]["Statement"])
    operations = ("GetSecretValue", "PutSecretValue", "UpdateSecretVersionStage", "DescribeSecret", "DeleteSecret")

    allowed = {
        (operation, name, label)
        for operation in operations
        for name, arn in world.arns.items()
        for label in ("AWSCURRENT", "AWSPREVIOUS", "REFRESH_OUTCOME", None)
        if policy.allows(
            Ask(
                action=f"secretsmanager:{operation}",
                resource=arn,
                context={"secretsmanager:VersionStage": label} if label else {},
            )
        )
    }

    assert {("GetSecretValue", world.published), ("DescribeSecret", world.published)} == {
        (operation, name) for operation, name, _ in allowed
    }
    assert ["kms:Decrypt"] == [action for _, action, _ in policy.grants(["kms:"])]


def test_whose_code_and_which_key(world: World, worker_policy: IamPolicy) -> None:
    """The worker's role reads for its function alone, and its key decrypts the stack's secrets alone."""
    token, other = world.arns[world.token], world.create("upwork/prod/other")

    def reads(**context: str) -> bool:
        named = {f"lambda:{name}": value for name, value in context.items()}
        return worker_policy.allows(Ask(action="secretsmanager:GetSecretValue", resource=token, context=named))

    def decrypts(via: str, arn: str) -> bool:
        context = {"kms:ViaService": f"{via}.eu-central-1.amazonaws.com", "kms:EncryptionContext:SecretARN": arn}
        return worker_policy.allows(Ask(action="kms:Decrypt", resource=KEY, context=context))

    assert [True, False] == [reads(SourceFunctionArn=arn) for arn in (FUNCTION, f"{FUNCTION}-2")]
    assert not reads()
    assert [True, False, False] == [
        decrypts(*asked) for asked in (("secretsmanager", token), ("secretsmanager", other), ("s3", token))
    ]
    assert not worker_policy.allows(Ask(action="kms:Decrypt", resource=KEY))
