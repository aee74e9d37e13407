"""What a run makes, costs and needs: shown before it asks."""

from typing import Final

PERMISSIONS: Final = {
    "cloudformation": "CreateStack DeleteStack DescribeStackDriftDetectionStatus DescribeStackEvents DescribeStacks "
    "DescribeStackResourceDrifts DetectStackDrift ListStackResources",
    "cloudtrail": "DescribeTrails GetTrailStatus",
    "cloudwatch": "DescribeAlarms GetMetricStatistics",
    "dynamodb": "CreateTable DeleteTable DescribeTable GetItem ListTables PutItem UpdateTable",
    "iam": "CreateRole DeleteRole DeleteRolePolicy GetRole PassRole PutRolePolicy UpdateAssumeRolePolicy",
    "kms": "CreateKey Decrypt DescribeKey GenerateDataKey PutKeyPolicy ScheduleKeyDeletion",
    "lambda": "AddPermission CreateFunction CreateFunctionUrlConfig DeleteFunction DeleteFunctionUrlConfig GetFunction "
    "GetAccountSettings GetFunctionConfiguration InvokeFunction RemovePermission",
    "logs": "DeleteLogGroup DescribeLogGroups",
    "scheduler": "CreateSchedule GetSchedule",
    "secretsmanager": "BatchGetSecretValue CreateSecret DeleteSecret DescribeSecret GetResourcePolicy GetSecretValue "
    "ListSecretVersionIds ListSecrets PutSecretValue RemoveRegionsFromReplication TagResource "
    "UpdateSecretVersionStage",
    "ssm": "GetParameter",
    "sqs": "ReceiveMessage",
    "sts": "AssumeRole GetCallerIdentity",
    "tag": "GetResources",
}
"""What the command calls, and what CloudFormation calls for it. `scripts/deploy` also assumes the roles `cdk-*`."""


def plan(prefix: str, region: str, spare_region: str) -> str:
    """Return it as text."""
    needed = "\n".join(f"  {service}: {', '.join(actions.split())}" for service, actions in PERMISSIONS.items())
    return f"""\
Checks in an AWS account what no emulator can tell. It takes an hour to an hour and a half, most of it waiting.

Makes, all under names that begin with {prefix}, and removes at its end, also when it is interrupted:
  in {region}: four stacks (a worker with its alarms, one whose creation has to fail first, a receiver of
    webhooks, and what stands around them), nine secrets, two tables, four keys, queues and alarms
  in {spare_region}: a stack with a key, and the replica of a secret
  in {region}, for some seconds each: secrets named token-refresh-conformance-...
  Two function URLs are open to the internet meanwhile: the provider's, which wants client credentials, and the
  receiver's, which wants signatures. Nothing else in the account is changed.

Costs less than 1 USD: keys, secrets and alarms are billed by the hour, and keys cost nothing while AWS keeps them for
the seven days before it deletes them.

Needs an account and a region that `scripts/deploy bootstrap` has prepared, and these permissions:
{needed}
  sts: AssumeRole of the roles cdk-*, with which scripts/deploy deploys
One check needs a CloudTrail trail in the region; without one it is left out.
"""
