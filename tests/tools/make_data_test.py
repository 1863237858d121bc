"""What data/ promises, checked on what the tools generate. Needs no network and writes only to temporary folders."""

import contextlib
import io
import json
import re
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
import make_data  # noqa: E402
import word_problems  # noqa: E402

TRAIN = word_problems.problems("train", make_data.PROBLEMS["train"])
HELD = word_problems.problems("held", make_data.PROBLEMS["held"])


def words(rows):
    return {word for row in rows for word in re.findall(r"[A-Za-z]+", row["prompt"])}


def numbers(rows):
    return {int(number) for row in rows for number in re.findall(r"\d+", row["prompt"])}


def calculate(left, sign, right):
    return {"+": left + right, "-": left - right, "*": left * right, "/": left // right}[sign]


class WordProblems(unittest.TestCase):
    def test_are_thousands_and_distinct(self):
        self.assertGreaterEqual(len(TRAIN), 5000)
        prompts = {row["prompt"] for row in TRAIN + HELD}
        self.assertEqual(len(prompts), len(TRAIN) + len(HELD))

    def test_held_out_questions_share_no_number_with_training(self):
        self.assertEqual(numbers(TRAIN) & numbers(HELD), set())

    def test_held_out_questions_share_no_person_and_no_thing_with_training(self):
        for pool in (word_problems.PEOPLE, word_problems.THINGS):
            self.assertEqual(words(TRAIN) & set(pool["held"]), set())
            self.assertEqual(words(HELD) & set(pool["train"]), set())
            self.assertLessEqual(set(pool["held"]), words(HELD))

    def test_every_line_of_every_answer_is_true(self):
        for row in TRAIN + HELD:
            *lines, final = row["completion"].split("\n")
            for line in lines:
                left, sign, right, result = re.search(r"(\d+) ([-+*/]) (\d+) = (\d+)\b", line).groups()
                self.assertEqual(calculate(int(left), sign, int(right)), int(result), row)
                if sign == "/":
                    self.assertEqual(int(left) % int(right), 0, row)
            self.assertEqual(final, f"#### {result}", row)

    def test_splits_use_every_frame(self):
        for split in ("train", "held"):
            draw = word_problems.Draw(split)
            for frame in word_problems.FRAMES:
                question, lines = frame(draw)
                self.assertTrue(question.endswith("?") and lines)

    def test_are_the_same_every_time_and_a_smaller_count_is_a_prefix(self):
        self.assertEqual(word_problems.problems("train", 100), TRAIN[:100])

    def test_refuse_a_count_that_the_pools_do_not_hold(self):
        with mock.patch.object(word_problems, "FRAMES", [word_problems.shares_equally]):
            with self.assertRaisesRegex(ValueError, "do not hold 5000 distinct problems"):
                word_problems.problems("held", 5000)


class PythonSource(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.library = Path(self.folder.name)

    def write(self, name, text="x = 1\n"):
        path = self.library / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def test_a_package_goes_to_one_side_as_a_whole(self):
        for number in range(40):
            self.write(f"package{number}/__init__.py", f"p = {number}\n")
            self.write(f"package{number}/deep/part.py", f"p = {number}\n")
        documents = make_data.python_documents(self.library)
        self.assertEqual(set(documents["train"]) & set(documents["held"]), set())
        self.assertEqual(len(documents["train"]) + len(documents["held"]), 80)
        self.assertTrue(documents["held"])

    def test_tests_tables_and_installed_packages_are_left_out(self):
        for name in ("test/a.py", "unittest/test/b.py", "encodings/cp037.py", "site-packages/c.py",
                     "_sysconfigdata__linux.py", "kept.py"):
            self.write(name)
        self.assertEqual([str(path) for path in make_data.python_paths(self.library)], ["kept.py"])

    def test_a_document_with_a_separator_line_is_refused(self):
        with self.assertRaisesRegex(SystemExit, "cannot be told from the separator"):
            make_data.joined(["a\n<|endoftext|>\nb\n"])

    def test_documents_are_separated_by_the_line_alone(self):
        self.assertEqual(make_data.joined(["a\n", "b\n\n"]), "a\n<|endoftext|>\nb\n")


class Prose(unittest.TestCase):
    PARAGRAPH = "   " + "\n   ".join(["so many plain words of prose stand here in a row"] * 12)

    def test_paragraphs_are_unwrapped_and_links_lose_their_braces(self):
        text = make_data.prose_of(["   1. " + "see the {bit bucket} and other plain words " * 5, "   too."])
        self.assertTrue(text.startswith("see the bit bucket and"))
        self.assertNotIn("\n", text)

    def test_code_tables_and_links_are_no_prose(self):
        long = "word " * 40
        for lines in ([f"   {long}", f"      {long}"], ["│ " + long], [f"   {long} http://x"], ["   a few words"],
                      ["   " + "x=1; y[2]={3}; " * 40]):
            self.assertIsNone(make_data.prose_of(lines))

    def test_an_entry_is_a_document(self):
        text = f"   :foo: n.\n\n{self.PARAGRAPH}\n\n   :bar: n.\n\n   short.\n\nChapter\n\n{self.PARAGRAPH}\n"
        self.assertEqual(len(make_data.prose_documents(text)), 2)


class Files(unittest.TestCase):
    def run_tool(self, out, *more):
        printed = io.StringIO()
        with mock.patch.object(sys, "argv", ["make_data.py", "--out", str(out), *more]):
            with contextlib.redirect_stdout(printed):
                make_data.main()
        return printed.getvalue()

    def test_a_second_run_changes_nothing(self):
        if not make_data.JARGON.is_file():
            self.skipTest(f"needs {make_data.JARGON} (package jargon-text)")
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "data"
            self.assertNotIn("unchanged", self.run_tool(out))
            before = {path.name: path.stat().st_mtime_ns for path in out.iterdir()}
            self.assertNotIn("wrote", self.run_tool(out))
            self.assertEqual({path.name: path.stat().st_mtime_ns for path in out.iterdir()}, before)
            for line in (out / "problems_held.jsonl").read_text().splitlines():
                self.assertEqual(set(json.loads(line)), {"prompt", "completion"})

    def test_a_missing_source_is_named_and_nothing_is_written(self):
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "data"
            with self.assertRaisesRegex(SystemExit, "install the Debian package jargon-text"):
                self.run_tool(out, "--jargon", str(Path(folder) / "absent.gz"))
            self.assertFalse(out.exists())


if __name__ == "__main__":
    unittest.main()
