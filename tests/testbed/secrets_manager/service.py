"""Secrets Manager as its clients meet it, but for HTTP: regions, one call at a time, faults, authorization, a log."""

import threading
import time
from collections.abc import Callable
from typing import Any

from testbed.secrets_manager.faults import Action, Call, Fault, Faults, LoggedCall
from testbed.secrets_manager.limits import ServiceError
from testbed.secrets_manager.model import Request, Response, SecretsModel

Authorize = Callable[[Call], str | None]
OnCall = Callable[[str, Call], None]

_REFUSALS = {
    "throttle": ServiceError("ThrottlingException", "Rate exceeded"),
    "unavailable": ServiceError("InternalServiceError", "An error occurred on the server side.", status=500),
}


class SecretsService:
    """The secrets of all regions, each region with its own.

    Args:
        region: The region of `secrets`.
        clock: Unix time in seconds; `clock_offset_seconds` is added to it.
        authorize: Decides on every call before it is applied: a reason (for the log's reader) denies it.
        on_call: Is told of every call, with "before" and "after" it was applied; it may block.
    """

    def __init__(
        self,
        *,
        region: str = "eu-central-1",
        clock: Callable[[], float] = time.time,
        authorize: Authorize | None = None,
        on_call: OnCall | None = None,
    ) -> None:
        self.region = region
        self.clock_offset_seconds = 0.0
        self.authorize = authorize
        self.on_call = on_call
        self.faults = Faults()
        self.calls: list[LoggedCall] = []
        self.secrets = SecretsModel(region)
        self._regions = {region: self.secrets}
        self._clock = clock
        self._lock = threading.Lock()

    def now(self) -> float:
        """Return the service's time, in Unix seconds."""
        return self._clock() + self.clock_offset_seconds

    def fault(
        self,
        action: Action,
        operation: str | None = None,
        *,
        nth: int = 1,
        times: int | None = 1,
        seconds: float = 0.0,
    ) -> Fault:
        """Set a fault for the nth call from now on, and `times - 1` after it (None: for all after it)."""
        return self.faults.add(Fault(action=action, operation=operation, nth=nth, times=times, seconds=seconds))

    def call(self, operation: str, request: Request, *, region: str | None = None) -> Response:
        """Carry out an operation, without faults, authorization or log.

        Raises:
            ServiceError: The service refuses.
        """
        with self._lock:
            name = region or self.region
            model = self._regions.setdefault(name, SecretsModel(name))
            return model.call(operation, request, now=self.now())

    def handle(self, operation: str, request: Request, *, region: str, access_key_id: str) -> Response | None:
        """Carry out a client's call, with all that a test has set; None: its connection is to be cut.

        Raises:
            ServiceError: The call is refused.
        """
        call = self._described(operation, request, region, access_key_id)
        fault = self.faults.striking(operation)
        outcome: str = fault.action if fault else "ok"
        try:
            response = self._with_fault(call, request, fault)
            if response is not None:
                outcome = "ok"
        except ServiceError as error:
            outcome = error.code
            raise
        finally:
            with self._lock:
                self.calls.append(LoggedCall(call=call, outcome=outcome))
            if fault:
                fault.reached.set()
                fault.over.set()
        return response

    def _with_fault(self, call: Call, request: Request, fault: Fault | None) -> Response | None:
        match fault:
            case None:
                return self._applied(call, request)
            case Fault(action="drop_before"):
                return None
            case Fault(action="drop_after"):
                self._applied(call, request)
                return None
            case Fault(action="hold_before"):
                fault.hold()
                return self._applied(call, request) if fault.applies else None
            case Fault(action="hold_after"):
                response = self._applied(call, request)
                fault.hold()
                return response
            case Fault(action="delay"):
                fault.delay()
                return self._applied(call, request)
            case Fault(action="deny"):
                raise _denied(call)
            case _:
                raise _REFUSALS[fault.action]

    def _applied(self, call: Call, request: Request) -> Response:
        if self.on_call:
            self.on_call("before", call)
        if self.authorize and self.authorize(call) is not None:
            raise _denied(call)
        response = self.call(call.operation, request, region=call.region)
        if self.on_call:
            self.on_call("after", call)
        return response

    def _described(self, operation: str, request: Request, region: str, access_key_id: str) -> Call:
        secret_id = request.get("SecretId", request.get("Name"))
        stage, stages = request.get("VersionStage"), request.get("VersionStages", ())
        with self._lock:
            model = self._regions.get(region)
            secret = model.find(secret_id) if model and secret_id else None
        return Call(
            operation=operation,
            region=region,
            access_key_id=access_key_id,
            secret_id=secret_id,
            arn=secret.arn if secret else None,
            version_id=_version_id(request),
            version_stages=(stage,) if stage else tuple(stages),
        )


def _version_id(request: Request) -> str | None:
    members = ("VersionId", "ClientRequestToken", "MoveToVersionId", "RemoveFromVersionId")
    found: Any = next((request[member] for member in members if member in request), None)
    return found if isinstance(found, str) else None


def _denied(call: Call) -> ServiceError:
    action = f"secretsmanager:{call.operation}"
    return ServiceError(
        "AccessDeniedException",
        f"User: arn:aws:iam::123456789012:user/{call.access_key_id} is not authorized to perform: {action} on resource:"
        f" {call.arn or call.secret_id} because no identity-based policy allows the {action} action",
    )
