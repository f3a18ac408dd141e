#!/usr/bin/env python3
"""RAM++ (Recognize Anything) as one ONNX file: a picture in, a number for each of 4585 tags out.

    python models/export/ram_plus.py ~/flow-models --weights ram_plus_swin_large_14m.pth

Input  pixel_values  float32 [n, 3, 384, 384]   normalised as ImageNet
Output logits        float32 [n, 4585]          moved by each tag's own bar: sigmoid(logit) = 0.5 is the threshold that the authors chose
"""
import argparse
from pathlib import Path

import torch
import torch.nn.functional as F
from huggingface_hub import hf_hub_download
from ram.models import ram_plus

from common import check, write_manifest

ID = "ram-plus-swin-large-14m"
SIZE = 384


class Tagger(torch.nn.Module):
    """generate_tag of RAM_plus up to the logits, with the mixture of descriptions weighted as there."""

    def __init__(self, model: torch.nn.Module):
        super().__init__()
        self.model = model
        threshold = model.class_threshold.float().clamp(1e-4, 1 - 1e-4)
        self.register_buffer("bar", torch.log(threshold / (1 - threshold)))

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        model = self.model
        image = model.image_proj(model.visual_encoder(pixel_values))
        mask = torch.ones(image.shape[:-1], dtype=torch.long, device=image.device)
        whole = image[:, 0, :]
        classes = model.num_class
        per_class = model.label_embed.shape[0] // classes
        whole = whole / whole.norm(dim=-1, keepdim=True)
        scores = (model.reweight_scale.exp() * whole @ model.label_embed.t()).reshape(-1, classes, per_class)
        weights = F.softmax(scores, dim=2)
        descriptions = model.label_embed.reshape(1, classes, per_class, -1)
        labels = torch.relu(model.wordvec_proj((weights.unsqueeze(-1) * descriptions).sum(dim=2)))
        tagged = model.tagging_head(encoder_embeds=labels, encoder_hidden_states=image, encoder_attention_mask=mask, return_dict=False, mode="tagging")
        return model.fc(tagged[0]).squeeze(-1) - self.bar


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, help=f"folder for models; the files go into OUT/{ID}")
    parser.add_argument("--weights", type=Path, help="ram_plus_swin_large_14m.pth (default: fetched from xinyu1205/recognize-anything-plus-model)")
    options = parser.parse_args()
    folder = options.out / ID
    (folder / "onnx").mkdir(parents=True, exist_ok=True)
    weights = options.weights or hf_hub_download("xinyu1205/recognize-anything-plus-model", "ram_plus_swin_large_14m.pth")
    model = ram_plus(pretrained=str(weights), image_size=SIZE, vit="swin_l").eval()
    tagger = Tagger(model).eval()
    (folder / "tags.txt").write_text("\n".join(str(tag) for tag in model.tag_list) + "\n")
    torch.manual_seed(0)
    example = torch.randn(2, 3, SIZE, SIZE)
    path = folder / "onnx" / "model.onnx"
    with torch.no_grad():
        torch.onnx.export(tagger, (example,), str(path), input_names=["pixel_values"], output_names=["logits"], dynamic_axes={"pixel_values": {0: "n"}, "logits": {0: "n"}}, opset_version=17)
        check(path, {"pixel_values": example.numpy()}, {"logits": tagger(example).numpy()}, 1e-2)
    write_manifest(folder, ID)


if __name__ == "__main__":
    main()
