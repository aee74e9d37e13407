"""Deployments as templates, and their resources by property, never by logical ID."""

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import plain
from testbed.policy import as_list
from token_refresh_infra.modes import mode_of, parameters_of

from aws_cdk import App  # isort: skip - after our package, which chooses the node that this starts

ROOT = Path(__file__).resolve().parents[1]

FLAGS: dict[str, Any] = json.loads((ROOT / "infra" / "cdk.json").read_text())["context"]
"""The CDK's feature flags, as the `cdk` command sets them."""

Resource = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Synthesis:
    """One synthesised stack."""

    parameters: Any
    """Those of its mode."""
    template: dict[str, Any]
    warnings: list[str]

    def resources(self, kind: str, **properties: Any) -> list[Resource]:
        """Return the resources of a type (`Lambda::Function`) whose properties are these, among others."""
        return [
            resource
            for resource in self.template["Resources"].values()
            if resource["Type"] == f"AWS::{kind}" and properties.items() <= _hashable(resource, properties)
        ]

    def one(self, kind: str, **properties: Any) -> Resource:
        """Return the properties of the only such resource."""
        (resource,) = self.resources(kind, **properties)
        found: Resource = resource["Properties"]
        return found

    def logical_id(self, kind: str, **properties: Any) -> str:
        """Return under which name the template's references mean the only such resource."""
        (resource,) = self.resources(kind, **properties)
        return next(str(name) for name, other in self.template["Resources"].items() if other is resource)

    def outputs(self) -> set[str]:
        return set(self.template["Outputs"])

    def policy_of_role(self, service: str) -> list[Resource]:
        """Return the statements of the only role that a service takes; one of AWS's own policies on it is refused."""
        ((name, role),) = [
            (name, resource["Properties"])
            for name, resource in self.template["Resources"].items()
            if service in [s["Principal"].get("Service") for s in _trust(resource)]
        ]
        if "ManagedPolicyArns" in role:
            raise NotImplementedError(f"managed policies {role['ManagedPolicyArns']}")
        attached = [
            policy["Properties"]
            for policy in self.resources("IAM::Policy") + self.resources("IAM::ManagedPolicy")
            if {"Ref": name} in policy["Properties"].get("Roles", [])
        ]
        return [
            statement
            for policy in [*role.get("Policies", []), *attached]
            for statement in policy["PolicyDocument"]["Statement"]
        ]

    def trust(self, service: str) -> list[Resource]:
        """Return who may take the role that a service takes, as the role's statements say it."""
        (role,) = [
            r for r in self.resources("IAM::Role") if service in [s["Principal"].get("Service") for s in _trust(r)]
        ]
        return _trust(role)

    def permissions(self, service: str) -> list[tuple[str, Any]]:
        """Return what the role of a service may do, as pairs of an action and a resource, in alphabetical order."""
        return sorted(
            (
                (action, resource)
                for statement in self.policy_of_role(service)
                if statement["Effect"] == "Allow"
                for action in as_list(statement["Action"])
                for resource in as_list(statement["Resource"])
            ),
            key=str,
        )

    def arn_of(self, kind: str, **properties: Any) -> Resource:
        """Return the template's reference to the ARN of the only such resource."""
        return {"Fn::GetAtt": [self.logical_id(kind, **properties), "Arn"]}


def _trust(resource: Resource) -> list[Resource]:
    if resource["Type"] != "AWS::IAM::Role":
        return []
    statements: list[Resource] = resource["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    return statements


def _hashable(resource: Resource, properties: dict[str, Any]) -> Any:
    return {name: resource.get("Properties", {}).get(name) for name in properties}.items()


def resources(template: dict[str, Any], kind: str) -> list[Resource]:
    """Return the properties of a template's resources of a type."""
    return [r["Properties"] for r in template["Resources"].values() if r["Type"] == f"AWS::{kind}"]


def synthesise(values: dict[str, Any], code: Path) -> Synthesis:
    """Synthesise a deployment in this process, without any validation: whole applications are checked in `test_app`."""
    template, *warnings = json.loads(_template(json.dumps(values), code))
    return Synthesis(parameters=parameters_of(values), template=template, warnings=warnings)


def unvalidated(**context: Any) -> App:
    """Return an application that the CDK does not validate: `test_app` has whole ones."""
    return App(context=context, builtin_cloud_formation_validation=False)


@functools.cache
def _template(values: str, code: Path) -> str:
    parameters, mode = parameters_of(json.loads(values)), mode_of(json.loads(values))
    app = unvalidated(**FLAGS)
    mode.stack(app, parameters.stack_name, parameters=parameters, code=code)
    # What is written, not objects: two of the CDK's packages have one file, and the last one decides on their types.
    written = Path(app.synth().directory, parameters.stack_name)
    metadata = written.with_suffix(".metadata.json")
    entries = json.loads(metadata.read_text()).values() if metadata.exists() else []
    warnings = [entry["data"] for part in entries for entry in part if entry["type"] == "aws:cdk:warning"]
    return json.dumps([json.loads(written.with_suffix(".template.json").read_text()), *warnings])


@functools.cache
def plain_templates() -> dict[str, dict[str, Any]]:
    """Return the templates of a release, which need no CDK to deploy."""
    return plain.templates()
