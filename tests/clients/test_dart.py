"""Dart's client: held by a file that people have read, and where there is a Dart, by that."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from tests import programs
from tests.clients.conftest import client, documented
from tests.clients.documents import BAD, KEPT, examples

GOLDEN = Path(__file__).parent / "golden" / "criteria.dart"
TRIED = """
import 'dart:convert';
import 'dart:io';

import 'criteria.dart';

void main() {
  final documents = jsonDecode(File('documents.json').readAsStringSync()) as List<dynamic>;
  final found = <Object?>[];
  for (final document in documents) {
    try {
      final criteria = Criteria.fromJson(document as Map<String, dynamic>);
      final again = Criteria.fromJson(criteria.toJson());
      if (again != criteria || again.hashCode != criteria.hashCode) {
        throw StateError('$criteria is not equal to itself');
      }
      label(criteria);
      found.add({'document': criteria.toJson()});
    } on FormatException catch (error) {
      found.add({'message': error.message});
    }
  }
  stdout.write(jsonEncode(found));
}

String label(Criteria criteria) => switch (criteria) {
  ThresholdCriteria(:final metric, :final atLeast, :final window) =>
    '$atLeast ${metric.json}${window == null ? '' : days(window)}',
  StreakCriteria(:final period, :final length, :final grace) =>
    '$length ${period.json}, ${grace ?? 0} missed',
  TrainingCriteria(:final courses) => courses.join(),
  BadgesCriteria(:final badges) => badges.join(),
  AllCriteria(:final of) || AnyCriteria(:final of) => of.map(label).join(),
  TierCriteria(:final tiers) => tiers.map((step) => step.name).join(),
  RawCriteria(:final reason) => reason,
};

String days(CriteriaWindow window) => switch (window) {
  RollingWindow(:final rollingDays) => '$rollingDays days',
  CalendarWindow(:final calendar) => calendar.json,
  FixedWindow(:final from, :final to) => '$from to $to',
};
"""


def test_it_is_the_one_that_people_have_read() -> None:
    """WRITE_WANTED=1 writes the file anew: read what has changed as a Dart developer would."""
    written = client("dart")
    if os.environ.get("WRITE_WANTED"):
        GOLDEN.write_text(written, encoding="utf-8")

    assert written == GOLDEN.read_text(encoding="utf-8")


@pytest.fixture
def dart() -> Path:
    found = programs.find("dart")
    if found is None:
        pytest.skip("by design: dart is not installed, and the golden file holds what it would run")
    return found


def test_dart_itself_finds_nothing_wrong(dart: Path, tmp_path: Path) -> None:
    (tmp_path / "criteria.dart").write_text(client("dart"), encoding="utf-8")
    (tmp_path / "tried.dart").write_text(TRIED, encoding="utf-8")
    (tmp_path / "documented.dart").write_text(documented("dart"), encoding="utf-8")

    ended = run(dart, tmp_path, "analyze", "--fatal-infos", "--fatal-warnings", ".")

    assert ended.returncode == 0, ended.stdout


def test_a_switch_that_forgets_a_type_does_not_compile(dart: Path, tmp_path: Path) -> None:
    (tmp_path / "criteria.dart").write_text(client("dart"), encoding="utf-8")
    forgetful = re.sub("  TierCriteria.*\n", "", documented("dart"))
    (tmp_path / "forgetful.dart").write_text(forgetful + "void main() {}\n", encoding="utf-8")

    ended = run(dart, tmp_path, "run", "forgetful.dart")

    assert ended.returncode != 0
    assert "not exhaustively matched" in ended.stderr
    assert "TierCriteria()" in ended.stderr


def test_every_document_is_written_as_it_was_read(dart: Path, tmp_path: Path) -> None:
    documents = [*examples(), *KEPT]

    assert tried(dart, tmp_path, documents) == [{"document": each} for each in documents]


def test_what_is_bad_is_refused_with_its_place(dart: Path, tmp_path: Path) -> None:
    bad = [(document, message) for document, message in BAD if isinstance(document, dict)]

    found = tried(dart, tmp_path, [document for document, _ in bad])

    places = [message.partition(": ")[0] for _, message in bad]
    assert [str(each["message"]).partition(": ")[0] for each in found] == places


def tried(dart: Path, folder: Path, documents: list[dict[str, object]]) -> list[dict[str, object]]:
    """What becomes of each document that is read and written."""
    (folder / "criteria.dart").write_text(client("dart"), encoding="utf-8")
    (folder / "tried.dart").write_text(TRIED, encoding="utf-8")
    (folder / "documents.json").write_text(json.dumps(documents), encoding="utf-8")
    ended = run(dart, folder, "run", "tried.dart")
    assert ended.returncode == 0, ended.stderr
    found: list[dict[str, object]] = json.loads(ended.stdout)
    return found


def run(dart: Path, folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run Dart in a folder."""
    return subprocess.run(
        [dart, *arguments], cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )
