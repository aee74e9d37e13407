"""What `scripts/deploy` asks the account before it deploys: what would fail, and be rolled back minutes later."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from token_refresh.advice import Advice, Command, in_words
from token_refresh.aws.arn import KMS_KEY
from token_refresh_worker.fleet.core.fleet import ask_for_more_runs, too_few_runs

LEFT_UNRESERVED: Final = 100
"""What Lambda keeps for functions that reserve nothing; of an account whose quota is smaller, 10.
https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html"""
LEFT_OF_A_NEW_ACCOUNT: Final = 10
_KEY: Final = re.compile(KMS_KEY)
_MADE_ANEW: Final = frozenset({"ROLLBACK_COMPLETE", "REVIEW_IN_PROGRESS", "DELETE_COMPLETE"})
"""States of a stack that the CDK deletes, and creates again."""

MakeClients = Callable[[str, str], Any]
"""Makes a client of boto3 for a service in a region."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong, and what corrects it."""

    text: str
    fix: Advice
    is_fatal: bool = True
    """Whether the deployment would be rolled back; else it succeeds, and something of it does not work."""

    def __str__(self) -> str:
        return f"{self.text}. Fix: {in_words(self.fix)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preflight:
    """One deployment, as a template, and the account that it goes to."""

    name: str
    """As `scripts/deploy` takes it."""
    file: str
    stack: str
    region: str
    template: Mapping[str, Any]
    previous_keys: tuple[str, ...]
    client: MakeClients
    unread: list[str] = field(default_factory=list)
    """What could not be asked: each action, with the error code."""

    def problems(self) -> list[Problem]:
        """Ask for everything, and return what is wrong, the fatal first."""
        found = [*self._bootstrap(), *self._concurrency(), *self._keys()]
        there = self._resources_of_the_stack()
        if isinstance(there, Problem):
            found.append(there)
        elif there is not None:
            found += [p for logical_id, r in self._resources() if logical_id not in there for p in self._taken(r)]
        return sorted(found, key=lambda problem: not problem.is_fatal)

    def _resources(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        yield from self.template["Resources"].items()

    def _ask(
        self, service: str, action: str, expected: str = "", *, region: str | None = None, **members: Any
    ) -> Mapping[str, Any] | None:
        """Return a response; None where it is the expected error, and nothing in it where the caller may not ask."""
        try:
            response: Mapping[str, Any] = getattr(self.client(service, region or self.region), action)(**members)
        except (ClientError, BotoCoreError) as error:
            code = error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__
            if code == expected:
                return None
            if (asked := f"{service}:{action} ({code})") not in self.unread:
                self.unread.append(asked)
            return {}
        return response

    def _command(self, line: str, *words: str) -> Command:
        return Command.of(f"{line} --region {{}}", *words, self.region)

    def _bootstrap(self) -> Iterator[Problem]:
        version = self.template.get("Parameters", {}).get("BootstrapVersion", {}).get("Default")
        if version and self._ask("ssm", "get_parameter", "ParameterNotFound", Name=version) is None:
            fix = Command.of("scripts/deploy bootstrap {}", self.name)
            yield Problem(text=f"region {self.region} of this account is not bootstrapped", fix=(fix,))

    def _concurrency(self) -> Iterator[Problem]:
        functions = [r["Properties"] for _, r in self._resources() if r["Type"] == "AWS::Lambda::Function"]
        reserved = {f["FunctionName"]: f.get("ReservedConcurrentExecutions", 0) for f in functions}
        mappings = [r["Properties"] for _, r in self._resources() if r["Type"] == "AWS::Lambda::EventSourceMapping"]
        at_once = max((m.get("ScalingConfig", {}).get("MaximumConcurrency", 0) for m in mappings), default=0)
        if not any(reserved.values()) and not at_once:
            return
        limits = (self._ask("lambda", "get_account_settings") or {}).get("AccountLimit")
        if limits is None:
            return
        unreserved, quota = limits["UnreservedConcurrentExecutions"], limits["ConcurrentExecutions"]
        more = sum(wanted - self._reserved_now(name) for name, wanted in reserved.items() if wanted)
        least = LEFT_UNRESERVED if quota > LEFT_UNRESERVED else LEFT_OF_A_NEW_ACCOUNT
        fix = ask_for_more_runs(self.region), ", or lower {} in infra/deployments/" + f"{self.name}.toml"
        if more > 0 and unreserved - more < least:
            yield Problem(
                text=f"reserved_concurrency takes {more} of {unreserved} runs at once, and Lambda keeps {least} for "
                "functions that reserve none",
                fix=(fix[0], fix[1].format("reserved_concurrency, 0 reserves none,")),
            )
        if at_once and not more and (problem := too_few_runs(unreserved, at_once)):
            yield Problem(text=problem, fix=(fix[0], fix[1].format("concurrency")), is_fatal=False)

    def _reserved_now(self, function: str) -> int:
        found = self._ask("lambda", "get_function_concurrency", "ResourceNotFoundException", FunctionName=function)
        return int((found or {}).get("ReservedConcurrentExecutions", 0))

    def _keys(self) -> Iterator[Problem]:
        for key in sorted(set(_KEY.findall(str(self.template))) - set(self.previous_keys)):
            region = key.split(":")[3]  # another one is a replica's, which CloudFormation lets fail in silence
            found = self._ask("kms", "describe_key", "NotFoundException", region=region, KeyId=key)
            state = "missing" if found is None else found.get("KeyMetadata", {}).get("KeyState", "Enabled")
            enable = Command.of("aws kms enable-key --key-id {} --region {}", key, region)
            cancel = Command.of("aws kms cancel-key-deletion --key-id {} --region {}", key, region)
            fixes: dict[str, Advice] = {"Disabled": (enable,), "PendingDeletion": (cancel, ", then ", enable)}
            if state not in {"Enabled", "Updating"}:
                fix = fixes.get(state, (f"name another key in {self.file}",))
                yield Problem(text=f"key {key} is {state}", fix=fix, is_fatal=region == self.region)

    def _resources_of_the_stack(self) -> set[str] | Problem | None:
        """Return the logical IDs that the stack has, or why no deployment can begin; None if nobody may say."""
        found = self._ask("cloudformation", "describe_stacks", "ValidationError", StackName=self.stack)
        if found is None:
            return set()
        if not found:
            return None
        status = str(found["Stacks"][0]["StackStatus"])
        if status in _MADE_ANEW:
            return set()
        if fix := self._before_an_update(status):
            return Problem(text=f"stack {self.stack} is {status}", fix=fix)
        listed = self._ask("cloudformation", "describe_stack_resources", StackName=self.stack)
        # What a removed parameter left in the account may be listed, too, and is in the way all the same.
        gone, resources = {"DELETE_COMPLETE", "DELETE_SKIPPED"}, (listed or {}).get("StackResources")
        return resources and {r["LogicalResourceId"] for r in resources if r["ResourceStatus"] not in gone}

    def _before_an_update(self, status: str) -> Advice:
        """Return what must happen before a stack in this state can be updated."""
        if status == "UPDATE_ROLLBACK_FAILED":
            return (self._command("aws cloudformation continue-update-rollback --stack-name {}", self.stack),)
        if status == "DELETE_FAILED":
            return (Command.of("scripts/deploy destroy {}", self.name),)
        if status.endswith("_IN_PROGRESS"):
            see = self._command("aws cloudformation describe-stack-events --stack-name {}", self.stack)
            return "wait until that has ended: ", see
        return ()

    def _taken(self, resource: Mapping[str, Any]) -> Iterator[Problem]:
        """Report a name that something else has: the resource could not be made."""
        checks = {
            "AWS::SecretsManager::Secret": ("Name", self._secret),
            "AWS::Logs::LogGroup": ("LogGroupName", self._log_group),
            "AWS::IAM::Role": ("RoleName", self._role),
            "AWS::DynamoDB::Table": ("TableName", self._table),
        }
        of, check = checks.get(resource["Type"], ("", None))
        name = resource.get("Properties", {}).get(of)
        if check is not None and isinstance(name, str):
            yield from check(name)

    def _secret(self, name: str) -> Iterator[Problem]:
        found = self._ask("secretsmanager", "describe_secret", "ResourceNotFoundException", SecretId=name)
        if found is None or "ARN" not in found:
            return
        which = "published_secret" if name.endswith("-published") else "token_secret"
        adopt = f'adopt it, with {which} = "{name}" in {self.file}'
        if "DeletedDate" in found:
            restore = self._command("aws secretsmanager restore-secret --secret-id {}", name)
            delete = self._command(
                "aws secretsmanager delete-secret --force-delete-without-recovery --secret-id {}", name
            )
            yield Problem(
                text=f"secret {name} is scheduled for deletion, and its name stays taken",
                fix=(restore, f", and {adopt}. If nobody needs its grant any more: ", delete),
            )
        else:
            yield Problem(text=f"secret {name} exists outside of stack {self.stack}", fix=(adopt,))

    def _log_group(self, name: str) -> Iterator[Problem]:
        found = self._ask("logs", "describe_log_groups", logGroupNamePrefix=name) or {}
        if name in [group["logGroupName"] for group in found.get("logGroups", ())]:
            delete = self._command("aws logs delete-log-group --log-group-name {}", name)
            yield Problem(text=f"log group {name} is left from an earlier deployment", fix=("delete it: ", delete))

    def _role(self, name: str) -> Iterator[Problem]:
        found = self._ask("iam", "get_role", "NoSuchEntity", RoleName=name)
        if found is not None and "Role" in found:
            see = Command.of("aws iam list-role-tags --role-name {}", name)
            delete = Command.of("aws iam delete-role --role-name {}", name)
            yield Problem(
                text=f"role {name} exists outside of stack {self.stack}",
                fix=("see whose it is: ", see, ". If it is nobody's, take its policies off, and delete it: ", delete),
            )

    def _table(self, name: str) -> Iterator[Problem]:
        found = self._ask("dynamodb", "describe_table", "ResourceNotFoundException", TableName=name)
        if found is not None and "Table" in found:
            adopt = f'take it over, with claim_table = "{name}" in {self.file}'
            yield Problem(text=f"table {name} exists outside of stack {self.stack}", fix=(adopt,))
