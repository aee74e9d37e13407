"""`token-refresh authorize`: get the first token set, or a new one after the grant has died."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Annotated, Final

import typer

from token_refresh.advice import Command
from token_refresh.errors import (
    ConfigurationError,
    InvalidSecretDocument,
    SecretAccessDenied,
    SecretNotFound,
    SecretStoreError,
)
from token_refresh.secret_value import SecretValue
from token_refresh_admin.changes.authorization_request import (
    AuthorizationRequest,
    ForeignRedirect,
    Redirect,
    build_authorization,
    check_refresh_tokens,
    with_provider,
    with_start_values,
)
from token_refresh_admin.changes.authorize import (
    Account,
    AnotherAccount,
    Target,
    check_account,
    complete_authorization,
    name_account,
)
from token_refresh_admin.changes.change import document_of, fields_of, prove_write
from token_refresh_admin.changes.store import NOT_SENT_FIX, base_document, find_lost_claim
from token_refresh_admin.cli.browser import authorized, opened
from token_refresh_admin.cli.command import ClientFile, command
from token_refresh_admin.cli.context import Context
from token_refresh_admin.cli.failures import Cancelled, CommandFailed, finishing
from token_refresh_admin.cli.health import lifetime_findings
from token_refresh_admin.cli.lookups import other_regions, read_clock, refuse_name_of_copy, refuse_published_secret
from token_refresh_admin.cli.membership import Copies, join, own_index, store_client
from token_refresh_admin.cli.prompts import ask_client, ask_secret, confirm, read_client_file, refuse_white_space
from token_refresh_admin.cli.redirect import DEFAULT_REDIRECT_URI, RedirectServer, can_listen, default_redirect_uri
from token_refresh_admin.cli.screen import errors, note, say, say_done, say_published, text
from token_refresh_worker.bootstrap import token_endpoint
from token_refresh_worker.core.versions import CURRENT
from token_refresh_worker.providers.lifetime import claims_a_day
from token_refresh_worker.providers.provider import Provider
from token_refresh_worker.providers.redirect import Loopback
from token_refresh_worker.providers.variables import provider_named_in
from token_refresh_worker.run.failures import utc
from token_refresh_worker.run.ports import REQUEST_TIMEOUT_SECONDS, SecretVersion
from token_refresh_worker.run.settings import GENERIC_PROVIDER, Settings
from token_refresh_worker.stored.credentials import ClientCredentials

_EXAMPLE: Final = "https://example.com/callback"
_PASTE_TRIES: Final = 5  # A wrong paste is common (the page before the redirect); a script's loop must end.


@command(
    "authorize",
    "",
    "upwork-oauth-tokens --redirect-uri http://localhost:9000/callback",
    "--paste --redirect-uri https://example.com/oauth",
    "jira-oauth-tokens --provider atlassian --client-file client.json",
    writes=True,
)
def authorize(  # noqa: PLR0913 - options, each by its name
    context: Context,
    *,
    redirect_uri: Annotated[
        str | None,
        typer.Option(
            envvar="REDIRECT_URI",
            help="Exactly as registered for the client (Upwork: the API key); default, where the provider accepts it: "
            f"{DEFAULT_REDIRECT_URI}",
        ),
    ] = None,
    client_id: Annotated[str | None, typer.Option(help="Client ID; the client secret is asked for.")] = None,
    client_file: ClientFile = None,
    paste: Annotated[
        bool, typer.Option("--paste", help="Paste the URL that the browser ends on, if no browser runs here.")
    ] = False,
    browser: Annotated[
        bool,
        typer.Option(
            help="Open the authorization page in a browser. Use --no-browser on a machine that others use, "
            "unless it runs Linux: they could open the page first."
        ),
    ] = True,
    scope: Annotated[
        str | None, typer.Option(help="Scopes to ask for, beside those that a refresh token needs.")
    ] = None,
    authorization_endpoint: Annotated[
        str | None, typer.Option(envvar="AUTHORIZATION_ENDPOINT", help="The authorization page; default the profile's.")
    ] = None,
    variable: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Variable of the provider, such as shop=my-shop.")
    ] = None,
    timeout: Annotated[int, typer.Option(min=1, max=3600, help="Seconds to wait for the redirect.")] = 300,
    tag: Annotated[list[str] | None, typer.Option(metavar="KEY=VALUE", help="Tag of a new secret.")] = None,
    fleet: Annotated[str | None, typer.Option(help="Let the secret join this fleet.")] = None,
    create: Annotated[
        bool, typer.Option("--create", help="Create the secret even if another region has one of this name.")
    ] = False,
    another_account: Annotated[
        bool, typer.Option("--another-account", help="Store the grant even if it is of another account than before.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="Create the secret or replace a token set without asking.")
    ] = False,
) -> int:
    """Get a token set in the browser and store it: the first one, or a new one after the grant has died.

    It uses the function's client credentials. If there are none, it asks for them, and stores them where runs read
    them. First it stores a version without a token (label REFRESH_PROBE), to see whether you may write.
    """
    tags = _read_pairs("--tag", tag or (), may_be_empty=True)
    variables = _read_pairs("--variable", variable or ())
    # Before the browser: a fleet that is not there must not cost a grant.
    index, publishes = own_index(context), context.environment.get("PUBLISHED_SECRET_ID")
    copies = Copies(context=context, template=publishes) if index and publishes else None
    version, creates = _find(context, create=create, asks=not yes)
    refuse_published_secret(context, version)
    # A token set that is there already may be replaced.
    if document_of(fields_of(version), needs_refresh_token=True) is None:
        refuse_name_of_copy(context)
    add = partial(with_provider, name=context.environment.get("PROVIDER"), variables=variables)
    fields = add(fields_of(version))
    if (
        context.source.provider == GENERIC_PROVIDER
        and not context.given.get("PROVIDER")
        and provider_named_in(fields) is None
    ):
        raise CommandFailed(
            "nothing names the provider of these tokens",
            fix=("Name it: ", context.again("--provider", "NAME")),
        )
    template = context.settings_named_in(fields).provider
    line = "aws secretsmanager create-secret --name {} --region {} --secret-string file:///dev/stdin"
    new = Command.of(line, context.secret_id, context.region)
    check_refresh_tokens(template, new if creates else context.secret.put_value)
    settings = context.settings_for(with_start_values(template, fields))
    redirect_uri, listens = _find_redirect(context, template, redirect_uri, paste=paste)
    given = None if client_file is None else read_client_file(client_file)
    client, is_new = _find_client(context, settings, fields, given, client_id)
    authorization = build_authorization(
        template,
        fields,
        client=client,
        redirect_uri=redirect_uri,
        endpoint=authorization_endpoint,
        scope=scope,
    )
    _reach_endpoint(context, settings.provider)
    if not yes:  # After all checks of settings: a yes is followed by the browser at once.
        _confirm(context, version, creates=creates)
    if copies is not None:  # Before the browser, likewise.
        described = {} if creates else context.call("DescribeSecret", context.secret_id)
        copies.make(context.secret_id, described.get("KmsKeyId"))
    _prove_writes(context, settings, version)
    if is_new and settings.client_secret_id is not None:
        store_client(context, settings.client_secret_id, client)
        say(f"The client is stored in secret {settings.client_secret_id}, where runs read it.")
    target = Target(
        known=fields_of(version),
        change=add,
        create=partial(_create_secret, context, tags) if creates else None,
        judge=_judge_account(context, {} if another_account else template.account(fields_of(version)), ask=not yes),
    )
    authorization = replace(authorization, again=("begin again: ", context.again()))
    keeps_client = is_new and settings.client_secret_id is None
    complete = partial(_complete, context, authorization, target, keeps_client=keeps_client)
    if listens:
        with RedirectServer(authorization, complete) as server:
            how = "Authorize in the browser. If no browser opens, open this URL on this machine:"
            _show_url(authorization, how)
            with opened(server.start_url, wanted=browser, environment=context.environment):
                server.wait(timeout)
    else:
        _paste(authorization, complete)
    if fleet and index:
        join(context, index, fleet=fleet, secret_id=context.secret_id)
        say(f"The secret is in fleet {fleet}, and due at once.")
    elif index:
        index.look_at(context.arn_of(context.secret_id), index.read_clock())
    return 0


def _reach_endpoint(context: Context, provider: Provider) -> None:
    """Find out that a code could be exchanged from here: a certificate may be one that this machine doesn't trust."""
    endpoint = token_endpoint(provider, client_key_id=None, client=context.run_client)
    if (unreached := endpoint.reach(timeout_seconds=REQUEST_TIMEOUT_SECONDS)) is not None:
        raise CommandFailed(
            f"the token endpoint can't be reached from here ({unreached.seen}), so a consent would bring no tokens",
            fix=(f"{NOT_SENT_FIX[unreached.kind]}, then ", context.again()),
        )


