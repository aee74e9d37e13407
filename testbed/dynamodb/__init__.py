"""A strict DynamoDB on this machine: conditional writes and consistent reads of single items."""
