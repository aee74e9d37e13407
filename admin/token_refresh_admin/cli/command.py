"""How a command is declared: its name, its examples, and the options that it shares with others.

The worker's configuration is its environment. An option overlays a variable, so a command acts as the function would
with that variable. The environment of the process itself stays as it is.
"""

import functools
import inspect
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple, get_args

import typer
from typer.models import ArgumentInfo

from token_refresh.aws.arn import name_same_secret
from token_refresh_admin.cli.context import WORKER_VARIABLES, Context, SettingsSource
from token_refresh_admin.cli.deployment import find_deployment
from token_refresh_admin.cli.failures import reported
from token_refresh_admin.cli.lookups import saying_where
from token_refresh_admin.cli.screen import note, repeat_options_of
from token_refresh_worker.providers.loader import load_provider, own_profiles, profile_names
from token_refresh_worker.run.failures import span
from token_refresh_worker.run.settings import DEFAULT_SECRET_ID, Variable

FleetName = Annotated[str, typer.Option("--fleet", envvar="FLEET_NAME", help="Name of the fleet.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object, for machines.")]
ClientFile = Annotated[
    Path | None, typer.Option(help="JSON file with clientId and clientSecret, readable by you alone.")
]


def names_beginning(text: str) -> list[str]:
    """Return the names of providers that begin with a text."""
    return [name for name in profile_names() if name.startswith(text)]


def _keyword(name: str, annotation: Any, default: Any = None) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


_COMMON: Final = partial(typer.Option, rich_help_panel="Common options")
_ARGUMENT: Final = typer.Argument(
    metavar="SECRET_ID",
    help=f"Name or ARN of the token secret; default ${Variable.TOKEN_SECRET_ID}, then {DEFAULT_SECRET_ID}.",
)
_OPTIONS: Final = {
    "region": _COMMON(help="AWS region; default $AWS_REGION, then the profile's."),
    "profile": _COMMON(help="AWS profile; default $AWS_PROFILE, then the environment's credentials."),
    "provider": _COMMON(
        help="Name of the provider's profile; default $PROVIDER, then the token document's.",
        autocompletion=names_beginning,
    ),
    "function": _COMMON(help="Name of the deployed function, whose settings then apply."),
}
_DEBUG: Final = _COMMON("--debug", help="Print where an error was raised; never a secret.")
SHARED: Final = {
    "secret": _keyword("secret", Annotated[str | None, _ARGUMENT]),
    **{name: _keyword(name, Annotated[str | None, option]) for name, option in _OPTIONS.items()},
    "debug": _keyword("debug", Annotated[bool, _DEBUG], default=False),
}
"""The parameters by name, in the order in which `--help` lists them."""

OF_A_SECRET: Final = tuple(SHARED)
OF_A_FLEET: Final = ("region", "profile", "debug")

# The SDKs disagree about which variable of the region counts.
_SETS: Final = {
    "AWS_REGION": "region",
    "AWS_DEFAULT_REGION": "region",
    "AWS_PROFILE": "profile",
    Variable.PROVIDER.value: "provider",
    Variable.TOKEN_SECRET_ID.value: "secret",
}
"""The variables that options set."""
_KEYS: Final = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
"""Variables that botocore prefers to any profile."""
_REPEATED: Final = ("profile", "provider", "function")
"""The options that a printed command repeats; it has the region anyway."""


def context_of(given: Mapping[str, str | None]) -> Context:
    """Overlay the environment with the shared options that were given."""
    variables = {name: value for name, option in _SETS.items() if (value := given.get(option)) is not None}
    kept = {name: value for name, value in os.environ.items() if name not in _KEYS or not given.get("profile")}
    return Context(
        environment=kept | variables,
        function=given.get("function"),
        given={name: value for name, value in variables.items() if name in WORKER_VARIABLES},
        repeated=tuple((f"--{name}", value) for name in _REPEATED if (value := given.get(name)) is not None),
    )


class Declared(NamedTuple):
    """A command as the command line runs it."""

    name: str
    """Its words: `status`, or `fleet status`."""
    run: Callable[..., None]
    examples: str


