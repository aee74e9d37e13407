import re
from pathlib import Path

import pytest

from token_refresh_infra.common import CommonParameters
from token_refresh_infra.context import ParameterError
from token_refresh_infra.deployment_file import FOLDER, read_deployment
from token_refresh_infra.modes import parameters_of
from token_refresh_infra.single.parameters import SingleParameters


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.toml").write_text(text)
    return folder


def read(name: str, folder: Path, **overrides: str) -> SingleParameters:
    _, parameters = read_deployment(name, overrides, folder=folder)
    assert isinstance(parameters, SingleParameters)
    return parameters


def test_file_and_context_say_the_same(tmp_path: Path) -> None:
    """A file is read by the rules of the command line: the same names, values, defaults and refusals."""
    folder = write(tmp_path, prod='tracing = true\nschedule_minutes = 20\nalarm_email = "a@b"\nlog_retention_days = 30')

    assert read("prod", folder) == parameters_of(
        {"environment": "prod", "tracing": "true", "schedule_minutes": "20", "alarm_email": "a@b"}
        | {"log_retention_days": "30"}
    )


def test_a_file_and_its_neighbours(tmp_path: Path) -> None:
    """A file's name or path is a deployment, which never takes over the stack of one in the files beside it."""
    second = 'environment = "prod"\ntoken_secret = "xero"\n'
    folder = write(tmp_path, prod="", broken="memory_mb = 1", **{"qa-2": second})

    with pytest.raises(ParameterError, match=r"^service: qa-2.toml makes the stack token-refresh-prod, too"):
        read("prod", folder)
    with pytest.raises(ParameterError, match=r"^service: qa-2.toml makes the stack token-refresh-prod, too"):
        read(str(folder / "prod.toml"), FOLDER)
    write(folder, **{"qa-2": second + 'region = "us-east-1"'})
    assert "token-refresh-prod" == read("prod", folder, region="eu-central-1").stack_name
    write(folder, **{"qa-2": second + 'service = "xero"'})
    assert ["token-refresh-prod", "token-refresh-prod-xero"] == [
        read(name, folder).stack_name for name in ("prod", "qa-2")
    ]
    write(folder, **{"qa-2": ""})
    for found in (read("qa-2", folder), read(str(folder / "qa-2.toml"), FOLDER)):
        assert ("qa-2", "token-refresh-qa-2") == (found.environment, found.stack_name)
    with pytest.raises(ParameterError, match=r"^deployment: must be lower case letters"):
        read(str(folder / "PROD.toml"), FOLDER)


def test_one_run_may_override_the_file(tmp_path: Path) -> None:
    """What the credentials are for gives way to the file, and the file to what one run is given."""
    folder = write(tmp_path, prod='region = "eu-central-1"\nschedule_minutes = 20')
    _, parameters = read_deployment(
        "prod", {"schedule_minutes": "25"}, defaults={"account": "123456789012", "region": "us-east-1"}, folder=folder
    )

    assert isinstance(parameters, SingleParameters)
    assert ("123456789012", "eu-central-1", 25) == (parameters.account, parameters.region, parameters.schedule_minutes)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("prod", "schedule_minutes = 900", r"^schedule_minutes: must be a whole number from 1 to 720, is 900$"),
        ("prod", "shedule_minutes = 15", r"^shedule_minutes: unknown parameter in .*prod.toml; did you mean sche"),
        ("prod", 'deployment = "dev"', r"^deployment: unknown parameter in .*prod.toml; the parameters are: "),
        ("prod", "memory_mb = ", r"^deployment: .*prod.toml is not TOML: "),
        ("other", "", r"^deployment: .*other.toml does not exist; make it: echo 'environment = \"other\"' > /"),
        ("../prod", "", r"^deployment: must be lower case letters, digits and hyphens, is '../prod'"),
    ],
)
def test_refused(tmp_path: Path, name: str, text: str, message: str) -> None:
    """A wrong file is refused with the parameter, the file and what to do."""
    with pytest.raises(ParameterError, match=message):
        read(name, write(tmp_path, prod=text))


FLEET = 'mode = "fleet"\nfleet = "{0}"\nenvironment = "{0}"\nsecrets_under = "{1}"\nclient_secret = "{2}"\n{3}'


@pytest.mark.parametrize(
    ("other", "overlaps"),
    [
        (("two", "published/two/", "documents", ""), "published_under (published/) overlaps secrets_under"),
        (("two", "two/", "published/{provider}", ""), "published_under (published/) overlaps client_secret"),
        (("two", "two/", "documents", 'published_under = "published/"'), "overlaps published_under"),
        (("two", "two/", "documents", 'published_under = "one/"'), "published_under (one/) overlaps secrets_under"),
    ],
)
def test_copies_beside_another_fleet(tmp_path: Path, other: tuple[str, ...], overlaps: str) -> None:
    """Copies of a fleet are where no other fleet has secrets, clients or copies, unless that is in another region."""
    mine = FLEET.format("one", "one/", "documents", 'published_under = "published/"\nregion = "eu-central-1"')
    folder = write(tmp_path, one=mine, two=FLEET.format(*other))

    with pytest.raises(ParameterError, match=re.escape(overlaps)) as refused:
        read_deployment("one", folder=folder)
    assert "published_under: with two.toml, " in str(refused.value)
    write(folder, two=FLEET.format(*other) + '\nregion = "us-east-1"')
    assert read_deployment("one", folder=folder)


def test_deployments_in_git_are_right() -> None:
    """Every deployment that is kept in git passes its checks."""
    names = [path.stem for path in FOLDER.glob("*.toml")]

    assert "prod" in names
    assert all(isinstance(read_deployment(name)[1], CommonParameters) for name in names)
