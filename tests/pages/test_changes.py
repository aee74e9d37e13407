"""The check of what providers have announced: `scripts/providers-calendar`."""

from datetime import UTC, date, datetime, timedelta

import pytest

from pages.changes import Change, changes, main, soon, unseen

DAY = date(2027, 1, 1)
CHANGE = Change(DAY, "shopify", "Tokens expire", "https://example.com", date(2026, 11, 27))


def test_a_change_is_named_90_days_ahead() -> None:
    """A change is announced for 90 days, until it has come; then it is late until its source is read again."""
    announced = {days for days in range(-5, 100) if soon([CHANGE], DAY - timedelta(days=days))}
    late = {days for days in range(-5, 100) if unseen([CHANGE], DAY - timedelta(days=days))}

    assert ({*range(1, 91)}, {*range(-5, 1)}) == (announced, late)
    assert [] == unseen([CHANGE._replace(seen_on=DAY)], DAY + timedelta(days=900))


def test_changes_are_sorted() -> None:
    """The soonest change comes first, and each has a source that was read."""
    found = changes()

    assert found == sorted(found, key=lambda change: change.on)
    assert all(change.source.startswith("https://") for change in found)
    assert {"fitbit", "hubspot", "shopify", "zendesk"} <= {change.provider for change in found}


def test_the_check_fails_for_late_changes_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is announced is a warning in CI; what has come unseen is an error, and the exit status says so."""
    today = datetime.now(UTC).date()
    ahead, late = (CHANGE._replace(on=today + timedelta(days=days), seen_on=date(2026, 1, 1)) for days in (5, -5))
    monkeypatch.setenv("GITHUB_ACTIONS", "true")

    for found, code, said in (
        ([ahead], 0, "::warning::shopify changes on"),
        ([late], 1, "::error::shopify look again"),
    ):
        monkeypatch.setattr("pages.changes.changes", lambda found=found: found)
        with pytest.raises(SystemExit) as ended:
            main()
        assert code == ended.value.code
        assert capsys.readouterr().out.startswith(said)
