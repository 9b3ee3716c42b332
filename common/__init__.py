"""The framework: HTTP app, plugins, serving, storage and telemetry. It knows no model by name."""
