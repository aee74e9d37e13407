"""What a run needs to be allowed, as IAM names it: a deployment grants it, and `doctor` asks whether it is there."""

READ_ACTIONS: tuple[str, ...] = ("secretsmanager:GetSecretValue",)
STORE_ACTIONS: tuple[str, ...] = ("secretsmanager:PutSecretValue", "secretsmanager:UpdateSecretVersionStage")
REFRESH_ACTIONS: tuple[str, ...] = (*READ_ACTIONS, *STORE_ACTIONS)
LIST_ACTIONS: tuple[str, ...] = ("secretsmanager:ListSecretVersionIds",)
"""To see that the secret is full, and after a change of its key."""
CLAIM_ACTIONS: tuple[str, ...] = ("dynamodb:GetItem", "dynamodb:UpdateItem")
KEEP_ACTIONS: tuple[str, ...] = ("kms:Encrypt", "kms:Decrypt")
"""Of the key of tokens that the claim table keeps."""
