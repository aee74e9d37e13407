import os
import re
from pathlib import Path

import pytest

from demos.webhook_story import STORY
from demos.webhooks import play
from playing import DEMO, NO_AWS, demo, handler_of

CREDULOUS = """
    def handler(event, context):
        return {"statusCode": 200, "headers": {}, "body": ""}
"""
TALKATIVE = """
    from webhook_router import handler as router

    def handler(event, context):
        print(event["body"])
        return router(event, context)
"""


def test_story() -> None:
    """The demo says what it is about, plays every step, each does what it says, and it exits with 0, without AWS."""
    played = demo("webhooks", "--logs", **NO_AWS)

    assert (0, "") == (played.returncode, played.stderr)
    assert played.stdout.startswith("token-refresh-worker: a receiver of webhooks. ")
    for number, step in enumerate(STORY, 1):
        assert f"{number:>2}  {step.title}\n" in played.stdout
    assert "FAILED" not in played.stdout
    assert f"All {len(STORY)} steps did what they say" in played.stdout
    assert '"event": "webhook"' in played.stdout
    # Neither a secret nor a signature nor a digest: those have 32 hexadecimal digits at least, and no hyphens.
    assert [] == re.findall(r"[0-9a-f]{32,}|whsec_\w+", played.stdout)


def test_credulous_handler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A handler that says 200 to everything is found out: each step names what was not so, and the exit is 1."""
    played = demo("webhooks", "--handler", handler_of(CREDULOUS, tmp_path, monkeypatch))

    assert (1, "") == (played.returncode, played.stderr)
    lines = " ".join(played.stdout.split())
    assert "Step 4 (Forged deliveries are refused) did not do what it says: not so: every response is 401" in lines
    assert "Step 1 (Signed deliveries are queued) did not do what it says: messages that the queue took" in lines


def test_talkative_handler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A handler that prints what it gets fails the last step, though all else went well."""
    monkeypatch.setenv("PYTHONPATH", str(DEMO.parents[1] / "examples"), prepend=os.pathsep)

    code = play(handler_of(TALKATIVE, tmp_path, monkeypatch))

    lines = " ".join(capsys.readouterr().out.split())
    assert 1 == code
    assert "(No secret was printed) did not do what it says: of these were found in logs" in lines
    assert 1 == lines.count("did not do what it says:")
