"""Write CloudFormation templates that need neither the CDK nor a bootstrapped account: `plain.py FOLDER`.

Some of what a deployment's file chooses is a parameter of its template: the stack is synthesised with a stand-in for
each, and the stand-ins are replaced afterwards.
"""

import json
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from parameter_placeholders import Parameter, replaced
from token_refresh import __version__
from token_refresh.webhooks import SENDERS
from token_refresh_infra.context import ParameterError, read_parameters
from token_refresh_infra.modes import FLEET, MODES, SINGLE, WEBHOOKS, parameters_of
from token_refresh_infra.single.checks import CheckedParameters
from token_refresh_worker.providers.loader import profile_names

from aws_cdk import App  # isort: skip - after our package, which chooses the node that this starts

INFRA = Path(__file__).resolve().parent
ZIPS = {"function": "token-refresh-worker", "webhooks": "token-refresh-webhooks"}
"""What `scripts/package` calls a zip, and the name of its file."""
FOR_GOOD = "Never change it in an existing stack: nothing would refresh what has the old name"
_REPORTS = "@aws-cdk/core:failSynthOnValidationErrors"
_IN_A_NAME = r"[A-Za-z0-9/_+=.@-]"


def common(name: str) -> dict[str, Parameter]:
    """Return what each template has. A role's name has 64 characters at most, and ends in region and purpose."""
    return {
        "Name": Parameter(
            stand_in="Name-Parameter",
            description="The names of function, log group, roles and alarms begin with it. Use the stack's own name",
            pattern="[a-z][a-z0-9-]{0,35}",
            must_be="at most 36 lower-case letters, digits and hyphens, with a letter first",
            default=name,
        ),
        "Environment": Parameter(
            stand_in="environment-parameter",
            description="Value of the tag named environment, which all resources get",
            pattern="[a-z0-9-]{1,63}",
            must_be="at most 63 lower-case letters, digits and hyphens",
            default="prod",
        ),
        "AlarmEmail": Parameter(
            stand_in="alarms@email.parameter",
            description="Address that gets the alarms; without one, subscribe to the topic in output AlarmTopicArn",
            pattern=r"([^\s@]+@[^\s@]+)?",
            must_be="one address, or empty",
            default="",
        ),
    }


COMMON = {"environment": "environment-parameter", "stack": "Name-Parameter", "alarm_email": "alarms@email.parameter"}


def templates() -> dict[str, dict[str, Any]]:
    """Return each template under its name."""
    return {
        "single": single("upwork", default="upwork"),
        "single-one-hour": single("google"),
        "fleet": fleet(),
        "webhooks": receiver(),
    }


def single(provider: str, *, default: str | None = None) -> dict[str, Any]:
    """Return a worker's, for all providers whose tokens live as long as this one's: schedule and alarms follow that."""
    values = COMMON | {"service": "token-secret-parameter", "provider": provider}
    wanted = timing(values)
    return template(
        values,
        common("token-refresh-prod")
        | {
            "Provider": Parameter(
                stand_in=provider,
                description="The provider of the tokens: the name of a profile of docs/providers.md",
                values=[name for name in profile_names(None) if timing(values | {"provider": name}) == wanted],
                must_be="a profile that fits this template's schedule and alarms; for others use scripts/deploy",
                default=default,
            ),
            "TokenSecretName": Parameter(
                stand_in="token-secret-parameter",
                description=f"Name of the token secret that is created; its copy has -published at the end. {FOR_GOOD}",
                pattern=_IN_A_NAME + "{1,200}",
                must_be="at most 200 letters, digits and characters of /_+=.@-",
                default="upwork-oauth-tokens" if default else None,
            ),
        },
    )


def timing(values: Mapping[str, str]) -> tuple[object, ...] | None:
    """Return all that a template takes of a profile; None where a profile isn't enough to deploy, or will end."""
    try:
        of = read_parameters(CheckedParameters, values)
    except ParameterError:
        return None
    profile = of.settings.provider
    if profile.ends_on or profile.access_token_lifetime is None:
        return None
    runs = of.run_every_minutes, of.start_within_minutes, of.due_window_seconds, of.lifetime_seconds
    return (*runs, of.longest_safe_cache_seconds, of.uses_role_as_client)


def fleet() -> dict[str, Any]:
    """Return a fleet's."""
    # Stacks of this template keep the client beside the tokens: another place would leave their next run without one.
    kept = {"client_secret": "documents"}
    values = COMMON | kept | {"mode": FLEET, "fleet": "fleet-parameter", "secrets_under": "secrets-under-parameter/"}
    return template(
        values,
        common("token-refresh-prod-fleet-prod")
        | {
            "Fleet": Parameter(
                stand_in="fleet-parameter",
                description=f"Name of the fleet, and of the table that is created. {FOR_GOOD}",
                pattern="[a-z0-9][a-z0-9-]{1,61}[a-z0-9]",
                must_be="3 to 63 lower-case letters, digits and hyphens, and no hyphen at an end",
                default="prod",
            ),
            "SecretsUnder": Parameter(
                stand_in="secrets-under-parameter/",
                description="Prefix such as crm/prod/: the worker may refresh only secrets whose names begin with it",
                pattern=f"({_IN_A_NAME.replace('/', '')}+/)+",
                must_be="letters, digits and characters of _+=.@-, with / at the end and none at the start",
            ),
        },
    )


