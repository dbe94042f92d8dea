"""Where to compute, with how many threads, and how exactly."""

import os
from contextlib import AbstractContextManager, nullcontext

import torch

from pipeline.settings.training import DeviceSettings


def prepare_device(settings: DeviceSettings) -> torch.device:
    """Choose the device, set the number of threads and ask for deterministic algorithms.

    Sums are split by threads: the same number of threads gives the same bits, whatever Snakemake's --cores says.
    Raises OSError if the settings demand a GPU and there is none.
    """
    torch.set_num_threads(settings.threads)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS is deterministic only so
    torch.use_deterministic_algorithms(True)
    present = torch.cuda.is_available()
    if settings.device == "cuda" and not present:
        raise OSError("device.device: cuda, but torch sees no GPU; set device.device: auto or cpu")
    return torch.device("cuda" if present and settings.device != "cpu" else "cpu")


def autocast(device: torch.device, settings: DeviceSettings) -> AbstractContextManager[object]:
    """bfloat16 where `uses_bf16` says so."""
    return torch.autocast("cuda", dtype=torch.bfloat16) if uses_bf16(device, settings) else nullcontext()


def uses_bf16(device: torch.device, settings: DeviceSettings) -> bool:
    """`auto`: on a GPU that has it; `bf16`: on any GPU, if need be emulated; never on a CPU: the reference."""
    if device.type == "cpu" or settings.mixed_precision == "off":
        return False
    return settings.mixed_precision == "bf16" or torch.cuda.is_bf16_supported(including_emulation=False)


def fits_on(device: torch.device, n_bytes: int, settings: DeviceSettings) -> bool:
    """Whether data of `n_bytes` may lie in the device's own memory, leaving half of it for the computation."""
    if device.type == "cpu":
        return True
    free, _ = torch.cuda.mem_get_info(device)
    return n_bytes < min(free / 2, settings.memory_gb * 1e9)
