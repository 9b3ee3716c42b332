"""Dashboards of `deployment/grafana` as pictures of a run, drawn from the data of a Prometheus that watched it."""
