"""Gated graph neural network: a few steps of message passing with shared weights (specification sglc.md, section 4).

    m_in = A h, m_out = A^T h
    r = sigmoid(Wr [m_in, m_out, h]), z = sigmoid(Wz [m_in, m_out, h]), c = tanh(Wh [m_in, m_out, r h])
    h <- (1 - z) h + z c;  after the last step: out = V h + b

Li et al., ICLR 2016. Both messages come from one product: the rows of A and of A^T stand in turn in one operator
(2n, n), whose result is already the operand [m_in, m_out] of the weight product. Its part of Wr, Wz and Wh is one
product, too.

Axes: b clip, n electrode, d width of the node vectors.
"""

import torch
from torch import Tensor, nn


def both_ways(A: Tensor) -> Tensor:
    """(..., n, n) -> (..., 2n, n): row 2i is row i of A, row 2i + 1 is row i of A^T."""
    return torch.stack([A, A.mT], dim=-2).flatten(-3, -2)


class GGNN(nn.Module):
    """`steps` steps on node vectors of `width` numbers, then a linear map to `n_outputs`; weights as torch's Linear."""

    def __init__(self, width: int, n_outputs: int, *, steps: int) -> None:
        super().__init__()
        self.steps = steps
        self.W_message = nn.Parameter(torch.empty(2 * width, 3 * width))  # rows m_in, m_out; columns r, z, c
        self.W_gates = nn.Parameter(torch.empty(width, 2 * width))  # rows h; columns r, z
        self.W_candidate = nn.Parameter(torch.empty(width, width))  # rows r h
        self.bias = nn.Parameter(torch.empty(3 * width))  # r, z, c
        for parameter in self.parameters():  # three Linear(3 width, width), as torch draws them
            nn.init.uniform_(parameter, -((3 * width) ** -0.5), (3 * width) ** -0.5)
        self.out = nn.Linear(width, n_outputs)

    def forward(self, h: Tensor, operator: Tensor) -> Tensor:
        """(b, n, outputs) of node vectors h (b, n, d) and `operator` (b, 2n, n) of `both_ways`."""
        b, n, d = h.shape
        for _ in range(self.steps):
            flat = h.reshape(b * n, d)
            messages = torch.addmm(self.bias, torch.bmm(operator, h).view(b * n, 2 * d), self.W_message)
            r, z = torch.addmm(messages[:, : 2 * d], flat, self.W_gates).sigmoid().split(d, dim=-1)
            c = torch.addmm(messages[:, 2 * d :], r * flat, self.W_candidate).tanh()
            h = torch.lerp(flat, c, z).view(b, n, d)
        return self.out(h)
