"""moto as Secrets Manager in a child process; `python -m testbed.secrets_manager.moto_server` prints its URL."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from testbed.process import Child, announce


class MotoServer(Child):
    """The server, for as long as the `with` block lasts; `url` is what `AWS_ENDPOINT_URL_SECRETS_MANAGER` is set to."""

    def __init__(self) -> None:
        super().__init__("testbed.secrets_manager.moto_server")

    @property
    def url(self) -> str:
        """Where Secrets Manager is."""
        return str(self.announced["url"])


@contextmanager
def moto_here() -> Iterator[str]:
    """Serve all of moto in a thread of this process; give its URL."""
    from moto.server import ThreadedMotoServer  # noqa: PLC0415 - heavy

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def main() -> None:
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app  # noqa: PLC0415 - heavy
    from werkzeug.serving import make_server  # noqa: PLC0415 - likewise

    logging.getLogger("werkzeug").disabled = True  # a line for each request
    # One request at a time: moto's put of a version is not atomic, and Secrets Manager's is.
    server = make_server("127.0.0.1", 0, DomainDispatcherApplication(create_backend_app), threaded=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    announce(url=f"http://127.0.0.1:{server.server_port}")


if __name__ == "__main__":
    main()
