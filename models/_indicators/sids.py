"""Which countries and areas are small island developing states."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

# Members and associate members with published indicators. Longer lists exist; a data set says so in its countryMeta.
# fmt: off
SIDS: frozenset[str] = frozenset({
    "ABW", "AIA", "ATG", "BHR", "BHS", "BLZ", "BMU", "BRB", "COK", "COM", "CPV", "CUB", "CUW",
    "CYM", "DMA", "DOM", "FJI", "FSM", "GNB", "GRD", "GUY", "HTI", "JAM", "KIR", "KNA", "LCA",
    "MDV", "MHL", "MSR", "MUS", "NIU", "NRU", "PLW", "PNG", "SGP", "SLB", "STP", "SUR", "SXM",
    "SYC", "TCA", "TKL", "TLS", "TON", "TTO", "TUV", "VCT", "VGB", "VUT", "WSM",
})
# fmt: on


def sids_mask(countries: Sequence[str], marks: Mapping[str, bool]) -> NDArray[np.bool_]:
    """Small island developing states among `countries`: the built-in list, corrected by a data set's own marks.

    Args:
        countries: ISO 3166 alpha-3 codes.
        marks: code -> True (counts as one) or False (does not); codes without a mark follow the built-in list.

    Returns:
        (n_countries,) bool, read-only.
    """
    mask = np.array([marks.get(code, code in SIDS) for code in countries], dtype=np.bool_)
    mask.setflags(write=False)
    return mask
