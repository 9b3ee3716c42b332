"""A small survey, for the docs and for checks: what it is like to fish, of nine households."""

from typing import Any

EXAMPLES: dict[str, dict[str, Any]] = {
    "fishing": {
        "data": {
            "boat": ["none", "none", "canoe", "canoe", "motor", "motor", "none", "canoe", "motor"],
            "sells": ["no", "no", "no", "yes", "yes", "yes", "no", "no", None],
            "hours_at_sea": [0, 1, 4, 5, 11, 12, 0, 6, 10],
            "longitude": [178.4, 178.5, 178.1, 177.9, 178.0, 178.2, 178.4, None, 177.8],
        },
        "metadata": [
            {"Question Name": "boat", "Type": "categorical", "Factor": "fishing"},
            {"Question Name": "sells", "Type": "categorical", "Factor": "fishing"},
            {"Question Name": "hours_at_sea", "Type": "continuous", "Factor": "fishing"},
            {"Question Name": "longitude", "Type": "GPS longitude", "Factor": "place"},
        ],
        "factor": "fishing",
        "max_k": 4,
    }
}
