#!/usr/bin/env python3
"""Loads an adapter folder in PEFT and compares its logits with given ones: BASE ADAPTER PROMPT.json LOGITS.json.

Exit 0: equal within 1e-4. Exit 1: not. Exit 77: transformers or PEFT is not installed here.
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
model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base, torch_dtype=torch.float32), adapter).eval()
with torch.no_grad():
    theirs = model(torch.tensor([json.load(open(prompt))])).logits[0]
ours = torch.tensor(json.load(open(logits))).view_as(theirs)
difference = (ours - theirs).abs().max().item()
print("largest difference", difference)
sys.exit(0 if difference < 1e-4 else 1)
