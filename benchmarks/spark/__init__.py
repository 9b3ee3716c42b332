"""Real Spark runs on one machine, whose event logs become the traces that Atoll carries."""