def _find_redirect(context: Context, provider: Provider, given: str | None, *, paste: bool) -> tuple[str, bool]:
    """Return the redirect URI, and whether to wait for the redirect on this machine; an option has precedence."""
    loopback = provider.authorization.redirect.loopback if provider.authorization else None
    uri = given or default_redirect_uri(loopback)
    if uri is not None:
        return uri, can_listen(uri, loopback) and not paste
    is_name = loopback is Loopback.NAME
    accepts = "a name that it gives the registered URL" if is_name else "a redirect to an https URL that you registered"
    raise CommandFailed(
        f"{provider.title} accepts no redirect to this machine, only {accepts}",
        fix=(
            "Nothing has to answer at that URL: the browser ends on it, and you paste its address. With yours: "
            if not is_name
            else "The browser ends on the registered URL, and you paste its address. With your name: ",
            context.again("--paste", "--redirect-uri", "NAME" if is_name else _EXAMPLE),
        ),
    )


def _read_pairs(option: str, given: Sequence[str], *, may_be_empty: bool = False) -> dict[str, str]:
    pairs = [text.partition("=") for text in given]
    if not all(key and equals and (value or may_be_empty) for key, equals, value in pairs):
        raise typer.BadParameter(f"{option} must be KEY=VALUE")
    return {key: value for key, _, value in pairs}


