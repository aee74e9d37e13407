"""The names of secrets: creating, deleting and creating again under one name."""

import pytest

from testbed.callers.secrets_model import NOW, SECRET, model, version_id
from testbed.secrets_manager.limits import ServiceError
from testbed.secrets_manager.model import SecretsModel


def test_creating_a_secret_again_is_a_repeat() -> None:
    """A creation whose reply was lost can be sent again, with the same version ID and value."""
    made = model()
    before = made.snapshot()

    again = made.call(
        "CreateSecret", {"Name": SECRET, "ClientRequestToken": version_id(0), "SecretString": "canary 0"}, now=NOW + 1
    )

    assert version_id(0) == again["VersionId"]
    assert before == made.snapshot()


def test_a_recreated_secret_has_another_arn() -> None:
    """A secret that was deleted and created again is another one, under the same name."""
    made = model()
    first = made.call("DeleteSecret", {"SecretId": SECRET, "ForceDeleteWithoutRecovery": True}, now=NOW)["ARN"]

    second = made.call("CreateSecret", {"Name": SECRET, "ClientRequestToken": version_id(0)}, now=NOW + 1)["ARN"]

    assert first[:-6] == second[:-6]
    assert first != second
    assert made.find(first) is None


def test_a_name_is_kept_until_its_secret_is_gone() -> None:
    """The name of a secret that is scheduled for deletion is not free."""
    made = model()
    made.call("DeleteSecret", {"SecretId": SECRET}, now=NOW)

    with pytest.raises(ServiceError) as refused:
        made.call("CreateSecret", {"Name": SECRET, "ClientRequestToken": version_id(1)}, now=NOW)

    assert "InvalidRequestException" == refused.value.code
    assert NOW == made.call("DescribeSecret", {"SecretId": SECRET}, now=NOW)["DeletedDate"]


@pytest.mark.parametrize("name", ["", "with space", "semi;colon", "x" * 513])
def test_a_bad_name_is_refused(name: str) -> None:
    """A secret's name has 1 to 512 letters, digits and -/_+=.@! only."""
    with pytest.raises(ServiceError) as refused:
        SecretsModel().call("CreateSecret", {"Name": name, "ClientRequestToken": version_id(0)}, now=NOW)

    assert "ValidationException" == refused.value.code