def command(
    name: str, *examples: str, shares: Sequence[str] = OF_A_SECRET, failed: int | None = None, writes: bool = False
) -> Callable[[Callable[..., int]], Declared]:
    """Declare a command: a function of its context and of its own options that returns the exit status.

    `examples` follow the name in `--help`, and `shares` names the shared options that it has. `failed` is the exit
    status if it ends with a named error; None: that of commands that act (`failures.py`). `writes` says that it changes
    or sends something: then nothing is left to guess about the secret's deployment.
    """

    def declare(function: Callable[..., int]) -> Declared:
        own = inspect.signature(function, eval_str=True).parameters.values()
        shared = [parameter for option, parameter in SHARED.items() if option in shares]
        parameters = [*shared, *(p for p in own if p.kind is inspect.Parameter.KEYWORD_ONLY)]

        @functools.wraps(function)
        def run(**given: Any) -> None:
            _refuse_empty(parameters, given)
            options = {option: given.pop(option) for option in shares if option != "debug"}
            context = replace(context_of(options), name=name, own=_words(parameters, given))
            look = (lambda: context.command("status")) if "secret" in shares else None
            ends = reported(debug=given.pop("debug"), failed=failed, as_json=given.get("as_json", False), look=look)
            repeat_options_of(context)
            with ends:
                if named := options.get("provider"):  # A wrong one is not repeated in what is printed.
                    load_provider(named, own_profiles(context.environment))
                if "secret" in shares:
                    context = find_deployment(context, joins=given.get("fleet"), writes=writes)
                    repeat_options_of(context)
                    _name_unread(context)
                with saying_where(context) if "secret" in shares else nullcontext():
                    code = function(context, **given)
                sys.stdout.flush()  # Here, so that a full disk is reported; at exit nothing could.
            raise typer.Exit(code)

        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # inspect reads it
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        lines = [f"token-refresh {name} {example}".rstrip() for example in examples]
        return Declared(name, run, "\n".join(["[bold]Examples[/]", *lines]))

    return declare


def _name_unread(context: Context) -> None:
    """Say which variables of the shell say something else than the settings that apply."""
    here = {name: value for name in WORKER_VARIABLES if (value := os.environ.get(name))}
    unread = [name for name, value in here.items() if not name_same_secret(context.environment.get(name, ""), value)]
    if unread and context.source != SettingsSource():
        whose = (
            f"those of function {context.source.function} apply" if context.source.function else "nothing proves them"
        )
        note(f"Not read from the shell, since {whose}: {', '.join(unread)}", style="dim")


def _flag(parameter: inspect.Parameter) -> str:
    """Return the name of an option or argument on the command line."""
    (*_, option) = get_args(parameter.annotation)
    if isinstance(option, ArgumentInfo):
        return str(option.metavar)
    # In Annotated, Typer keeps an option's first name where its default would be.
    return option.default if isinstance(option.default, str) else f"--{parameter.name.replace('_', '-')}"


def _words(parameters: Sequence[inspect.Parameter], given: Mapping[str, Any]) -> tuple[str, ...]:
    """Return options that were given as the words of a command line, without `--yes`: a printed command asks."""
    words: list[str] = []
    for parameter in parameters:
        value, flag = given.get(parameter.name) if parameter.name != "yes" else None, _flag(parameter)
        if isinstance(value, bool) and value != parameter.default:
            words.append(flag if value else f"--no-{flag[2:]}")
        elif value and value != parameter.default:
            words += [word for each in (value if isinstance(value, list) else [value]) for word in (flag, str(each))]
    return tuple(words)


def _refuse_empty(parameters: Sequence[inspect.Parameter], given: Mapping[str, Any]) -> None:
    """Refuse an empty value, such as an unset variable of the shell gives: it never means the default."""
    for parameter in parameters:
        value = given[parameter.name]
        if isinstance(value, str) and not value.strip():
            raise typer.BadParameter(f"{_flag(parameter)} is empty")


_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def read_duration(option: str, text: str, longest: timedelta) -> timedelta:
    """Read the duration of an option: `90s`, `30m`, `2h`, `7d`."""
    # Six digits at most: more days overflow a timedelta before they can be compared.
    match = re.fullmatch(r"([1-9]\d{0,5})([smhd])", text.strip())
    duration = timedelta(**{_UNITS[match[2]]: int(match[1])}) if match else None
    if duration is None or duration > longest:
        raise typer.BadParameter(f"{option} is a number with s, m, h or d, such as 2m, and at most {span(longest)}")
    return duration
