#!/usr/bin/env python3
"""Makes what evaluate_test compares with: log-likelihoods by transformers, cut as lm_eval cuts them.

    .env/bin/python tests/golden/make_eval_goldens.py      (needs torch, transformers, tokenizers; seconds)

Writes tests/golden/eval/: generated rows of every kind and goldens.json. The model is not committed: its weights are a
pure function of a seed, here and in tests/worker/trainer/tiny_model.cpp alike. Tokenizer: tests/golden/tokenizer/smollm2.
"""

import json
from pathlib import Path

import numpy
import tokenizers
import torch
import transformers

HERE = Path(__file__).resolve().parent
OUT = HERE / "eval"
VOCABULARY, HIDDEN, FFN, LAYERS, HEADS, KV_HEADS, HEAD_DIM, CONTEXT = 1024, 32, 64, 2, 4, 2, 8, 256
MASK = (1 << 64) - 1


class SplitMix64:
    """common/vocabulary/random.h"""

    def __init__(self, seed):
        self.state = seed

    def next(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return z ^ (z >> 31)

    def unit(self):
        return (self.next() >> 11) * 2.0**-53


def tensor_shapes():
    """In the order in which the weights are drawn."""
    yield "model.embed_tokens.weight", (VOCABULARY, HIDDEN)
    yield "model.norm.weight", (HIDDEN,)
    for layer in range(LAYERS):
        at = f"model.layers.{layer}."
        yield at + "input_layernorm.weight", (HIDDEN,)
        yield at + "post_attention_layernorm.weight", (HIDDEN,)
        yield at + "self_attn.q_proj.weight", (HEADS * HEAD_DIM, HIDDEN)
        yield at + "self_attn.k_proj.weight", (KV_HEADS * HEAD_DIM, HIDDEN)
        yield at + "self_attn.v_proj.weight", (KV_HEADS * HEAD_DIM, HIDDEN)
        yield at + "self_attn.o_proj.weight", (HIDDEN, HEADS * HEAD_DIM)
        yield at + "mlp.gate_proj.weight", (FFN, HIDDEN)
        yield at + "mlp.up_proj.weight", (FFN, HIDDEN)
        yield at + "mlp.down_proj.weight", (HIDDEN, FFN)


def tiny_model(seed=42):
    chance = SplitMix64(seed)
    state = {}
    for name, shape in tensor_shapes():
        draws = numpy.array([chance.unit() - 0.5 for _ in range(int(numpy.prod(shape)))])
        values = 1 + 0.4 * draws if len(shape) == 1 else draws * 0.4
        state[name] = torch.from_numpy(values.astype(numpy.float32).reshape(shape))
    config = transformers.LlamaConfig(
        vocab_size=VOCABULARY, hidden_size=HIDDEN, intermediate_size=FFN, num_hidden_layers=LAYERS,
        num_attention_heads=HEADS, num_key_value_heads=KV_HEADS, head_dim=HEAD_DIM, rms_norm_eps=1e-5,
        max_position_embeddings=CONTEXT, tie_word_embeddings=True)
    model = transformers.LlamaForCausalLM(config).float().eval()
    model.load_state_dict(state, strict=False)
    model.tie_weights()
    return model


WORDS = "the tide comes in and goes out again a boat of seven sails waits near 42 rocks while gulls cry".split()


def words(chance, count):
    return " ".join(WORDS[chance.next() % len(WORDS)] for _ in range(count))


def make_rows():
    chance = SplitMix64(5)
    rows = {"choice": [], "schema": [], "context": [], "text": []}
    for i in range(10):
        query = words(chance, 4 + chance.next() % 20) + (" " if i % 3 == 0 else "")
        choices = [words(chance, 1 + chance.next() % 6) for _ in range(2 + i % 3)]
        rows["choice"].append({"query": query, "choices": choices, "gold": chance.next() % len(choices)})
        options = [words(chance, 3 + chance.next() % 5) for _ in range(2)]
        rows["schema"].append({"context_options": options, "continuation": words(chance, 4), "gold": i % 2})
        rows["context"].append({"context": words(chance, 12), "continuation": words(chance, 1 + i % 3)})
        rows["text"].append({"text": words(chance, 8 + 6 * i)})
    # Longer than the model's context: its beginning falls away.
    rows["context"].append({"context": words(chance, 400), "continuation": words(chance, 3)})
    return rows


def encode_pair(tokenizer, context, continuation):
    if not context[-1:].isspace() and not continuation[:1].isspace():
        continuation = " " + continuation
    spaces = len(context) - len(context.rstrip())
    if spaces:
        context, continuation = context[:-spaces], context[-spaces:] + continuation
    whole = tokenizer.encode(context + continuation, add_special_tokens=False).ids
    return whole, len(tokenizer.encode(context, add_special_tokens=False).ids)


def loglik(model, tokens, scored_from):
    """lm_eval: the last CONTEXT inputs predict; (sum of log p, scored tokens, all of them greedy)."""
    cut = max(0, len(tokens) - (CONTEXT + 1))
    tokens, scored_from = tokens[cut:], max(1, scored_from - cut)
    with torch.no_grad():
        logits = model(torch.tensor([tokens[:-1]])).logits[0].double()
    wanted = torch.tensor(tokens[scored_from:])
    rows = logits[scored_from - 1:].log_softmax(-1)
    each = rows.gather(1, wanted[:, None])[:, 0]
    return each.sum().item(), len(wanted), bool((rows.argmax(-1) == wanted).all())


def golden_of(model, tokenizer, kind, row):
    if kind == "text":
        total, count, greedy = loglik(model, tokenizer.encode(row["text"], add_special_tokens=False).ids, 1)
        return {"loglik": [total], "tokens": [count], "greedy": greedy}
    if kind == "context":
        pairs = [(row["context"], row["continuation"])]
    elif kind == "choice":
        pairs = [(row["query"], choice) for choice in row["choices"]]
    else:
        pairs = [(context, row["continuation"]) for context in row["context_options"]]
    scores = [loglik(model, *encode_pair(tokenizer, *pair)) for pair in pairs]
    golden = {"loglik": [s[0] for s in scores], "tokens": [s[1] for s in scores], "greedy": scores[0][2]}
    if kind != "context":
        texts = [pair[1] for pair in pairs]
        golden["by_tokens"] = max(range(len(scores)), key=lambda i: scores[i][0] / scores[i][1])
        golden["by_bytes"] = max(range(len(scores)), key=lambda i: scores[i][0] / len(texts[i].encode()))
        golden["by_none"] = max(range(len(scores)), key=lambda i: scores[i][0])
    return golden


def main():
    tokenizer = tokenizers.Tokenizer.from_file(str(HERE / "tokenizer/smollm2/tokenizer.json"))
    tokenizer.encode_special_tokens = True
    model = tiny_model()
    OUT.mkdir(exist_ok=True)
    goldens = {}
    for kind, rows in make_rows().items():
        (OUT / f"{kind}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        goldens[kind] = [golden_of(model, tokenizer, kind, row) for row in rows]
    goldens["made_with"] = f"torch {torch.__version__}, transformers {transformers.__version__}"
    (OUT / "goldens.json").write_text(json.dumps(goldens, indent=1) + "\n")


if __name__ == "__main__":
    main()
