"""The same model, learnt from original rows and from released ones, tested on the same people.

Rows are divided into parts. Each part is held out in turn: neither model sees its people. The
first learns from the original rows of the others and reads the held-out people as they are; the
second learns from those of the others that were released and reads the held-out people as the
release would show them. Both are asked for the same truth.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from desensitize.recognisers.digits import Ints
from desensitize.usefulness.columns import Floats
from desensitize.usefulness.report import METRICS, ModelUse, Score, Task

PARTS: Final = 5
_CATEGORIES: Final = 100
"""Of one column; the rarest share one."""
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Side:
    """What one model sees of every row.

    Attributes:
        values: Numbers and codes, shape (rows, features); NaN for what is missing.
        categorical: Which features are codes.
        target: What it learns, by row: codes of classes, or amounts.
        usable: Rows that it may learn from.
    """

    values: Floats
    categorical: Flags
    target: Floats
    usable: Flags


def compare(
    original: Side,
    released: Side,
    truth: Floats,
    task: Task,
    models: tuple[str, ...],
    *,
    seed: int,
    done: Callable[[int, int], None],
) -> tuple[ModelUse, ...]:
    """Learns and tests, part by part.

    Args:
        original: The rows as they were.
        released: The same rows as the release shows them, in the same order.
        truth: What both are asked for; a code of a class, or an amount.
        task: Which of the two.
        models: Names of the models.
        seed: Of the parts and the models.
        done: Told how many trainings are done, and how many there are.
    """
    found: dict[str, list[dict[str, tuple[float, ...]]]] = {name: [] for name in models}
    steps = len(models) * PARTS
    for step, (name, train, test) in enumerate(_parts(truth, task, models, seed)):
        told = [
            _learnt(name, task, side, train & side.usable, seed)(side.values[test])
            for side in (original, released)
        ]
        known = original.target[train & original.usable]
        told.append(_guess(known, task, int(test.sum())))
        found[name].append(_scores(truth[test], told, task))
        done(step + 1, steps)
    return tuple(ModelUse(name, _means(parts, task)) for name, parts in found.items())


def _parts(
    truth: Floats, task: Task, models: tuple[str, ...], seed: int
) -> Iterator[tuple[str, Flags, Flags]]:
    from sklearn.model_selection import KFold, StratifiedKFold

    rows = np.arange(len(truth))
    least = int(np.unique(truth, return_counts=True)[1].min()) if task == "classes" else 0
    kind = StratifiedKFold if least >= PARTS else KFold
    divided = kind(PARTS, shuffle=True, random_state=seed)
    for _, held_out in divided.split(rows[:, None], truth if least >= PARTS else None):
        test = np.zeros(len(truth), np.bool_)
        test[held_out] = True
        for name in models:
            yield name, ~test, test


@dataclass(frozen=True)
class Told:
    """What a model says of rows.

    Attributes:
        values: Codes of classes, or amounts.
        chances: Of the second of two classes; None if there are not two.
    """

    values: Floats
    chances: Floats | None = None


def _guess(known: Floats, task: Task, rows: int) -> Told:
    if task == "amounts":
        return Told(np.full(rows, known.mean() if len(known) else 0.0))
    classes, counts = np.unique(known, return_counts=True)
    most = classes[counts.argmax()] if len(classes) else -1.0
    return Told(np.full(rows, most), np.full(rows, 0.5))


def _learnt(name: str, task: Task, side: Side, rows: Flags, seed: int) -> Callable[[Floats], Told]:
    """Trains one model; what there is nothing to learn from guesses."""
    known = side.target[rows]
    if len(known) < PARTS or len(np.unique(known)) < 2:
        return lambda values: _guess(known, task, len(values))
    model = _pipeline(name, task, side.categorical, seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of rounds that end before they converge: it is measured
        model.fit(side.values[rows], known)
    classes = getattr(model, "classes_", None)

    def tell(values: Floats) -> Told:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            said = model.predict(values)
            two = classes is not None and len(classes) == 2
            chances = model.predict_proba(values)[:, 1] if two else None
        return Told(said, chances)

    return tell


def _pipeline(name: str, task: Task, categorical: Flags, seed: int) -> Any:  # noqa: ANN401 - no types
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

    codes, amounts = np.flatnonzero(categorical), np.flatnonzero(~categorical)
    if name == "boosting":
        kind = (
            HistGradientBoostingRegressor if task == "amounts" else HistGradientBoostingClassifier
        )
        ordinal = OrdinalEncoder(
            handle_unknown="use_encoded_value", unknown_value=np.nan, max_categories=_CATEGORIES
        )
        return make_pipeline(
            ColumnTransformer([("codes", ordinal, codes), ("amounts", "passthrough", amounts)]),
            kind(categorical_features=np.arange(len(codes)), random_state=seed, max_iter=100),
        )
    filled = make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True),
                           StandardScaler())  # fmt: skip
    hot = OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=_CATEGORIES)
    return make_pipeline(
        ColumnTransformer([("codes", hot, codes), ("amounts", filled, amounts)]),
        Ridge() if task == "amounts" else LogisticRegression(max_iter=500),
    )


def _scores(truth: Floats, told: list[Told], task: Task) -> dict[str, tuple[float, ...]]:
    """Returns each measure for original, release and guess."""
    from sklearn.metrics import (
        accuracy_score,
        balanced_accuracy_score,
        mean_absolute_error,
        r2_score,
        roc_auc_score,
    )

    if task == "amounts":
        return {
            "r2": tuple(float(r2_score(truth, each.values)) for each in told),
            "mean_absolute_error": tuple(
                float(mean_absolute_error(truth, each.values)) for each in told
            ),
        }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # classes that a part does not have
        found = {
            "accuracy": tuple(float(accuracy_score(truth, each.values)) for each in told),
            "balanced_accuracy": tuple(
                float(balanced_accuracy_score(truth, each.values)) for each in told
            ),
        }
        classes = np.unique(truth)
        if len(classes) == 2:
            second = truth == classes[1]
            # A model that knows one class only ranks nobody.
            found["auc"] = tuple(
                float(roc_auc_score(second, np.full(len(truth), 0.5) if each.chances is None
                                    else each.chances))
                for each in told
            )  # fmt: skip
    return found


def _means(parts: list[dict[str, tuple[float, ...]]], task: Task) -> tuple[Score, ...]:
    found = []
    for metric in METRICS[task]:
        if any(metric not in part for part in parts):
            continue
        original, released, naive = np.array([part[metric] for part in parts]).T
        found.append(
            Score(metric, float(original.mean()), float(released.mean()), float(naive.mean()),
                  float((released - original).std(ddof=1)))
        )  # fmt: skip
    return tuple(found)


def usable(target: Floats) -> Flags:
    """Returns the rows whose target is there."""
    there: Flags = np.isfinite(target)
    return there


def sample(rows: int, most: int, seed: int) -> Ints:
    """Returns the numbers of the rows to use, in order; all if they are few enough."""
    if rows <= most:
        return np.arange(rows)
    return np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))
