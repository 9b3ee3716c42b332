"""One fit of an encoder to labelled texts: AdamW with warm-up and linear decay, resumable between any two steps."""

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from models.sentiment.architecture import Encoder
from models.sentiment.classifier import Tokens, by_length
from models.sentiment.tokenizer import SPECIAL

# Share of the steps in which the learning rate rises.
_WARM_UP = 0.06
# Layers further from the head learn less: each one by this factor.
_LAYER_DECAY = 0.9
# The head alone begins with no knowledge.
_HEAD_FACTOR = 5.0
_UNKNOWN = 1


@dataclass(frozen=True)
class Plan:
    """How to fit.

    Parameters
    ----------
    token_dropout : share of the pieces that are shown as the unknown one.
    batch_tokens, batch_texts : most that a step sees, padding included.
    """

    epochs: int
    learning_rate: float
    token_dropout: float
    seed: int
    smoothing: float = 0.05
    weight_decay: float = 0.01
    batch_tokens: int = 1024
    batch_texts: int = 64


class Fit:
    """An encoder on its way.

    Parameters
    ----------
    numbers : token numbers of each text.
    labels : (n,) 0 or 1.

    Attributes
    ----------
    step, steps : how many were done, and how many there are.
    """

    def __init__(
        self, encoder: Encoder, numbers: Sequence[Sequence[int]], labels: NDArray[np.int64], plan: Plan
    ) -> None:
        self.encoder = encoder
        self.step = 0
        self._numbers = numbers
        self._labels = torch.from_numpy(labels)
        self._plan = plan
        self._optimizer = torch.optim.AdamW(_groups(encoder, plan), betas=(0.9, 0.98), fused=True)
        self._rates = [group["lr"] for group in self._optimizer.param_groups]
        self._generator = torch.Generator().manual_seed(plan.seed)
        torch.manual_seed(plan.seed)

    @property
    def steps(self) -> int:
        # Each epoch is cut into batches anew; all of them have as many steps as the first.
        return self._per_epoch * self._plan.epochs

    @cached_property
    def _per_epoch(self) -> int:
        return len(self._batches(0))

    def run(self, until: int) -> float:
        """Go on until so many steps are done; the mean loss of those done now, in nats."""
        losses: list[float] = []
        batches, epoch = self._batches(0), 0
        while self.step < min(until, self.steps):
            if self.step // self._per_epoch != epoch or not losses:
                epoch = self.step // self._per_epoch
                batches = self._batches(epoch)
            losses.append(self._learn(batches[self.step % self._per_epoch % len(batches)]))
            self.step += 1
        return float(np.mean(losses)) if losses else math.nan

    def state(self) -> bytes:
        """All that `restore` needs to go on as if nothing had happened."""
        return pack(
            {
                "step": self.step,
                "encoder": self.encoder.state_dict(),
                "optimizer": self._optimizer.state_dict(),
                "generator": self._generator.get_state(),
                "dropout": torch.get_rng_state(),
            }
        )

    def restore(self, content: bytes) -> None:
        """Go on from where `state` was called, with equal arguments."""
        state = unpack(content)
        self.step = state["step"]
        self.encoder.load_state_dict(state["encoder"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._generator.set_state(state["generator"])
        torch.set_rng_state(state["dropout"])

    def _learn(self, places: Sequence[int]) -> float:
        rise = (self.step + 1) / (_WARM_UP * self.steps)
        for group, rate in zip(self._optimizer.param_groups, self._rates, strict=True):
            group["lr"] = rate * min(1.0, rise) * (1 - self.step / self.steps)
        tokens = Tokens.pad([self._numbers[place] for place in places])
        ids, mask = torch.from_numpy(tokens.ids), torch.from_numpy(tokens.mask)
        dropped = torch.rand(ids.shape, generator=self._generator) < self._plan.token_dropout
        # Start, end and padding stay.
        ids = ids.masked_fill(dropped & (ids >= len(SPECIAL)), _UNKNOWN)
        self.encoder.train()
        with mixed_precision():
            logits = self.encoder(ids, mask)
        loss = functional.cross_entropy(logits, self._labels[list(places)], label_smoothing=self._plan.smoothing)
        self._optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.encoder.parameters(), 1.0)
        self._optimizer.step()
        return float(loss.detach())

    def _batches(self, epoch: int) -> list[list[int]]:
        """Texts of like length, otherwise at random; the same for an epoch whenever asked."""
        rng = np.random.default_rng((self._plan.seed, epoch))
        order = rng.permutation(len(self._numbers))
        # Not quite by length, so that batches differ from epoch to epoch.
        lengths = [len(self._numbers[place]) + rng.uniform(-1.5, 1.5) for place in order]
        found = by_length(
            [max(1, round(length)) for length in lengths], self._plan.batch_tokens, self._plan.batch_texts
        )
        rng.shuffle(found)
        return [[int(order[place]) for place in batch] for batch in found]


def predict(encoder: Encoder, numbers: Sequence[Sequence[int]]) -> NDArray[np.float32]:
    """Logits, (n, 2), of texts by their token numbers."""
    encoder.eval()
    found = np.zeros((len(numbers), 2), np.float32)
    with torch.inference_mode():
        for places in by_length([len(one) for one in numbers], 4096):
            tokens = Tokens.pad([numbers[place] for place in places])
            found[places] = encoder(torch.from_numpy(tokens.ids), torch.from_numpy(tokens.mask)).numpy()
    return found


def mixed_precision() -> torch.autocast:
    """Products in bfloat16 where the CPU has them: half the time, and the same accuracy."""
    return torch.autocast("cpu", torch.bfloat16, enabled=torch.ops.mkldnn._is_mkldnn_bf16_supported())


def pack(value: Any) -> bytes:
    """Tensors and plain values as bytes."""
    file = io.BytesIO()
    torch.save(value, file)
    return file.getvalue()


def unpack(content: bytes) -> Any:
    return torch.load(io.BytesIO(content), weights_only=True)


def _groups(encoder: Encoder, plan: Plan) -> list[dict[str, Any]]:
    """Each weight with its learning rate; biases and normalisations are not decayed."""
    groups = []
    count = len(encoder.layers)
    for name, weight in encoder.named_parameters():
        depth = count
        if name.startswith("layers."):
            depth = count - 1 - int(name.split(".")[1])
        factor = _HEAD_FACTOR if name.startswith("head.") else _LAYER_DECAY**depth
        decay = plan.weight_decay if weight.ndim > 1 else 0.0
        groups.append({"params": [weight], "lr": plan.learning_rate * factor, "weight_decay": decay})
    return groups
