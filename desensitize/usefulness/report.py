"""What a comparison of a release with its original says: figures, and sentences.

They are for the steward: they speak of the original, which readers of the release do not have.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from protos.language import Text

Task = Literal["classes", "amounts"]
MODELS: Final[dict[str, Text]] = {
    "boosting": Text("gradient boosting", "梯度提升"),
    "linear": Text("logistic regression", "逻辑回归"),
}
_RIDGE: Final = Text("ridge regression", "岭回归")
METRICS: Final[dict[Task, tuple[str, ...]]] = {
    "classes": ("accuracy", "balanced_accuracy", "auc"),
    "amounts": ("r2", "mean_absolute_error"),
}


@dataclass(frozen=True)
class Score:
    """One measure of one model, over the parts that were held out in turn.

    Attributes:
        metric: One of `METRICS`.
        original: Mean for the model that learnt from the original rows.
        released: Mean for the same model that learnt from the released ones.
        naive: Mean for guessing the same for everybody: the most frequent class, or the mean.
        spread: Standard deviation of released - original over the parts.
    """

    metric: str
    original: float
    released: float
    naive: float
    spread: float


@dataclass(frozen=True)
class ModelUse:
    """One model.

    Attributes:
        name: One of `MODELS`.
        scores: Its measures; one that the target does not have is left out.
    """

    name: str
    scores: tuple[Score, ...]


@dataclass(frozen=True)
class ColumnUse:
    """What one published column has lost.

    Attributes:
        name: The column.
        loss: Mean share of the column's other values that a label could also stand for, over the
            values that occur, 0 to 1; 1 for a row that was left out. None where equal values do
            not become equal labels (noise, keys, shuffling).
        entropy: Share of its bits that labels leave open, 0 to 1; None likewise.
        marginal: Total variation distance between its distribution in the release and in the
            original at the same labels (numbers in twenty parts), 0 to 1; None for what has no
            labels in common.
    """

    name: str
    loss: float | None
    entropy: float | None
    marginal: float | None


@dataclass(frozen=True)
class Error:
    """Errors of many marginals: total variation distances, 0 to 1.

    Attributes:
        tables: How many were compared.
        mean: Of all.
        worst: The greatest.
    """

    tables: int
    mean: float
    worst: float


@dataclass(frozen=True)
class UtilityReport:
    """What a release is still good for.

    Attributes:
        rows: Of the original.
        released: Of the release.
        target: Column that the models tell.
        task: Whether its values are classes or amounts.
        learnt_from: Rows that the models saw, in training and test.
        parts: Parts of the rows, of which each was held out once.
        seed: Of the parts and the models.
        models: One per kind.
        columns: Published columns, in order.
        one_way: Errors of the marginals of one column.
        two_way: Errors of those of two.
        discernibility: Of the released quasi-identifiers; see ``generalise.utility``.
        discernibility_before: Of the same columns in the original.
    """

    rows: int
    released: int
    target: str
    task: Task
    learnt_from: int
    parts: int
    seed: int
    models: tuple[ModelUse, ...]
    columns: tuple[ColumnUse, ...]
    one_way: Error
    two_way: Error
    discernibility: int
    discernibility_before: int

    def to_dict(self) -> dict[str, Any]:
        """Returns it as JSON types."""
        body: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return body

    def sentences(self) -> tuple[Text, ...]:
        """Says what the figures mean, a sentence for each model."""
        return tuple(self._sentence(model) for model in self.models)

    def _sentence(self, model: ModelUse) -> Text:
        name = model_name(model.name, self.task)
        score = next(each for each in model.scores if each.metric == METRICS[self.task][0])
        lost = score.original - score.released
        word = Text("less", "降低") if lost >= 0 else Text("more", "提高")
        what = Text("of the cases", "正确率")
        if self.task == "amounts":
            what = Text("of the variance", "方差解释率")
        released, original, naive = (
            f"{round(each, 3) + 0.0:.1%}"  # never -0.0 %
            for each in (score.released, score.original, score.naive)
        )
        points = f"{abs(lost) * 100:.1f}"
        return Text(
            f"{self.target}, {name.en}: learnt from the release, it tells {released} {what.en}; "
            f"from the original {original} ({points} points {word.en}); guessing tells {naive}.",
            f"{self.target}，{name.zh}：用发布数据训练，{what.zh} {released}；用原始数据训练 "
            f"{original}（{word.zh} {points} 个百分点）；盲猜 {naive}。",
        )


def model_name(name: str, task: Task) -> Text:
    """Returns what a model is called; a linear one of amounts is ridge regression."""
    return _RIDGE if name == "linear" and task == "amounts" else MODELS[name]


def from_dict(body: Mapping[str, Any]) -> UtilityReport:
    """Rebuilds what `UtilityReport.to_dict` wrote."""
    return UtilityReport(
        **dict(body)
        | {
            "models": tuple(
                ModelUse(each["name"], tuple(Score(**score) for score in each["scores"]))
                for each in body["models"]
            ),
            "columns": tuple(ColumnUse(**each) for each in body["columns"]),
            "one_way": Error(**body["one_way"]),
            "two_way": Error(**body["two_way"]),
        }
    )
