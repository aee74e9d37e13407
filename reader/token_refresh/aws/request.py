"""A call to AWS as messages name it, and what to do where it fails."""

from typing import Final, Literal, NamedTuple

from token_refresh.advice import Advice, Command
from token_refresh.aws.arn import arn_region, secret_name
from token_refresh.aws.causes import Denial

TOKEN_SECRET_SETTING: Final = "TOKEN_SECRET_ID"  # noqa: S105 - a variable's name
AskedBy = Literal["TokenReader", "SecretReader"]
"""The readers of a service: what they can't read is not the service's to authorize."""
STORED: Final = {"secret", "parameter"}
"""The kinds that hold a value."""


class AwsRequest(NamedTuple):
    """A call to AWS, as messages name it."""

    action: str
    """As IAM names it: `secretsmanager:GetSecretValue`."""
    name: str
    """Name or ARN of the secret, path of the parameter; empty if the call is about all that there are."""
    region: str
    """Empty if the name says it."""
    kind: str = "secret"
    setting: str | None = None
    """The setting that holds the name, if it is known."""
    reference: str | None = None
    """The reference that led to this name, if it is another text."""
    purpose: str | None = None
    """What the call is for, if it is for something else."""
    asked_by: AskedBy | None = None
    """The reader that asks; None: the worker, or an operator."""
    look: Advice = ("Check its name, account and region",)
    """What to do where anything but a secret or a parameter does not exist."""

    @property
    def place(self) -> str:
        """Name the secret and the region."""
        region = self.region and f"in {self.region}"
        purpose = self.purpose and f"for {self.purpose}"
        reference = self.reference and f"({self.reference})"
        return " ".join(filter(None, (self.kind, self.name, region, purpose, reference)))

    def command(self, line: str, *values: str) -> Command:
        """Return a complete command in the region of this call; see `Command.of`."""
        region = self.region or arn_region(self.name)
        return Command.of(f"{line} --region {{}}", *values, region) if region else Command.of(line, *values)


def where_else(request: AwsRequest) -> Advice:
    """Say where a secret or parameter may be that was not found, or how to create it."""
    if other := _other_region(request):
        return (other,)
    if request.reference:
        command = Command.of("npx ampx sandbox secret set {}", request.reference.partition(":")[2])
        return "set it with ", command, ", or for a branch in the Amplify console"
    if request.kind == "parameter":
        look_up = request.command("aws ssm get-parameters --names {}", request.name)
        return "check the name and the region; ", look_up, " looks it up"
    if request.asked_by == "TokenReader":
        return "check the name, the account and the region. If they are right, ", *_not_published(request)
    option = "region=" if request.asked_by else "--region"
    check = f"check {request.setting or 'the name'} and the region (AWS_REGION, {option})"
    # Nobody can choose an ARN, so no command creates that secret.
    if request.asked_by or request.setting not in {None, TOKEN_SECRET_SETTING} or request.name.startswith("arn:"):
        return f"{check}; ", request.command("aws secretsmanager list-secrets"), " lists the secrets"
    return f"{check}. If it is to hold tokens, ", _authorize(request), " creates it"


def how_to_store(request: AwsRequest) -> Advice:
    """Say how to store the first value of a secret."""
    if request.asked_by == "TokenReader":
        return _not_published(request)
    line = "aws secretsmanager put-secret-value --secret-id {} --secret-string file:///dev/stdin"
    put = request.command(line, request.name)
    if request.asked_by or request.setting not in {None, TOKEN_SECRET_SETTING}:
        return "store one with ", put
    return "store a token set with ", _authorize(request), ", or another value with ", put


def what_to_allow(request: AwsRequest) -> Advice:
    """Say what the caller's role lacks."""
    if other := _other_region(request):
        return (other,)
    allow = "allow this action for the caller's role. "
    if request.kind in STORED:
        allow = (
            f"allow this action on this {request.kind} for the caller's role; a {request.kind} with a customer managed "
            "key also needs kms:Decrypt, and kms:GenerateDataKey to write. "
        )
    return allow, Command.of("aws sts get-caller-identity"), " shows the caller"


def whose_policy(request: AwsRequest, denial: Denial) -> Advice | None:
    """Say which policy to change, where the caller's own policies are not what denies; None where they are."""
    change = "remove that deny" if denial.explicit else f"allow {request.action}"
    if "control" in denial.policy:
        organization = "whatever this account allows. Ask the administrators of your AWS organization to"
        return (f"that policy counts {organization} {change} there",)
    if denial.policy == "resource-based policy" and request.kind == "secret":
        look = request.command("aws secretsmanager get-resource-policy --secret-id {}", request.name)
        return f"{change} in the secret's own policy: ", look
    places = {
        "resource-based policy": f"in the policy of the {request.kind} itself",
        "session policy": "in the session's policy: sign in with another role or permission set, or",
        "VPC endpoint policy": "in the policy of the VPC endpoint that the request goes through",
        "permissions boundary": "in the permissions boundary of the caller's role",
    }
    caller = Command.of("aws sts get-caller-identity")
    if place := places.get(denial.policy):
        return f"{change} {place}. ", caller, " shows the caller"
    return (f"{change} in the caller's own policies. ", caller, " shows the caller") if denial.explicit else None


def token_status(request: AwsRequest) -> Command:
    """Return the command that says why a service finds no valid token here: `status` of the token secret.

    By default the published secret has the token secret's name, with `-published` at its end.
    """
    name = secret_name(request.name)
    return request.command("token-refresh status {}", name.removesuffix("-published"))


def _not_published(request: AwsRequest) -> Advice:
    # Never `authorize`, nor `status` of a copy that is not there, which prints it: services read here. Only
    # `-published` says what the token secret's name is.
    is_named = secret_name(request.name).endswith("-published")
    why = token_status(request) if is_named else "token-refresh status"
    return "the worker has not published a token yet. Ask the people who run it; ", why, " of the token secret says why"


def _authorize(request: AwsRequest) -> Command:
    return request.command("token-refresh authorize {}", request.name)


def _other_region(request: AwsRequest) -> str | None:
    """Point out the likeliest mistake: an ARN of one region, used in another."""
    # Secrets Manager says only that the secret is missing, or denied.
    region = arn_region(request.name)
    if region is None or request.region in {"", region}:
        return None
    return f"the ARN belongs to {region}, and the request went to {request.region}: set AWS_REGION={region}"
