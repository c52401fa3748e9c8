"""Every text for people stands in English and Chinese, side by side where it is used."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

Language = Literal["en", "zh"]


def language(environ: Mapping[str, str] = os.environ) -> Language:
    """Returns the language asked for by ``VEIL_LANG``, else by the locale variables.

    The first of VEIL_LANG, LC_ALL, LC_MESSAGES and LANG that is set decides, as POSIX says of
    the last three; what starts with ``zh`` is Chinese, all else is English.
    """
    for name in ("VEIL_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        if value := environ.get(name):
            return "zh" if value.lower().startswith("zh") else "en"
    return "en"


@dataclass(frozen=True)
class Text:
    """One text in both languages; ``str()`` gives the one of this process.

    Attributes:
        en: English.
        zh: Chinese (simplified).
    """

    en: str
    zh: str

    def __str__(self) -> str:
        """Returns the text in the language of the environment."""
        return self.of(language())

    def of(self, chosen: Language) -> str:
        """Returns the text in one language."""
        return self.zh if chosen == "zh" else self.en

    def format(self, **values: object) -> Text:
        """Fills the same named places in both languages."""
        return Text(self.en.format(**values), self.zh.format(**values))


# What may be said to people. A plain ``str`` is English only: for what a user of a sound
# installation never meets, such as a peer's malformed message.
Words = str | Text


def both(words: Words) -> Text:
    """Returns ``words`` as a `Text`; English alone stands in for the Chinese."""
    return words if isinstance(words, Text) else Text(words, words)


def joined(parts: Iterable[Words], between: Text = Text("; ", "；")) -> Text:
    """Puts texts one behind the other, in each language with its own punctuation."""
    texts = [both(part) for part in parts]
    return Text(between.en.join(t.en for t in texts), between.zh.join(t.zh for t in texts))
