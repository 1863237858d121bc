"""Steps of transformers' Trainer, over PEFT for LoRA: the rival's side of bench/train.py and bench/gpu.py.

    python bench/rival_steps.py SPEC        (JSON, below; its last line is JSON)

In a process of its own, so that its peak memory is its own. LoRA is of rank 16 on all linears, without dropout; AdamW
fused, at a constant rate, without decay, clipped at 1. Rows are trained on as they come; nothing pads. The clock runs from
the beginning of a step until the device has done all of it; reading and copying of rows are not in it.
"""
import json
import os
import resource
import sys
import tempfile
import time
from array import array
from pathlib import Path

# What a spec may say, and what it says where it is silent.
SPEC = {
    "model": None,  # folder
    "ids": None,  # file of int32: rows one after the other
    "method": "lora",  # or full
    "dtype": "fp32",  # or bf16: of the weights
    "autocast": False,  # the products in bf16, whatever the weights are
    "attention": "sdpa",
    "compiled": False,
    "liger": False,  # its kernels, where they are installed
    "start": "",  # an adapter to start from; empty: PEFT draws one
    "save_start": "",  # with 0 steps: draw an adapter, write it there, and that is all
    "device": "cpu",
    "threads": 1,
    "rows": 4,
    "accumulate": 1,  # micro-batches of a step
    "tokens": 512,  # of a row
    "steps": 6,
    "paced": False,  # print a line and read one before each step, so that others can take turns
    "warm_steps": 2,  # after these, peers wait for each other
    "peers": 1,  # processes that share the device
    "meeting": "",  # folder where peers wait for each other
}
MEETING_SECONDS = 300
LEARNING_RATE = 1e-4


def load(spec):
    import torch
    import transformers
    from transformers import AutoModelForCausalLM

    version = tuple(int(part) for part in transformers.__version__.split(".")[:2])
    dtype = {"dtype" if version >= (4, 56) else "torch_dtype": {"fp32": torch.float32, "bf16": torch.bfloat16}[spec["dtype"]]}
    model = AutoModelForCausalLM.from_pretrained(spec["model"], attn_implementation=spec["attention"], **dtype)
    if spec["method"] == "full":
        return model
    from peft import LoraConfig, PeftModel, get_peft_model

    if spec["start"]:
        return PeftModel.from_pretrained(model, spec["start"], is_trainable=True)
    return get_peft_model(model, LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM"))


def meet(spec):
    """Returns when all peers are here."""
    folder = Path(spec["meeting"])
    (folder / str(os.getpid())).touch()
    deadline = time.monotonic() + MEETING_SECONDS
    while len(list(folder.iterdir())) < spec["peers"]:
        if time.monotonic() > deadline:
            sys.exit(f"of {spec['peers']} processes only {len(list(folder.iterdir()))} came to train")
        time.sleep(0.005)


def wait_for_turn(told):
    print(json.dumps(told), flush=True)
    sys.stdin.readline()


def train(spec, model):
    """Returns: seconds and loss of each step, and seconds from the peers' meeting to the end."""
    import torch
    from torch.utils.data import SequentialSampler
    from transformers import Trainer, TrainerCallback, TrainingArguments

    on_gpu = spec["device"] == "cuda"
    ids = array("i", Path(spec["ids"]).read_bytes())
    rows = [torch.tensor(ids[at : at + spec["tokens"]]).long() for at in range(0, spec["steps"] * spec["rows"] * spec["tokens"], spec["tokens"])]
    # Trainer divides by all labels, also by each row's first, which no token predicts: losses would be lower.
    no_label = torch.tensor([-100])
    seconds, losses = [], []

    class Clock(TrainerCallback):
        steps = 0
        met = None

        def on_step_begin(self, *_, **__):
            if spec["paced"]:
                wait_for_turn({"seconds": seconds[-1]} if seconds else {})
            if spec["peers"] > 1 and self.steps == spec["warm_steps"]:
                meet(spec)
                self.met = time.perf_counter()
            if on_gpu:
                torch.cuda.synchronize()
            self.began = time.perf_counter()

        def on_step_end(self, *_, **__):
            if on_gpu:
                torch.cuda.synchronize()
            self.ended = time.perf_counter()
            seconds.append(self.ended - self.began)
            self.steps += 1

    class InOrder(Trainer):
        def _get_train_sampler(self, *_):
            return SequentialSampler(self.train_dataset)

        def training_step(self, *args, **kwargs):
            loss = super().training_step(*args, **kwargs)
            losses.append(loss.detach().clone())  # read after the training: reading waits for the device
            return loss

    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        InOrder(
            model=model,
            args=TrainingArguments(folder, per_device_train_batch_size=spec["rows"] // spec["accumulate"], gradient_accumulation_steps=spec["accumulate"], max_steps=spec["steps"], learning_rate=LEARNING_RATE, lr_scheduler_type="constant",
                                   weight_decay=0, optim="adamw_torch_fused", logging_strategy="no", save_strategy="no", report_to=[], use_cpu=not on_gpu,
                                   bf16=spec["autocast"], torch_compile=spec["compiled"], use_liger_kernel=spec["liger"], disable_tqdm=True),
            train_dataset=[{"input_ids": row, "labels": torch.cat([no_label, row[1:]])} for row in rows],
            callbacks=[clock],
        ).train()
    parts = [loss.item() for loss in losses]  # a micro-batch's is its share of the step's
    n = spec["accumulate"]
    of_steps = [sum(parts[at : at + n]) for at in range(0, len(parts), n)]
    return {"seconds": seconds, "losses": of_steps, "seconds_together": clock.ended - clock.met if clock.met else 0}


def memory(spec):
    import torch

    host = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    if spec["device"] == "cpu":
        return {"peak_bytes": host}
    return {"peak_bytes": torch.cuda.max_memory_allocated(), "reserved_bytes": torch.cuda.max_memory_reserved(), "host_bytes": host}


def main():
    spec = {**SPEC, **json.loads(sys.argv[1])}
    import torch

    torch.set_num_threads(spec["threads"])
    torch.manual_seed(0)
    if spec["save_start"]:
        load(spec).save_pretrained(spec["save_start"])
        return
    print(json.dumps({**train(spec, load(spec)), **memory(spec)}))


if __name__ == "__main__":
    main()
