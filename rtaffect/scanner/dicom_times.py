"""When the volumes of a series were acquired, by what their files say."""

import math

DAY_S = 86_400.0


class SeriesTimes:
    """Makes times of one series that can be compared: over midnight, and where all bear the first.

    Some scanners give every volume the time at which the series began; then the number of the
    volume and the repetition time say when its own turn was.
    """

    def __init__(self) -> None:
        self._last: tuple[int, float, float] | None = None  # number, start as told, start
        self._told_once = False

    def start_of(self, number: int, told_s: float, tr_s: float) -> tuple[float, str]:
        """Return when a volume's acquisition began, and what there is to say of it.

        Parameters
        ----------
        number : int
            Of the volume, from 0.
        told_s : float
            What its file says, in seconds since midnight or since the run began; NaN for nothing.
        tr_s : float
            Repetition time, or NaN.

        Returns
        -------
        start_s : float
            On the same clock, but that it goes on after midnight.
        remark : str
            That volumes are missing, or how the time was found; mostly "".
        """
        if math.isnan(told_s):
            return math.nan, ""
        last, remark = self._last, ""
        if last is not None and last[1] == told_s and last[0] != number and not self._told_once:
            self._told_once = True
            remark = (
                "gives all volumes the time of the first: their own is taken from their numbers "
                "and the TR."
            )
        start_s = told_s + number * tr_s if self._told_once else told_s
        if last is not None:
            start_s += round((last[2] - start_s) / DAY_S) * DAY_S if not math.isnan(last[2]) else 0
            n_lost = self._n_lost(number, start_s, tr_s)
            if n_lost:
                remark = (
                    f"lacks {n_lost} of its volumes: between those of number {last[0] + 1} and "
                    f"{number + 1} lie {start_s - last[2]:.3g} s at a TR of {tr_s:g} s."
                )
        if last is None or number > last[0]:
            self._last = (number, told_s, start_s)
        return start_s, remark

    def _n_lost(self, number: int, start_s: float, tr_s: float) -> int:
        """Return how many volumes were acquired in between, beyond what the numbers say."""
        if self._last is None or self._told_once or number <= self._last[0]:
            return 0
        turns = (start_s - self._last[2]) / tr_s
        return 0 if math.isnan(turns) else max(0, round(turns) - (number - self._last[0]))
