"""The tests see none of the settings of the shell that they were started in."""

import json
import os
import subprocess
import sys
from unittest import mock

from testbed.surroundings import for_installing, forget_settings
from token_refresh_worker.run.settings import Variable

SET = dict.fromkeys(Variable, "set") | {
    **dict.fromkeys(("AWS_PROFILE", "AWS_REGION", "AWS_ENDPOINT_URL", "CDK_DEFAULT_REGION"), "set"),
    **dict.fromkeys(("HTTP_PROXY", "https_proxy", "ALL_PROXY"), "http://127.0.0.1:9"),
}


def test_settings_are_left_out() -> None:
    """No setting of AWS, of a proxy or of the worker is left, and what installs packages gets the proxies back."""
    with mock.patch.dict(os.environ, SET):
        forget_settings()
        forget_settings()  # as in a process that pytest starts

        assert set() == SET.keys() & os.environ.keys()
        assert {"HTTP_PROXY", "https_proxy", "ALL_PROXY"} == SET.keys() & for_installing().keys()


def test_pytest_leaves_them_out() -> None:
    """Before the first test begins, they are gone."""
    loaded = "import json, os, conftest; print(json.dumps(sorted(os.environ)))"
    path = os.pathsep.join(filter(None, sys.path))

    printed = subprocess.check_output(  # noqa: S603 - our own
        [sys.executable, "-c", loaded], env=os.environ | SET | {"PYTHONPATH": path}
    )

    assert set() == SET.keys() & set(json.loads(printed))
