"""What Atoll is made of: the lock file read, audited, listed with licences, and written as a bill of materials.

`python -m deployment.supply audit|licences|sbom`, or `make` with the same names.
"""
