"""Loads a folder with transformers, as a user would: FOLDER. Exit 0: it is whole; 1: not; 77: not installed here."""

import sys

try:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
except ImportError as e:
    print(f"skipped: {e}")
    sys.exit(77)

folder = sys.argv[1]
torch.set_num_threads(1)
model, told = AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True)
wrong = {what: names for what, names in told.items() if names and what != "error_msgs"}
tokens = AutoTokenizer.from_pretrained(folder)("Ann has 3 pears", return_tensors="pt")
logits = model(**tokens).logits
print(wrong, logits.shape, logits.isfinite().all().item())
sys.exit(0 if not wrong and not told["error_msgs"] and logits.isfinite().all() else 1)
