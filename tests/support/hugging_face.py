"""Classifiers as Hugging Face keeps them, tiny and random; and a stand-in for its hub."""

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from models._text.layout import Architecture, Layout
from models.sentiment.pull.hashes import git_blob

DISTILBERT: Architecture = "DistilBertForSequenceClassification"
BERT: Architecture = "BertForSequenceClassification"
_WORDS = (
    "a and are bad best better fast film good i it is love hate loved makes me more my not of on so that the this to"
)
# As in BERT's own vocabulary, the special pieces do not come first.
PIECES = [
    "[PAD]",
    *(f"[unused{number}]" for number in range(3)),
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    *"!\"#$%&'()*+,-./0123456789:;<=>?@[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~",
    *(f"##{sign}" for sign in "0123456789abcdefghijklmnopqrstuvwxyz"),
    *(word for word in _WORDS.split() if len(word) > 1),
    *("##ing", "##ed", "##er", "##ly", "é", "中", "文", "«", "»"),
]
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def make_classifier(
    folder: Path, architecture: Architecture = DISTILBERT, *, seed: int = 0, labels: tuple[str, str] | None = None
) -> Path:
    """A folder with a random classifier; the same seed gives the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    segments = 0 if architecture == DISTILBERT else 2
    layout = Layout(architecture, len(PIECES), 32, 64, 4, 2, 128, "Gelu", 1e-12, segments)
    rng = np.random.default_rng(seed)
    weights = {}
    for ours, name, shape in layout.tensors():
        spread = 0.3 if ours.startswith("head") else 0.15
        value = rng.normal(0, spread, shape)
        weights[name] = (value + (1 if "norm" in name.lower() and name.endswith("weight") else 0)).astype(np.float32)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    config: dict[str, Any] = {
        "architectures": [architecture],
        "vocab_size": len(PIECES),
        "max_position_embeddings": 128,
    }
    if architecture == DISTILBERT:
        config |= {"model_type": "distilbert", "dim": 32, "hidden_dim": 64, "n_heads": 4, "n_layers": 2}
        config |= {"activation": "gelu"}
    else:
        config |= {"model_type": "bert", "hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 4}
        config |= {"num_hidden_layers": 2, "hidden_act": "gelu", "type_vocab_size": 2}
    if labels is not None:
        config["id2label"] = dict(zip(("0", "1"), labels, strict=True))
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "vocab.txt").write_text("".join(f"{piece}\n" for piece in PIECES), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": true}')
    return folder


def tokenizer_json(*, lowercase: bool = True) -> str:
    """The vocabulary as the library's fast tokenizers write it."""
    normalizer = {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True}
    normalizer |= {"strip_accents": None, "lowercase": lowercase}
    vocab = {piece: number for number, piece in enumerate(PIECES)}
    model = {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "vocab": vocab}
    return json.dumps({"normalizer": normalizer, "model": model | {"max_input_chars_per_word": 100}})


class HubStandIn:
    """Answers like the public hub, in the shape that it had in 2026, from a folder; it is not the hub.

    Attributes
    ----------
    requests : paths asked for.
    altered : names of files of which other bytes are sent than are listed.
    """

    def __init__(self, folder: Path, model: str = "somebody/tiny") -> None:
        self.folder, self.model = folder, model
        self.requests: list[str] = []
        self.altered: set[str] = set()
        standin = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                standin.requests.append(self.path)
                status, headers, body = standin.answer(self.path)
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def answer(self, path: str) -> tuple[int, dict[str, str], bytes]:
        api = f"/api/models/{self.model}"
        if path in {f"{api}/revision/main", f"{api}/revision/{COMMIT}"}:
            return 200, {}, json.dumps({"id": self.model, "sha": COMMIT}).encode()
        if path == f"{api}/tree/{COMMIT}":
            return 200, {}, json.dumps([self._listed(file) for file in sorted(self.folder.iterdir())]).encode()
        name = path.rsplit("/", 1)[-1]
        if path.startswith(f"/{self.model}/resolve/{COMMIT}/") and name.endswith(".safetensors"):
            # Large files lie elsewhere.
            return 302, {"Location": f"{self.url}/storage/{name}"}, b""
        if path.startswith((f"/{self.model}/resolve/{COMMIT}/", "/storage/")):
            content = (self.folder / name).read_bytes()
            return 200, {}, content[:-1] + b"\0" if name in self.altered else content
        return 404, {"X-Error-Code": "RepoNotFound"}, b'{"error":"Repository not found"}'

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _listed(self, file: Path) -> dict[str, Any]:
        content = file.read_bytes()
        told: dict[str, Any] = {"type": "file", "path": file.name, "size": len(content), "oid": git_blob(content)}
        if file.suffix in {".safetensors", ".bin"}:
            digest = hashlib.sha256(content).hexdigest()
            told["lfs"] = {"oid": digest, "size": len(content), "pointerSize": 134}
        return told
