"""A strict SQS FIFO queue on this machine."""
