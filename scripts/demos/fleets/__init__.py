"""The demo of a fleet: the synthesised stack, deployed to an emulated account on this machine."""
