"""Check in an account of AWS what no emulator can tell: `scripts/prove account`.

It says what it makes, costs and needs, and asks. All its names have one prefix, and it removes them at its end, also
when it is interrupted. The report has no account number and no value of a secret: attach it to an issue.
Exit code 1: AWS contradicts an assumption, a check could not be carried out, or something was not removed.
"""

import argparse
import contextlib
import os
import secrets
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from account import account as around
from account import checks_services, checks_worker, removal
from account.account import HERE, ROOT, Account, Contradicted, DeploymentFailed, NotChecked
from account.report import Assumption, listed, read_assumptions, scrubbed, write
from token_refresh import __version__

CHECKS: tuple[Callable[[Account], str], ...] = (*checks_worker.CHECKS, *checks_services.CHECKS)
CONFORMANCE = (str(ROOT / "scripts" / "prove"), "conformance", "--live", "-q")
_EX_USAGE, _EX_NOPERM, _EX_INTERRUPTED = 64, 77, 130
_LONGEST_RUN_SECONDS = 120


def main(arguments: list[str]) -> int:
    """Run the command; its exit status."""
    options = _parse(arguments)
    if options.list:
        print(listed(read_assumptions()), end="")
        return 0
    session = boto3.Session(region_name=options.region or os.environ.get("AWS_REGION"))
    make_client, region = client_maker(session), session.region_name or ""
    spare = options.spare_region or ("eu-west-1" if region != "eu-west-1" else "eu-central-1")
    try:
        caller = ready(make_client, region, spare)
        if options.sweep:
            return 0 if removal.remove(make_client, (region, spare), removal.PREFIX, say) else 1
        refuse_unprepared(make_client, region)
    except NotChecked as reason:
        return _end(str(reason), _EX_NOPERM)
    prefix = f"{removal.PREFIX}{secrets.token_hex(3)}"
    print((HERE / "plan.txt").read_text("utf-8").format(prefix=prefix, region=region, spare=spare))
    if not options.yes and not _agreed(region):
        return _end("nothing was made", _EX_USAGE)
    return prove(make_client, (region, spare), prefix=prefix, caller=caller, folder=options.report)


