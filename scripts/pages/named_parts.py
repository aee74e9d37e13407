"""The generated parts of pages by name; a page has one between its marks, see `pages.generated`."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from pages.parts import alarms, commands, cost, fleet_cost, fleets, machine, profiles, proof, webhooks, worker
from pages.parts.deployments import parameters
from token_refresh_infra.common import CommonParameters
from token_refresh_infra.fleet.parameters import FleetParameters
from token_refresh_infra.single.parameters import SingleParameters
from token_refresh_infra.webhooks.parameters import WebhookParameters

PARTS: Final[Mapping[str, Callable[[], str]]] = {
    "commands": commands.commands,
    "variables": worker.variables,
    "outcomes": worker.outcomes,
    "errors": worker.errors,
    "rules": worker.rules,
    "transitions": worker.transitions,
    "providers": profiles.providers,
    "provider-grants": profiles.grants,
    "provider-kinds": profiles.kinds,
    "provider-calendar": profiles.calendar,
    "provider-revocations": profiles.revocations,
    "provider-sources": profiles.sources,
    "proof-figures": proof.figures,
    "proof-sentence": proof.sentence,
    "window": proof.window,
    "common-parameters": partial(parameters, CommonParameters),
    "single-parameters": partial(parameters, SingleParameters),
    "fleet-parameters": partial(parameters, FleetParameters),
    "webhook-parameters": partial(parameters, WebhookParameters),
    "single-alarms": alarms.single,
    "cost": cost.default,
    "fleet-alarms": alarms.fleet,
    "webhook-alarms": alarms.webhooks,
    "senders": webhooks.senders,
    "sender-names": webhooks.names,
    "breakers": fleets.breakers,
    "states": fleets.states,
    "fleet-cost": fleet_cost.cost,
    "fleet-limits": fleet_cost.limits,
    "json-status": machine.status,
    "json-doctor": machine.doctor,
    "json-history": machine.history,
    "json-fleet-status": machine.fleet,
    "json-steps": machine.steps,
    "json-results": machine.results,
    "json-fates": machine.fates,
    "json-kinds": machine.kinds,
}
