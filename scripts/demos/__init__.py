"""The demo: the worker's main job on real parts, on this machine."""
