"""What a model with a learned graph joined: A_t of each clip, layer and second, and a row of measures for each.

Spec sglc.md, section 13. A model offers `graphs`; one whose heads differ, `head_graphs`, too. Everything is computed
for a batch of clips at a time, and given away before the next.
"""

from collections.abc import Iterator
from typing import Protocol, cast, runtime_checkable

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from pipeline.explain.graph_measures import NO_HUB, distance, head_disagreement, hub, off_diagonal, row_entropy
from pipeline.explain.graph_store import GraphBlock
from pipeline.training.clip_data import Batch, ClipData
from pipeline.training.device import autocast


@runtime_checkable
class GraphLearner(Protocol):
    """A model that says by which graphs it joined the nodes: (layers, b, t, n, n), row = receiver."""

    def graphs(self, x: Tensor, lengths: Tensor, supports: Tensor) -> Tensor: ...


@runtime_checkable
class HeadedLearner(Protocol):
    """One that has several heads: what each of them attends to before they are averaged, (layers, b, t, p, n, n).

    None where this model's options leave nothing to learn.
    """

    def head_graphs(self, x: Tensor, lengths: Tensor, supports: Tensor) -> Tensor | None: ...


class NoGraph(ValueError):
    """A learned graph that is no number within its clip; the message names the clip."""


def graph_blocks(model: GraphLearner, data: ClipData, rows: np.ndarray, *, batch: int) -> Iterator[GraphBlock]:
    """Graphs of the clips `rows` of the table, `batch` at a time. Raises NoGraph."""
    cast(nn.Module, model).eval()
    with torch.inference_mode():
        parts = [(rows[start : start + batch], None) for start in range(0, len(rows), batch)]
        for (chosen, _), given in zip(parts, data.batches(parts), strict=True):
            block = _block(model, given, data)
            seen = np.arange(block.A.shape[2]) < block.lengths[:, None]  # (c, t)
            wrong = ~np.isfinite(block.A).all(axis=(1, 3, 4)) & seen
            if wrong.any():
                clip = data.table["clip"].iloc[chosen[int(np.argmax(wrong.any(axis=1)))]]
                raise NoGraph(f"clip {clip}: the learned graph is no number; look at the model's training")
            yield block


def _block(model: GraphLearner, batch: Batch, data: ClipData) -> GraphBlock:
    with autocast(batch.x.device, data.settings.device):
        A = model.graphs(batch.x, batch.lengths, batch.supports).float().transpose(0, 1)  # l b t n n -> b l t n n
    padding = torch.arange(A.shape[2], device=A.device) >= batch.lengths[:, None]  # (b, t)
    A = A.masked_fill(padding[:, None, :, None, None], float("nan"))
    prior = batch.supports[..., 0, :, :].expand(len(A), *A.shape[-2:])
    disagreement = np.full(A.shape[:3], np.nan)
    if isinstance(model, HeadedLearner):
        with autocast(batch.x.device, data.settings.device):
            heads = model.head_graphs(batch.x, batch.lengths, batch.supports)  # l b t p n n
        if heads is not None:
            disagreement = head_disagreement(heads.float().transpose(0, 1).cpu().numpy())
        disagreement[np.broadcast_to(padding.cpu().numpy()[:, None], disagreement.shape)] = np.nan
    return GraphBlock(A.cpu().numpy(), prior.float().cpu().numpy(), batch.lengths.cpu().numpy(), disagreement)


def measures(block: GraphBlock, clips: pd.DataFrame, electrodes: list[str]) -> pd.DataFrame:
    """One row for each clip, layer and valid second (both counted from 1) of a block.

    clips: of the block's clips, in their order, the columns that each row repeats. Columns: entropy of the rows (mean,
    least, most; in nats, and as shares of log n) and of the prior's (mean, nats), |A_t - A_0|_F, sum off the diagonal,
    hub, disagreement of the heads (nats).
    """
    c, layers, t = block.A.shape[:3]
    n = len(electrodes)
    entropy = row_entropy(block.A)  # (c, l, t, n)
    place, layer, second = (index.ravel() for index in np.indices((c, layers, t)))
    hubs = hub(block.A).ravel()
    made = clips.iloc[place].reset_index(drop=True).assign(layer=layer + 1, t=second + 1)
    for name, kind in (("mean", np.mean), ("min", np.min), ("max", np.max)):
        values = kind(entropy, axis=-1).ravel()
        made[f"entropy_{name}"], made[f"entropy_{name}_share"] = values, values / np.log(n)
    made["entropy_prior"] = row_entropy(block.prior).mean(axis=-1)[place]
    made["distance_from_prior"] = distance(block.A, block.prior[:, None, None]).ravel()
    made["off_diagonal"] = off_diagonal(block.A).ravel()
    names = np.array([*electrodes, ""], dtype=object)
    made["hub"] = pd.array(names[np.where(hubs == NO_HUB, n, hubs)], dtype="string")
    made["head_disagreement"] = np.asarray(block.disagreement).ravel()
    return made[second < block.lengths[place]].reset_index(drop=True)
