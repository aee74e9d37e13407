"""Many runs at once: several processes, several threads in each; the threads share the clients of their process."""

import os
import sys
import threading
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from typing import Final

from testbed.worker import PROCESSES, SCHEDULED, LambdaContext
from token_refresh.errors import TokenRefreshError
from token_refresh_worker import bootstrap
from token_refresh_worker.handlers import refresh

DEADLINE_SECONDS: Final = 90.0


def contend(environment: Mapping[str, str], *, processes: int, threads: int) -> Counter[str]:
    """Release `processes` times `threads` runs together, and count how they ended."""
    start = PROCESSES.Barrier(processes)
    receivers = []
    started = []
    for number in range(processes):
        receiver, sender = PROCESSES.Pipe(duplex=False)
        request_ids = [f"{number}-{thread}" for thread in range(threads)]
        process = PROCESSES.Process(target=_contend, args=(dict(environment), request_ids, start, sender), daemon=True)
        process.start()
        sender.close()
        receivers.append(receiver)
        started.append(process)
    endings: Counter[str] = Counter()
    for receiver, process in zip(receivers, started, strict=True):
        endings.update(receiver.recv())
        process.join()
    return endings


def _contend(environment: dict[str, str], request_ids: list[str], start: Barrier, endings: Connection) -> None:
    """In a started process: make the client, wait for the other processes, and run all at once."""
    os.environ.clear()
    os.environ.update(environment)
    sys.stdout = open(os.devnull, "w", encoding="ascii")  # noqa: PTH123, SIM115 - hundreds of logs are of no use
    bootstrap.aws_client("secretsmanager")
    together = threading.Barrier(len(request_ids))

    def ending(request_id: str) -> str:
        together.wait()
        try:
            return str(refresh(SCHEDULED, LambdaContext(request_id, DEADLINE_SECONDS))["outcome"])
        except TokenRefreshError as error:
            return type(error).__name__

    start.wait()
    with ThreadPoolExecutor(len(request_ids)) as pool:
        endings.send(list(pool.map(ending, request_ids)))
