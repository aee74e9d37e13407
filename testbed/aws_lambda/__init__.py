"""AWS Lambda: the real runtime client against a Runtime API on loopback."""
