"""Versions as MLflow keeps models: directories with a file `MLmodel`, and model versions of a tracking server.

Written against the documented format and REST interface, not with MLflow's own package: its smallest one brings a cloud
vendor's SDK, a telemetry stack and 90 MB for a YAML file and ten calls. Tests read and write with the real one.
"""
