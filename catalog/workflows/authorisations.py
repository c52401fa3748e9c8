"""A person or firm authorises one use of its data, sees every use, and withdraws."""

from __future__ import annotations

from typing import Final

from catalog.workflows.fields import Field
from catalog.workflows.model import State, Step, Workflow
from protos.language import Text

AUTHORISATIONS: Final = Workflow(
    kind="authorisations",
    title=Text("authorisation", "数据主体授权"),
    read="authorisation.read",
    states=(
        State("active", Text("in force", "有效")),
        State("spent", Text("used up", "已用完")),
        State("withdrawn", Text("withdrawn", "已撤回")),
    ),
    steps=(
        Step("give", Text("authorise", "授权"), (), "active", "authorisation.give", "owner",
             (Field("title", "line", Text("title", "标题")),
              Field("recipient", "code", Text("account that may use it", "被授权账户")),
              Field("datasets", "datasets", Text("the dataset", "数据资源")),
              Field("operation", "code", Text("what may be done (lookup, score, …)",
                                              "允许的操作（lookup、score 等）")),
              Field("purpose", "line", Text("purpose", "用途")),
              Field("until", "day", Text("last day of use", "使用截止日")),
              Field("times", "number", Text("how often", "次数")),
              Field("department", "code", Text("code of the department that releases the data",
                                               "提供数据的部门代码"), required=False)),
             asks=True),
        # Taken before the data is used, by whoever uses or releases it, who says word for word
        # what for; the rule ends it when it was the last time.
        Step("use", Text("use", "使用"), ("active",), "", "authorisation.use", "user",
             (Field("operation", "code", Text("what is done", "执行的操作")),
              Field("purpose", "line", Text("purpose", "用途")),
              Field("reference", "code",
                    Text("the job, or the whole id (urn:uuid:…) of the circulation certificate",
                         "任务编号，或流通证书完整编号（urn:uuid:…）")))),
        Step("withdraw", Text("withdraw", "撤回"), ("active",), "withdrawn", "authorisation.give",
             "owner"),
    ),
)  # fmt: skip
