"""Slurm by SSH: one kept connection to the login node, and one remote command for each thing that is to be done."""
