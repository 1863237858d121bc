#!/usr/bin/env python3
"""Compares v_cell of a ranktide.db with arithmetic of its own over v_trial and v_eval: means per cell, variances in
two passes, pooled over the cells of one sweep, method and evalset at their last step, or at one earlier step, and
Student's t from its closed form. Nothing but Python's own sqlite3 and math.

    check_cells.py ranktide.db      prints how many cells were compared; ends with 1 at the first that differs
"""
import collections
import math
import sqlite3
import sys


def probability_within(t, df):
    """P(|T| <= t) for whole df: Abramowitz and Stegun 26.7.3 and 26.7.4."""
    angle = math.atan(t / math.sqrt(df))
    sine, cosine = math.sin(angle), math.cos(angle)
    if df == 1:
        return 2 * angle / math.pi
    term = cosine if df % 2 else 1.0
    total = term
    for k in range(3 if df % 2 else 2, df - 1, 2):
        term *= cosine * cosine * (k - 1) / k
        total += term
    return 2 / math.pi * (angle + sine * total) if df % 2 else sine * total


def t_95(df):
    low, high = 0.0, 1000.0
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if probability_within(middle, df) < 0.95 else (low, middle)
    return (low + high) / 2


def mean(values):
    """None of nothing: a sweep may have no eval of a role."""
    return sum(values) / len(values) if values and None not in values else None


def squares(values):
    centre = mean(values)
    return None if centre is None else sum((value - centre) ** 2 for value in values)


def replicates(file):
    """(sweep, method, evalset, cell, step, final) -> [(learning, gain, retained, forgetting) of a complete trial]"""
    out = collections.defaultdict(list)
    by_trial = collections.defaultdict(list)
    for sweep, trial, step, role, score, base in file.execute(
            "SELECT sweep, trial, step, role, score, base_score FROM v_eval"):
        by_trial[sweep, trial, step].append((role, score, base))
    for sweep, trial, method, cell, evalset, steps, wanted in file.execute(
            "SELECT sweep, trial, method, cell, evalset, steps, n_learn + n_retain FROM v_trial"):
        for step in {key[2] for key in by_trial if key[:2] == (sweep, trial)}:
            evals = by_trial[sweep, trial, step]
            if len([e for e in evals if e[1] is not None and e[2] is not None]) != wanted:
                continue
            learn = [(score, base) for role, score, base in evals if role == "learn"]
            retain = [(score, base) for role, score, base in evals if role == "retain"]
            out[sweep, method, evalset, cell, step, step == steps].append(
                (mean([s for s, _ in learn]), mean([s - b for s, b in learn]), mean([s for s, _ in retain]),
                 mean([b - s for s, b in retain])))
    return out


def pool_of(key):
    sweep, method, evalset, _, step, final = key
    return sweep, method, evalset, -1 if final else step


def half_width(spread, df, n):
    return t_95(df) * math.sqrt(spread / df / n) if df and spread is not None else None


def added(total, more):
    return total if more is None else (total or 0.0) + more


def expected(file):
    cells = replicates(file)
    freedom = collections.Counter()
    spread = collections.defaultdict(lambda: [None, None])
    for key, trials in cells.items():
        freedom[pool_of(key)] += len(trials) - 1
        pool = spread[pool_of(key)]
        pool[:] = added(pool[0], squares([t[0] for t in trials])), added(pool[1], squares([t[2] for t in trials]))
    for key, trials in cells.items():
        df, (learn, retain), n = freedom[pool_of(key)], spread[pool_of(key)], len(trials)
        own = [half_width(squares([t[i] for t in trials]), n - 1, n) for i in (0, 2)]
        learning_ci, retained_ci = half_width(learn, df, n), half_width(retain, df, n)
        yield key, [n, *(mean([t[i] for t in trials]) for i in range(4)), learning_ci, learning_ci, retained_ci,
                    retained_ci, *own, df]


def agree(a, b):
    if a is None or b is None:
        return a is b
    return math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9)


def main():
    file = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
    shown = {tuple(row[:6]): list(row[6:]) for row in file.execute(
        "SELECT sweep, method, evalset, cell, step, final, n, learning, gain, retained, forgetting, learning_ci, gain_ci,"
        " retained_ci, forgetting_ci, learning_ci_own, retained_ci_own, df FROM v_cell")}
    wanted = {(*key[:5], int(key[5])): values for key, values in expected(file)}
    if shown.keys() != wanted.keys():
        sys.exit(f"cells differ: {len(shown)} shown, {len(wanted)} expected")
    for key, values in wanted.items():
        if not all(map(agree, shown[key], values)):
            sys.exit(f"{key}: shown {shown[key]}, expected {values}")
    print(len(wanted), "cells")


if __name__ == "__main__":
    main()
