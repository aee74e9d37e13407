"""A store, a provider and an index, and the handler between them."""

import json
from datetime import datetime
from typing import Any, cast

from token_refresh_worker.fleet.aws.index import TableIndex
from token_refresh_worker.fleet.core.row import Row
from worker.stage import Stage


class FleetStage(Stage):
    """One fleet, whose secrets and index a test fills."""

    index: TableIndex
    since: datetime

    def enrol(self, name: str, *, stored: bool = True, **document: Any) -> str:
        if stored:
            self.store(name, **{"provider": "upwork", **document})
        else:
            self.client.create_secret(Name=name)
        secret_arn = str(self.client.describe_secret(SecretId=name)["ARN"])
        self.index.add(Row(secret_arn=secret_arn, provider="unknown", added_at=self.since, next_at=self.since))
        return secret_arn

    def message(self, *arns: str) -> dict[str, Any]:
        records = [{"eventSource": "aws:sqs", "messageId": "m", "body": json.dumps({"secret_id": a})} for a in arns]
        return self.invoke({"Records": records})

    def look(self, *arns: str) -> None:
        """Let the first run on new members read them, and drop what it logs."""
        self.message(*arns)
        self._capsys.readouterr()

    def row(self, secret_arn: str) -> Row:
        entry = self.index.entry(secret_arn)
        assert entry is not None
        return entry.row

    def seen(self, secret_arn: str) -> Any:
        return self.row(secret_arn).seen

    def last_line(self) -> dict[str, Any]:
        lines = [json.loads(line) for line in self._capsys.readouterr().out.splitlines()]
        return cast("dict[str, Any]", lines[-1])

    def events(self) -> list[str]:
        return [json.loads(line)["event"] for line in self._capsys.readouterr().out.splitlines()]
