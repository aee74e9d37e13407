import pytest

from testbed.testbed import Testbed

STORES = pytest.mark.parametrize("table", [False, True], ids=["versions", "table"])
WRITES = {"PutSecretValue", "UpdateSecretVersionStage", "UpdateItem"}


def calls(testbed: Testbed) -> list[str]:
    """What was called so far at Secrets Manager and at the claim table."""
    at_table = testbed.table.calls if testbed.table else []
    return [logged.call.operation for logged in (*testbed.store.calls, *at_table)]


@STORES
def test_fresh(*, table: bool) -> None:
    """A run that finds the token fresh makes two calls, and writes nothing."""
    with Testbed(due=False, table=table) as testbed:
        testbed.run({"force": True})
        before = calls(testbed)

        assert "fresh" == testbed.run().name

        assert (2, 1) == (len(calls(testbed)) - len(before), testbed.requests_sent)
        assert sum(call in WRITES for call in before) == sum(call in WRITES for call in calls(testbed))


@STORES
def test_refresh(*, table: bool) -> None:
    """A refresh makes six calls, three of them writes, and stores one version, or two with its claim, day after day."""
    with Testbed(table=table) as testbed:
        for day in range(1, 4):
            # A document that names no store yet costs one read more: claims may be in the secret.
            expected = 7 if table and day == 1 else 6
            before, versions = calls(testbed), len(testbed.secret.versions)

            assert "refreshed" == testbed.run().name

            made = calls(testbed)
            assert (expected, 3, day) == (
                len(made) - len(before),
                sum(call in WRITES for call in made) - sum(call in WRITES for call in before),
                testbed.requests_sent,
            )
            assert (1 if table else 2) == len(testbed.secret.versions) - versions
            testbed.pass_until_due()
