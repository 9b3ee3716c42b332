"""What the scale-out models and decisions are measured by."""