def _find(context: Context, *, create: bool, asks: bool) -> tuple[SecretVersion | None, bool]:
    """Read what the secret holds, and say whether it has to be created."""
    try:
        current = _read_current(context, asks=asks)
    except SecretNotFound as missing:
        # An ARN can't be chosen, and the name of a deleted secret is taken until the deletion is complete.
        if context.secret_id.startswith("arn:") or missing.is_deleted:
            raise
    else:
        return current, False
    regions = [] if create else other_regions(context)
    if regions:
        raise SecretNotFound(
            f"secret {context.secret_id} does not exist in {context.region}, and exists in {', '.join(regions)}",
            fix=(
                *(context.again(region=regions[0]), f". To create another one in {context.region}: "),
                context.again("--create"),
            ),
        )
    return None, True


def _read_current(context: Context, *, asks: bool) -> SecretVersion | None:
    """Read the current version; one that KMS refuses comes without a value, where a person can be asked."""
    store = context.store()
    try:
        return store.read(label=CURRENT)
    except SecretAccessDenied as locked:
        # A new grant needs nothing of the old one, whose key may be deleted.
        if not (locked.by_key and asks):
            raise
        note("What is stored can't be read: ", *locked.parts)
    found = next(entry for entry in store.versions() if CURRENT in entry.labels)
    at, labels = found.created_at, found.labels
    return SecretVersion(
        arn=store.arn, version_id=found.version_id, labels=labels, created_at=at, read_at=at, value=None
    )


def _find_client(
    context: Context,
    settings: Settings,
    fields: dict[str, object],
    given: ClientCredentials | None,
    client_id: str | None,
) -> tuple[ClientCredentials, bool]:
    """Return the client credentials, and whether to store them where runs read them."""
    refuse_white_space(client_id)
    wanted = client_id or (given.client_id if given else None)
    try:
        known = context.run(settings).parts.credentials(base_document(fields, None))
    except ConfigurationError:
        known = None  # They are in none of the three places.
    except SecretNotFound as missing:
        if missing.is_deleted or settings.client_secret_field is not None:
            raise
        known = None
        note("The client goes into a new secret, unless that name is wrong: ", *missing.parts)
    except InvalidSecretDocument as wrong:
        if wanted is None:
            wrong.fix = ("Store them, which takes no consent: ", context.command("client"))
            raise
        known = None
    if known is not None and given is None and wanted in {None, known.client_id}:
        return known, False
    # Those beside the tokens would never be read, and other grants may belong to the client that is there.
    if settings.client_secret_id is not None and (known is not None or settings.client_secret_field is not None):
        raise CommandFailed(
            f"the function reads the client credentials from secret {settings.client_secret_id} (CLIENT_SECRET_ID)",
            fix="Change them there; then run authorize without --client-id and --client-file",
        )
    return given or ask_client(settings, client_id), True


def _confirm(context: Context, version: SecretVersion | None, *, creates: bool) -> None:
    where = f"secret {context.secret_id}"
    if creates:
        confirm(f"{where} does not exist. Create it in {context.region}?")
    if version is None:
        return
    document, lost = document_of(fields_of(version), needs_refresh_token=True), ""
    what = "a token set" if document else "a value that is not a token document"
    if document and document.expires_at:
        what += f" that expires at {utc(document.expires_at)}"
    if version.value is None:
        what = "a value that can't be read"
        lost = " The new tokens replace all of it, with its client credentials and keys of your own, and nothing shows "
        lost += "whose account it was. The old version stays under AWSPREVIOUS, readable once its key works."
    confirm(f"{where} in {context.region} holds {what}, stored at {utc(version.created_at)}.{lost} Replace it?")


