"""What is deployed, checked by the strictest tools that are there: `make check-deploy`.

A check that finds neither its files nor its tool fails, unless it is said that it may be left out.
"""
