"""What people and applications do with token secrets: the command line, the changes it makes, and `Grants`."""
