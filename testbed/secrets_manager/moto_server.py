"""moto as Secrets Manager in a child process; `python -m testbed.secrets_manager.moto_server` prints its URL."""

from __future__ import annotations

import logging
import threading

from testbed.process import Child, announce


class MotoServer(Child):
    """The server, for as long as the `with` block lasts; `url` is what `AWS_ENDPOINT_URL_SECRETS_MANAGER` is set to."""

    def __init__(self) -> None:
        super().__init__("testbed.secrets_manager.moto_server")

    @property
    def url(self) -> str:
        """Where Secrets Manager is."""
        return str(self.announced["url"])


def main() -> None:
    """Serve until standard input ends."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app  # noqa: PLC0415 - heavy
    from werkzeug.serving import make_server  # noqa: PLC0415 - likewise

    logging.getLogger("werkzeug").disabled = True  # a line for each request
    # One request at a time: moto's put of a version is not atomic, and Secrets Manager's is.
    server = make_server("127.0.0.1", 0, DomainDispatcherApplication(create_backend_app), threaded=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    announce(url=f"http://127.0.0.1:{server.server_port}")


if __name__ == "__main__":
    main()
