"""What pages show and repeat: `scripts/pictures`, and `scripts/docs --write`."""
