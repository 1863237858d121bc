#!/usr/bin/env python3
"""Loads an adapter folder in PEFT and compares its logits with given ones: BASE ADAPTER PROMPT.json LOGITS.json.

Exit 0: equal within 1e-4, and a hundred times as far or more from the base's. Exit 1: not. Exit 77: transformers or PEFT is
not installed here.
"""

import json
import sys

try:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM
except ImportError as e:
    print(f"skipped: {e}")
    sys.exit(77)

base, adapter, prompt, logits = sys.argv[1:]
torch.set_num_threads(1)
ids = torch.tensor([json.load(open(prompt))])
model = AutoModelForCausalLM.from_pretrained(base, torch_dtype=torch.float32).eval()
with torch.no_grad():
    untouched = model(ids).logits[0]
    theirs = PeftModel.from_pretrained(model, adapter).eval()(ids).logits[0]
ours = torch.tensor(json.load(open(logits))).view_as(theirs)
difference, effect = ((ours - other).abs().max().item() for other in (theirs, untouched))
print("largest difference", difference, "from the base", effect)
sys.exit(0 if difference < 1e-4 and effect >= 1e-2 else 1)
