"""What a Python with torch, and the device that it computes on, are.

    python bench/device_facts.py cpu|cuda          versions and the device's name, as JSON
    python bench/device_facts.py cpu|cuda gemm     GFLOP/s of large square products, as JSON: what a step could reach at best
"""
import importlib.util
import json
import statistics
import sys
import time
from importlib.metadata import PackageNotFoundError, version

PACKAGES = ("torch", "transformers", "peft", "accelerate", "liger_kernel", "flash_attn")
GEMM_SIZE = {"cpu": 512, "cuda": 8192}
ROUNDS = 12
WARM_ROUNDS = 3


def version_of(package):
    """Empty: not installed."""
    if importlib.util.find_spec(package) is None:
        return ""
    try:
        return version(package.replace("_", "-"))
    except PackageNotFoundError:
        return "unknown"


def facts(device):
    import torch

    out = {package: version_of(package) for package in PACKAGES} | {"cuda": torch.version.cuda or "", "device": "cpu", "device_bytes": 0}
    if device == "cuda":
        if not torch.cuda.is_available():
            sys.exit(f"torch {torch.__version__} finds no GPU; see what nvidia-smi says, and whether this torch is a CUDA build")
        of = torch.cuda.get_device_properties(0)
        out |= {"device": of.name, "device_bytes": of.total_memory}
    return out


def gemm_gflops(device):
    import torch

    size, rates = GEMM_SIZE[device], {}
    for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        a, b = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
        seconds = []
        for _ in range(ROUNDS):
            began = time.perf_counter()
            a @ b
            if device == "cuda":
                torch.cuda.synchronize()
            seconds.append(time.perf_counter() - began)
        rates[name] = 2e-9 * size**3 / statistics.median(seconds[WARM_ROUNDS:])
    return rates


if __name__ == "__main__":
    print(json.dumps(gemm_gflops(sys.argv[1]) if sys.argv[2:] == ["gemm"] else facts(sys.argv[1])))
