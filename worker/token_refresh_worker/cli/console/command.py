"""How a command is declared: its name, its examples, and which options it shares with others."""

import functools
import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, get_args

import typer
from typer.models import ArgumentInfo

from token_refresh_worker.cli.console.failures import reported
from token_refresh_worker.cli.console.options import OF_A_SECRET, SHARED, context_of
from token_refresh_worker.cli.context import variables_of
from token_refresh_worker.cli.deployment import find_deployment


class Declared(NamedTuple):
    """A command as the command line runs it."""

    name: str
    """Its words: `status`, or `fleet status`."""
    run: Callable[..., None]
    examples: str


def command(
    name: str, *examples: str, shares: Sequence[str] = OF_A_SECRET, failed: int = 1, as_deployed: bool = True
) -> Callable[[Callable[..., int]], Declared]:
    """Declare a command: a function of its context and of its own options that returns the exit status.

    Args:
        name: Its words on the command line.
        examples: What follows the name in the examples of `--help`.
        shares: Names of the shared options that it has.
        failed: The exit status if it ends with a named error.
        as_deployed: Whether `--function` makes the function's settings apply; `doctor` checks them first.
    """

    def declare(function: Callable[..., int]) -> Declared:
        own = inspect.signature(function, eval_str=True).parameters.values()
        shared = [parameter for option, parameter in SHARED.items() if option in shares]
        parameters = [*shared, *(p for p in own if p.kind is inspect.Parameter.KEYWORD_ONLY)]

        @functools.wraps(function)
        def run(**given: Any) -> None:
            _refuse_empty(parameters, given)
            options = {option: given.pop(option) for option in shares if option != "debug"}
            context = replace(context_of(options), name=name)
            look = (lambda: context.command("status")) if "secret" in shares else None
            with reported(debug=given.pop("debug"), failed=failed, look=look), context.completing():
                if as_deployed and context.function is not None:
                    context = context.as_deployed(variables_of(context.function_configuration()))
                if "secret" in shares:
                    context = find_deployment(context)
                code = function(context, **given)
                sys.stdout.flush()  # Here, so that a full disk is reported; at exit nothing could.
                raise typer.Exit(code)

        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # inspect reads it
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        lines = [f"token-refresh {name} {example}".rstrip() for example in examples]
        return Declared(name, run, "\n".join(["[bold]Examples[/]", *lines]))

    return declare


def _refuse_empty(parameters: Sequence[inspect.Parameter], given: Mapping[str, Any]) -> None:
    """Refuse an empty value, such as an unset variable of the shell gives: it never means the default."""
    for parameter in parameters:
        value = given[parameter.name]
        if isinstance(value, str) and not value.strip():
            (*_, option) = get_args(parameter.annotation)
            # In Annotated, Typer keeps an option's first name where its default would be.
            own_flag = option.default if isinstance(option.default, str) else None
            flag = own_flag or f"--{parameter.name.replace('_', '-')}"
            raise typer.BadParameter(f"{option.metavar if isinstance(option, ArgumentInfo) else flag} is empty")
