"""What botocore knows of the one service that this program calls, loaded with as little work as that takes.

botocore walks the folders of 400 services to know that one is there, and builds ordered dictionaries out of a megabyte
of endpoints. Neither is needed, and both lengthen a cold start (`scripts/bench worker`).
"""

import gzip
import json
from typing import Any

from botocore.loaders import JSONFileLoader, Loader

SERVICE = "secretsmanager"


def one_service_loader() -> Loader:
    """Give a data loader that knows no other service."""
    return _OneService(file_loader=_PlainFiles())


class _OneService(Loader):
    def list_available_services(self, type_name: str) -> list[str]:
        """Give the services that a client may be made of."""
        del type_name
        return [SERVICE]


class _PlainFiles(JSONFileLoader):
    def load_file(self, file_path: str) -> Any:
        """Read into plain dictionaries, which keep their order, too; None where there is no such file."""
        for suffix, opened in ((".json", open), (".json.gz", gzip.open)):
            try:
                with opened(file_path + suffix, "rb") as file:
                    return json.load(file)
            except FileNotFoundError:
                continue
        return None
