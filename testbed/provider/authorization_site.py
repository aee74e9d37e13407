"""The process behind `testbed.provider.authorization_server`: a Django site without a project, in memory.

The toolkit's own views respond at the paths that Upwork uses; `/control/` is the rig's.
"""

import argparse
import json
import logging
import secrets
import socketserver
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.core.management import call_command
from django.db.models import F
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import include, path
from django.utils import timezone

from testbed.process import announce

_AUTHORIZATION_PATH = "ab/account-security/oauth2/authorize"
_TOKEN_PATH = "api/v3/oauth2/token"
_REVOCATION_PATH = "api/v3/oauth2/revoke"
_API_PATH = "api/v3/me"
_CALLBACKS = ("http://127.0.0.1/callback", "http://[::1]/callback")
# The toolkit's own page, in a frame that loads nothing from elsewhere.
_FRAME = "<!doctype html><title>{{ application.name }}</title>{% block content %}{% endblock %}"
_APPS = ("auth", "contenttypes", "oauth2_provider")

_requests: list[dict[str, Any]] = []
_gateway: list[str] = []
"""Where the gateway fails the next token requests: see `_behind_gateway`."""
_companies: list[str] = []
"""The company that the user chooses on the page, once one is set: its redirects name it, as Intuit's do."""


def _count_token_requests(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Keep grant type, status and `resource` of each token request, and no token."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if request.path == f"/{_TOKEN_PATH}":
            error = json.loads(response.content).get("error") if response.status_code >= 400 else None
            asked = {name: request.POST.get(name) for name in ("grant_type", "resource")}
            _requests.append({**asked, "status": response.status_code, "error": error})
        return response

    return middleware


def _name_company(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Add `realmId` to a redirect that has a code."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if any(_companies[-1:]) and "code=" in response.headers.get("Location", ""):
            response.headers["Location"] += f"&realmId={_companies[-1]}"
        return response

    return middleware


def _log_in(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Take every browser for that of the one user, whose consent alone is asked for."""

    def middleware(request: HttpRequest) -> HttpResponse:
        from django.contrib.auth.models import User  # noqa: PLC0415 - importable only once Django is set up

        request.user = User.objects.get()
        return get_response(request)

    return middleware


def _configure(*, access_token_seconds: int, grace_seconds: int, rotates: bool) -> None:
    settings.configure(
        SECRET_KEY=secrets.token_urlsafe(32),
        ALLOWED_HOSTS=["127.0.0.1"],
        USE_TZ=True,
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "oauth2_provider"],
        MIGRATION_MODULES=dict.fromkeys(_APPS),  # tables are made from the models, in a fraction of the time
        MIDDLEWARE=[f"{__name__}.{name}" for name in ("_count_token_requests", "_name_company", "_log_in")],
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "OPTIONS": {
                    "loaders": [
                        ("django.template.loaders.locmem.Loader", {"oauth2_provider/base.html": _FRAME}),
                        "django.template.loaders.app_directories.Loader",
                    ]
                },
            }
        ],
        LOGGING_CONFIG=None,
        OAUTH2_PROVIDER={
            "ACCESS_TOKEN_EXPIRE_SECONDS": access_token_seconds,
            "ROTATE_REFRESH_TOKEN": rotates,
            "REFRESH_TOKEN_GRACE_PERIOD_SECONDS": grace_seconds,
            "REFRESH_TOKEN_REUSE_PROTECTION": grace_seconds == 0,
            "SCOPES": {
                "read": "Read your contracts and messages",
                "com.intuit.quickbooks.accounting": "Read and write the books of a company",
            },
            "DEFAULT_SCOPES": ["read"],
            "COMPLIANT_BCP_RFC9700_AUTHZ_RESPONSE_ISS": True,
        },
    )
    logging.getLogger("django.request").setLevel(logging.ERROR)  # a refused request is counted, not printed
    django.setup()


def _register(redirect_uris: Iterable[str]) -> dict[str, str]:
    """Make the tables, the user and the client, and return the client's credentials."""
    from django.contrib.auth.models import User  # noqa: PLC0415 - importable only once Django is set up
    from oauth2_provider.models import Application  # noqa: PLC0415 - likewise

    call_command("migrate", run_syncdb=True, verbosity=0)
    client = {"client_id": secrets.token_hex(16), "client_secret": secrets.token_urlsafe(24)}
    Application.objects.create(
        **client,
        hash_client_secret=False,  # slow on purpose, where what is stored has to be kept safe
        name="token-refresh-worker",
        user=User.objects.create_user("owner"),
        client_type=Application.CLIENT_CONFIDENTIAL,
        authorization_grant_type=Application.GRANT_AUTHORIZATION_CODE,
        redirect_uris=" ".join((*_CALLBACKS, *redirect_uris)),
    )
    return client


def _views(client: dict[str, str]) -> tuple[Any, ...]:
    from oauth2_provider.models import AccessToken, RefreshToken  # noqa: PLC0415 - importable only once Django is set up
    from oauth2_provider.urls import metadata_urlpatterns  # noqa: PLC0415 - likewise
    from oauth2_provider.views import AuthorizationView, RevokeTokenView, TokenView  # noqa: PLC0415 - likewise

    def revoke(request: HttpRequest) -> HttpResponse:
        one = {"token": request.POST["refresh_token"]} if "refresh_token" in request.POST else {}
        revoked = RefreshToken.objects.filter(**one)
        AccessToken.objects.filter(refresh_token__in=revoked).delete()
        revoked.delete()
        return JsonResponse({})

    def accepts(request: HttpRequest) -> HttpResponse:
        one = {"token": request.POST["refresh_token"]} if "refresh_token" in request.POST else {}
        return JsonResponse({"accepted": RefreshToken.objects.filter(**one, revoked=None).exists()})

    def let_pass(request: HttpRequest) -> HttpResponse:
        ago = timedelta(seconds=int(request.POST["seconds"]))
        RefreshToken.objects.exclude(revoked=None).update(revoked=F("revoked") - ago)
        AccessToken.objects.update(expires=F("expires") - ago)
        return JsonResponse({})

    def fail_next(request: HttpRequest) -> HttpResponse:
        _gateway.append(request.POST["when"])
        return JsonResponse({})

    def choose(request: HttpRequest) -> HttpResponse:
        _companies.append(request.POST["company"])
        return JsonResponse({})

    def api(request: HttpRequest) -> HttpResponse:
        bearer = request.headers.get("Authorization", "").removeprefix("Bearer ")
        live = AccessToken.objects.filter(token=bearer, expires__gt=timezone.now())
        return JsonResponse({}, status=200 if live.exists() else 401)

    # By these names the metadata finds them (RFC 8414, RFC 9728).
    of_the_toolkit = (
        *metadata_urlpatterns,
        path(_AUTHORIZATION_PATH, AuthorizationView.as_view(), name="authorize"),
        path(_TOKEN_PATH, TokenView.as_view(), name="token"),
        path(_REVOCATION_PATH, RevokeTokenView.as_view(), name="revoke-token"),
    )
    return (
        path(_API_PATH, api),
        path("", include((of_the_toolkit, "oauth2_provider"))),
        path("control/client", lambda _: JsonResponse(client)),
        path("control/requests", lambda _: JsonResponse(_requests, safe=False)),
        path("control/revoke", revoke),
        path("control/accepts", accepts),
        path("control/pass", let_pass),
        path("control/gateway", fail_next),
        path("control/choose", choose),
    )


class _Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = 128

    def server_bind(self) -> None:
        """Do without the look-up of the host's name, which can take long."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", self.server_address[1]
        self.setup_environ()


class _Handler(WSGIRequestHandler):
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by the class that calls it
        """Say nothing: what was asked is counted, not printed."""


def _behind_gateway(application: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
    """Respond with 503 to a token request `before` the endpoint has seen it, or `after` it has redeemed; or `wrap`."""

    def respond(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
        fails = _gateway.pop(0) if _gateway and environ["PATH_INFO"] == f"/{_TOKEN_PATH}" else None
        if fails != "before":
            body = application(environ, start_response if fails is None else lambda *_: None)
        if fails is None:
            return body
        if fails == "wrap":
            start_response("200 OK", [("Content-Type", "application/json")])
            return [b'{"data": %s}' % b"".join(body)]
        start_response("503 Service Unavailable", [("Content-Type", "text/html")])
        return [b"<h1>503 Service Unavailable</h1>"]

    return respond


def _application(options: argparse.Namespace) -> Callable[..., Iterable[bytes]]:
    _configure(
        access_token_seconds=options.access_token_seconds,
        grace_seconds=options.grace_seconds,
        rotates=not options.keeps_refresh_token,
    )
    settings.ROOT_URLCONF = _views(_register(options.redirect_uri))
    return _behind_gateway(WSGIHandler())


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m testbed.provider.authorization_server", description=__doc__)
    parser.add_argument("--access-token-seconds", type=int, default=86_400)
    parser.add_argument("--grace-seconds", type=int, default=86_400)
    parser.add_argument("--keeps-refresh-token", action="store_true")
    parser.add_argument("--redirect-uri", action="append", default=[])
    options = parser.parse_args()
    # Sockets are read in threads of their own, so that a browser's idle connection holds nobody up. Django works in
    # this one thread: the database in memory belongs to it, and requests are handled one after the other.
    django_thread = ThreadPoolExecutor(max_workers=1)
    application = django_thread.submit(_application, options).result()
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.set_app(lambda *call: django_thread.submit(application, *call).result())
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        announce(
            issuer=url,
            authorization_endpoint=f"{url}/{_AUTHORIZATION_PATH}",
            token_endpoint=f"{url}/{_TOKEN_PATH}",
            api=f"{url}/{_API_PATH}",
            control=f"{url}/control",
        )
