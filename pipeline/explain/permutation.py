"""Guard G1 of the simulator: does a model use where its electrodes are? (spec simulator.md, sections 10 and 11)

The electrodes of every test clip are permuted, the signals stay as they are. The distance graph belongs to the places
and is held: each signal now sits where another electrode was. The correlation graph is made from the signals and moves
with them; with the largest logit over electrodes taken at the end that model cannot notice, and loses exactly nothing.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pipeline.training.clip_data import Batch, ClipData
from pipeline.training.forward import forward


def electrode_permutations(n: int, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """(count, n) permutations of the electrodes, none of them the identity."""
    found: list[NDArray[np.int64]] = []
    while len(found) < count:
        order = rng.permutation(n)
        if (order != np.arange(n)).any():
            found.append(order)
    return np.array(found, dtype=np.int64).reshape(count, n)


def permute_batch(batch: Batch, order: Tensor, *, graph: str) -> Batch:
    """The batch with electrode order[i] in place i; a graph made from the signals moves with them."""
    supports = batch.supports
    if graph == "correlation":
        supports = supports[..., order[:, None], order[None, :]]
    return Batch(batch.x[:, :, order], batch.lengths, supports, batch.target)


def permuted_logits(
    model: nn.Module, data: ClipData, rows: NDArray[np.int64], orders: NDArray[np.int64], *, batch_size: int
) -> NDArray[np.float64]:
    """First logit (k, clips) of the clips `rows` under each of `orders` (k, n)."""
    model.eval()
    permutations = torch.from_numpy(orders).to(data.device)
    parts = []
    with torch.inference_mode():
        chosen = [(rows[start : start + batch_size], None) for start in range(0, len(rows), batch_size)]
        for batch in data.batches(chosen):
            moved = (permute_batch(batch, order, graph=data.settings.graph) for order in permutations)
            parts.append(torch.stack([forward(model, one, data.settings)[:, 0] for one in moved]).cpu().numpy())
    return np.concatenate(parts, axis=1).astype(np.float64)