def prove(make_client: Any, regions: tuple[str, str], *, prefix: str, caller: str, folder: Path) -> int:
    """Make everything, check, write the report, and remove everything, whatever happens in between."""
    region, spare = regions
    folder.mkdir(parents=True, exist_ok=True)
    say(f"the files in {folder} have the account's number, but for the report: keep them to yourself")
    seen = Account(
        prefix=prefix,
        region=region,
        spare_region=spare,
        make_client=make_client,
        deployments=around.ScriptDeployments(make_client("cloudformation", region), region, folder),
        provider=around.TableProvider(make_client("dynamodb", region), f"{prefix}-provider"),
        conformance=(*CONFORMANCE, "--region", region),
    )
    rows = {row.number: row for row in read_assumptions()}
    ended, removed = _EX_INTERRUPTED, False
    try:
        seen.outputs |= around.create_around(make_client, prefix, regions, caller)
        seen.deploy_worker(**worker_parameters(seen))
        check_all(seen, rows)
        ended = int(bool({"contradicted", "failed"} & {row.outcome for row in rows.values()}))
    except Exception as error:  # noqa: BLE001 - what was made is removed, and a report says what was found by then
        say(f"the stacks that the checks need could not be deployed: {_said(error)}")
        ended = 1
    except KeyboardInterrupt:
        say("interrupted; removing what was made. Another Ctrl-C leaves it")
    finally:
        with contextlib.suppress(KeyboardInterrupt):
            removed = removal.remove(make_client, regions, prefix, say)
    about = {"version": __version__, "at": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC", "region": region, "spare": spare}
    for path in write(rows.values(), about, folder):
        say(f"report: {path}")
    if not removed:
        say(f"remove the rest: scripts/prove account --sweep --region {region} --spare-region {spare}")
    return ended or int(not removed)


def worker_parameters(seen: Account) -> dict[str, str]:
    """Return the worker's deployment: all options together whose promises rest on AWS."""
    return {
        "environment": seen.prefix,
        "service": f"{seen.prefix}-tokens",
        "operators": seen.outputs["CallerArn"],
        "kms_key": "create",
        "claim_table": "create",
        "replica_regions": seen.outputs["SpareKeyArn"],
        "token_endpoint": seen.outputs["ProviderUrl"],
        "token_lifetime_seconds": "1800",
        "tags": f"{checks_worker.TAG}={seen.prefix}",
    }


def check_all(seen: Account, rows: dict[int, Assumption]) -> None:
    """Run the checks in their order, and put what became of each into its row."""
    numbers = {row.check: row.number for row in rows.values()}
    for check in CHECKS:
        say(f"{check.__name__}: {check.__doc__}")
        number = numbers[check.__name__]
        rows[number] = checked(seen, check, rows[number])
        say(f"  {rows[number].outcome}: {rows[number].found}")


def checked(seen: Account, check: Callable[[Account], str], row: Assumption) -> Assumption:
    """Run one check. An error of AWS is told by its code, another one by its class: their texts may hold anything."""
    try:
        return replace(row, outcome="holds", found=check(seen))
    except Contradicted as contradicted:
        return replace(row, outcome="contradicted", found=str(contradicted))
    except NotChecked as reason:
        return replace(row, outcome="not checked", found=str(reason))
    except Exception as error:  # noqa: BLE001 - the next checks run, and the report says what happened to this one
        return replace(row, outcome="failed", found=_said(error))


def client_maker(session: Any) -> Any:
    """Return what makes clients: of the session's own identity, or with credentials."""
    config = Config(read_timeout=_LONGEST_RUN_SECONDS, retries={"mode": "standard", "total_max_attempts": 5})

    def make_client(service: str, region: str, credentials: Mapping[str, str] | None = None) -> Any:
        return session.client(service, region_name=region, config=config, **(credentials or {}))

    return make_client


def ready(make_client: Any, region: str, spare: str) -> str:
    """Return the ARN of the role or user that runs this, as policies name it.

    Raises:
        NotChecked: Credentials or regions won't do; the message says what to do.
    """
    if not region:
        raise NotChecked("no region: name one with --region, or set AWS_REGION")
    if region == spare:
        raise NotChecked(f"the replica can't be in {region}, too: name another region with --spare-region")
    try:
        arn = str(make_client("sts", region).get_caller_identity()["Arn"])
        kind, _, name = arn.rpartition(":")[2].partition("/")
        if kind == "assumed-role":
            return str(make_client("iam", region).get_role(RoleName=name.partition("/")[0])["Role"]["Arn"])
    except (BotoCoreError, ClientError) as error:
        raise NotChecked(f"no usable AWS credentials ({_name(error)}): set AWS_PROFILE, or run aws sso login") from None
    if kind == "root" or ":iam::" not in arn:
        raise NotChecked(f"the account's {kind} can't be an operator: use a role or a user")
    return arn


def refuse_unprepared(make_client: Any, region: str) -> None:
    """Refuse a region in which `scripts/deploy` can't deploy, before anything is made.

    Raises:
        NotChecked: It is not bootstrapped; the message has the command.
    """
    try:
        make_client("ssm", region).get_parameter(Name="/cdk-bootstrap/hnb659fds/version")
    except ClientError as error:
        if error.response["Error"]["Code"] == "ParameterNotFound":  # what else it may be, scripts/deploy says
            bootstrap = f"AWS_REGION={region} scripts/deploy bootstrap prod"
            raise NotChecked(f"{region} is not bootstrapped: {bootstrap}") from None


def end_as_interrupted() -> None:
    """Let SIGTERM and a closed terminal remove what was made, as Ctrl-C does."""
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.default_int_handler)


def say(text: str) -> None:
    """Tell how it goes, without account numbers."""
    print(scrubbed(text), file=sys.stderr, flush=True)


def _said(error: Exception) -> str:
    return str(error) if isinstance(error, DeploymentFailed) else _name(error)


def _name(error: Exception) -> str:
    if isinstance(error, ClientError):
        return f"{error.operation_name}: {error.response['Error']['Code']}"
    return type(error).__name__


def _agreed(region: str) -> bool:
    profile = os.environ.get("AWS_PROFILE", "your credentials")
    try:
        return input(f"Make it with {profile} in {region}? Type yes: ").strip() == "yes"
    except (EOFError, KeyboardInterrupt):
        return False


def _end(why: str, status: int) -> int:
    say(f"scripts/prove account: {why}")
    return status


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/prove account", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--list", action="store_true", help="print each assumption, AWS's words and its check, and end")
    parser.add_argument("--yes", action="store_true", help="don't ask")
    parser.add_argument("--sweep", action="store_true", help="remove what killed runs left, and end")
    parser.add_argument("--region", help="otherwise your shell's")
    parser.add_argument("--spare-region", help="where the replica is; otherwise eu-west-1, or eu-central-1 beside it")
    parser.add_argument("--report", type=Path, default=ROOT / "build" / "account", help="folder of the report")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    end_as_interrupted()
    sys.exit(main(sys.argv[1:]))
