"""Occlusion maps: how far the logit falls when one electrode-second (or one electrode) is hidden from the model.

Tang et al. 2022, section 2.5 (spec dcrnn.md, section 8): v_ij = logit(clip) - logit(clip with electrode i, second j
hidden). Detection hides every electrode-second; classification hides an electrode for all seconds and watches the logit
of the predicted class. Values are not normalised here (pipeline/explain/localisation.py does).

`plain_logits` runs each hidden input from its first second to its last and works for every model. `shared_logits` gives
the same numbers for a causal recurrence whose graph is held: up to the hidden second nothing differs from the clip
itself, and the input half of the first layer differs in the hidden second alone. `parted_logits` does for a model that
looks at each second, or at each electrode, by itself first: only the part that is hidden is looked at again.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

Regraph = Callable[[Tensor], Tensor]  # frames (b, t, n, f) -> supports (b, p, n, n)
Step = Callable[[Tensor, list[Tensor]], list[Tensor]]  # inputs (1, b, n, .) of one second, carried -> carried after it


@dataclass(frozen=True)
class Clip:
    """One standardised clip: x (t, n, f), of which `length` seconds are signal; supports (p, n, n); `target` class."""

    x: Tensor
    length: int
    supports: Tensor
    target: int


@runtime_checkable
class CausalModel(Protocol):
    """A recurrent model that gives away what it carries from second to second: tensors (b, ...), the last of which is
    the top layer's state. `causal` is False where a state depends on later seconds all the same (published SGLC).
    """

    @property
    def causal(self) -> bool: ...
    def operator(self, supports: Tensor) -> Tensor: ...
    def encode(self, x: Tensor, operator: Tensor) -> list[Tensor]: ...  # carried after every second, each (t, b, ...)
    def first_inputs(self, x: Tensor, operator: Tensor) -> Tensor: ...  # (t, b, n, .): of each second by itself
    def begin(self, operator: Tensor) -> list[Tensor]: ...  # carried before the first second, each (1, ...)
    def stepper(self, operator: Tensor) -> Step: ...
    def head(self, h: Tensor) -> Tensor: ...


@runtime_checkable
class PartedModel(Protocol):
    """A model that describes each part of a clip by itself, x (b, t, n, f) -> (b, parts, e), then all together."""

    @property
    def parts(self) -> Literal["second", "electrode"]: ...
    def embed(self, x: Tensor, lengths: Tensor) -> Tensor: ...
    def combine(self, embedded: Tensor, lengths: Tensor) -> Tensor: ...


@torch.no_grad()
def occlusion_map(
    model: nn.Module, clip: Clip, *, fill: float, batch: int, electrodes_only: bool, regraph: Regraph | None = None
) -> tuple[Tensor, float]:
    """(drop, logit): drop (n, t), or (n, 1) with `electrodes_only`; seconds beyond the clip's length are 0.

    `fill` is the standardised value of a hidden frame; `batch` the number of hidden inputs at once; `regraph` makes the
    graph anew from each hidden input (None: the clip's graph is held).
    """
    clip = Clip(clip.x[: clip.length], clip.length, clip.supports, clip.target)
    n, t = clip.x.shape[1], clip.length
    logit = _logits(model, clip.x[None], clip.supports, clip.target)[0]
    cells = _cells(n, 1 if electrodes_only else t, clip.x.device)
    if not electrodes_only and isinstance(model, PartedModel):
        hidden = parted_logits(model, clip, cells, fill=fill, batch=batch)
    elif electrodes_only or regraph is not None or not (isinstance(model, CausalModel) and model.causal):
        hidden = plain_logits(model, clip, cells, fill=fill, batch=batch, whole=electrodes_only, regraph=regraph)
    else:
        hidden = shared_logits(model, clip, fill=fill, batch=batch)
    drop = (logit - hidden).view(-1, n).mT  # second-major cells -> (n, t)
    return drop.contiguous(), float(logit)


def _cells(n: int, t: int, device: torch.device) -> Tensor:
    """(t n, 2) pairs of (second, electrode), second by second."""
    return torch.cartesian_prod(torch.arange(t, device=device), torch.arange(n, device=device))


def _logits(model: nn.Module, x: Tensor, supports: Tensor, target: int) -> Tensor:
    """(b,) logits of the target class."""
    lengths = torch.full((len(x),), x.shape[1], dtype=torch.long, device=x.device)
    return model(x, lengths, supports)[:, target].float()


def hide(x: Tensor, cells: Tensor, *, fill: float, whole: bool) -> Tensor:
    """Copies (c, t, n, f) of clip x (t, n, f), each with one of `cells` (c, 2) set to `fill`; `whole`: all seconds."""
    hidden = x.expand(len(cells), *x.shape).clone()
    row = torch.arange(len(cells), device=x.device)
    if whole:
        hidden[row, :, cells[:, 1]] = fill
    else:
        hidden[row, cells[:, 0], cells[:, 1]] = fill
    return hidden


@torch.no_grad()
def plain_logits(
    model: nn.Module,
    clip: Clip,
    cells: Tensor,
    *,
    fill: float,
    batch: int,
    whole: bool = False,
    regraph: Regraph | None = None,
) -> Tensor:
    """(c,) logits of the clip with each of `cells` (c, 2) hidden, `batch` whole forward passes at a time."""
    parts = []
    for part in cells.split(batch):
        hidden = hide(clip.x, part, fill=fill, whole=whole)
        supports = clip.supports if regraph is None else regraph(hidden)
        parts.append(_logits(model, hidden, supports, clip.target))
    return torch.cat(parts)


@torch.no_grad()
def shared_logits(model: CausalModel, clip: Clip, *, fill: float, batch: int) -> Tensor:
    """(t n,) logits of the clip with each electrode-second hidden, second by second, sharing what does not differ.

    Hidden seconds are taken in blocks of about `batch` hidden inputs. Within a block the batch grows: at each second
    the n inputs that hide it join, from the states that the clip itself had one second before.
    """
    t, n, _ = clip.x.shape
    operator = model.operator(clip.supports)
    step, start = model.stepper(operator), model.begin(operator)
    carried = model.encode(clip.x[None], operator)  # each (t, 1, ...)
    seen = model.first_inputs(clip.x[None], operator)  # (t, 1, n, .)
    block = max(1, batch // n)
    parts = []
    for first in range(0, t, block):
        last = min(first + block, t)
        everywhere = hide(clip.x[first:last], _cells(n, 1, clip.x.device), fill=fill, whole=True)  # (n, block, n, f)
        hidden = model.first_inputs(everywhere, operator)  # (block, n, n, .): each second looks at itself alone
        before = [own[first - 1] for own in carried] if first else start
        begun = [torch.cat([own[None], after[first : last - 1]]) for own, after in zip(before, carried, strict=True)]
        parts.append(model.head(_follow(step, begun, hidden, seen[first:])))
    return torch.cat(parts)[:, clip.target].float()


@torch.no_grad()
def parted_logits(model: PartedModel, clip: Clip, cells: Tensor, *, fill: float, batch: int) -> Tensor:
    """(c,) logits of the clip with each of `cells` (c, 2) hidden; of the model's first half only the hidden part."""
    length, found = torch.tensor([clip.length], device=clip.x.device), []
    own = model.embed(clip.x[None], length)  # (1, parts, e)
    for some in cells.split(batch):
        (second, electrode), row = some.unbind(1), torch.arange(len(some), device=some.device)
        lengths = length.expand(len(some))
        if model.parts == "second":
            part = clip.x[second].unsqueeze(1)  # (c, 1, n, f)
            part[row, 0, electrode] = fill
            place, part_lengths = second, torch.ones_like(lengths)
        else:
            part = clip.x[:, electrode].transpose(0, 1).unsqueeze(2)  # (c, t, 1, f)
            part[row, second, 0] = fill
            place, part_lengths = electrode, lengths
        embedded = own.repeat(len(some), 1, 1)
        embedded[row, place] = model.embed(part, part_lengths)[:, 0]
        found.append(model.combine(embedded, lengths)[:, clip.target].float())
    return torch.cat(found)


def _follow(step: Step, begun: list[Tensor], hidden: Tensor, seen: Tensor) -> Tensor:
    """Last top state (s n, n, h) of the inputs that hide one of the first s seconds and run to the end.

    begun: what the clip itself carries before each of the s seconds, each (s, 1, ...); hidden (s, n, n, .): first
    layer's inputs of those seconds with each electrode hidden; seen (t, 1, n, .): the same of the clip itself.
    """
    n = hidden.shape[1]
    carried = [own.new_empty(0, *own.shape[2:]) for own in begun]
    for s in range(len(seen)):
        inputs = seen[s : s + 1].expand(1, len(carried[0]), -1, -1)
        if s < len(hidden):
            inputs = torch.cat([inputs, hidden[s : s + 1]], dim=1)
            joining = [own[s].expand(n, *own.shape[2:]) for own in begun]
            carried = [torch.cat(pair) for pair in zip(carried, joining, strict=True)]
        carried = step(inputs, carried)
    return carried[-1]
