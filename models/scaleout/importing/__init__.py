"""Runs from elsewhere: Spark's event logs, one by one or from a folder that is watched, and exports of MongoDB."""
