"""Where to compute, with how many threads, and how exactly."""

import os
from contextlib import AbstractContextManager, nullcontext

import torch

from pipeline.settings.training import DeviceSettings
from pipeline.training.gpus import VISIBLE, choose, lock_folder, visible_gpus


def prepare_device(settings: DeviceSettings, *, alone: bool = False, processes: int = 1, rank: int = 0) -> torch.device:
    """Choose the device, set the number of threads and ask for deterministic algorithms.

    Sums are split by threads: the same number of threads gives the same bits, whatever Snakemake's --cores says. Of
    several GPUs a free one is taken, one for each of `processes`; `alone`: and kept from other jobs (gpus.py). The
    first process chooses; one of another `rank` has the GPU of that place.
    Raises OSError if the settings demand a GPU and there is none, or fewer than `processes`.
    """
    if settings.device != "cpu" and rank == 0 and not torch.cuda.is_initialized():
        _choose_gpus(processes, alone=alone)
    torch.set_num_threads(settings.threads)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS is deterministic only so
    torch.use_deterministic_algorithms(True)
    present = torch.cuda.is_available()
    if settings.device == "cuda" and not present:
        raise OSError("device.device: cuda, but torch sees no GPU; set device.device: auto or cpu")
    if settings.device == "cpu" or not present:
        return torch.device("cpu")
    torch.cuda.set_device(rank)
    return torch.device("cuda", rank)


def _choose_gpus(count: int, *, alone: bool) -> None:
    """Leave CUDA, which has not begun yet, the chosen ones of the GPUs that torch sees."""
    gpus = visible_gpus(torch.cuda.device_count())
    if gpus:
        os.environ[VISIBLE] = ",".join(choose(gpus, count, alone=alone, folder=lock_folder()))


def autocast(device: torch.device, settings: DeviceSettings) -> AbstractContextManager[object]:
    """bfloat16 where `uses_bf16` says so."""
    return torch.autocast("cuda", dtype=torch.bfloat16) if uses_bf16(device, settings) else nullcontext()


def uses_bf16(device: torch.device, settings: DeviceSettings) -> bool:
    """`auto`: on a GPU that has it; `bf16`: on any GPU, if need be emulated; never on a CPU: the reference."""
    if device.type == "cpu" or settings.mixed_precision == "off":
        return False
    return settings.mixed_precision == "bf16" or torch.cuda.is_bf16_supported(including_emulation=False)


def fits_on(device: torch.device, n_bytes: int) -> bool:
    """Whether data of `n_bytes` may lie in a GPU's own memory, leaving half of what is free for the computation."""
    free, _ = torch.cuda.mem_get_info(device)
    return n_bytes < free / 2
