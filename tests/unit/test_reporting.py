"""The report on a release: true to what was signed, harmless to open, and in two languages."""

from __future__ import annotations

import errno
import html
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import desensitize
from desensitize.attacks.findings import AttackReport, Finding
from desensitize.attesting.signing import new_signing_key
from desensitize.generalise.alternatives import Alternative
from desensitize.masking.visible import Drop, Keep, Redact
from desensitize.policy import PublishedColumn
from desensitize.releasing.earlier import Changes
from desensitize.releasing.facts import Done, RescanFacts
from desensitize.reporting import charts
from desensitize.reporting.contents import Contents, read_contents
from desensitize.reporting.page import page
from desensitize.reporting.points import points
from desensitize.risks import RiskReport, from_dict
from desensitize.shares import share
from desensitize.show.release import detail_lost
from protos.faults import InputError, TrustError, UnavailableError
from protos.language import Text

VEIL = Path(sys.executable).with_name("veil")
EVIL = '<script>alert("x")</script>'
POLICY = f"""dataset = "people"
open = "conditional"
[columns.age]
role = "quasi"
grade = 2
[columns.'{EVIL}']
role = "quasi"
[columns.pay]
role = "sensitive"
grade = 3
[columns.name]
[publish]
models = {{ k = 4, l = 2 }}
attacks = {{ linkage_correct_max = 0.001 }}
hierarchies = {{ age = ["value", "5", "10", "*"], '{EVIL}' = ["value", "*"] }}
methods = {{ pay = {{ top_code = 90, round = 10 }}, name = "drop" }}
"""
VOID = {"meta", "input", "br", "rect", "line", "circle", "polyline"}


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("original") / "people.parquet"
    rows = 120
    pq.write_table(pa.table({
        "age": [20 + i * 7 % 30 for i in range(rows)],
        EVIL: ["a", "b"] * (rows // 2),
        "pay": [i * 13 % 97 for i in range(rows)],
        "name": [f"n{i}" for i in range(rows)],
        "extra": [1] * rows,
    }), path)  # fmt: skip
    return path


@pytest.fixture(scope="module")
def attested(original: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("attested")
    (folder / "policy.toml").write_text(POLICY, "utf-8")
    desensitize.run(original, policy=folder / "policy.toml", out=folder / "release")
    new_signing_key(folder / "steward.pem")
    gated = desensitize.gate(
        folder / "release", original=original, signing_key=folder / "steward.pem"
    )
    assert gated.verdict.passed
    return folder / "release"


@pytest.fixture
def copy(attested: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(attested, tmp_path / "release"))


@pytest.fixture
def contents(attested: Path) -> Contents:
    return read_contents(attested)


class Page(HTMLParser):
    """Keeps what a page says in each language, and wants every element closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[tuple[str, str]] = []
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.said: dict[str, str] = {"en": "", "zh": ""}
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        self.tags.add(tag)
        self.links += [str(value) for name, value in attrs if name in {"src", "href", "srcset"}]
        assert not any(name.startswith("on") for name, _ in attrs)
        if tag not in VOID:
            self.open.append((tag, known.get("lang") or ""))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        languages = {lang for tag, lang in self.open if tag == "span" and lang}
        for language in languages or {"en", "zh"}:
            self.said[language] += data


def test_a_report_says_what_was_signed(attested: Path, original: Path, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    told = desensitize.report(attested, out=out, original=original, first="zh")
    assert told.standing == "attested"
    assert told.risk == from_dict(
        json.loads((attested / "attestation.json").read_text("utf-8"))["credentialSubject"]["risk"]
    )
    assert [each.k for each in told.alternatives if each.k == 4] == [4]
    said = Page(out.read_text("utf-8")).said
    assert told.risk is not None
    for sentence in told.risk.who():
        assert sentence.en in said["en"]
        assert sentence.zh in said["zh"]
    assert told.fingerprint in said["en"]
    assert told.release.output.sha256 in said["zh"]
    assert "Passed the publishing gate, and attested" in said["en"]
    assert "已通过发布门禁，并已签署证明" in said["zh"]
    assert "其他 k 的代价" in said["zh"]
    assert said["en"].count("extra") == 2  # dropped, and said to be not mentioned
    assert "different values in each sensitive column" in said["en"]
    assert "Taken to be known to no outsider: pay." in said["en"]
    body = json.loads(json.dumps(told.to_dict()))
    assert body["standing"] == "attested"
    assert [each["zh"] for each in body["points"]] == [each.zh for each in points(told)]


def test_nothing_reads_as_no_loss_that_was_not_measured(contents: Contents) -> None:
    release = replace(contents.release, suppressed_rows=3)
    levels, pay = release.columns[0], release.columns[2]
    assert detail_lost(levels, release) == [Text(*2 * [share(release.figures["losses"]["age"])])]
    assert detail_lost(pay, release) == [Text("not measured", "未度量")]
    emptied = replace(pay, lost=1200)
    assert [each.en for each in detail_lost(emptied, release)] == ["not measured", "1,200 emptied"]
    kept = replace(pay, methods=(Done("keep", {}, Text("the exact value", "可知其准确值")),))
    assert detail_lost(kept, release)[0].en == "2.50%"  # of rows that were left out all is lost


def test_an_attestation_is_found_in_its_directory(attested: Path, tmp_path: Path) -> None:
    assert desensitize.verify(attested) == desensitize.verify(attested / "attestation.json")
    (nothing,) = desensitize.verify(tmp_path).checks
    assert (nothing.name, nothing.state) == ("file", "fails")
    assert "attestation.json 不存在" in nothing.reason.zh


def test_the_page_needs_nothing_else_and_runs_nothing(contents: Contents) -> None:
    """A header of the data is a script; it stays a text. The page asks for no other file."""
    text = page(contents, "en")
    found = Page(text)
    assert "script" not in found.tags
    assert html.escape(EVIL, quote=False).replace('"', "&#34;") in text
    assert found.links == []
    assert "default-src 'none'" in text
    assert not re.search(r"url\(|@import|https?://(?!www\.w3\.org)", text)


@pytest.mark.parametrize("first", ["en", "zh"])
def test_each_language_stands_alone(contents: Contents, first: str) -> None:
    text = page(contents, first)  # type: ignore[arg-type]
    assert f'<html lang="{"zh-CN" if first == "zh" else "en"}">' in text
    assert re.search(rf'id="to-{first}" checked', text)
    assert not re.search(r"[a-z]\.[A-Z]", Page(text).said["en"]), "a blank after each sentence"
    prose = Page(text).said["en"].partition("Release report")[2].partition("Appendix")[0]
    assert not re.search("[一-鿿]", prose)


def test_without_an_attestation_it_is_a_draft(copy: Path, tmp_path: Path) -> None:
    (copy / "attestation.json").unlink()
    told = desensitize.report(copy, out=tmp_path / "r.html")
    assert (told.standing, told.fingerprint, told.checks) == ("unsigned", "", ())
    assert told.risk is not None
    assert told.attacks is not None
    assert "Not attested yet" in (tmp_path / "r.html").read_text("utf-8")


def test_an_attestation_that_does_not_hold_is_said_first(copy: Path, tmp_path: Path) -> None:
    """Figures of a broken attestation are never shown as signed."""
    body = json.loads((copy / "attestation.json").read_text("utf-8"))
    body["credentialSubject"]["risk"]["k"] = 1_000
    (copy / "attestation.json").write_text(json.dumps(body), "utf-8")
    told = desensitize.report(copy, out=tmp_path / "r.html")
    assert told.standing == "broken"
    assert told.risk is not None
    assert told.risk.k < 1_000
    text = (tmp_path / "r.html").read_text("utf-8")
    assert "do not publish this" in text
    assert "Passed the publishing gate" not in text


def test_an_attestation_of_another_release_is_broken(copy: Path, tmp_path: Path) -> None:
    manifest = json.loads((copy / "manifest.json").read_text("utf-8"))
    manifest["suppressed_rows"] = 0
    manifest["notes"] = [{"en": "all is well", "zh": "一切正常"}]
    (copy / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    assert desensitize.report(copy, out=tmp_path / "r.html").standing == "broken"


def test_rows_that_were_exchanged_are_no_release(copy: Path, tmp_path: Path) -> None:
    (copy / "people.parquet").write_bytes(b"PAR1")
    with pytest.raises(TrustError, match=r"people\.parquet is not the file"):
        desensitize.report(copy, out=tmp_path / "r.html")
    assert not (tmp_path / "r.html").exists()


def test_wrong_places_are_refused_before_any_work(
    attested: Path, original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "r.html"
    out.write_text("mine", "utf-8")
    with pytest.raises(InputError, match="exists already"):
        desensitize.report(attested, out=out)
    assert out.read_text("utf-8") == "mine"
    with pytest.raises(InputError, match="is no directory"):
        desensitize.report(attested, out=tmp_path / "no" / "r.html")
    with pytest.raises(TrustError, match="is not what the release was made from"):
        desensitize.report(attested, out=tmp_path / "x.html", original=attested / "policy.toml")
    with pytest.raises(InputError, match="is no release"):
        desensitize.report(tmp_path, out=tmp_path / "x.html")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "link", full)
    with pytest.raises(UnavailableError, match="No space left"):
        desensitize.report(attested, out=tmp_path / "x.html")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r.html"]


def test_the_command(
    attested: Path, tmp_path: Path, run: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    out, body = tmp_path / "r.html", tmp_path / "r.json"
    done = run(VEIL, "desensitize", "report", attested, "--out", out, "--json", body)
    assert done.returncode == 0, done.stderr
    assert "✓ passed the gate, and attested" in done.stdout
    assert "Who knows a person's age" in done.stdout
    assert json.loads(body.read_text("utf-8"))["dataset"] == "people"
    again = run(VEIL, "desensitize", "report", attested, "--out", out)
    assert again.returncode != 0
    assert "exists already" in again.stderr


# ---- pictures ----------------------------------------------------------------------------------


def test_bars_stay_on_the_page_and_limits_show_their_colour(contents: Contents) -> None:
    assert contents.risk is not None
    assert contents.attacks is not None
    drawn = [
        *charts.class_sizes(contents.risk), *charts.attackers(contents.risk),
        *charts.inferences(contents.attacks), *charts.losses(contents.release),
    ]  # fmt: skip
    assert len(drawn) >= 6
    for bar in drawn:
        assert 0 <= bar.width <= 100
        assert bar.start is None or 0 <= bar.start <= bar.width
    widest = max(charts.class_sizes(contents.risk), key=lambda bar: bar.width)
    assert widest.width == 100


def finding(attack: str, figure: float | None, **more: object) -> Finding:
    none = Text("", "")
    return replace(Finding(attack, ("c",), figure, none, None, none), **more)  # type: ignore[arg-type]


def test_masks_are_drawn_by_powers_of_ten() -> None:
    report = AttackReport(9, (
        finding("mask_reversal", 1.0, threshold=1000.0, at_least=True),
        finding("mask_reversal", 10_000.0, threshold=1000.0, at_least=True),
        finding("mask_reversal", None),
    ))  # fmt: skip
    broken, held, unknown = charts.candidates(report)
    assert (broken.width, broken.tone, broken.limit) == (0, "bad", 37.5)
    assert (held.width, held.tone) == (50, "good")
    assert (unknown.tone, unknown.said.zh) == ("bad", "无法判定")


def test_the_line_goes_through_what_can_be_had() -> None:
    def at(k: int, loss: float, met: bool = True) -> Alternative:
        return Alternative(k, met, loss, 0.0, 1, {})

    plot = charts.loss_against_k([at(2, 0.0), at(10, 0.5), at(50, 1.0), at(100, 1.0, False)], 10)
    assert plot is not None
    assert [point.label for point in plot.points] == ["2", "10", "50"]
    assert [point.chosen for point in plot.points] == [False, True, False]
    assert plot.left < plot.points[0].x < plot.points[1].x  # its figure is beside the axis' own
    assert plot.points[-1].x == plot.right
    assert plot.points[0].y == plot.bottom > plot.points[1].y > plot.points[2].y
    # k = 10 is half way from 2 to 50 where steps are factors.
    assert plot.points[1].x == pytest.approx((plot.points[0].x + plot.right) / 2)
    assert charts.loss_against_k([at(2, 0.0), at(5, 1.0, False)], 2) is None


@pytest.mark.parametrize(
    ("value", "written"),
    [(0, "0%"), (1, "100%"), (0.05, "5.00%"), (0.2, "20.0%"), (0.0004, "0.04%")],
)
def test_shares(value: float, written: str) -> None:
    assert share(value) == written


# ---- points to be weighed ----------------------------------------------------------------------


def english(contents: Contents) -> str:
    return "\n".join(said.en for said in points(contents))


def changed(contents: Contents, **risk: object) -> Contents:
    assert contents.risk is not None
    return replace(contents, risk=replace(contents.risk, **risk))  # type: ignore[arg-type]


def test_what_is_easily_overlooked_is_said(contents: Contents) -> None:
    plain = english(contents)
    assert "No earlier release was compared" in plain
    assert "above 5%" in plain
    assert "ask for k = 20" in plain
    assert "sets no limit" not in plain
    assert "are alone" not in plain
    assert "3 rows (2.50%) are alone" in english(changed(contents, unique_rows=3, rows=120))
    left = replace(contents, rescan=RescanFacts(9, {"note": {"cn_mobile": 2}}))
    assert english(left).startswith("Direct identifiers are still in note")
    assert "was compared" not in english(replace(contents, earlier={"r1": "00"}))
    safe = changed(contents, k=20, above_present=0)
    assert "is above" not in english(safe)


def test_values_that_count_as_one_are_said(contents: Contents) -> None:
    columns = dict(contents.policy.columns)
    name = contents.policy.published[0].name
    assert "take these values for one" not in english(contents)
    columns[name] = replace(columns[name], same=(("HIV", "艾滋病"),))
    merged = replace(contents, policy=replace(contents.policy, columns=columns))
    assert f"{name} (HIV = 艾滋病)" in english(merged)


def test_columns_that_a_policy_calls_harmless_are_said(contents: Contents) -> None:
    assert "calls these columns other" not in english(contents)
    columns = {
        name: PublishedColumn(name, kind, methods=(how,))
        for name, kind, how in (
            ("出生日期", "", Keep()), ("note", "health", Keep()), ("shop", "", Keep()),
            ("性别", "", Redact()), ("gender", "", Drop()),
        )
    }  # fmt: skip
    said = english(replace(contents, policy=replace(contents.policy, columns=columns)))
    assert "出生日期 (a quasi-identifier), note (sensitive). Check" in said


def test_that_nothing_is_left_is_said(contents: Contents) -> None:
    release, policy = contents.release, contents.policy
    every = replace(contents, release=replace(release, levels=dict.fromkeys(release.levels, "*")))
    assert "Nothing is left" not in english(contents)
    assert "Nothing is left of age" in english(every)
    t = replace(policy, models=replace(policy.models, t=0.3))
    assert 'type = "integer"' in english(replace(every, policy=t))


def test_that_a_token_tells_whose_rows_are_one_person_s_is_said(contents: Contents) -> None:
    release = contents.release
    token = Done("token", {"token": "d", "length": 32}, Text("which rows", "哪些行"))
    first = replace(release.columns[0], name="id", role="direct", methods=(token,))
    linked = replace(contents, release=replace(release, columns=(first, *release.columns[1:])))
    assert "id: rows with the same token are one person's" in english(linked)
    assert "same token" not in english(contents)


def test_columns_of_which_much_is_empty_are_said(contents: Contents) -> None:
    release = contents.release
    assert release.input is not None
    assert "are empty" not in english(contents)
    first = replace(release.columns[0], name="a\nb", lost=release.input.rows // 4)
    emptied = replace(release, columns=(first, *release.columns[1:]))
    assert "25.0% of a b" in english(replace(contents, release=emptied))


def test_a_level_says_in_chinese_what_it_means() -> None:
    assert charts.level_name("5y") == Text("5y", "5y（五年）")
    assert charts.level_name(20) == Text("20", "20")


def test_columns_that_are_as_good_as_a_name_are_said(contents: Contents) -> None:
    single = finding("singling_out", 0.9, figures={"people": 9.0, "by_all": 9.0})
    told = replace(contents, attacks=AttackReport(10, (single,)))
    assert "finds the row of 9 of 10 people" in english(told)
    few = replace(contents, attacks=AttackReport(900, (single,)))
    assert "finds the row" not in english(few)
    judged = AttackReport(10, (replace(single, threshold=0.9),))
    assert "finds the row" not in english(replace(contents, attacks=judged))
    assert "9 of 10 rows are the only ones with all" in english(replace(contents, attacks=judged))


def test_values_that_were_emptied_stand_beside_the_loss(contents: Contents) -> None:
    columns = tuple(
        replace(each, lost=12) if each.name == "age" else each for each in contents.release.columns
    )
    age, *others = charts.losses(replace(contents.release, columns=columns))
    assert age.said.en.endswith("; 12 values could not be read")
    assert not any("could not be read" in bar.said.en for bar in others)


def test_a_table_in_which_values_are_certain_says_so(contents: Contents) -> None:
    risk = contents.risk
    assert isinstance(risk, RiskReport)
    told = replace(risk.sensitive[0], homogeneous_rows=7)
    certain = replace(contents, risk=replace(risk, sensitive=(told,)))
    assert "7 sensitive values are certain" in english(certain)
    said = Page(page(certain, "en")).said
    assert "everybody like them has the same" in said["en"]


def test_an_empty_release_and_one_of_which_nothing_is_known_have_a_report(
    contents: Contents,
) -> None:
    empty = changed(contents, rows=0, k=0, classes=0, sizes=(), sensitive=())
    assert "it tells nothing" in Page(page(empty, "en")).said["en"]
    bare = replace(contents, risk=None, attacks=None, checks=(), rescan=None)
    assert "no risk was measured" in Page(page(bare, "en")).said["en"]


def test_what_changed_since_an_earlier_release_is_said(contents: Contents) -> None:
    since = Changes("spring", "0" * 64, (100, 120), (4, 5), same_policy=False, added=("pay",))
    told = replace(
        contents,
        release=replace(
            contents.release,
            figures={**contents.release.figures, "earlier": [since.to_dict()]},
        ),
    )
    said = Page(page(told, "en")).said["en"]
    for sentence in since.sentences():
        assert sentence.en in said
    assert "No earlier release" not in english(told)
