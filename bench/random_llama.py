"""A Llama-style model of random weights, in bf16, as a Hugging Face folder. Needs torch and nothing else.

    python bench/random_llama.py FOLDER cpu|cuda CONFIG        (CONFIG: JSON, what llama_config takes)

Linears and tables are drawn as transformers does, norms are ones. The same device draws the same weights again.
"""
import ctypes
import json
import os
import shutil
import sys
from pathlib import Path

from llama_folder import elements, llama_config, tensor_shapes, write_llama_folder

DEVIATION = 0.02


def main():
    import torch

    folder, device, config = Path(sys.argv[1]), sys.argv[2], llama_config(**json.loads(sys.argv[3]))
    needed = 2 * sum(elements(shape) for shape in tensor_shapes(config).values())
    free = shutil.disk_usage(folder.parent).free
    if needed > free:
        sys.exit(f"{folder}: the model takes {needed / 1e9:.1f} GB, there are {free / 1e9:.1f}")
    chance = torch.Generator(device).manual_seed(1)

    def drawn(name, shape):
        is_norm = len(shape) == 1
        values = torch.ones(shape) if is_norm else torch.randn(shape, generator=chance, device=device) * DEVIATION
        values = values.to(torch.bfloat16).cpu().contiguous()
        # Not through numpy, which has no bf16 and may not be there.
        return memoryview((ctypes.c_char * (2 * values.numel())).from_address(values.data_ptr())).tobytes()

    unfinished = folder.with_name(folder.name + ".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    write_llama_folder(unfinished, config, "BF16", drawn)
    os.rename(unfinished, folder)
    print(json.dumps({"bytes": needed}))


if __name__ == "__main__":
    main()
