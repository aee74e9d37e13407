"""Members of a response are of the type that they should be, or the response is malformed."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from token_refresh.aws.responses import (
    MalformedResponse,
    arn_member,
    member,
    optional_member,
    service_time,
    time_member,
    version_member,
)

EAST, WEST = timezone(timedelta(hours=14)), timezone(timedelta(hours=-12))


def malformed(read: Any, *arguments: Any) -> str:
    with pytest.raises(MalformedResponse) as caught:
        read(*arguments)
    return caught.value.member


@pytest.mark.parametrize("response", [{}, {"Name": None}, {"Name": 1}, None, [], "Name"])
def test_a_missing_member_is_malformed(response: object) -> None:
    """A member that is missing, null or of another type is named; so is one of a response that is not an object."""
    assert "Name" == malformed(member, response, "Name", str)


def test_an_optional_member_may_be_missing() -> None:
    """Missing and null are the same, and another type is malformed."""
    assert (None, None, "x") == tuple(optional_member(r, "Name", str) for r in ({}, {"Name": None}, {"Name": "x"}))
    assert "Name" == malformed(optional_member, {"Name": 1}, "Name", str)
    assert "Name" == malformed(optional_member, [], "Name", str)


@pytest.mark.parametrize("version_id", ["", "a b", "x" * 65, "\x1b[2J", "é", "\ud800", 1, None])
def test_a_version_id_looks_like_one(version_id: object) -> None:
    """Messages and logs show a version ID, so nothing else may be in its place."""
    assert "VersionId" == malformed(version_member, {"VersionId": version_id})


@pytest.mark.parametrize("arn", ["tokens", "arn:", "arn:a b", "arn:\x1b", "arn:" + "x" * 2045, 1])
def test_an_arn_looks_like_one(arn: object) -> None:
    """Later calls and messages use the ARN of a response."""
    assert "ARN" == malformed(arn_member, {"ARN": arn})


@pytest.mark.parametrize(
    "moment",
    [
        datetime.max.replace(tzinfo=WEST),
        datetime.min.replace(tzinfo=EAST),
        datetime(1972, 12, 31, tzinfo=UTC),
        datetime(5138, 1, 1, tzinfo=UTC),
        datetime(9999, 12, 31),  # noqa: DTZ001 - naive on purpose
        1_700_000_000,
        "2026-11-24",
        None,
    ],
)
def test_a_time_is_one_that_secrets_have(moment: object) -> None:
    """Times near the ends of the calendar overflow where a lifetime is added."""
    assert "CreatedDate" == malformed(time_member, {"CreatedDate": moment}, "CreatedDate")


def test_a_time_is_given_in_utc() -> None:
    """Whatever zone the client gives, and UTC where it gives none."""
    expected = datetime(2026, 11, 24, 12, tzinfo=UTC)
    for moment in (expected.astimezone(EAST), expected.replace(tzinfo=None)):
        found = time_member({"CreatedDate": moment}, "CreatedDate")
        assert (expected, UTC) == (found, found.tzinfo)


@pytest.mark.parametrize(
    "date",
    [
        "x",
        "Tue, 24 Nov 99999999999999999999 12:00:00 GMT",
        "Tue, 24 Nov 2026 99999999999999999999:00:00 GMT",
        "Tue, 24 Nov 2026 12:00:00 -99999999999999999999",
        "Fri, 31 Dec 9999 23:59:59 -1200",
        "Thu, 01 Jan 1970 00:00:00 GMT",
        5,
    ],
)
def test_a_date_is_one_that_services_send(date: object) -> None:
    """A header without a date from 1973 to 5138 is malformed; a claim would be timed by it."""
    assert "Date" == malformed(service_time, {"ResponseMetadata": {"HTTPHeaders": {"date": date}}})


def test_the_service_tells_the_time() -> None:
    """The header counts; without it the time is not known, whatever this machine's clock says."""
    headers = {"date": "Tue, 24 Nov 2026 12:00:00 GMT"}
    expected = datetime(2026, 11, 24, 12, tzinfo=UTC)
    assert expected == service_time({"ResponseMetadata": {"HTTPHeaders": headers}})
    without: list[dict[str, Any]] = [{}, {"ResponseMetadata": {}}, {"ResponseMetadata": {"HTTPHeaders": {}}}]
    for response in without:
        assert "Date" == malformed(service_time, response)
    assert "Date" == malformed(service_time, {"ResponseMetadata": {"HTTPHeaders": []}})
