#!/usr/bin/env python3
"""Makes the goldens of the engine's tests with transformers and PEFT: tests/golden/tiny/.

Four tiny random models (llama, llama with llama3 RoPE, qwen2, qwen3) as Hugging Face folders with reference logits, and
for the llama one the losses of 100 fp32 steps of LoRA r=16 on all linears and of full finetuning, on one data order.
Rerun: .env/bin/python tests/golden/make_model_goldens.py   (needs torch, transformers, peft, safetensors; a minute)
With --model DIR it writes tests/golden/smollm2.json instead: sampled logits of that folder on 20 prompts.
With --model DIR --text FILE --curves OUT it writes the two curves of that model on that text to the folder OUT, and
without curves tokens_of_512.json, 4x128 tokens a step.
"""

import argparse
import json
import pathlib
import shutil

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, LlamaConfig, Qwen2Config, Qwen3Config

HERE = pathlib.Path(__file__).resolve().parent
VOCABULARY, HIDDEN, FFN, LAYERS = 199, 48, 80, 2
STEPS, ROWS, LENGTH = 100, 4, 24
LORA_LR, FULL_LR = 2e-3, 1e-3
COMMON = dict(vocab_size=VOCABULARY, hidden_size=HIDDEN, intermediate_size=FFN, num_hidden_layers=LAYERS,
              num_attention_heads=6, num_key_value_heads=2, max_position_embeddings=256, initializer_range=0.2)
LLAMA3_ROPE = dict(rope_type="llama3", factor=4.0, low_freq_factor=1.0, high_freq_factor=4.0,
                   original_max_position_embeddings=32)
CONFIGS = {
    "llama": LlamaConfig(**COMMON, tie_word_embeddings=True, rms_norm_eps=1e-5),
    "llama3": LlamaConfig(**COMMON, tie_word_embeddings=False, rope_theta=5000.0, rope_scaling=LLAMA3_ROPE),
    "qwen2": Qwen2Config(**COMMON, tie_word_embeddings=True, use_sliding_window=False),
    "qwen3": Qwen3Config(**COMMON, tie_word_embeddings=False, head_dim=16, rope_theta=20000.0),
}


def new_model(name):
    torch.manual_seed(len(name))
    model = AutoModelForCausalLM.from_config(CONFIGS[name], torch_dtype=torch.float32)
    with torch.no_grad():  # norms of one and biases of zero would hide mistakes
        for key, p in model.named_parameters():
            if "norm" in key or key.endswith("bias"):
                p.add_(torch.randn_like(p) * 0.2)
    return model.eval()


def data_order():
    """(step, row, token): the same stream that the C++ test reads back from tokens.json."""
    generator = torch.Generator().manual_seed(7)
    # A skewed, repetitive source, so that there is something to learn.
    start = torch.randint(0, VOCABULARY, (STEPS, ROWS, 1), generator=generator)
    jumps = torch.randint(0, 3, (STEPS, ROWS, LENGTH), generator=generator)
    return (start + jumps.cumsum(-1)) % VOCABULARY


