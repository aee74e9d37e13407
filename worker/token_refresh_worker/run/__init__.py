"""The shell around the core: read what is stored, ask for the next step, carry it out, until nothing is left to do."""
