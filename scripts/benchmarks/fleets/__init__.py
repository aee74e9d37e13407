"""The parts of `scripts/bench fleet`: a virtual clock, an account with its quotas, providers, and the goals."""
