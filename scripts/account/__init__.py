"""What no emulator can tell, checked in an account of AWS: `scripts/prove account`."""
