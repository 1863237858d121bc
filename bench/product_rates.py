"""What a training step could reach at best: the rate of its forward products alone, in SmolLM2-135M's shapes."""
import statistics
import time

import torch

# Inner and outer width, and how often in a forward pass: the linears of the 30 layers. The head is by rows of 256.
LINEARS = [(576, 576, 60), (576, 192, 60), (576, 1536, 60), (1536, 576, 30)]
HEAD, HEAD_ROWS = (576, 49152), 256


def product_rate(shapes, dtype, rounds):
    """GFLOP/s over (rows, inner, outer, times), each shape by its share."""
    flops = seconds = 0
    for rows, inner, outer, times in shapes:
        x, w, y = torch.randn(rows, inner).to(dtype), torch.randn(outer, inner).to(dtype), torch.empty(rows, outer, dtype=dtype)
        took = []
        for _ in range(rounds):
            began = time.perf_counter()
            torch.mm(x, w.t(), out=y)
            took.append(time.perf_counter() - began)
        flops += times * 2 * rows * inner * outer
        seconds += times * statistics.median(took)
    return 1e-9 * flops / seconds


class ProductRates:
    """Of a machine: bf16's where that is the faster one, for the engine widens bf16 where it is not."""

    def __init__(self, threads, row_tokens, rows):
        torch.set_num_threads(threads)
        self.row_tokens = row_tokens
        self.bf16_is_faster = self._of(rows, torch.bfloat16, 3) > self._of(rows, torch.float32, 3)

    def of(self, dtype, microbatch_rows):
        is_bf16 = dtype == "bf16" and self.bf16_is_faster
        return self._of(microbatch_rows, torch.bfloat16 if is_bf16 else torch.float32, 5)

    def _of(self, rows, dtype, rounds):
        tokens = rows * self.row_tokens
        head_rows = min(HEAD_ROWS, tokens)
        return product_rate([(tokens, *linear) for linear in LINEARS] + [(head_rows, *HEAD, tokens / head_rows)], dtype, rounds)
