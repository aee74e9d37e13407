import re
import subprocess
from typing import Self

import pytest

from demos.fleets.demo import main, play
from demos.fleets.story import STORY, Stage, Step
from playing import DEMO, NO_AWS, demo


def test_story() -> None:
    """A deployed fleet does all that the demo says, the demo says what it changed for that, and exits with 0."""
    subprocess.run([DEMO.with_name("install"), "emulator"], check=True)  # noqa: S603 - what is installed is said
    played = demo("fleet", "--secrets=10", **NO_AWS)

    assert (0, "") == (played.returncode, played.stderr), played.stdout
    for number, step in enumerate(STORY, 1):
        assert f"{number:>2}  {step.title}\n" in played.stdout
    assert "FAILED" not in played.stdout
    introduction = " ".join(played.stdout.partition("\n 1  ")[0].split())
    assert "takes them from the queue to the function" in introduction
    assert "Four conditions of the template are changed" in introduction
    assert f"All {len(STORY)} steps did what they say" in played.stdout
    assert "ok  refreshed by quickbooks, which hangs: 0" in " ".join(played.stdout.split(" "))
    assert [] == re.findall(r"(?:access|refresh|client-secret)-[\w-]{20,}", played.stdout)


def test_what_is_not_so_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A check that doesn't hold, or a step that is cut short, is named at the end, and the exit is 1."""

    def wrong(stage: Stage) -> None:
        stage.check("refreshed", 3, 2)

    def broken(_stage: Stage) -> None:
        raise KeyError("a value that may be secret")

    class Nowhere:
        def __init__(self, secrets: int) -> None:
            self.size = secrets

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *exception: object) -> None:
            pass

    monkeypatch.setattr("demos.fleets.demo.FleetAccount", Nowhere)
    story = [Step(title="Wrong", why="It is.", play=wrong), Step(title="Broken", why="It is.", play=broken)]

    assert 1 == play(10, story=story)

    printed = " ".join(capsys.readouterr().out.split())
    assert "Step 1 (Wrong) did not do what it says: refreshed: expected 3, saw 2" in printed
    assert "Step 2 (Broken) did not do what it says: the step was cut short by KeyError" in printed
    assert "secret." not in printed
    assert "may be secret" not in printed


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    """`--help` says what the demo does, how long it takes, and what its exit codes mean."""
    with pytest.raises(SystemExit, match=r"^0$"):
        main(["--help"])

    printed = capsys.readouterr().out
    assert "one provider hangs, one grant is" in printed
    assert "exit codes: 0 every step did what it says" in printed


@pytest.mark.parametrize("size", ["9", "1001", "many"])
def test_size(size: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A size that the demo can't play is refused before anything is started."""
    with pytest.raises(SystemExit, match=r"^2$"):
        main([f"--secrets={size}"])

    assert "must be a number from 10 to 1000" in capsys.readouterr().err
