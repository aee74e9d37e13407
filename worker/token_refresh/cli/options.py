"""What all commands share: options that stand for environment variables, and how a failure is told.

The worker's configuration is the environment. An option sets a variable of this process, so the command runs exactly
as the function would with that variable.
"""

import functools
import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

import typer

from token_refresh.cli.failures import told

Command = Callable[..., int | None]
_PANEL: Final = "Common options"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Shared:
    """One shared option, and the variables that it stands for."""

    name: str
    annotation: Any
    default: Any = None
    variables: Sequence[str] = ()
    overrides: Sequence[str] = ()
    """Variables that would otherwise have precedence over what was asked for."""

    @property
    def parameter(self) -> inspect.Parameter:
        return inspect.Parameter(
            self.name, inspect.Parameter.KEYWORD_ONLY, default=self.default, annotation=self.annotation
        )

    def apply(self, value: object) -> None:
        if not isinstance(value, str):
            return
        for name in self.overrides:
            os.environ.pop(name, None)
        os.environ.update(dict.fromkeys(self.variables, value))


_SECRET: Final = "TOKEN_SECRET_ID"  # noqa: S105 - the name of a variable
_SHARED: Final = (
    _Shared(
        name="secret",
        annotation=Annotated[
            str | None,
            typer.Argument(metavar="SECRET_ID", help="Name or ARN of the token secret.", show_default=False),
        ],
        variables=[_SECRET],
    ),
    _Shared(
        name="secret_id",
        annotation=Annotated[
            str | None,
            typer.Option(
                help=f"The same, as an option; else ${_SECRET}, else upwork-oauth-tokens.",
                show_default=False,
                rich_help_panel=_PANEL,
            ),
        ],
        variables=[_SECRET],
    ),
    _Shared(
        name="region",
        annotation=Annotated[
            str | None,
            typer.Option(
                help="AWS region; else $AWS_REGION, else the profile's.", show_default=False, rich_help_panel=_PANEL
            ),
        ],
        variables=["AWS_REGION", "AWS_DEFAULT_REGION"],
    ),
    _Shared(
        name="profile",
        annotation=Annotated[
            str | None,
            typer.Option(
                help="AWS profile; else $AWS_PROFILE, else the environment's credentials.",
                show_default=False,
                rich_help_panel=_PANEL,
            ),
        ],
        variables=["AWS_PROFILE"],
        overrides=["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"],
    ),
    _Shared(
        name="endpoint_url",
        annotation=Annotated[
            str | None,
            typer.Option(
                help="Secrets Manager's address, where it is not AWS's own.",
                show_default=False,
                rich_help_panel=_PANEL,
            ),
        ],
        variables=["AWS_ENDPOINT_URL_SECRETS_MANAGER"],
    ),
    _Shared(
        name="token_endpoint",
        annotation=Annotated[
            str | None,
            typer.Option(
                help="The provider's token endpoint; else $TOKEN_ENDPOINT, else Upwork's.",
                show_default=False,
                rich_help_panel=_PANEL,
            ),
        ],
        variables=["TOKEN_ENDPOINT"],
    ),
    _Shared(
        name="debug",
        annotation=Annotated[
            bool,
            typer.Option(
                "--debug",
                help="Show more of what happens and where an error arose; never a secret.",
                show_default=False,
                rich_help_panel=_PANEL,
            ),
        ],
        default=False,
    ),
)


class _Registry:
    """Wraps a command's function with what all commands share, and keeps its examples."""

    def __init__(self) -> None:
        self.wrapped: dict[Command, Command] = {}
        self.examples: dict[Command, str] = {}

    def __call__(self, *examples: str, failed: int = 1) -> Callable[[Command], Command]:
        """Register a command.

        Args:
            examples: Command lines for `--help`.
            failed: The exit status where it ends with a named failure.
        """

        def register(function: Command) -> Command:
            self.wrapped[function] = _with_shared(function, failed)
            self.examples[function] = "\n".join(["[bold]Examples[/]", *examples])
            return function

        return register


command: Final = _Registry()


def _with_shared(function: Command, failed: int) -> Command:
    own = inspect.signature(function, eval_str=True)

    @functools.wraps(function)
    def wrapper(**given: Any) -> None:
        shared = {option: given.pop(option.name) for option in _SHARED}
        _apply(shared)
        with told(debug=_wants_debug(shared), failed=failed):
            raise typer.Exit(function(**given) or 0)

    parameters = [*(option.parameter for option in _SHARED), *own.parameters.values()]
    wrapper.__signature__ = own.replace(parameters=parameters, return_annotation=None)  # type: ignore[attr-defined]  # inspect reads it
    wrapper.__annotations__ = {p.name: p.annotation for p in parameters}
    return wrapper


def _wants_debug(shared: Mapping[_Shared, object]) -> bool:
    """Whether `--debug` was among the shared options; the worker's log then shows everything, too."""
    debug = any(value is True for value in shared.values())
    if debug:
        os.environ["LOG_LEVEL"] = "DEBUG"
    return debug


def _apply(shared: Mapping[_Shared, object]) -> None:
    given = {option.name: value for option, value in shared.items()}
    if None not in {given["secret"], given["secret_id"]} and given["secret"] != given["secret_id"]:
        raise typer.BadParameter("SECRET_ID and --secret-id name two secrets; give one")
    for option, value in shared.items():
        option.apply(value)
