import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.loaders import create_loader

from token_refresh.adapters.service_data import SERVICE, one_service_loader


@pytest.mark.parametrize("name", ["endpoints", "partitions", "sdk-default-configuration"])
def test_what_is_loaded_is_what_botocore_loads(name: str) -> None:
    """Plain dictionaries hold what botocore's ordered ones do, in the same order."""
    assert json.dumps(create_loader().load_data(name)) == json.dumps(one_service_loader().load_data(name))


@pytest.mark.parametrize("kind", ["service-2", "endpoint-rule-set-1"])
def test_the_service_is_loaded_as_botocore_loads_it(kind: str) -> None:
    """The service's own model, which botocore ships compressed or not, is the same, too."""
    expected = create_loader().load_service_model(SERVICE, kind)

    assert json.dumps(expected) == json.dumps(one_service_loader().load_service_model(SERVICE, kind))


def clients() -> Iterator[Any]:
    for loader in (create_loader(), one_service_loader()):
        session = botocore.session.Session()
        session.register_component("data_loader", loader)
        for region in ("us-east-1", "eu-central-1", "cn-north-1", "us-gov-west-1", "eu-isoe-west-1"):
            yield session.create_client(SERVICE, region_name=region)


def test_a_client_calls_where_botocore_s_own_would() -> None:
    """In every partition the endpoint and the actions are those of a client that botocore makes by itself."""
    made = [(client.meta.endpoint_url, sorted(client.meta.method_to_api_mapping)) for client in clients()]
    half = len(made) // 2

    assert made[:half] == made[half:]
    assert "https://secretsmanager.cn-north-1.amazonaws.com.cn" in {url for url, _ in made}


@pytest.mark.parametrize("suffix", [".json", ".json.gz"])
def test_both_kinds_of_file_are_read(suffix: str, tmp_path: Path) -> None:
    """A model may lie there compressed; one that isn't there at all is none."""
    text = b'{"b": 1, "a": 2}'
    (tmp_path / f"data{suffix}").write_bytes(gzip.compress(text) if suffix.endswith("gz") else text)
    files = one_service_loader().file_loader

    assert {"b": 1, "a": 2} == files.load_file(str(tmp_path / "data"))
    assert files.load_file(str(tmp_path / "absent")) is None
