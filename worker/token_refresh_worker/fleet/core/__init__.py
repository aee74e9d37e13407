"""Pure decisions of a fleet: rows and time in; messages, gauges and rows out."""
