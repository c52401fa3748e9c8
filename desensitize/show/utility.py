"""What a release is still good for, for people: sentences, models, columns, marginals."""

from __future__ import annotations

from typing import Final

from desensitize.usefulness import UtilityReport
from desensitize.usefulness.report import Score, model_name
from protos import terminal
from protos.language import Text

_METRICS: Final[dict[str, Text]] = {
    "accuracy": Text("accuracy", "准确率"),
    "balanced_accuracy": Text("balanced accuracy", "平衡准确率"),
    "auc": Text("AUC", "AUC"),
    "r2": Text("R²", "R²"),
    "mean_absolute_error": Text("mean absolute error", "平均绝对误差"),
}
_MODEL_HEADINGS: Final = (
    Text("Model", "模型"),
    Text("Measure", "指标"),
    Text("Original", "原始"),
    Text("Release", "发布"),
    Text("Change", "变化"),
    Text("Guessing", "盲猜"),
)
_COLUMN_HEADINGS: Final = (
    Text("Column", "列"),
    Text("Loss", "损失"),
    Text("Entropy lost", "熵损失"),
    Text("Marginal error", "边缘分布误差"),
)


def show_utility(report: UtilityReport) -> None:
    """Prints a report."""
    for sentence in report.sentences():
        terminal.say(sentence)
    terminal.table(
        [str(heading) for heading in _MODEL_HEADINGS],
        [_score(report, model.name, score) for model in report.models for score in model.scores],
        right=[2, 3, 4, 5],
    )
    terminal.table(
        [str(heading) for heading in _COLUMN_HEADINGS],
        [
            (" ".join(each.name.split()), *map(_share, (each.loss, each.entropy, each.marginal)))
            for each in report.columns
        ],
        right=[1, 2, 3],
    )
    terminal.say(_summary(report))
    terminal.say(
        Text(
            "These figures speak of the original: they are for you, and not part of a release.",
            "以上指标涉及原始数据，仅供您使用，不随数据发布。",
        ),
        style=terminal.SOFT,
    )


def _score(report: UtilityReport, model: str, score: Score) -> tuple[str, ...]:
    return (
        str(model_name(model, report.task)),
        str(_METRICS[score.metric]),
        f"{score.original:,.4f}",
        f"{score.released:,.4f}",
        f"{score.released - score.original:+,.4f} ± {score.spread:,.4f}",
        f"{score.naive:,.4f}",
    )


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _summary(report: UtilityReport) -> Text:
    one, two = report.one_way, report.two_way
    before, now = report.discernibility_before, report.discernibility
    return Text(
        f"{report.released:,} of {report.rows:,} rows are in the release; models learnt from "
        f"{report.learnt_from:,} rows, in {report.parts} parts. Marginals: {one.tables} of one "
        f"column, error {one.mean:.4f} on average, at most {one.worst:.4f}; {two.tables} of two "
        f"columns, {two.mean:.4f}, at most {two.worst:.4f}. Discernibility {before:,} → {now:,}.",
        f"发布 {report.released:,} 行（原始 {report.rows:,} 行）；模型使用 {report.learnt_from:,} "
        f"行，分 {report.parts} 份。边缘分布误差：单列 {one.tables} 个，平均 {one.mean:.4f}，最大 "
        f"{one.worst:.4f}；两列 {two.tables} 个，平均 {two.mean:.4f}，最大 {two.worst:.4f}。"
        f"可辨识度 {before:,} → {now:,}。",
    )
