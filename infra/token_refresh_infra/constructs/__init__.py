"""What the stacks of all modes are made of."""
