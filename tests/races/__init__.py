"""Real workers in processes of their own, raced, killed and starved over real HTTP."""
