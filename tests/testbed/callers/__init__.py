"""What the tests of the testbed call it with."""
