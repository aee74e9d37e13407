"""`token-refresh doctor`: check everything that can be wrong, and say what to do."""

from collections.abc import Iterator
from typing import Annotated

import typer
from rich.table import Table

from token_refresh.errors import ConfigurationError, TokenRefreshError
from token_refresh_admin.cli.command import Json, command
from token_refresh_admin.cli.context import Context
from token_refresh_admin.cli.doctor import secret as checks
from token_refresh_admin.cli.doctor.access import check_key, check_permissions
from token_refresh_admin.cli.doctor.function import check_alarms, check_function
from token_refresh_admin.cli.finding import Check, Finding, Health, failed, not_known, tried
from token_refresh_admin.cli.health import examine
from token_refresh_admin.cli.screen import assemble, in_json, message, output, print_json, say, show, text
from token_refresh_admin.cli.state import SecretState, read_state
from token_refresh_worker.oauth.formats import AuthMethod

_WORDS = {Health.HEALTHY: "ok", Health.ATTENTION: "look", Health.BROKEN: "FAILED", Health.UNKNOWN: "skipped"}
_STYLES = {Health.HEALTHY: "green", Health.ATTENTION: "yellow", Health.BROKEN: "bold red", Health.UNKNOWN: "dim"}


@command("doctor", "", "--function token-refresh-prod", "--consumer-version 1b2c3d4e", failed=1)
def doctor(
    context: Context,
    *,
    consumer_version: Annotated[
        str | None,
        typer.Option(
            metavar="VERSION_ID",
            help="Check whether a consumer's cache is stale: the version ID that it reports, or its beginning.",
        ),
    ] = None,
    as_json: Json = False,
) -> int:
    """Check everything that can be wrong, and say what to do.

    It never sends your refresh token, and changes no token set. To see whether you may write, it stores a version
    without a token, under the label REFRESH_PROBE.

    Exit status: 0 nothing failed, 1 something did; 64 for a wrong option.
    """
    found: list[Check] = []
    for check in _checks(context, consumer_version):
        found.append(check)
        if not as_json:
            _show(check)
    failures = sum(finding.health is Health.BROKEN for _, finding in found)
    if as_json:
        checked = [
            {
                "name": name,
                "grade": _WORDS[finding.health].lower(),
                "text": finding.text,
                "remedy": in_json(finding.remedy) or None,
            }
            for name, finding in found
        ]
        print_json({"failed": failures, "checks": checked})
    else:
        say("\n" + (f"{failures} failed." if failures else "Nothing failed."), style="bold")
    return int(failures > 0)


def _show(check: Check) -> None:
    name, finding = check
    word, style = _WORDS[finding.health], _STYLES[finding.health]
    line = Table.grid(padding=(0, 1))
    line.add_column(width=7)
    line.add_column(overflow="fold")  # A version ID or an ARN is of use only as a whole.
    line.add_row(text(word, style), assemble((name, "bold"), f": {finding.text}"))
    remedy = message(*finding.remedy, head="-> ", indent=8) if finding.remedy else []
    show(output(), line, *remedy)


def _checks(context: Context, consumer_version: str | None) -> Iterator[Check]:
    source = context.source
    try:
        context.settings()
        yield Check("region", checks.check_region(context))
    except ConfigurationError as failure:
        if source.function:
            failure.what = f"every run of function {source.function} fails: {failure.what}"
            failure.fix = failure.fix or ("correct it, and deploy",)
        yield Check("configuration", failed(failure))
        return
    # A clock that is off is why AWS rejects credentials.
    yield tried("clock", lambda: checks.check_clock(context))
    yield tried("credentials", lambda: checks.check_caller(context))
    state: SecretState | None = None
    try:
        state = read_state(context)
    except TokenRefreshError as failure:
        fix = () if source.unproven else failure.fix  # What writes is refused.
        yield Check("secret", Finding.broken(f"{type(failure).__name__}: {failure.facts}", *fix))
        if source.unproven:
            yield Check("deployment", not_known(source.unproven))
    else:
        # What lets refreshes fail, before what such failures leave: the first line that failed is where to begin.
        version_id = state.snapshot.current.version_id
        yield Check("secret", Finding.healthy(f"{context.secret_id}: a token document, version {version_id}"))
        yield Check("client credentials", checks.check_credentials(state))
        yield Check("your permissions", check_permissions(state))
    settings = context.settings() if state is None else state.settings
    key_arn = settings.kept_tokens_key_id
    if key_arn and context.has_all_of_aws:
        yield tried("refused tokens' key", lambda: check_key(context, key_arn))
    if settings.provider.request.auth_method is AuthMethod.AWS_IAM_JWT and context.has_all_of_aws:
        yield tried("identity tokens", lambda: checks.check_identity_tokens(context))
    yield Check("token endpoint", checks.check_token_endpoint(context, state))
    yield from _function(context)
    if state is not None:
        yield from _effects(state, consumer_version)
    if context.has_all_of_aws:
        yield from check_alarms(context)


def _function(context: Context) -> Iterator[Check]:
    if context.source.function:
        yield from check_function(context, context.source.function)
    elif not context.source.unproven:
        how = "pass --function NAME to check the function, its role and its schedule"
        yield Check("function", Finding.unknown(how))


def _effects(state: SecretState, consumer_version: str | None) -> Iterator[Check]:
    yield from (Check("tokens", finding) for finding in examine(state) or [Finding.healthy("healthy")])
    yield Check("last refresh", checks.check_last_refresh(state))
    yield tried("consumers", lambda: checks.check_consumer(state, consumer_version))
    published = state.settings.published_secret_id
    if published and state.publish_failure is None:  # `tokens` says why it can't be read.
        yield tried("published secret", lambda: checks.check_published(state.context, published))
    if replicas := checks.check_replicas(state):
        yield Check("replicas", replicas)
