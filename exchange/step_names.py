"""What the rounds of a job are called for people: ``main/masked`` is for programs."""

from __future__ import annotations

from typing import Final

from protos.language import Text

_ROUNDS: Final[dict[str, Text]] = {
    "plan": Text("the plan", "计划"),
    "advertise": Text("public keys", "交换公钥"),
    "shares": Text("shares for drop-outs", "备用密钥份额"),
    "masked": Text("masked figures", "掩码后的数值"),
    "consistency": Text("agreement on who takes part", "确认参与名单"),
    "unmask": Text("taking off the masks", "去除掩码"),
    "ciphertext": Text("encrypted figures", "加密后的数值"),
    "sealed": Text("the sealed answer", "密封结果"),
    "bitmap": Text("which groups are shown", "可显示的分组"),
    "receipt": Text("signatures on the receipt", "签署回执"),
}
_RUNS: Final[dict[str, Text]] = {
    "counts": Text("group sizes", "分组人数"),
    "values": Text("figures", "数值"),
}


def step_name(step: str) -> Text:
    """Returns what a step such as ``counts/masked`` is called; unknown ones as they are."""
    run, _, round_ = step.rpartition("/")
    name = _ROUNDS.get(round_)
    if name is None:
        return Text(step, step)
    if (of := _RUNS.get(run)) is None:
        return name
    return Text(f"{of.en}: {name.en}", f"{of.zh}：{name.zh}")
