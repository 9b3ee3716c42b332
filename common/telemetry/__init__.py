"""What a process tells about itself: Prometheus metrics and structured logs."""
