"""Tasks as Kubernetes Jobs (batch/v1), by the official client, which is imported on first use."""
