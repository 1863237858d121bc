"""A Llama-style model as the Hugging Face folder that both sides read: config.json and one safetensors file.

Needs nothing but Python: who calls says what bytes a tensor has. No tokenizer.
"""
import json
import struct

ELEMENT_BYTES = {"F32": 4, "BF16": 2}
TORCH_NAMES = {"F32": "float32", "BF16": "bfloat16"}


def llama_config(vocabulary, hidden, ffn, layers, heads, kv_heads, tied, context=8192, **more):
    return {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": vocabulary, "hidden_size": hidden,
            "intermediate_size": ffn, "num_hidden_layers": layers, "num_attention_heads": heads, "num_key_value_heads": kv_heads,
            "head_dim": hidden // heads, "hidden_act": "silu", "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
            "max_position_embeddings": context, "tie_word_embeddings": tied, "bos_token_id": 0, "eos_token_id": 0, **more}


def tensor_shapes(config):
    """The stored tensors by name; a tied head is not stored."""
    vocabulary, hidden, ffn = (config[key] for key in ("vocab_size", "hidden_size", "intermediate_size"))
    queries, keys = (config["head_dim"] * config[key] for key in ("num_attention_heads", "num_key_value_heads"))
    shapes = {"model.embed_tokens.weight": [vocabulary, hidden], "model.norm.weight": [hidden]}
    if not config["tie_word_embeddings"]:
        shapes["lm_head.weight"] = [vocabulary, hidden]
    for i in range(config["num_hidden_layers"]):
        layer = f"model.layers.{i}."
        shapes |= {layer + "input_layernorm.weight": [hidden], layer + "post_attention_layernorm.weight": [hidden],
                   layer + "self_attn.q_proj.weight": [queries, hidden], layer + "self_attn.k_proj.weight": [keys, hidden],
                   layer + "self_attn.v_proj.weight": [keys, hidden], layer + "self_attn.o_proj.weight": [hidden, queries],
                   layer + "mlp.gate_proj.weight": [ffn, hidden], layer + "mlp.up_proj.weight": [ffn, hidden],
                   layer + "mlp.down_proj.weight": [hidden, ffn]}
    return shapes


def elements(shape):
    return shape[0] * (shape[1] if len(shape) > 1 else 1)


def write_llama_folder(folder, config, dtype, bytes_of):
    """bytes_of(name, shape): the tensor's bytes, in C order; asked one after the other. The folder is made."""
    folder.mkdir(parents=True)
    shapes = tensor_shapes(config)
    header, end = {}, 0
    for name, shape in sorted(shapes.items()):
        begin, end = end, end + ELEMENT_BYTES[dtype] * elements(shape)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()
    text += b" " * (-len(text) % 8)
    with open(folder / "model.safetensors", "wb") as out:
        out.write(struct.pack("<Q", len(text)) + text)
        for name, shape in sorted(shapes.items()):
            out.write(bytes_of(name, shape))
    (folder / "config.json").write_text(json.dumps({**config, "dtype": TORCH_NAMES[dtype]}, indent=1))