def receiver() -> dict[str, Any]:
    """Return a receiver's; each secret opens its endpoint."""
    secrets = {f"{name}_secret": f"{name}-secret-parameter" for name in SENDERS}
    return template(
        COMMON | {"mode": WEBHOOKS} | secrets,
        common("token-refresh-prod-webhooks")
        | {
            f"{name.capitalize()}Secret": Parameter(
                stand_in=f"{name}-secret-parameter",
                description=f"Name of the signing secret in Secrets Manager; it opens the endpoint /webhooks/{name}",
                pattern=_IN_A_NAME + r"{0,512}(#[^\s#]+)?",
                must_be="a secret's name, not its ARN, with #field after it for a field of a JSON object; or empty",
                default="",
                names_field=True,
            )
            for name in SENDERS
        },
    )


def template(values: Mapping[str, str], parameters: Mapping[str, Parameter]) -> dict[str, Any]:
    """Synthesise a deployment that names no account, and return it with parameters in place of the stand-ins."""
    zip_name = f"{ZIPS[MODES[values.get('mode', SINGLE)].package]}-{__version__}.zip"
    made = replaced(synthesised(values), parameters)
    code = {"S3Bucket": {"Ref": "CodeBucket"}, "S3Key": {"Fn::If": ["HasCodeKey", {"Ref": "CodeKey"}, zip_name]}}
    for resource in made["Resources"].values():
        if resource["Type"] == "AWS::Lambda::Function":
            resource["Properties"]["Code"] = code
        if resource["Type"] == "AWS::SNS::Subscription":
            resource["Condition"] = "HasAlarmEmail"
    parameters = {**code_parameters(zip_name), **parameters}
    optional = [name for name, parameter in parameters.items() if parameter.is_optional]
    given = {f"Has{name}": {"Fn::Not": [{"Fn::Equals": [{"Ref": name}, ""]}]} for name in optional}
    one_of = [condition for name, condition in given.items() if name.endswith("Secret")]
    rule = {"Assert": {"Fn::Or": one_of}, "AssertDescription": "Give one at least of the signing secrets."}
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"{made['Description']} (token-refresh-worker {__version__})",
        "Parameters": {name: parameter.declared for name, parameter in parameters.items()},
        **({"Rules": {"OneSender": {"Assertions": [rule]}}} if one_of else {}),
        "Conditions": given,
        "Resources": made["Resources"],
        "Outputs": made["Outputs"],
    }


def code_parameters(zip_name: str) -> dict[str, Parameter]:
    """Return where the code is.

    No default names a version: `aws cloudformation deploy` keeps it at an update, and with it the old code.
    """
    return {
        "CodeBucket": Parameter(
            description="A bucket of this region that holds the release's zip",
            pattern="[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]",
            must_be="the name of a bucket, without s3:// and without a path",
        ),
        "CodeKey": Parameter(
            description=f"The zip's key in that bucket, if it is not {zip_name}; another zip needs another key",
            default="",
        ),
    }


def synthesised(values: Mapping[str, str]) -> dict[str, Any]:
    """Return the CDK's template of a deployment; whatever zip it names is replaced."""
    parameters, flags = parameters_of(values), json.loads((INFRA / "cdk.json").read_text("utf-8"))["context"]
    with TemporaryDirectory() as folder:
        code = Path(folder) / "code.zip"
        zipfile.ZipFile(code, "w").close()
        # Without the CDK's warnings and its validation of 5 s: where a clone deploys this, the CDK's command has
        # both, and tests/infra/test_app.py validates the release's templates.
        app = App(
            context=flags | {_REPORTS: False},
            outdir=str(Path(folder) / "out"),
            builtin_cloud_formation_validation=False,
        )
        MODES[values.get("mode", SINGLE)].stack(app, parameters.stack_name, parameters=parameters, code=code)
        made: dict[str, Any] = app.synth().get_stack_by_name(parameters.stack_name).template
    return made


def written(made: Mapping[str, Any]) -> str:
    """Return a template as text with a line for each part: to be compared, and of less than 51,200 bytes."""
    sections = []
    for section, parts in made.items():
        if isinstance(parts, str):
            sections.append(f"{json.dumps(section)}: {json.dumps(parts)}")
            continue
        lines = [f"  {json.dumps(name)}: {json.dumps(part, separators=(',', ':'))}" for name, part in parts.items()]
        sections.append(f"{json.dumps(section)}: {{\n" + ",\n".join(lines) + "\n}")
    return "{\n" + ",\n".join(sections) + "\n}\n"


def main(folder: Path) -> None:
    """Write them, and print their paths."""
    for name, made in templates().items():
        path = folder / f"token-refresh-{name}.template.json"
        path.write_text(written(made), "utf-8")
        print(path)  # noqa: T201 - a command's own output


if __name__ == "__main__":
    main(Path(sys.argv[1]))
