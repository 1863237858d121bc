"""The schema of sweep files, held to files that the reader takes or refuses (json_schema_test.cpp) by a validator of others."""

import json
import unittest
from pathlib import Path

import jsonschema
import yaml

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "tests/common/sweep/examples"


def sweep(file):
    return yaml.safe_load(file.read_text())


class SweepSchema(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        schema = json.loads((ROOT / "docs/sweep.schema.json").read_text())
        jsonschema.Draft7Validator.check_schema(schema)
        cls.validator = jsonschema.Draft7Validator(schema)

    def first_error(self, file):
        error = jsonschema.exceptions.best_match(self.validator.iter_errors(sweep(file)))
        return error and f"{error.json_path}: {error.message}"

    def test_takes_what_the_reader_takes(self):
        files = sorted((ROOT / "sweeps").glob("*.yaml")) + sorted((EXAMPLES / "good").glob("*.yaml"))
        self.assertGreaterEqual(len(files), 4)
        for file in files:
            self.assertIsNone(self.first_error(file), file.name)

    def test_refuses_each_of_the_bad_examples(self):
        files = sorted((EXAMPLES / "bad").glob("*.yaml"))
        self.assertGreaterEqual(len(files), 18)
        for file in files:
            self.assertIsNotNone(self.first_error(file), file.name)

    def test_refuses_them_for_what_their_names_say(self):
        self.assertIn("learning_rate", self.first_error(EXAMPLES / "bad/unknown_key.yaml"))
        self.assertIn("fp16", self.first_error(EXAMPLES / "bad/wrong_word.yaml"))
        self.assertIn("'version' is a required property", self.first_error(EXAMPLES / "bad/no_version.yaml"))


if __name__ == "__main__":
    unittest.main()
