"""The recognisers for users of Microsoft Presidio.

    from desensitize.presidio import analyzer

    analyzer().analyze("患者张三,身份证11010519491231002X", language="zh")

Offline: no model is loaded and nothing is asked of the network. Presidio's own rules for e-mail
and IP addresses are not used: they fetch the list of public suffixes. Whoever has an NLP engine for
Chinese adds `recognizers` to a registry of theirs; then ``context`` words count, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any, Final

import pyarrow as pa
from presidio_analyzer import (
    AnalyzerEngine,
    Pattern,
    PatternRecognizer,
    RecognizerRegistry,
    RecognizerResult,
)
from presidio_analyzer.nlp_engine import NlpArtifacts, NlpEngine
from spacy.tokens import Doc
from spacy.vocab import Vocab

from desensitize.recognisers import recognisers
from desensitize.recognisers.base import Recogniser
from desensitize.scanning.finder import Hit, find

LANGUAGE: Final = "zh"
CHECKED: Final = 1.0
"""Score of what has passed a check (digit, date, list), or stands behind its cue."""
FORM: Final = 0.6
"""Score of what has the form alone."""


class VeilRecognizer(PatternRecognizer):
    """One of our recognisers as Presidio's.

    Args:
        recogniser: Ours.
        language: Presidio's language code under which it serves.
    """

    def __init__(self, recogniser: Recogniser, language: str = LANGUAGE) -> None:
        self.recogniser = recogniser
        self.certainty = CHECKED if recogniser.check is not None or recogniser.cue else FORM
        self.label = f"Veil {recogniser.title.en}"
        super().__init__(
            supported_entity=recogniser.name.upper(),
            name=self.label,
            supported_language=language,
            patterns=[Pattern(recogniser.name, recogniser.exact.pattern, self.certainty)],
            context=list(recogniser.context),
        )

    def analyze(
        self,
        text: str,
        entities: list[str],  # noqa: ARG002 - Presidio's signature
        nlp_artifacts: NlpArtifacts | None = None,  # noqa: ARG002
        regex_flags: int | None = None,  # noqa: ARG002
    ) -> list[RecognizerResult]:
        """Finds this type, where no type that takes precedence claims the same characters."""
        return [
            RecognizerResult(
                entity_type=self.supported_entities[0],
                start=hit.start,
                end=hit.end,
                score=self.certainty,
                recognition_metadata={
                    RecognizerResult.RECOGNIZER_NAME_KEY: self.label,
                    RecognizerResult.RECOGNIZER_IDENTIFIER_KEY: self.id,
                },
            )
            for hit in _hits(text)
            if hit.recogniser is self.recogniser
        ]

    def validate_result(self, pattern_text: str) -> bool | None:
        """Says whether a text of this form is valid; None if its form is all there is."""
        if self.recogniser.check is None:
            return None
        return bool(self.recogniser.valid(pa.array([pattern_text], pa.string()))[0])


@lru_cache(maxsize=4)
def _hits(text: str) -> tuple[Hit, ...]:
    """Presidio asks each recognizer about the same text in turn; one search answers them all."""
    return tuple(find([text]))


class NoNlp(NlpEngine):
    """An NLP engine that knows no words: patterns need none, and models would be downloads."""

    def load(self) -> None:
        """There is nothing to load."""

    def is_loaded(self) -> bool:
        """Always."""
        return True

    def process_text(self, text: str, language: str) -> NlpArtifacts:  # noqa: ARG002
        """Returns no tokens and no entities."""
        return NlpArtifacts([], Doc(Vocab()), [], [], self, language)

    def process_batch(
        self,
        texts: Iterable[str],
        language: str,
        batch_size: int = 1,  # noqa: ARG002 - Presidio's signature
        n_process: int = 1,  # noqa: ARG002
        **kwargs: Any,  # noqa: ANN401, ARG002
    ) -> Iterator[tuple[str, NlpArtifacts]]:
        """Yields each text with nothing found in it."""
        for text in texts:
            yield text, self.process_text(text, language)

    def is_stopword(self, word: str, language: str) -> bool:  # noqa: ARG002
        """No word is known."""
        return False

    def is_punct(self, word: str, language: str) -> bool:  # noqa: ARG002
        """No word is known."""
        return False

    def get_supported_entities(self) -> list[str]:
        """None."""
        return []

    def get_supported_languages(self) -> list[str]:
        """The one under which the recognizers serve."""
        return [LANGUAGE]


def recognizers(language: str = LANGUAGE) -> list[VeilRecognizer]:
    """Returns all recognisers that work in running text, as Presidio's."""
    return [VeilRecognizer(each, language) for each in recognisers() if each.in_text]


def analyzer() -> AnalyzerEngine:
    """Returns an analyzer with our recognisers only, for ``language="zh"``; works offline."""
    registry = RecognizerRegistry(recognizers(), supported_languages=[LANGUAGE])
    return AnalyzerEngine(registry, NoNlp(), supported_languages=[LANGUAGE])
