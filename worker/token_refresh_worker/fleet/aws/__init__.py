"""The fleet's index, queue, listing and events on AWS."""
