"""The demo's acts, in order: each says what happens, lets it happen, and checks how it went."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from exchange.demo.proof import altered, compare
from exchange.demo.questions import ADULTS, CHILDREN, VERY_OLD, Question
from exchange.demo.stage import Stage
from exchange.demo.telling import safe, show, show_sql, tell, wrong
from protos import terminal
from protos.faults import InputError, JobError, PolicyError, TrustError
from protos.language import Text

if TYPE_CHECKING:
    from exchange.analyst.answer import Answer
    from exchange.ports import Progress


FORBIDDEN: Final = (
    "SELECT name, diagnosis FROM visits",
    "SELECT MAX(cost) FROM visits",
    "SELECT COUNT(*) FROM visits WHERE resident_id = '440106199001011234'",
    "SELECT COUNT(*) FROM visits; DROP TABLE visits",
)
GREEDY: Final = 50.0  # epsilon; the sample's policies stop at 2
ABSENT: Final = "zhuhai"
# Named, because the planner would choose one that waits a day for a department that is away.
PROTOCOL: Final = "masked_sum"
MIN_GROUP: Final = 5  # as the sample's policies say


@dataclass(frozen=True)
class Act:
    """One act.

    Attributes:
        title: What happens.
        play: Does it; raises a VeilError when something is not as it must be.
    """

    title: Text
    play: Callable[[Stage], None]


def start(stage: Stage) -> None:
    """Brings everything up."""
    from exchange.commands.tables import show_cluster

    with terminal.progress(Text("Starting", "启动中")) as progress:
        running = stage.start(progress.update)
    show_cluster(running)
    tell(
        "Five cities' health departments, an exchange between them, and an analyst. Here, they"
        " are processes; in life, machines in seven buildings. Each city keeps its own rows.",
        "五个城市的卫生健康部门、一个交换中心、一名分析员。在本机上各自是独立进程，"
        "现实中是七处机房的机器。各市的数据只存在各市自己的目录中。",
    )
    safe(
        "a city's node listens on nothing: it dials out, believes only keys that it has pinned,"
        " and obeys no policy but its own.",
        "城市节点不监听任何端口，只向外连接；只信任已核对指纹的密钥，只服从本部门的策略。",
    )


def explain(stage: Stage) -> None:
    """Says what the question would tell whom; nothing is asked."""
    show_sql(ADULTS)
    explanation = stage.veil.explain(ADULTS.sql)
    asked, learns = explanation.sections[:2]
    for section in (asked, learns):
        terminal.say(section.heading, style=terminal.ACCENT)
        for line in section.lines:
            terminal.say(line, indent=2)
    if not explanation.verdict.allowed:
        raise wrong("the sample policies refuse the question")
    safe(
        "this follows from declarations alone. No row was read and no budget was spent.",
        "以上仅由数据声明推出：没有读取任何数据，也没有消耗预算。",
    )


def ask(stage: Stage) -> None:
    """Asks, and compares with the truth."""
    _compare(stage, _ask(stage, ADULTS), ADULTS)
    safe(
        "each city added noise to its figures and then masked them; the exchange added the masked"
        " numbers up and can read neither a city's figures nor the total. The noise hides whether"
        " any one person is in the data at all.",
        "各市先给数字加噪声、再加掩码；交换中心只把掩码后的数相加，既看不到任一城市的数字，"
        "也看不到合计。噪声使任何一个人是否在数据中都无从判断。",
    )


def ledger(stage: Stage) -> None:
    """Shows what left one city, as its owner sees it."""
    from compute_nodes.views import show_ledger

    job = _receipt_claims(_stored(stage, ADULTS))["job"]
    show_ledger(stage.node("guangzhou"), job)
    tell(
        f"That is all that left Guangzhou for this answer. Its {_rows(stage)} rows stayed.",
        f"以上是广州为此次查询送出的全部内容；{_rows(stage)} 行数据原地未动。",
    )
    safe(
        "each message is written to this hash chain before it is sent. The owner can check it"
        " at any time.",
        "每条消息先写入此哈希链再发送，数据方随时可核对。",
    )


def refuse(stage: Stage) -> None:
    """Asks what must not be answered."""
    rows = []
    for statement in FORBIDDEN:
        try:
            stage.veil.sql(statement)
        except (InputError, PolicyError) as error:
            rows.append(("✗", statement, error.said))
        else:
            raise JobError(
                Text(
                    f"this was answered and must not be: {statement}",
                    f"不应作答的查询得到了结果：{statement}",
                ),
                code="demo.answered",
            )
    columns = ("", Text("Asked", "查询"), Text("Refused, because", "拒绝原因"))
    terminal.table([str(column) for column in columns], rows)
    tell(
        "That was the analyst's own program. Now one that has been tampered with signs a plan with"
        f" hardly any noise (epsilon {GREEDY:g}) and hands it in:",
        "以上由分析员自己的程序拒绝。现在换一个被改动过的程序，"
        f"签署几乎不加噪声的计划（ε = {GREEDY:g}）并提交：",
    )
    refusal = stage.submit_unjudged(ADULTS.sql, GREEDY)
    if refusal is None:
        raise wrong("a plan against the policies was answered")
    terminal.say(f"✗ {refusal}", style=terminal.BAD)
    safe(
        "it does not matter whether the analyst's program is honest. Every node judges each plan"
        " under its own policy, and runs no SQL that came over the wire.",
        "分析员的程序是否诚实并不要紧：每个节点都按自己的策略裁决每份计划，"
        "且从不执行网络传来的 SQL。",
    )


def check_receipt(stage: Stage) -> None:
    """Verifies the answer's receipt, then an altered copy of it."""
    from exchange.proof.receipt import verify_receipt
    from exchange.proof.receipt_views import show_report

    answer = _stored(stage, ADULTS)
    profile = stage.veil.profile
    table, receipt = stage.save(answer, "answer")
    report = verify_receipt(receipt, pins=profile.pins, table=table)
    show_report(report)
    if not report.complete:
        raise wrong("the receipt does not hold")
    tell(
        "Now somebody changes it to say that only a tenth of the privacy was spent:",
        "现在有人把回执里的隐私消耗改成十分之一：",
    )
    found = verify_receipt(altered(receipt, _understate), pins=profile.pins, table=table)
    if found.ok:
        raise TrustError(
            Text("an altered receipt was not found out", "被改动的回执未被发现"),
            code="demo.altered",
        )
    for check in found.failures:
        terminal.say(f"✗ {check.name}: {check.what}", style=terminal.BAD)
    safe(
        "every department signed what it did. A receipt is checked offline, with no trust in the"
        " exchange that issued it.",
        "每个部门都对自己所做的事签名。回执可离线核验，无须信任签发它的交换中心。",
    )


