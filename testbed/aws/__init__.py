"""What every AWS service on this machine has: HTTP, signatures, a clock that can be moved, faults, a call log."""
