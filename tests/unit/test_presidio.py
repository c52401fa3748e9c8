"""Presidio with our recognisers, on a machine without a network."""

from __future__ import annotations

import socket

import pytest
from presidio_analyzer import AnalyzerEngine, BatchAnalyzerEngine

from desensitize.presidio import CHECKED, FORM, NoNlp, VeilRecognizer, analyzer, recognizers
from desensitize.recognisers import RECOGNISERS, by_name
from desensitize.scanning.finder import find
from tests.unit.test_recognisers import FOUND


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture
def engine(offline: None) -> AnalyzerEngine:
    return analyzer()


@pytest.mark.parametrize(("name", "text", "value"), FOUND)
def test_finds_what_the_scan_finds(
    engine: AnalyzerEngine, name: str, text: str, value: str
) -> None:
    results = engine.analyze(text, language="zh")
    ours = [(hit.recogniser.name.upper(), hit.start, hit.end) for hit in find([text])]
    assert sorted((r.entity_type, r.start, r.end) for r in results) == sorted(ours)
    assert name.upper() in {result.entity_type for result in results}


def test_scores_and_precedence(engine: AnalyzerEngine) -> None:
    [result] = engine.analyze("13800138000@qq.com", language="zh")
    assert (result.entity_type, result.score) == ("EMAIL", FORM)
    [result] = engine.analyze("11010519491231002X", language="zh", entities=["CN_RESIDENT_ID"])
    assert result.score == CHECKED
    assert engine.analyze("13800138000", language="zh", entities=["EMAIL"]) == []


def test_in_a_batch(engine: AnalyzerEngine) -> None:
    found = list(BatchAnalyzerEngine(engine).analyze_iterator(["无", "邮箱a@b.cn"], language="zh"))
    assert [[result.entity_type for result in results] for results in found] == [[], ["EMAIL"]]


def test_validation_is_the_check() -> None:
    card = VeilRecognizer(by_name()["bank_card"])
    assert card.validate_result("4111111111111111") is True
    assert card.validate_result("4111111111111112") is False
    assert VeilRecognizer(by_name()["cn_mobile"]).validate_result("13800138000") is None


def test_all_that_work_in_text_are_there() -> None:
    assert len(recognizers()) == sum(bool(r.in_text) for r in RECOGNISERS) == 24
    assert recognizers("en")[0].supported_language == "en"


def test_the_nlp_engine_knows_nothing() -> None:
    engine = NoNlp()
    engine.load()
    assert engine.is_loaded()
    assert not engine.is_stopword("的", "zh")
    assert not engine.is_punct("。", "zh")
    assert engine.get_supported_entities() == []
    assert [text for text, _ in engine.process_batch(["a", "b"], "zh")] == ["a", "b"]