def lose_one(stage: Stage) -> None:
    """Stops a department and asks another question."""
    stage.cluster.stop_node(ABSENT)
    tell(f"The machine of {ABSENT} is switched off.", f"{ABSENT} 的机器已关闭。")
    show_sql(CHILDREN)
    answer = _ask(stage, CHILDREN)
    _compare(stage, answer, CHILDREN, without={ABSENT})
    if ABSENT not in " ".join(answer.notes):
        raise wrong("the answer does not name who dropped out")
    for note in answer.notes:
        if ABSENT in note:
            terminal.say(f"· {note}")
    safe(
        "four of five are enough to take off the masks, fewer than four would not be. The answer"
        " names who is missing, and estimates nothing.",
        "五个部门中有四个即可消去掩码，少于四个则不能。结果写明谁缺席，不作任何估计。",
    )


def ask_exactly(stage: Stage) -> None:
    """Gets exact figures under every owner's grant."""
    stage.cluster.start_node(ABSENT)
    tell(f"{ABSENT} is back.", f"{ABSENT} 已恢复。")
    show_sql(VERY_OLD)
    request = stage.veil.request_grant(VERY_OLD.sql, "Planning care for the very old")
    members = [process.name for process in stage.cluster.processes() if process.name != "exchange"]
    for name in members:
        stage.approve(request, name)
        terminal.done(Text(f"{name} has signed a grant", f"{name} 已签发授权"))
    truth = stage.province.truth(VERY_OLD.sql)
    compared = compare(_ask(stage, VERY_OLD, exact=True), truth, VERY_OLD.keys)
    show(compared, VERY_OLD)
    if not all(c.inside for c in compared):
        raise wrong("an exact figure is not the true one")
    shown = {c.group for c in compared}
    small = [r for r in truth.to_pylist() if r["visits"] < MIN_GROUP]
    if not (small and shown):
        raise wrong("the data has no group to hide, or none to show")
    if any((r["department"],) in shown for r in small):
        raise wrong("a small group is shown")
    hidden = truth.num_rows - len(shown)
    terminal.done(
        Text(
            f"{len(compared)} figures, each exactly the true one; {hidden} groups are hidden",
            f"{len(compared)} 个数字与真值完全一致；{hidden} 个分组被隐藏",
        )
    )
    safe(
        f"each owner signed for this very statement, once. Groups under {MIN_GROUP} people are"
        " hidden, and another one with them, so that no total gives them away.",
        f"每个数据方只为这一条语句签名一次。少于 {MIN_GROUP} 人的分组被隐藏，"
        "并连带隐藏另一组，使合计也无法推出它们。",
    )


