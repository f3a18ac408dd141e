"""What the export scripts share: a manifest with sizes and hashes beside the files, and a check of the ONNX file against PyTorch."""
import argparse
import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import yaml

MODELS = Path(__file__).resolve().parent.parent


def arguments(model_id: str, checkpoint: str, revision: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=f"Writes {model_id}: ONNX, processor files and manifest.")
    parser.add_argument("out", type=Path, help=f"folder for models; the files go into OUT/{model_id} (then: export FLOW_MODELS_DIR=OUT)")
    parser.add_argument("--checkpoint", default=checkpoint, help="Hugging Face repository or a local folder (default: %(default)s)")
    parser.add_argument("--revision", default=revision, help="branch, tag or commit (default: %(default)s)")
    options = parser.parse_args()
    options.folder = options.out / model_id
    (options.folder / "onnx").mkdir(parents=True, exist_ok=True)
    return options


def sha256_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for chunk in iter(lambda: file.read(1 << 20), b""):
            digest.update(chunk)
    return digest.hexdigest()


def write_manifest(folder: Path, model_id: str) -> None:
    """The manifest of models/ID.yaml with the size and SHA-256 of each file as it now is."""
    manifest = yaml.safe_load((MODELS / f"{model_id}.yaml").read_text())
    for file in manifest["files"]:
        path = folder / file["path"]
        file["size"] = path.stat().st_size
        file["sha256"] = sha256_of(path)
    for extra in sorted(folder.glob("onnx/*.onnx_data")):
        manifest["files"].append({"path": f"onnx/{extra.name}", "size": extra.stat().st_size, "sha256": sha256_of(extra)})
    (folder / f"{model_id}.yaml").write_text(yaml.safe_dump(manifest, sort_keys=False, allow_unicode=True, width=160))
    print(f"{folder}: {len(manifest['files'])} files and {model_id}.yaml", file=sys.stderr)


def write_json(path: Path, value: dict) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False))


def check(path: Path, inputs: dict, expected: dict, tolerance: float) -> None:
    """Runs the file on the CPU and ends the script where an output differs from PyTorch's."""
    onnx.checker.check_model(str(path))
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = {value.name for value in session.get_inputs()}
    missing = names - set(inputs)
    if missing or set(inputs) - names:
        sys.exit(f"{path}: has the inputs {sorted(names)}, expected {sorted(inputs)}")
    found = session.run(list(expected), inputs)
    for name, value in zip(expected, found):
        difference = float(np.abs(value - expected[name]).max())
        print(f"{path.name} {name} {list(value.shape)}: largest difference from PyTorch {difference:.2e}", file=sys.stderr)
        if not difference <= tolerance:
            sys.exit(f"{path}: {name} differs from PyTorch by {difference:.2e}, more than {tolerance:.0e}")
