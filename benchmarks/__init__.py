"""Measurements of Atoll as its users meet it: real servers, real requests, next to what has to be attained."""
