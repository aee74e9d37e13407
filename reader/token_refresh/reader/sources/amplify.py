"""The paths under which Amplify keeps the secrets of a sandbox or a branch in Parameter Store.

Amplify's own code decides them: `backend_identifier_conversions.ts` and `parameter_path_conversions.ts` in
https://github.com/aws-amplify/amplify-backend. Its documentation leaves the hash out.
"""

import re
from typing import Final

# CloudFormation's limit for a stack's name, which Amplify fits its path into.
_STACK_NAME_LIMIT: Final = 128
_HASH_LENGTH: Final = 10
_NAME_LENGTH: Final = 50


def amplify_sandbox(app: str, user: str, name: str) -> str:
    """Return the reference of a secret of a developer's sandbox.

    Args:
        app: `name` in the app's `package.json`.
        user: The local user name, or what `npx ampx sandbox --identifier` was given.
        name: The secret's name.
    """
    return _reference(app, user, "sandbox", name)


def amplify_branch(app_id: str, branch: str, name: str) -> str:
    """Return the reference of a secret of a deployed branch.

    Args:
        app_id: The Amplify app's ID.
        branch: The branch's name.
        name: The secret's name.
    """
    return _reference(app_id, branch, "branch", name)


def _reference(namespace: str, instance: str, kind: str, name: str) -> str:
    import hashlib  # noqa: PLC0415 - a tenth of the package's import, for sandboxes alone

    # Over the names as given; only the rest of the path is stripped.
    digest = hashlib.sha512(f"{namespace}{instance}".encode()).hexdigest()[:_HASH_LENGTH]
    short_instance = _alphanumeric(instance)[:_NAME_LENGTH]
    taken = len("amplify") + len(kind) + len(short_instance) + len("----") + _HASH_LENGTH
    short_namespace = _alphanumeric(namespace)[: _STACK_NAME_LIMIT - taken - 1]
    return f"ssm:/amplify/{short_namespace}/{short_instance}-{kind}-{digest}/{name}"


def _alphanumeric(text: str) -> str:
    return re.sub("[^A-Za-z0-9]", "", text)
