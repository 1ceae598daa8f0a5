"""Whether two classifiers judged on the same images really differ."""

from __future__ import annotations

from math import exp, lgamma, log


def mcnemar(only_first: int, only_second: int) -> float:
    """Two-sided exact p of McNemar's test (McNemar 1947) in [0, 1].

    `only_first` and `only_second` count the images that just one of the two got right. Under the
    hypothesis that they are equally good each such image is a fair coin, so p is twice the binomial
    tail of the smaller count, at most 1; without any such image it is 1.
    """
    n, least = only_first + only_second, min(only_first, only_second)
    if n == 0:
        return 1.0
    tail = sum(exp(_log_choose(n, k) - n * log(2.0)) for k in range(least + 1))
    return min(1.0, 2.0 * tail)


def _log_choose(n: int, k: int) -> float:
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)
