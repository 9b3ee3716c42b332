"""Models of run times: pure functions and small estimators on arrays; no I/O, no SQL, and torch only to train."""
