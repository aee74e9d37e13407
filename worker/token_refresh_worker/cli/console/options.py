"""The options that all commands share, each of which sets environment variables.

The worker's configuration is its environment. An option overlays a variable, so a command acts as the function would
with that variable. The environment of the process itself stays as it is.
"""

import functools
import inspect
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final, get_args

import typer

from token_refresh_worker.cli.console.failures import reported
from token_refresh_worker.cli.context import WORKER_VARIABLES, Context

CommandFunction = Callable[..., int | None]
_PANEL: Final = "Common options"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Shared:
    """One shared option, and the variables that it sets."""

    name: str
    help: str
    variables: Sequence[str] = ()
    clears: Sequence[str] = ()
    """Variables that would have precedence over this option."""
    repeated: bool = False
    """Whether a printed command repeats it."""

    @property
    def flag(self) -> str:
        return f"--{self.name.replace('_', '-')}"

    @property
    def parameter(self) -> inspect.Parameter:
        option = typer.Option(help=self.help, show_default=False, rich_help_panel=_PANEL)
        return _keyword(self.name, Annotated[str | None, option])


def _keyword(name: str, annotation: Any, default: Any = None) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


_SECRET: Final = "TOKEN_SECRET_ID"  # noqa: S105 - the name of a variable
_OPTIONS: Final = (
    _Shared(
        name="secret_id",
        help=f"The same, as an option; default ${_SECRET}, then upwork-oauth-tokens.",
        variables=[_SECRET],
    ),
    _Shared(
        name="region",
        help="AWS region; default $AWS_REGION, then the profile's.",
        variables=["AWS_REGION", "AWS_DEFAULT_REGION"],  # The SDKs disagree about which of them counts.
    ),
    _Shared(
        name="profile",
        help="AWS profile; default $AWS_PROFILE, then the environment's credentials.",
        variables=["AWS_PROFILE"],
        # botocore prefers keys in the environment to any profile.
        clears=["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"],
        repeated=True,
    ),
    _Shared(
        name="endpoint_url",
        help="Address of Secrets Manager, if it is not AWS's own.",
        variables=["AWS_ENDPOINT_URL_SECRETS_MANAGER"],
        repeated=True,
    ),
    _Shared(
        name="provider",
        help="Name of the provider's profile; default $PROVIDER, then the token document's.",
        variables=["PROVIDER"],
        repeated=True,
    ),
    _Shared(
        name="token_endpoint",
        help="The provider's token endpoint; default $TOKEN_ENDPOINT, then the profile's.",
        variables=["TOKEN_ENDPOINT"],
        repeated=True,
    ),
    _Shared(
        name="function",
        help="The deployed function: its settings apply.",
        repeated=True,
    ),
)
_ARGUMENT: Final = _keyword(
    "secret",
    Annotated[
        str | None,
        typer.Argument(metavar="SECRET_ID", help="Name or ARN of the token secret.", show_default=False),
    ],
)
_DEBUG: Final = _keyword(
    "debug",
    Annotated[
        bool,
        typer.Option(
            "--debug",
            help="Print where an error was raised; never a secret.",
            show_default=False,
            rich_help_panel=_PANEL,
        ),
    ],
    default=False,
)
_PARAMETERS: Final = (_ARGUMENT, *(option.parameter for option in _OPTIONS), _DEBUG)


class _Registry:
    """Wraps a command's function with what all commands share, and keeps its examples."""

    def __init__(self) -> None:
        self.wrapped: dict[CommandFunction, CommandFunction] = {}
        self.examples: dict[CommandFunction, str] = {}

    def __call__(
        self, *examples: str, failed: int = 1, as_deployed: bool = True
    ) -> Callable[[CommandFunction], CommandFunction]:
        """Register a command.

        Args:
            examples: Command lines for `--help`; the first one begins with the command's name.
            failed: The exit status if it ends with a named error.
            as_deployed: Whether `--function` makes the function's settings apply; `doctor` checks them first.
        """

        def register(function: CommandFunction) -> CommandFunction:
            name = examples[0].partition(" -")[0].removeprefix("token-refresh ")
            self.wrapped[function] = _with_shared(function, name, failed, as_deployed=as_deployed)
            self.examples[function] = "\n".join(["[bold]Examples[/]", *examples])
            return function

        return register


command: Final = _Registry()


def _with_shared(function: CommandFunction, name: str, failed: int, *, as_deployed: bool) -> CommandFunction:
    own = inspect.signature(function, eval_str=True)
    own_parameters = [p for p in own.parameters.values() if p.kind is inspect.Parameter.KEYWORD_ONLY]

    @functools.wraps(function)
    def wrapper(**given: Any) -> None:
        _refuse_empty(parameters, given)
        shared = {parameter.name: given.pop(parameter.name) for parameter in _PARAMETERS}
        debug = shared.pop("debug")
        context = replace(context_of(shared), name=name)
        with reported(debug=debug, failed=failed, look=lambda: context.command("status")):
            if as_deployed and context.function is not None:
                context = context.as_deployed(context.deployed_variables())
            code = function(context, **given) or 0
            sys.stdout.flush()  # Here, so that a full disk is reported; at exit nothing could.
            raise typer.Exit(code)

    parameters = [*_PARAMETERS, *own_parameters]
    wrapper.__signature__ = own.replace(parameters=parameters, return_annotation=None)  # type: ignore[attr-defined]  # inspect reads it
    wrapper.__annotations__ = {p.name: p.annotation for p in parameters}
    return wrapper


def _refuse_empty(parameters: Sequence[inspect.Parameter], given: Mapping[str, Any]) -> None:
    """Refuse an empty value, such as an unset variable of the shell gives: it never means the default.

    Raises:
        BadParameter: An option or argument is empty.
    """
    for parameter in parameters:
        value = given[parameter.name]
        if isinstance(value, str) and not value.strip():
            (*_, option) = get_args(parameter.annotation)
            # In Annotated, Typer keeps an option's first name where its default would be.
            own_flag = option.default if isinstance(option.default, str) else None
            flag = own_flag or f"--{parameter.name.replace('_', '-')}"
            raise typer.BadParameter(f"{'SECRET_ID' if parameter is _ARGUMENT else flag} is empty")


def context_of(given: Mapping[str, str | None]) -> Context:
    """Overlay the environment with the shared options that were given."""
    options = dict(given)
    argument = options.pop("secret", None)
    if argument is not None:
        if options.get("secret_id") not in {None, argument}:
            raise typer.BadParameter("SECRET_ID and --secret-id name two secrets; give one")
        options["secret_id"] = argument
    environment = dict(os.environ)
    variables: dict[str, str] = {}
    repeated: list[str] = []
    for option in _OPTIONS:
        value = options.get(option.name)
        if value is None:
            continue
        for name in option.clears:
            environment.pop(name, None)
        variables |= dict.fromkeys(option.variables, value)
        repeated += [option.flag, value] if option.repeated else []
    return Context(
        environment=environment | variables,
        function=options.get("function"),
        given={name: value for name, value in variables.items() if name in WORKER_VARIABLES},
        repeated=tuple(repeated),
    )