def losses_of(model, lr, weight_decay, tokens):
    trained = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    plain = [p for n, p in trained if "norm" in n or n.endswith("bias")]
    decayed = [p for n, p in trained if not ("norm" in n or n.endswith("bias"))]
    optimizer = torch.optim.AdamW([{"params": decayed, "weight_decay": weight_decay},
                                   {"params": plain, "weight_decay": 0.0}], lr=lr, eps=1e-8)
    losses = []
    model.train()
    for step in range(STEPS):
        out = model(input_ids=tokens[step], labels=tokens[step])
        out.loss.backward()
        torch.nn.utils.clip_grad_norm_([p for _, p in trained], 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(out.loss.item())
    return losses


def make_tiny():
    root = HERE / "tiny"
    shutil.rmtree(root, ignore_errors=True)
    prompt = [int(t) for t in torch.randint(0, VOCABULARY, (60,), generator=torch.Generator().manual_seed(3))]
    for name in CONFIGS:
        model = new_model(name)
        model.save_pretrained(root / name)
        (root / name / "generation_config.json").unlink(missing_ok=True)
        with torch.no_grad():
            logits = model(torch.tensor([prompt])).logits[0]
        save_file({"logits": logits.contiguous()}, root / name / "logits.safetensors")
    (root / "prompt.json").write_text(json.dumps(prompt))

    make_curves(lambda: new_model("llama"), data_order(), root, LORA_LR, FULL_LR, prompt)


TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def make_curves(fresh_model, tokens, root, lora_lr, full_lr, prompt=None):
    """tokens.json, losses.json and adapter_start; with a prompt also adapter_end and its logits."""
    (root / "tokens.json").write_text(json.dumps(tokens.tolist()))
    full = losses_of(fresh_model(), full_lr, 0.1, tokens)
    torch.manual_seed(5)
    adapted = get_peft_model(fresh_model(), LoraConfig(r=16, lora_alpha=32, target_modules=TARGETS, task_type="CAUSAL_LM"))
    save_adapter(adapted, root / "adapter_start")
    lora = losses_of(adapted, lora_lr, 0.1, tokens)
    if prompt:
        adapted.eval()
        save_adapter(adapted, root / "adapter_end")
        with torch.no_grad():
            logits = adapted(torch.tensor([prompt])).logits[0]
        save_file({"logits": logits.contiguous()}, root / "adapter_end" / "logits.safetensors")
    (root / "losses.json").write_text(json.dumps({"lora_lr": lora_lr, "full_lr": full_lr, "weight_decay": 0.1,
                                                  "lora": lora, "full": full}))
    print("lora", lora[0], lora[-1], "full", full[0], full[-1])


def save_adapter(model, folder):
    model.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    config = folder / "adapter_config.json"
    content = json.loads(config.read_text())
    content["base_model_name_or_path"] = "llama"
    config.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n")


def make_curves_of(folder, text, out):
    from tokenizers import Tokenizer
    tokenizer = Tokenizer.from_file(str(pathlib.Path(folder) / "tokenizer.json"))
    ids = tokenizer.encode(pathlib.Path(text).read_text()[:220_000], add_special_tokens=False).ids

    def tokens_of(rows, length):
        if len(ids) < STEPS * rows * length:
            raise SystemExit(f"{text}: its first 220,000 characters are {len(ids)} tokens, and {STEPS * rows * length} are needed")
        return torch.tensor(ids[:STEPS * rows * length]).view(STEPS, rows, length)

    tokens = tokens_of(2, 64)
    out.mkdir(parents=True, exist_ok=True)
    (out / "tokens_of_512.json").write_text(json.dumps(tokens_of(4, 128).tolist()))
    make_curves(lambda: AutoModelForCausalLM.from_pretrained(folder, torch_dtype=torch.float32), tokens, out, 5e-4, 5e-5)


PROMPTS = ["The capital of France is", "def fibonacci(n):\n    if n < 2:\n", "Once upon a time, there was a",
           "Q: What is 17 + 25?\nA:", "Water boils at", "import os\nimport sys\n\ndef main():",
           "To make bread you need flour, water,", "The sum of the first ten odd numbers is", "Dear Sir or Madam,",
           "SELECT name FROM users WHERE", "La capitale de l'Italie est", "The mitochondria is", "1, 1, 2, 3, 5, 8,",
           "He opened the door and saw", "for (int i = 0; i < n; ++i) {", "The three laws of motion were",
           "Tom has 3 apples and buys 4 more. He now has", "In 1969, humans first", "{\"name\": \"value\", \"list\": [1,",
           "Photosynthesis turns light into"]
SAMPLED = 16  # logits kept of each position, evenly spread over the vocabulary, and the largest
# So that every column takes part: of each position the logsumexp, and of each strip from one kept column to the next the
# alternating sum, even columns minus odd ones; what rounding does to neighbours alike cancels, what one column has too
# much does not.


def make_sampled(folder):
    from tokenizers import Tokenizer
    tokenizer = Tokenizer.from_file(str(pathlib.Path(folder) / "tokenizer.json"))
    model = AutoModelForCausalLM.from_pretrained(folder, torch_dtype=torch.float32).eval()
    out = []
    for prompt in PROMPTS:
        ids = tokenizer.encode(prompt, add_special_tokens=False).ids
        with torch.no_grad():
            logits = model(torch.tensor([ids])).logits[0]
        columns = [i * logits.shape[1] // SAMPLED for i in range(SAMPLED)]
        best = logits.argmax(-1)
        exact = logits.double()
        signs = 1 - 2 * (torch.arange(exact.shape[1]) % 2)
        strips = torch.stack([strip.sum(-1) for strip in (exact * signs).tensor_split(columns[1:], dim=-1)], dim=-1)
        out.append({"ids": ids, "columns": columns, "argmax": best.tolist(),
                    "max": [round(v, 6) for v in logits.max(-1).values.tolist()],
                    "logsumexp": [round(v, 6) for v in exact.logsumexp(-1).tolist()],
                    "strip_sums": [[round(v, 4) for v in row] for row in strips.tolist()],
                    "logits": [[round(v, 6) for v in row] for row in logits[:, columns].tolist()]})
    (HERE / "smollm2.json").write_text(json.dumps(out))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", help="Hugging Face folder: write sampled logits of it instead")
    parser.add_argument("--text", help="with --curves: what to train on")
    parser.add_argument("--curves", type=pathlib.Path, help="with --model: write the losses of 100 steps to this folder instead")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.curves:
        make_curves_of(arguments.model, arguments.text, arguments.curves)
    elif arguments.model:
        make_sampled(arguments.model)
    else:
        make_tiny()
