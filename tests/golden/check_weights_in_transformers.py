#!/usr/bin/env python3
"""Loads a Hugging Face folder in transformers and compares its token ids and logits with given ones:
LIMIT FOLDER TEXT.txt IDS.jsonl LOGITS.safetensors, the last two as `ranktide-trainer tokenize` and `logits` write them.

Exit 0: the folder is whole, the ids are equal, all logits within LIMIT. Exit 1: not. Exit 77: transformers is not installed
here.
"""

import json
import sys

try:
    import torch
    from safetensors.torch import load_file
    from transformers import AutoModelForCausalLM, AutoTokenizer
except ImportError as e:
    print(f"skipped: {e}")
    sys.exit(77)

limit, folder, text, ids, logits = sys.argv[1:]
torch.set_num_threads(1)
model, told = AutoModelForCausalLM.from_pretrained(folder, torch_dtype=torch.float32, output_loading_info=True)
wrong = {what: names for what, names in told.items() if names}
if wrong:
    sys.exit(f"loaded, but {wrong}")
tokenizer = AutoTokenizer.from_pretrained(folder)
theirs, ours = load_file(logits), [json.loads(line) for line in open(ids)]
with open(text, newline="\n") as file:
    if [tokenizer.encode(line.rstrip("\n"), add_special_tokens=False) for line in file] != ours:
        sys.exit("its tokenizer gives other ids")
largest = 0.0
for n, line in enumerate(ours):
    with torch.no_grad():
        difference = model.eval()(torch.tensor([line])).logits[0] - theirs[f"logits.{n}"]
    largest = torch.maximum(torch.tensor(largest), difference.abs().max()).item()  # keeps a NaN, as max() does not
print("largest difference", largest)
sys.exit(0 if largest < float(limit) else 1)
