"""The SOZ encoder: one contact's wavelet packets become a vector, then contacts attend to one another (spec soz.md, 3).

Read from top to bottom: what goes in, one contact, one block, the encoder. Contacts have no positional index: a
patient's contacts may come in any order and any number. It is no plug-in of the scalp models' training loop.

Axes: b clip, c contact, t second (35, then 18, 9), d width, h head, e d / h, m mask. 32 bands, band k = [8k, 8k+8) Hz.
"""

import math
from dataclasses import dataclass, fields
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.settings.soz import SozModel

BANDS, FRAMES, PHASES = 32, 35, 3  # phases: interictal, pre-ictal, ictal
KERNEL, STRIDE, PADDING = 5, 2, 2  # 35 -> 18 -> 9 frames
SHORTEST = 1e-12  # spec soz.md, section 4
WAVELENGTHS_MM = (256.0, 128.0, 64.0, 32.0, 16.0)  # of the Fourier embedding: from a hemisphere to two contacts


# What goes in


@dataclass(frozen=True)
class SozInputs:
    """Clips of some patients, padded to one number of contacts; what a padded contact holds is never used.

    tokens (b, c, 32, 35) robust z; stats (b, c, 32 or 64) standardised level, and ratio to the baseline (0: none);
    valid (b, c) bool; band_mask (b, 32) bool, True = usable; phase (b,) 0 interictal, 1 pre, 2 ictal; xyz (b, c, 3) in
    mm and has_xyz (b, c) bool.
    """

    tokens: Tensor
    stats: Tensor
    valid: Tensor
    band_mask: Tensor
    phase: Tensor
    xyz: Tensor
    has_xyz: Tensor

    def to(self, device: torch.device | str) -> "SozInputs":
        """The same on another device."""
        return SozInputs(*(getattr(self, field.name).to(device) for field in fields(self)))


# One contact by itself


