"""Hosted models measured: beside other servers on the same files, in a small pool, at a switch, on their way in."""
