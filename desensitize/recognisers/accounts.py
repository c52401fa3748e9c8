"""Accounts: e-mail, WeChat, QQ.

- E-mail: the form that RFC 5321 section 4.1.2 allows without quotes; domains of RFC 1035, and
  top-level domains of letters. Own rule, since Presidio's asks the network for a list of suffixes.
- WeChat: 6 to 20 characters, first a letter (Tencent's own help pages); ``wxid_`` is what the
  system gives. QQ: 5 to 11 digits without a leading zero. Both need a header or a cue.
"""

from __future__ import annotations

from typing import Final

from desensitize.recognisers.base import Recogniser
from protos.language import Text

_LOCAL: Final = "[A-Za-z0-9_%+-](?:[A-Za-z0-9._%+-]{0,62}[A-Za-z0-9_%+-])?"
_DOMAIN: Final = "(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\\.)+[A-Za-z]{2,24}"

EMAIL: Final = Recogniser(
    name="email",
    title=Text("e-mail address", "电子邮箱"),
    role="direct",
    grade=3,
    pattern=f"{_LOCAL}@{_DOMAIN}",
    gate="[A-Za-z0-9_%+-]@[A-Za-z0-9]",
    headers=("邮箱", "电子邮箱", "电子邮件", "邮件地址", "dzyx", "email", "mail", "emailaddress"),
    context=("邮箱", "邮件", "email", "mail"),
)

WECHAT: Final = Recogniser(
    name="wechat",
    title=Text("WeChat account", "微信号"),
    role="direct",
    grade=3,
    pattern="(?:[A-Za-z][-_A-Za-z0-9]{5,19}|1[3-9][0-9]{9})",
    cue="(?:微信|(?i:wechat|weixin|vx))(?:号码|账号|号|(?i: ?id))?[为是:： ]{0,3}",
    headers=("微信", "微信号", "wx", "wxh", "wechat", "weixin", "wechatid"),
    alone=2.0,
    context=("微信", "wechat", "vx"),
)

QQ: Final = Recogniser(
    name="qq",
    title=Text("QQ number", "QQ 号"),
    role="direct",
    grade=3,
    pattern="[1-9][0-9]{4,10}",
    cue="(?i:qq)(?:号码|号)?[为是:： ]{0,3}",
    headers=("qq号", "qq号码", "qq", "qqno", "qqnumber"),
    alone=2.0,
    context=("qq",),
)
