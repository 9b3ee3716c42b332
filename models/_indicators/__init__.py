"""Country indicators as one array: what the models of this family share.

A data set is a folder of CSV files; :func:`load` parses it once and memory-maps it from then on. Not a plugin.
"""

from models._indicators.dataset import IndicatorSet, load
from models._indicators.errors import DataSetError
from models._indicators.files import find_files
from models._indicators.sample import write_sample
from models._indicators.sids import SIDS

__all__ = ["SIDS", "DataSetError", "IndicatorSet", "find_files", "load", "write_sample"]
