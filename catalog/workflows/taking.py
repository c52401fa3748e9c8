"""Whether a step can be taken: one question after the other, each with what would be possible."""

from __future__ import annotations

from catalog.access.principal import Principal
from catalog.workflows.case import Case
from catalog.workflows.clocks import Clocks
from catalog.workflows.events import Event
from catalog.workflows.model import PARTIES, Step, Workflow
from protos.faults import ConflictError, InputError, MissingError, PolicyError
from protos.language import Text, joined


def visible(workflow: Workflow, case: Case | None, caller: Principal) -> bool:
    """Says whether a caller may know of a case."""
    if case is None:
        return False
    return case.state in workflow.open_states or insider(workflow, case, caller)


def insider(workflow: Workflow, case: Case, caller: Principal) -> bool:
    """Says whether a caller may see all of a case: history, names, reasons."""
    reach = caller.reach(workflow.read)
    mine = bool(caller.account) and caller.account in {case.owner, case.counterpart}
    ours = bool(caller.department) and caller.department == case.department
    return (
        reach == "all"
        or (reach in {"own", "department"} and mine)
        or (reach == "department" and ours)
    )


def absent(workflow: Workflow) -> MissingError:
    """Returns the error for a case that is not there, or not for this caller."""
    title = workflow.title
    return MissingError(
        Text(f"there is no such {title.en}", f"没有该{title.zh}"),
        remedy=Text("see the list of those that are yours to see", "请查看您有权查看的列表"),
        code="case.unknown",
    )


def check_caller(step: Step, case: Case | None, caller: Principal) -> None:
    """Checks that a step is the caller's to take, in this case.

    Raises:
        LoginError: Nobody is logged in.
        PolicyError: It is not.
    """
    if case is None:
        # What opens a case belongs to whoever opens it; rules say for which department.
        caller.require_of(step.action, owner=caller.account, department=caller.department)
        return
    owners = {
        "owner": case.owner, "counterpart": case.counterpart, "user": case.counterpart,
        "anybody": case.owner,
    }  # fmt: skip
    ours = step.by in {"department", "user", "anybody"}
    # Only what the step is for: who asked must not decide because the case is also "its own".
    caller.require_of(
        step.action, owner=owners.get(step.by, ""), department=case.department if ours else ""
    )


def check_revision(case: Case, revision: int) -> None:
    """Checks that the caller has seen the case as it is.

    Raises:
        ConflictError: Somebody has changed it meanwhile.
    """
    if case.revision != revision:
        raise ConflictError(
            Text(f"somebody has changed this case meanwhile (it is at {case.revision})",
                 f"本案已被他人更新（当前版本 {case.revision}）"),
            remedy=Text("look at it again", "请重新查看后再操作"),
            code="case.changed",
        )  # fmt: skip


def check_state(workflow: Workflow, step: Step, case: Case) -> None:
    """Checks that a step leads on from the state in which the case is.

    Raises:
        InputError: It does not; says who can do what instead.
    """
    if case.state in step.before:
        return
    state = workflow.state(case.state)
    others = [
        Text(f"{s.name} ({PARTIES[s.by].en})", f"{s.name}（{PARTIES[s.by].zh}）")
        for s in workflow.possible(case.state)
    ]
    possible = joined(others, Text(", ", "、")) if others else Text("nothing more", "无")
    who, title = PARTIES[step.by], workflow.title
    raise InputError(
        Text(f"{who.en} cannot {step.name} this {title.en} now: it is {state.title.en}",
             f"{title.zh}处于“{state.title.zh}”，{who.zh}不能执行 {step.name}"),
        remedy=Text(f"possible now: {possible.en}", f"现在可执行：{possible.zh}"),
        code="case.step",
    )  # fmt: skip


def check_eyes(workflow: Workflow, step: Step, events: list[Event], caller: Principal) -> None:
    """Checks that somebody else took the steps before: four eyes.

    Raises:
        PolicyError: It was the caller.
    """
    for event in events:
        if event.step in step.apart and event.by == caller.account:
            taken = workflow.step(event.step)
            raise PolicyError(
                Text(f"{caller.account} did {taken.name} in this case: somebody else must "
                     f"{step.name}",
                     f"{caller.account} 已在本案执行 {taken.name}，{step.name} 须由他人执行"),
                remedy=Text("ask a colleague", "请由同事办理"),
                code="case.four_eyes",
            )  # fmt: skip


def check_clock(workflow: Workflow, step: Step, case: Case, clocks: Clocks, now: int) -> None:
    """Checks what a step demands of the state's clock.

    Raises:
        InputError: It is too early, or too late.
    """
    deadline = clocks.deadline(workflow, case.state, case.since)
    if not step.clock or deadline is None:
        return
    over = now >= deadline
    last = clocks.day(deadline - 1).isoformat()
    if step.clock == "over" and not over:
        raise InputError(
            Text(f"too early to {step.name}: the days run until {last}, included",
                 f"尚不能执行 {step.name}：期限至 {last}（含）"),
            remedy=Text("wait until they are over", "请在期满后办理"),
            code="case.early",
        )  # fmt: skip
    if step.clock == "running" and over:
        raise InputError(
            Text(f"too late to {step.name}: the last day was {last}",
                 f"不能再执行 {step.name}：期限已于 {last} 届满"),
            remedy=Text("write to the exchange", "请联系交换中心"),
            code="case.late",
        )  # fmt: skip


def check_document(step: Step, document: str) -> None:
    """Checks that an officer's document is there where the table wants one, and nowhere else.

    Raises:
        InputError: It is not so.
    """
    if bool(step.office) != bool(document):
        raise InputError(
            Text(f"{step.name} needs the signed decision of a {step.office}",
                 f"{step.name} 须附{step.office}的签名决定")
            if step.office
            else Text(f"{step.name} takes no signed decision", f"{step.name} 不需要签名决定"),
            remedy=Text("sign with your own key: give --sign-with to the command",
                        "请用本人密钥签署：在命令中指定 --sign-with")
            if step.office
            else Text("leave it out", "请去掉"),
            code="case.document",
        )  # fmt: skip
