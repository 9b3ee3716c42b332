"""The other half of the model in the box: a linear classifier on single pieces, pairs and triples of them.

What an encoder that was trained for an hour has not learned about rare phrases, counting knows; their mean is better
than either (a wide and a deep part: Cheng et al. 2016). Features are weighted by how much more often they occur in
positive texts than in negative ones (NB-SVM; Wang and Manning 2012), and each text's by their number. Pairs and triples
share `BUCKETS` places by a hash that ONNX can compute.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

# A prime, so that multiples in the hash do not fall together. 2.6 times as many lower the log loss on the dev texts of
# SST-2 by 0.003.
BUCKETS = 100_003
# Each number of a pair or triple times one of these, summed: the place, but for the remainder.
FACTORS = (92_821, 2_654_435_761, 320_743_257)
# Of the strength of the penalty on weights; the best of 1, 3 and 10 on the dev texts of SST-2.
_C = 3.0
# Added to the counts, so that what occurs on one side only does not weigh without bound.
_PRIOR = 0.3


def places(numbers: Sequence[int], pieces: int) -> NDArray[np.int64]:
    """Places in the table of a text's pieces, pairs and triples, repeated ones repeatedly.

    Parameters
    ----------
    numbers : token numbers of a text, start and end included.
    pieces : in the vocabulary; the first places are theirs.
    """
    one = np.asarray(numbers, np.int64)
    first, second, third = FACTORS
    two = one[:-1] * first + one[1:] * second
    three = one[:-2] * first + one[1:-1] * second + one[2:] * third
    return np.concatenate([one, np.concatenate([two, three]) % BUCKETS + pieces])


def fit_table(numbers: Sequence[Sequence[int]], labels: NDArray[np.int64], pieces: int) -> NDArray[np.float32]:
    """The weight of each place, (pieces + BUCKETS,): a text's margin is their sum over its places, divided by the
    square root of the number of its places. A few seconds for 70,000 phrases."""
    from scipy.sparse import csr_matrix, diags_array
    from sklearn.linear_model import LogisticRegression

    found = [places(one, pieces) for one in numbers]
    lengths = np.fromiter(map(len, found), np.int64, len(found))
    values = np.repeat(1 / np.sqrt(lengths), lengths)
    ends = np.concatenate([[0], np.cumsum(lengths)])
    features = csr_matrix((values, np.concatenate(found), ends), shape=(len(found), pieces + BUCKETS))
    features.sum_duplicates()
    by_label = [features.T @ (labels == label) + _PRIOR for label in (0, 1)]
    ratio = np.log(by_label[1] / by_label[1].sum()) - np.log(by_label[0] / by_label[0].sum())
    model = LogisticRegression(C=_C, solver="liblinear", random_state=0)
    model.fit(features @ diags_array(ratio), labels)
    table: NDArray[np.float32] = (model.coef_[0] * ratio).astype(np.float32)
    return table


def margins(table: NDArray[np.float32], numbers: Iterable[Sequence[int]], pieces: int) -> NDArray[np.float64]:
    """By how much each text is positive, (n,): log-odds."""
    found = [places(one, pieces) for one in numbers]
    return np.array([table[one].sum() / np.sqrt(len(one)) for one in found], np.float64)
