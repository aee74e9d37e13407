"""An AWS service as its clients meet it, but for HTTP: one call at a time, a clock, faults, authorization, a log."""

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from testbed.aws.errors import ServiceError
from testbed.aws.faults import Action, Call, Fault, Faults, LoggedCall

Request = Mapping[str, Any]
Response = dict[str, Any]
Authorize = Callable[[Call], str | None]
OnCall = Callable[[str, Call], None]

_REFUSALS = {
    "throttle": ServiceError("ThrottlingException", "Rate exceeded"),
    "unavailable": ServiceError("InternalServiceError", "An error occurred on the server side.", status=500),
}


class RegionalService(ABC):
    """One service in all regions.

    Args:
        region: The default region.
        clock: Unix time in seconds; `clock_offset_seconds` is added to it.
        authorize: Sees every call before it is applied; a reason denies it.
        on_call: Sees every call "before" and "after" it was applied; it may block.
    """

    signing_name: ClassVar[str]

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
        self._clock = clock
        self._lock = threading.Lock()

    def now(self) -> float:
        """Return the service's time, in Unix seconds."""
        return self._clock() + self.clock_offset_seconds

    def fault(
        self, action: Action, operation: str | None = None, *, nth: int = 1, times: int | None = 1, seconds: float = 0.0
    ) -> Fault:
        """Set a fault for the nth call from now on, and `times - 1` after it (None: for all after it)."""
        return self.faults.add(Fault(action=action, operation=operation, nth=nth, times=times, seconds=seconds))

    def call(self, operation: str, request: Request, *, region: str | None = None) -> Response:
        """Carry out an operation, without faults, authorization or log.

        Raises:
            ServiceError: The service refuses.
        """
        with self._lock:
            return self._carry_out(operation, request, region or self.region)

    def handle(self, operation: str, request: Request, *, region: str, access_key_id: str) -> Response | None:
        """Carry out a client's call, with all that a test has set; None: cut its connection.

        Raises:
            ServiceError: The call is refused.
        """
        with self._lock:
            call = self._describe(operation, request, region, access_key_id)
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

    @abstractmethod
    def _carry_out(self, operation: str, request: Request, region: str) -> Response:
        """Carry out an operation; the lock is held."""

    @abstractmethod
    def _describe(self, operation: str, request: Request, region: str, access_key_id: str) -> Call:
        """Describe a client's call without any value; the lock is held."""

    def _stale(self, call: Call, request: Request) -> Response | None:
        """Respond to a client's read from an earlier state, where a test has asked for that; the lock is held."""
        del call, request
        return None

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
                raise self._denied(call)
            case _:
                raise _REFUSALS[fault.action]

    def _applied(self, call: Call, request: Request) -> Response:
        if self.on_call:
            self.on_call("before", call)
        if self.authorize and (reason := self.authorize(call)) is not None:
            raise self._denied(call, reason)
        with self._lock:
            response = self._stale(call, request) or self._carry_out(call.operation, request, call.region)
        if self.on_call:
            self.on_call("after", call)
        return response

    def _denied(self, call: Call, reason: str = "") -> ServiceError:
        """Deny a call as AWS does; a reason of AWS's own begins with `with an explicit deny`."""
        action = f"{self.signing_name}:{call.operation}"
        why = reason if reason.startswith("with ") else f"because no identity-based policy allows the {action} action"
        return ServiceError(
            "AccessDeniedException",
            f"User: arn:aws:iam::123456789012:user/{call.access_key_id} is not authorized to perform: {action} on "
            f"resource: {call.arn or call.secret_id} {why}",
        )