class ContactEmbedder(nn.Module):
    """Tokens and statistics of one contact -> (d,); the same weights for every contact.

    A band that the recording cannot hold is silenced, and the contact is told so by `missing`: it is not a quiet band.
    `missing` starts at 0, where it stays if no training patient lacks a band: a random vector would mean nothing.
    """

    def __init__(self, settings: SozModel, *, n_stats: int) -> None:
        super().__init__()
        d = settings.width
        self.convolutions = nn.ModuleList(
            nn.Conv1d(n_in, d, KERNEL, stride=STRIDE, padding=PADDING) for n_in in (BANDS, d)
        )
        self.score = nn.Linear(d, 1)
        self.stats = nn.Linear(n_stats, d)
        self.missing = nn.Linear(BANDS, d, bias=False)
        nn.init.zeros_(self.missing.weight)
        self.n_stats = n_stats

    def forward(self, tokens: Tensor, stats: Tensor, band_mask: Tensor) -> Tensor:
        """(b, c, d) of tokens (b, c, 32, t), stats (b, c, n_stats) and band_mask (b, 32)."""
        b, c, _, t = tokens.shape
        x = tokens * band_mask[:, None, :, None]
        x = x.reshape(b * c, BANDS, t)  # b c 32 t -> (b c) 32 t
        for convolution in self.convolutions:
            x = functional.gelu(convolution(x))  # (b c) d 18, then (b c) d 9
        x = x.transpose(1, 2)  # (b c) d t -> (b c) t d
        share = self.score(x).softmax(dim=1)  # (b c) t 1
        pooled = (share * x).sum(dim=1).reshape(b, c, -1)  # (b c) t d -> b c d
        usable = band_mask.repeat(1, self.n_stats // BANDS)  # b 32 -> b n_stats
        unusable = self.missing((~band_mask).to(tokens.dtype))  # b d
        return pooled + self.stats(stats * usable[:, None]) + unusable[:, None]


class PositionEmbedding(nn.Module):
    """Sines and cosines of coordinates (Vaswani et al. 2017, in mm); a contact without coordinates has a vector of its
    own."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.project = nn.Linear(3 * 2 * len(WAVELENGTHS_MM), width)
        self.unknown = nn.Parameter(torch.zeros(width))
        self.register_buffer("turns", 2 * math.pi / torch.tensor(WAVELENGTHS_MM), persistent=False)

    def forward(self, xyz: Tensor, has_xyz: Tensor) -> Tensor:
        """(b, c, d) of xyz (b, c, 3) in mm and has_xyz (b, c)."""
        known = torch.where(has_xyz[..., None], xyz, 0.0)  # NaN * 0 is NaN
        angle = known[..., None] * cast(Tensor, self.turns)  # b c 3 -> b c 3 w
        waves = torch.cat([angle.sin(), angle.cos()], dim=-1).flatten(2)  # b c 3 2w -> b c 6w
        return torch.where(has_xyz[..., None], self.project(waves), self.unknown)


# Contacts among one another


class Block(nn.Module):
    """Pre-norm Transformer block over contacts: attention, then a feed-forward network, each added to its input."""

    def __init__(self, settings: SozModel) -> None:
        super().__init__()
        d = settings.width
        self.heads, self.dropout = settings.heads, settings.dropout
        self.norm_attention, self.norm_feedforward = nn.LayerNorm(d), nn.LayerNorm(d)
        self.qkv, self.out = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.feedforward = nn.Sequential(
            nn.Linear(d, settings.feedforward), nn.GELU(), nn.Dropout(settings.dropout),
            nn.Linear(settings.feedforward, d), nn.Dropout(settings.dropout),
        )  # fmt: skip

    def forward(self, x: Tensor, seen: Tensor, *, explicit: bool = False) -> tuple[Tensor, Tensor | None]:
        """x (b, c, d) and seen (b, 1, c, c): may query i look at key j? -> (b, c, d) and, if `explicit`, the attention
        A (b, h, c, c) = softmax(Q K^T / sqrt(e)), rows are queries; else None, and PyTorch's own attention is used."""
        b, c, d = x.shape
        qkv = self.qkv(self.norm_attention(x)).reshape(b, c, 3, self.heads, d // self.heads)  # b c 3d -> b c 3 h e
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # b c 3 h e -> 3 b h c e
        dropout, A = self.dropout if self.training else 0.0, None
        if explicit:
            scores = torch.einsum("bhie,bhje->bhij", q, k) / math.sqrt(d // self.heads)
            A = scores.masked_fill(~seen, -math.inf).softmax(dim=-1)
            mixed = torch.einsum("bhij,bhje->bhie", functional.dropout(A, dropout), v)
        else:
            mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=seen, dropout_p=dropout)
        mixed = mixed.transpose(1, 2).reshape(b, c, d)  # b h c e -> b c d
        x = x + functional.dropout(self.out(mixed), self.dropout, self.training)
        return x + self.feedforward(self.norm_feedforward(x)), A


# The encoder


class SozEncoder(nn.Module):
    """Contacts of a clip -> one logit each: does the contact lie in the seizure onset zone?

    `n_frames`: seconds of a clip, to refuse tokens of another length.
    """

    def __init__(self, settings: SozModel, n_frames: int = FRAMES) -> None:
        super().__init__()
        d = settings.width
        if d % settings.heads:
            raise ValueError(f"soz.model: width {d} is no multiple of heads {settings.heads}; change one of them")
        self.settings, self.n_frames = settings, n_frames
        self.embedder = ContactEmbedder(settings, n_stats=n_stats(settings))
        self.phase = nn.Embedding(PHASES, d) if settings.phase else None
        self.position = PositionEmbedding(d) if settings.position else None
        self.blocks = nn.ModuleList(Block(settings) for _ in range(settings.layers))
        self.norm = nn.LayerNorm(d)
        self.head = nn.Linear(d, 1)
        self.projector = nn.Sequential(nn.Linear(d, d), nn.GELU(), nn.Linear(d, settings.projection))

    def start_head(self, prevalence: float) -> None:
        """Bias of the head = logit of the training contacts' share of positives: the first answers are that share."""
        if not 0 < prevalence < 1:
            raise ValueError(f"prevalence {prevalence}: training contacts of both classes are needed")
        with torch.no_grad():
            self.head.bias.fill_(math.log(prevalence / (1 - prevalence)))

    def embed(self, inputs: SozInputs) -> Tensor:
        """(b, c, d): every contact by itself; a padded one is 0."""
        if inputs.tokens.shape[2:] != (BANDS, self.n_frames):
            raise ValueError(f"tokens are {tuple(inputs.tokens.shape[2:])}, not ({BANDS}, {self.n_frames})")
        padded = ~inputs.valid[..., None]
        tokens, stats = inputs.tokens.masked_fill(padded[..., None], 0.0), inputs.stats.masked_fill(padded, 0.0)
        x = self.embedder(tokens, stats[..., : self.embedder.n_stats], inputs.band_mask)
        if self.phase is not None:
            x = x + self.phase(inputs.phase)[:, None]
        if self.position is not None:
            x = x + self.position(inputs.xyz, inputs.has_xyz & inputs.valid)
        return x.masked_fill(padded, 0.0)

    def mix(self, x: Tensor, seen: Tensor, *, explicit: bool = False) -> tuple[Tensor, list[Tensor]]:
        """The blocks over x (b, c, d): (b, c, d) and, if `explicit`, A (b, h, c, c) of each."""
        graphs = []
        for block in self.blocks:
            x, A = block(x, seen, explicit=explicit)
            graphs += [] if A is None else [A]
        return self.norm(x), graphs

    def encode(self, inputs: SozInputs) -> Tensor:
        """(b, c, d): every contact among the others."""
        return self.mix(self.embed(inputs), visible(inputs.valid))[0]

    def forward(self, inputs: SozInputs) -> Tensor:
        """Logits (b, c); those of padded contacts mean nothing."""
        return self.head(self.encode(inputs))[..., 0]

    def project(self, inputs: SozInputs) -> Tensor:
        """(b, c, projection) of length 1, for pre-training alone; a padded contact is 0."""
        z = unit_length(self.projector(self.encode(inputs)).float())
        return z.masked_fill(~inputs.valid[..., None], 0.0)

    def attention(self, inputs: SozInputs) -> tuple[Tensor, Tensor]:
        """Logits (b, c) and A (b, layers, h, c, c): row i is the query, column j the key; rows of valid contacts sum to
        1 over valid keys, those of padded ones are NaN."""
        x, graphs = self.mix(self.embed(inputs), visible(inputs.valid), explicit=True)
        b, c = inputs.valid.shape
        none = x.new_zeros(b, 0, self.settings.heads, c, c)
        A = torch.stack(graphs, dim=1) if graphs else none
        return self.head(x)[..., 0], A.masked_fill(~inputs.valid[:, None, None, :, None], math.nan)

    def masked_logits(self, inputs: SozInputs, keys: Tensor) -> Tensor:
        """Logits (b, m, c) where in every layer only the contacts `keys` (m, c) or (b, m, c) bool are looked at.

        A contact that is hidden from the others still looks at itself: its own answer is another question.
        """
        x = self.embed(inputs)  # once for all masks
        b, c, d = x.shape
        keys = keys.expand(b, *keys.shape[-2:])
        m = keys.shape[1]
        seen = visible((keys & inputs.valid[:, None]).reshape(b * m, c))  # b m c -> (b m) 1 c c
        many = x[:, None].expand(b, m, c, d).reshape(b * m, c, d)  # b c d -> (b m) c d
        return self.head(self.mix(many, seen)[0])[..., 0].reshape(b, m, c)


def unit_length(z: Tensor) -> Tensor:
    """z (…, d) divided by its length; 0, without a gradient, where that is below SHORTEST: it has no direction."""
    length = torch.linalg.vector_norm(z, dim=-1, keepdim=True)
    return (z / length.clamp(min=SHORTEST)).masked_fill(length < SHORTEST, 0.0)


def n_stats(settings: SozModel) -> int:
    """Statistics of a contact that the model reads: its 32 raw levels and, if asked for, 32 ratios to the baseline."""
    return 2 * BANDS if settings.baseline_ratio else BANDS


def visible(keys: Tensor) -> Tensor:
    """(b, 1, c, c) bool of keys (b, c): whom each query may look at; itself in any case, so that no row is empty."""
    itself = torch.eye(keys.shape[-1], dtype=torch.bool, device=keys.device)
    return (keys[:, None, :] | itself)[:, None]
