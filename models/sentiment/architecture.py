"""The model in the box, as it is trained: a small BERT (Devlin et al. 2019) with factorised embeddings (ALBERT; Lan et
al. 2020), whose text vector is the mean over tokens. PyTorch; `export.py` writes the same as ONNX to serve.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.sentiment.sizes import Sizes

EPSILON = 1e-12
_MASKED = -1e4


class Layer(nn.Module):
    """Attention, then two linear maps, each added to what went in and normalised."""

    def __init__(self, sizes: Sizes, dropout: float) -> None:
        super().__init__()
        hidden = sizes.hidden
        self.heads = sizes.heads
        self.attend = nn.Linear(hidden, 3 * hidden)
        self.gather = nn.Linear(hidden, hidden)
        self.attended = nn.LayerNorm(hidden, eps=EPSILON)
        self.widen = nn.Linear(hidden, sizes.inner)
        self.narrow = nn.Linear(sizes.inner, hidden)
        self.widened = nn.LayerNorm(hidden, eps=EPSILON)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """x: (n, length, hidden) float; bias: (n, 1, 1, length), added to the attention's scores."""
        n, length, hidden = x.shape
        query, key, value = self.attend(x).view(n, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        rate = self.dropout.p if self.training else 0.0
        mixed = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=bias.to(query.dtype), dropout_p=rate
        )
        x = self.attended(x + self.dropout(self.gather(mixed.transpose(1, 2).reshape(n, length, hidden))))
        normed: Tensor = self.widened(x + self.dropout(self.narrow(functional.gelu(self.widen(x)))))
        return normed


class Encoder(nn.Module):
    """Piece numbers to two logits, negative and positive.

    Parameters
    ----------
    dropout : share of numbers that training drops.
    """

    def __init__(self, sizes: Sizes, dropout: float = 0.1) -> None:
        super().__init__()
        self.sizes = sizes
        self.token = nn.Embedding(sizes.pieces, sizes.embedding)
        self.project = nn.Linear(sizes.embedding, sizes.hidden, bias=False)
        self.position = nn.Embedding(sizes.positions, sizes.hidden)
        self.embedded = nn.LayerNorm(sizes.hidden, eps=EPSILON)
        self.layers = nn.ModuleList(Layer(sizes, dropout) for _ in range(sizes.layers))
        self.head = nn.Linear(sizes.hidden, 2)
        self.dropout = nn.Dropout(dropout)
        self.apply(_begin)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """ids: (n, length) int64, padded by any number; mask: (n, length), 1 for a token. Returns (n, 2) float32."""
        weight = mask.float()
        bias = (1 - weight)[:, None, None, :] * _MASKED
        position = self.position(torch.arange(ids.shape[1], device=ids.device))
        x = self.dropout(self.embedded(self.project(self.token(ids)) + position))
        for layer in self.layers:
            x = layer(x, bias)
        weight = weight[..., None]
        mean = (x.float() * weight).sum(1) / weight.sum(1)
        logits: Tensor = self.head(self.dropout(mean))
        return logits.float()


def _begin(module: nn.Module) -> None:
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=0.02)
    if isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)
