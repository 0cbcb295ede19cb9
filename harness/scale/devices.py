"""Which device computes, in which precision, and how many samples it holds at once."""

import os
from collections.abc import Callable

import torch

from harness.errors import UserError

MEMORY_SHARE = 0.25  # of a device's memory for the largest arrays of one batch
LARGEST_BATCH = 4096  # samples: more do not make a device faster
Probe = Callable[[str], float]  # device -> seconds that it takes for a sample


def chosen_device(name: str, probe: Probe | None = None) -> str:
    """The device to compute on, "cpu" or "cuda", made ready.

    "auto" is the CPU unless torch sees a GPU and the table's own encoder, timed on both just
    now, is faster there. Where several processes share the work each must take the same, so that
    "auto" is the CPU: name the GPU.

    Args:
        name: "auto", "cpu" or "cuda".
        probe: times the encoder; None: "auto" is the CPU.

    Raises:
        UserError: cuda was asked for and torch sees none.
    """
    there = torch.cuda.is_available()
    if name == "cuda" and not there:
        raise UserError("--device cuda: torch sees no CUDA device here; use --device cpu")
    if name == "auto":
        alone = int(os.environ.get("WORLD_SIZE", "1")) == 1
        name = _faster(probe) if there and alone and probe is not None else "cpu"
    if name == "cuda":
        exact_products()
    return name


def exact_products() -> None:
    """Float32 products in float32: TF32 keeps 10 bits after the point, weights have up to 13."""
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False


def _faster(probe: Probe) -> str:
    exact_products()
    seconds = {device: probe(device) for device in ("cpu", "cuda")}
    cpu, gpu = (f"{1000 * s:.3g} ms a sample on {device}" for device, s in seconds.items())
    chosen = min(seconds, key=seconds.__getitem__)
    print(f"device   {chosen}: {cpu}, {gpu}", flush=True)
    return chosen


def batch_that_fits(bytes_a_sample: int, device: torch.device | str) -> int:
    """Samples of a batch on a GPU: so many that a share of its memory holds their arrays.

    Of all its memory, not of what is free, so that the same card always has the same batches.

    Args:
        bytes_a_sample: what the largest arrays take, all that are there at a time.
        device: of torch.
    """
    room = MEMORY_SHARE * memory_bytes(device)
    return int(min(max(room // bytes_a_sample, 1), LARGEST_BATCH))


def memory_bytes(device: torch.device | str) -> int:
    """All memory of a GPU."""
    return torch.cuda.get_device_properties(device).total_memory