ACTS: Final[tuple[Act, ...]] = (
    Act(Text("Everybody starts", "各方启动"), start),
    Act(Text("What would the question tell whom?", "提问之前：谁会知道什么？"), explain),
    Act(Text("The question, over five cities", "跨五市查询"), ask),
    Act(Text("What left a city", "一个城市送出了什么"), ledger),
    Act(Text("What is not answered", "哪些问题不予回答"), refuse),
    Act(Text("The receipt", "回执"), check_receipt),
    Act(Text("One department drops out", "一个部门掉线"), lose_one),
    Act(Text("Exact figures, under grants", "经授权的精确结果"), ask_exactly),
)


def perform(stage: Stage) -> None:
    """Plays every act; the stage is left running.

    Raises:
        VeilError: Something was not as it must be.
    """
    for number, act in enumerate(ACTS, 1):
        terminal.heading(f"{number}/{len(ACTS)}  {act.title}")
        act.play(stage)


def _ask(stage: Stage, question: Question, *, exact: bool = False) -> Answer:
    with terminal.progress(Text("Asking the departments", "正在询问各部门")) as progress:

        def told(step: Progress) -> None:
            if step.what == "dropped":
                progress.update(Text(f"{step.department} is gone", f"{step.department} 已掉线"))

        return stage.veil.sql(question.sql, watch=told, exact=exact, protocol=PROTOCOL)


def _stored(stage: Stage, question: Question) -> Answer:
    """The answer that was given before, from the analyst's history: it costs nothing."""
    return stage.veil.sql(question.sql, protocol=PROTOCOL)


def _compare(
    stage: Stage, answer: Answer, question: Question, *, without: Collection[str] = ()
) -> None:
    truth = stage.province.truth(question.sql, without=without)
    compared = compare(answer, truth, question.keys)
    show(compared, question)
    inside = sum(c.inside for c in compared)
    terminal.done(
        Text(
            f"The truth lies within {inside} of {len(compared)} intervals"
            " (each is made to hold it 95 times in 100)",
            f"{len(compared)} 个区间中有 {inside} 个包含真值（按设计各为 95%）",
        )
    )
    if not compared or not all(c.plausible for c in compared):
        raise wrong("the answer is empty, or a figure is far outside its interval")


def _receipt_claims(answer: Answer) -> dict[str, Any]:
    from protos.identity import unverified_claims

    claims: dict[str, Any] = unverified_claims(answer.receipt["receipt"])["credentialSubject"]
    return claims


def _understate(claims: dict[str, Any]) -> None:
    subject = claims["credentialSubject"]
    subject["epsilon"] = float(subject["epsilon"]) / 10


def _rows(stage: Stage) -> str:
    return f"{stage.province.rows:,}"