def _prove_writes(context: Context, settings: Settings, version: SecretVersion | None) -> None:
    """Find out that what comes can be stored: once the code is exchanged, the provider may have ended the old grant."""
    if version is not None:  # In a secret without a value the probe would become the current one.
        prove_write(context.store())
    published = settings.published_secret_id
    if published is None:
        return
    try:
        copy = context.store(published, setting="PUBLISHED_SECRET_ID")
        if copy.read(label=CURRENT) is not None:
            prove_write(copy)
    except SecretStoreError as failure:
        later = f"The tokens will be stored, and the next run publishes to secret {published}. "
        note(later, *failure.parts)


def _judge_account(context: Context, before: Account, *, ask: bool) -> Callable[[Account, bool], None]:
    """Return what refuses another account than the stored grant's, unless somebody who can be asked says yes."""
    agreed = False

    def judge(found: Account, is_complete: bool) -> None:  # noqa: FBT001 - as Target calls it
        nonlocal agreed
        other = context.again("--another-account")
        try:
            check_account(before, found, is_complete=is_complete, again=("If it is to be that account: ", other))
        except AnotherAccount as differs:
            if not ask:
                raise
            facts = f"The provider authorized {name_account(found)}, and secret {context.secret_id} holds the grant of "
            try:
                if not agreed:
                    confirm(f"{facts}{name_account(before)}. Store the other account's grant in its place?")
            except Cancelled:
                raise differs from None
            agreed = True

    return judge


def _complete(
    context: Context, authorization: AuthorizationRequest, target: Target, redirect: Redirect, *, keeps_client: bool
) -> str:
    """Exchange the code, store the tokens, say so, and give the page for the browser."""
    settings = context.settings_for(target.fields(redirect))
    parts, provider = context.run(settings).parts, settings.provider
    # The provider may have ended the old grant: new tokens that are not stored leave none.
    with finishing("The tokens are stored first."):
        take = partial(read_clock, context)
        stored = complete_authorization(
            parts,
            authorization,
            target,
            redirect,
            take=take,
            keeps_client=keeps_client,
            lost_claim=find_lost_claim(parts, target.known),
        )
    expires_at, account = stored.document.expires_at, provider.account(stored.document.fields)
    say_done(
        "Authorized: the tokens are stored.",
        ("secret", context.secret_id),
        ("region", context.region),
        ("provider", f"{provider.title} ({provider.host})"),
        ("account", name_account(account) if account else None),
        ("version", stored.version_id),
        ("expires", None if expires_at is None else utc(expires_at)),
    )
    say_published(settings, stored)
    claims = claims_a_day(settings.policy.claim_store.kind)
    for finding in lifetime_findings(context, settings, stored.document, claims_a_day=claims):
        note(f"{finding.text[0].upper()}{finding.text[1:]}: ", *finding.remedy)
    say("Next: ", context.command("status"))
    return authorized(context.secret_id, context.command("status"))


def _create_secret(context: Context, tags: Mapping[str, str], value: SecretValue) -> str:
    """Create the secret with its first version, and return that.

    Its tags are those that its name stands for by the convention {app}/{environment}/{service}, and those given.
    """
    version_id, parts, names = str(uuid.uuid4()), context.secret_id.split("/"), ("app", "environment", "service")
    by_name = dict(zip(names, parts, strict=True)) if len(parts) == len(names) else {}
    context.create(
        context.secret_id,
        ClientRequestToken=version_id,
        Description="OAuth 2.0 tokens, refreshed by token-refresh-worker",
        SecretString=value.reveal(),
        Tags=[
            {"Key": key, "Value": text}
            for key, text in sorted({"managed-by": "token-refresh-worker", **by_name, **tags}.items())
        ],
    )
    return version_id


def _paste(authorization: AuthorizationRequest, complete: Callable[[Redirect], str]) -> None:
    _show_url(authorization, "Open this URL in a browser on any machine, and authorize:")
    errors().print("The browser ends on a page that may not load. Copy the whole URL from its address bar.")
    for _ in range(_PASTE_TRIES):
        try:
            redirect = authorization.read_redirect(ask_secret("URL").reveal())
        except ForeignRedirect:
            errors().print(
                "That URL does not belong to this authorization: its code or state is missing or wrong. Copy the whole "
                "URL that the browser ends on after you authorize."
            )
        else:
            complete(redirect)
            return
    tries = f"no URL of this authorization was pasted in {_PASTE_TRIES} tries"
    raise CommandFailed(tries, fix=authorization.again)


def _show_url(authorization: AuthorizationRequest, introduction: str) -> None:
    errors().print(introduction)
    errors().print(text(authorization.url), soft_wrap=True)  # In one line, so that it can be copied.
