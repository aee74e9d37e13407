"""Every command in a message can be copied into a shell, whatever the values in it are."""

import json
import re
import shlex
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from itertools import product
from types import SimpleNamespace
from typing import Any, Final

import pytest
from botocore.exceptions import ClientError

from testbed.fakes import FakeClock
from token_refresh.advice import Command
from token_refresh.aws.causes import Cause, FailedCall
from token_refresh.aws.errors import named_error
from token_refresh.aws.request import AwsRequest
from token_refresh.errors import InvalidSecretDocument, TokenRefreshError
from token_refresh.reader.secret import Secret
from token_refresh.webhooks.remedy import how_to_correct
from token_refresh_worker.adapters.secrets_manager import SecretsManagerSecret
from token_refresh_worker.adapters.table import with_whereabouts
from token_refresh_worker.adapters.table_claims import TableClaims
from token_refresh_worker.core.locked import VersionEntry
from token_refresh_worker.core.steps import AwaitOutcome, Rejected, SettingsMismatch, TokenUsed
from token_refresh_worker.oauth.response import FailedRequest, FailureKind
from token_refresh_worker.run import failures, grant_failures
from token_refresh_worker.run.failures import SecretName
from token_refresh_worker.run.ports import Deadline
from token_refresh_worker.stored.origin import ClaimStoreKind

TAME: Final = "VALUE"
HOSTILE: Final = 'it\'s "x" `id` $(touch pwned); rm -rf ~ & # \\ {} {0} %s\n\u202e'
NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)


def of_a_run(value: str) -> list[TokenRefreshError]:
    """Each error of a run, about a secret, a region, a host and a response that are all named by the value."""
    secret = SecretName(secret_id=value, region=value)
    claim = VersionEntry(version_id=value, labels=frozenset(), created_at=NOW, keys=(value,))
    requests = [
        grant_failures.failed_request(secret, FailedRequest(kind=kind, seen=value), value, unsure=unsure, sent=2)
        for kind, unsure in product(FailureKind, (False, True))
    ]
    return [
        failures.no_value(secret),
        failures.unreadable_document(secret, value, InvalidSecretDocument(value)),
        failures.unreadable_document(secret, value, InvalidSecretDocument(value, fix="Correct that key")),
        failures.too_large(secret, 1),
        failures.mismatch(secret, SettingsMismatch("TOKEN_ENDPOINT", value, value)),
        *(failures.mismatch(secret, SettingsMismatch("CLAIM_TABLE", kind, kind)) for kind in ClaimStoreKind),
        grant_failures.dead_grant(secret, Rejected(NOW, NOW), value),
        grant_failures.dead_grant(secret, TokenUsed(NOW)),
        *(grant_failures.unknown_outcome(secret, AwaitOutcome(NOW, NOW, value), locked) for locked in (None, claim)),
        failures.version_locked(secret, None, value, (), what=value),
        failures.not_stored(secret, value),
        *requests,
    ]


def of_aws(value: str) -> list[TokenRefreshError]:
    """Each error of AWS, about each kind of thing."""
    kinds = ("secret", "parameter", "table", "fleet table", "function", "key", "queue", "")
    settings, references = (None, "CLIENT_SECRET_ID"), (None, f"amplify:{value}")
    return [
        named_error(
            FailedCall(cause=cause, code="SomeCode"),
            with_whereabouts(AwsRequest("lambda:Some", value, value, kind, setting=setting, reference=reference)),
        )
        for cause, kind, setting, reference in product(Cause, kinds, settings, references)
    ]


def of_webhooks(value: str) -> list[TokenRefreshError]:
    """What to do about a wrong signing secret, with and without one before it."""
    return [
        TokenRefreshError("wrong", fix=how_to_correct(secrets))
        for reference in (value, f"ssm:{value}", f"amplify:{value}", f"env:{value}")
        for secrets in (
            [Secret(secret_id=reference, version_id=value, created_at=NOW, value="x")],
            [
                Secret(secret_id=reference, version_id=version, created_at=NOW, value="x")
                for version in (value, value * 2)
            ],
        )
    ]


def of_adapters(value: str) -> list[TokenRefreshError]:
    """What to do about an unreadable claim, and about a version that the store doesn't know."""

    def refuse(**_: object) -> None:
        raise ClientError(
            {"Error": {"Code": "ResourceNotFoundException", "Message": "the specified secret value"}},
            "UpdateSecretVersionStage",
        )

    item = {"Item": {"claim_id": {"S": "x"}}, "ResponseMetadata": {"HTTPHeaders": {"date": format_datetime(NOW)}}}
    client: Any = SimpleNamespace(
        meta=SimpleNamespace(region_name=value), get_item=lambda **_: item, update_secret_version_stage=refuse
    )
    over = Deadline(clock=FakeClock(), at=-1.0)
    return [
        raised(TableClaims(client, value, lambda: value, over).newest),
        raised(lambda: SecretsManagerSecret(client, value, over).move_label("L", to=value, remove_from=None)),
    ]


def raised(call: Callable[[], object]) -> TokenRefreshError:
    with pytest.raises(TokenRefreshError) as caught:
        call()
    return caught.value


def commands(error: TokenRefreshError) -> list[Command]:
    return [part for part in error.parts if isinstance(part, Command)]


def expected(word: str) -> str:
    """What a hostile value makes of a word; a line break and a mark that turns the text around are replaced."""
    if word.startswith("{"):  # JSON within the word
        return word.replace(TAME, json.dumps(HOSTILE)[1:-1])
    return re.sub(r"[\n\u202e]", "�", word.replace(TAME, HOSTILE))


@pytest.mark.parametrize("errors", [of_a_run, of_aws, of_webhooks, of_adapters])
def test_a_hostile_value_stays_in_its_words(errors: Callable[[str], list[TokenRefreshError]]) -> None:
    """A shell reads each printed command, one line, as the words that are meant, also of a value with shell code."""
    for tame, hostile in zip(errors(TAME), errors(HOSTILE), strict=True):
        lines = [str(command) for command in commands(hostile)]

        assert [list(map(expected, shlex.split(str(command)))) for command in commands(tame)] == [
            shlex.split(line) for line in lines
        ]
        assert [line.splitlines() for line in lines] == [[line] for line in lines]
    # No message has a command that is written into its text, where nothing would quote a value.
    texts = {part for error in errors(TAME) for part in error.parts if isinstance(part, str)}
    assert set() == {text for text in texts if "`" in text or re.search(r"\b(token-refresh|aws|npx) [a-z]", text)}


def test_every_message_of_a_run_has_a_command() -> None:
    """Each error of a run says which command fixes it."""
    assert [] == [str(error) for error in of_a_run(TAME) if not commands(error)]
