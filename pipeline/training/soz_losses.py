"""What the SOZ encoder minimises: focal class-balanced SupCon and BCE over the contacts of a clip (spec soz.md, 4, 5).

SupCon: Khosla et al., NeurIPS 2020; class balance: Cui et al., CVPR 2019; focus: Lin et al., ICCV 2017. Everything is
computed in float32 even under mixed precision (float64 stays). Axes: b clip, i anchor, p positive, k key, c contact.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from pipeline.models.soz import unit_length

EPS = 1e-6  # of the class weights (spec soz.md, section 4)
CLASSES = 2  # 0 not, 1 in the seizure onset zone
UNKNOWN = -1


def supcon(
    z: Tensor,
    labels: Tensor,
    valid: Tensor,
    *,
    temperature: float,
    beta: float,
    gamma: float,
    denominator: str,
    counts: Tensor | None = None,
    weight_cap: float | None = None,
) -> tuple[Tensor, int]:
    """Focal class-balanced supervised contrastive loss, and the number of anchors that it is a mean of.

    z (b, c, d): embeddings, made of unit length here. labels (b, c): 0, 1, or -1 unknown; valid (b, c). A contact that
    is padded or unknown takes no part. Anchors are contacts with another one of their class, in a clip of two classes.
    `denominator`: `all` others (poster) or the positive itself and the `negatives`. `counts` (2,): contacts of each
    class in the training fold; None: those of the clip. Mean over clips with an anchor; without one 0, and no gradient
    but 0. Raises ValueError for gamma in (0, 1), or a denominator of another name.
    """
    _check(gamma)
    if denominator not in ("all", "negatives"):
        raise ValueError(f"denominator {denominator!r}: it is 'all' or 'negatives'")
    with torch.autocast(z.device.type, enabled=False):
        # nothing of a contact that takes no part may enter, NaN included
        z = unit_length(_at_least_float32(z).masked_fill(~(labels.ge(0) & valid)[..., None], 0.0))
        w = _contact_weights(labels, valid, beta=beta, counts=counts, cap=weight_cap, like=z)
        anchors, positives, negatives = roles(labels, valid)
        log_p = log_probabilities(z, positives, negatives, temperature=temperature, denominator=denominator)
        each = (_focus(log_p, gamma) * -log_p).sum(dim=-1) / positives.sum(dim=-1).clamp(min=1)  # b i p -> b i
        clips = anchors.any(dim=1)
        mass = (w * anchors).sum(dim=1).masked_fill(~clips, 1.0)
        per_clip = (w * anchors * each).sum(dim=1) / mass  # b i -> b
        return per_clip.sum() / clips.sum().clamp(min=1), int(anchors.sum())


def log_probabilities(
    z: Tensor, positives: Tensor, negatives: Tensor, *, temperature: float, denominator: str
) -> Tensor:
    """log p_ip (b, i, p) of unit embeddings z (b, i, d), 0 where p is no positive of i (b, i, p)."""
    s = torch.einsum("bid,bkd->bik", z, z) / temperature
    if denominator == "all":
        log_p = s - _log_sum(s, positives | negatives, empty=0.0)
    else:
        log_p = s - torch.logaddexp(s, _log_sum(s, negatives, empty=-math.inf))
    return torch.where(positives, log_p, 0.0)  # before the power of `_focus`: elsewhere its slope may be infinite


def _focus(log_p: Tensor, gamma: float) -> Tensor:
    """(1 - p)^gamma, exact where p is near 1; a rounded log p just above 0 counts as 0."""
    return (-torch.expm1(log_p)).clamp(min=0.0) ** gamma if gamma else torch.ones_like(log_p)


def focal_bce(
    logits: Tensor, labels: Tensor, valid: Tensor, *, beta: float, gamma: float, counts: Tensor | None = None
) -> Tensor:
    """Focal class-balanced binary cross-entropy: the mean over labelled valid contacts of w_y q^gamma BCE.

    q = sigmoid(-x (2 y - 1)) is 1 less the probability of the true class. logits, labels and valid are (b, c), `counts`
    as in `supcon`. No labelled valid contact: 0, and no gradient but 0. Raises ValueError for gamma in (0, 1).
    """
    _check(gamma)
    used = labels.ge(0) & valid
    x = _at_least_float32(logits).masked_fill(~used, 0.0)
    towards = x * (2 * labels.clamp(min=0) - 1)  # > 0: right
    focus = torch.sigmoid(-towards) ** gamma if gamma else torch.ones_like(x)
    w = _contact_weights(labels, valid, beta=beta, counts=counts, cap=None, like=x)
    each = w * focus * functional.softplus(-towards)
    return (each * used).sum() / used.sum().clamp(min=1)


def class_weights(counts: Tensor, *, beta: float, cap: float | None = None) -> Tensor:
    """(…, 2) weights of contacts `counts` (…, 2) of each class: mean 1 over the classes present, 0 for an absent one.

    w_c = (1 - beta) / (1 - beta^N_c + eps). `cap`: w_1 at most so many times w_0, where both are present.
    """
    n = _at_least_float32(counts)
    present = n > 0
    w = (1 - beta) / (1 - beta**n + EPS) * present
    if cap is not None:
        w = torch.stack([w[..., 0], torch.where(present.all(-1), w[..., 1].clamp(max=cap * w[..., 0]), w[..., 1])], -1)
    return w * (present.sum(-1, keepdim=True) / w.sum(-1, keepdim=True).clamp(min=EPS))


def count_labels(labels: Tensor, valid: Tensor) -> Tensor:
    """(b, 2): valid contacts of each class in each clip, of labels and valid (b, c)."""
    return torch.stack([(labels.eq(c) & valid).sum(dim=1) for c in range(CLASSES)], dim=1)


def roles(labels: Tensor, valid: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """anchors (b, i), positives and negatives (b, i, k): who is drawn to and pushed from whom."""
    used = labels.ge(0) & valid
    pairs = used[:, :, None] & used[:, None, :]
    alike = labels[:, :, None] == labels[:, None, :]
    itself = torch.eye(labels.shape[1], dtype=torch.bool, device=labels.device)
    positives, negatives = pairs & alike & ~itself, pairs & ~alike
    return positives.any(dim=2) & negatives.any(dim=2), positives, negatives


def _log_sum(s: Tensor, keys: Tensor, *, empty: float) -> Tensor:
    """(b, i, 1): log of the summed exponentials of s (b, i, k) over `keys`; `empty` in a row without a key."""
    some = keys.any(dim=2, keepdim=True)
    safe = torch.where(keys, s, -math.inf).masked_fill(~some, 0.0)  # a row of -inf alone has a gradient of NaN
    return torch.where(some, safe.logsumexp(dim=2, keepdim=True), empty)


def _contact_weights(
    labels: Tensor, valid: Tensor, *, beta: float, counts: Tensor | None, cap: float | None, like: Tensor
) -> Tensor:
    """(b, c): the weight of each contact's class, 0 where it is unknown or padded."""
    of_classes = count_labels(labels, valid) if counts is None else counts.to(labels.device).expand(len(labels), 2)
    w = class_weights(of_classes.to(like.dtype), beta=beta, cap=cap)
    return w.gather(1, labels.clamp(min=0)) * (labels.ge(0) & valid)


def _at_least_float32(values: Tensor) -> Tensor:
    return values if values.dtype == torch.float64 else values.float()


def _check(gamma: float) -> None:
    if gamma < 0 or 0 < gamma < 1:
        raise ValueError(f"gamma {gamma}: it is 0 or at least 1; between them its slope is infinite at p = 1")
