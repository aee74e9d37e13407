import json
import os
import shutil
import subprocess
import uuid
from pathlib import Path
from typing import Any

from printed.blocks import ROOT, commands
from testbed.aws_lambda.function import SCHEDULED_EVENT
from testbed.emulator import ACCOUNT, REGION, Emulator, without_unsupported
from testbed.synthesis import plain_templates

PAGE = ROOT / "docs" / "beside-another-stack.md"


def test_the_page_s_commands_deploy(emulator: Emulator, aws: Path, code: Path, tmp_path: Path) -> None:
    """The page's two commands, in a folder with template and zip, deploy a function that reads its own secret."""
    parameters = plain_templates()["single"]["Parameters"]
    template = without_unsupported(plain_templates()["single"]) | {"Parameters": parameters}
    (tmp_path / "token-refresh-single.template.json").write_text(json.dumps(template))
    shutil.copy(code, tmp_path)
    name = f"plain-{uuid.uuid4().hex[:8]}"
    storage: Any = emulator.client("s3")
    storage.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    environment = {
        "PATH": f"{aws}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "AWS_ENDPOINT_URL": emulator.url,
        "AWS_ACCESS_KEY_ID": ACCOUNT,
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
    }

    upload, deploy = [line.replace("BUCKET", name) for line in commands(PAGE) if "BUCKET" in line]
    for line in (upload, f"{deploy} Name={name} TokenSecretName={name}".replace("token-refresh-prod", name)):
        done = subprocess.run(
            ["/bin/sh", "-c", line], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert 0 == done.returncode, done.stdout + done.stderr

    invoked = emulator.client("lambda").invoke(FunctionName=name, Payload=json.dumps(SCHEDULED_EVENT))
    assert f"token-refresh authorize {name}" in invoked["Payload"].read().decode()
    subscribed: Any = emulator.client("sns").list_subscriptions()["Subscriptions"]
    assert "you@example.com" in [subscription["Endpoint"] for subscription in subscribed]
    schedule: Any = emulator.client("scheduler").get_schedule(Name=name, GroupName=name)
    assert "rate(30 minutes)" == schedule["ScheduleExpression"]
