"""The generated parts of pages by name; a page has one between its marks, see `pages.generated`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pages.parts import commands, deployments, fleets, profiles, proof, worker

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PARTS: Final[Mapping[str, Callable[[], str]]] = {
    "commands": commands.commands,
    "variables": worker.variables,
    "outcomes": worker.outcomes,
    "errors": worker.errors,
    "rules": worker.rules,
    "transitions": worker.transitions,
    "providers": profiles.providers,
    "proof-figures": proof.figures,
    "common-parameters": deployments.common,
    "single-parameters": deployments.single,
    "fleet-parameters": deployments.fleet,
    "breakers": fleets.breakers,
    "states": fleets.states,
}
