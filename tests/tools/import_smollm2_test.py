"""What the imported base model promises: the weights are those of the GGUF, the tokenizer is SmolLM2's own.

Needs the packages of tools/requirements.txt and requirements-model.txt; the comparisons with transformers need
requirements-test.txt as well. What is not installed is skipped by name. No network.
"""

import os
import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
os.environ["HF_HUB_OFFLINE"] = "1"
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
try:
    import numpy as np
    import tokenizers
    import import_smollm2
except ImportError as missing:
    raise unittest.SkipTest(f"needs tools/requirements.txt: {missing}")
try:
    import torch
    import transformers
except ImportError:
    torch = transformers = None

FOLDER = ROOT / "models" / "smollm2-135m"
NEEDS_FOLDER = unittest.skipUnless((FOLDER / "provenance.json").is_file(), "needs the base model that bootstrap makes")
NEEDS_TRANSFORMERS = unittest.skipIf(transformers is None, "needs tools/requirements-test.txt (transformers, torch)")


class Conversion(unittest.TestCase):
    def test_bfloat16_rounds_to_nearest_even(self):
        values = np.array([1.0, 1.00390625, 1.01171875, 1.004, -2.5, 0.0], np.float32)  # the 2nd and 3rd are ties
        back = (import_smollm2.to_bfloat16(values).astype(np.uint32) << 16).view(np.float32)
        self.assertEqual(back.tolist(), [1.0, 1.0, 1.015625, 1.0078125, -2.5, 0.0])

    def test_a_weight_that_is_not_finite_is_refused(self):
        with self.assertRaisesRegex(SystemExit, "not finite"):
            import_smollm2.to_bfloat16(np.array([1.0, np.inf], np.float32))

    def test_unpermute_turns_interleaved_pairs_into_halves(self):
        interleaved = np.array([[0], [2], [1], [3], [4], [6], [5], [7]])  # two heads of four rows: pairs (0,2), (1,3)
        self.assertEqual(import_smollm2.unpermute(interleaved, 2).ravel().tolist(), [0, 1, 2, 3, 4, 5, 6, 7])

    def test_a_damaged_file_is_refused_with_both_hashes(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "damaged.gguf"
            path.write_bytes(b"GGUF")
            with self.assertRaisesRegex(SystemExit, f"expected {import_smollm2.GGUF_SHA256}"):
                import_smollm2.check_gguf(path)

    def test_a_folder_with_a_changed_file_is_not_complete(self):
        with tempfile.TemporaryDirectory() as folder:
            folder = Path(folder)
            (folder / "config.json").write_text("{}")
            import_smollm2.write_json(folder / "provenance.json", {
                "format": import_smollm2.FORMAT, "source_sha256": import_smollm2.GGUF_SHA256,
                "files": {"config.json": import_smollm2.sha256_of(folder / "config.json")}})
            self.assertTrue(import_smollm2.is_complete(folder))
            (folder / "config.json").write_text("{ }")
            self.assertFalse(import_smollm2.is_complete(folder))


@NEEDS_FOLDER
class OwnTokenizer(unittest.TestCase):
    def setUp(self):
        self.tokenizer = tokenizers.Tokenizer.from_file(str(FOLDER / "tokenizer.json"))

    def test_splits_every_digit(self):
        self.assertEqual(self.tokenizer.encode("x = 1984").tokens, ["x", "Ġ=", "Ġ", "1", "9", "8", "4"])

    def test_adds_nothing_around_a_text(self):
        self.assertEqual(self.tokenizer.encode("The").tokens, ["The"])

    def test_knows_the_chat_markers(self):
        self.assertEqual(self.tokenizer.encode("<|im_start|>user<|im_end|>").ids[0::2], [1, 2])

    def test_gives_back_any_text(self):
        text = "a  b\tc\r\n 'twas 12½ ü 漢字 😀  \n"
        self.assertEqual(self.tokenizer.decode(self.tokenizer.encode(text).ids, skip_special_tokens=False), text)


@NEEDS_FOLDER
@NEEDS_TRANSFORMERS
class WithTransformers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        torch.set_num_threads(1)
        cls.tokenizer = transformers.AutoTokenizer.from_pretrained(FOLDER)
        cls.model = transformers.AutoModelForCausalLM.from_pretrained(FOLDER, dtype=torch.float32)

    def test_the_capital_of_france_is_paris(self):
        inputs = self.tokenizer("The capital of France is", return_tensors="pt")
        made = self.model.generate(**inputs, max_new_tokens=1, do_sample=False)
        self.assertEqual(self.tokenizer.decode(made[0]), "The capital of France is Paris")

    def test_the_chat_template_is_chatml(self):
        text = self.tokenizer.apply_chat_template([{"role": "system", "content": "S"}, {"role": "user", "content": "U"}],
                                                  tokenize=False, add_generation_prompt=True)
        self.assertEqual(text, "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nU<|im_end|>\n<|im_start|>assistant\n")

    def test_weights_are_those_that_transformers_reads_from_the_gguf(self):
        gguf = import_smollm2.find_gguf()
        theirs = transformers.AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name,
                                                                   dtype=torch.float32).state_dict()
        for name, ours in self.model.state_dict().items():
            self.assertTrue(torch.equal(ours, theirs[name].to(torch.bfloat16).float()), name)


if __name__ == "__main__":
    unittest.main()
