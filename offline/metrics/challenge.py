"""The score of the ICBHI 2024 Mind-Reading Emotions challenge."""

import numpy as np

from offline.items import NO_CLASS
from offline.predictions import Predictions

CLASS_WEIGHT, LEVEL_WEIGHT = 0.6, 0.4


def challenge_score(classes: Predictions, levels: Predictions) -> float:
    """Return the challenge's score; lower is better.

    Parameters
    ----------
    classes, levels : Predictions
        Of the same windows, of which those with a label count. Levels are counted from the middle
        one, so that nine of them go from -4 to 4.

    Returns
    -------
    float
        0.6 times the share of wrong classes plus 0.4 times the mean of ``|p - t| / (|p| + |t|)`` of
        said and true levels, which is taken to be 0 where both are 0: the challenge does not say.
    """
    classes, levels = (said.rows(said.label != NO_CLASS) for said in (classes, levels))
    wrong = float((classes.log_p.argmax(axis=1) != classes.label).mean())
    middle = (len(levels.classes) - 1) / 2
    said, true = levels.log_p.argmax(axis=1) - middle, levels.label - middle
    size = np.abs(said) + np.abs(true)
    apart = np.divide(np.abs(said - true), size, out=np.zeros(len(size)), where=size > 0)
    return CLASS_WEIGHT * wrong + LEVEL_WEIGHT * float(apart.mean())
