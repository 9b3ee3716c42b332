"""Tasks on the machine that Atoll runs on: processes under small supervisors, which outlive Atoll."""
