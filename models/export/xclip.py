#!/usr/bin/env python3
"""X-CLIP's video half as one ONNX file: vision tower, cross-frame messages, the transformer over frames (MIT) and the projection.

    python models/export/xclip.py ~/flow-models

Input  pixel_values  float32 [n, 8, 3, 224, 224]   eight frames in the order of time, normalised as ImageNet
Output video_embeds  float32 [n, 512]              unit vectors
"""
import torch
from transformers import XCLIPModel

from common import arguments, check, write_manifest

ID = "xclip-base-patch16"
FRAMES = 8


class VideoHalf(torch.nn.Module):
    def __init__(self, model: XCLIPModel):
        super().__init__()
        self.model = model

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        # get_video_features of transformers, written out so that the trace has no branches.
        batch, frames, channels, height, width = pixel_values.shape
        flat = pixel_values.reshape(-1, channels, height, width)
        pooled = self.model.vision_model(pixel_values=flat, return_dict=True).pooler_output
        features = self.model.visual_projection(pooled).reshape(-1, FRAMES, self.model.config.projection_dim)
        video = self.model.mit(features, return_dict=True).pooler_output
        return video / video.norm(p=2, dim=-1, keepdim=True)


def main() -> None:
    options = arguments(ID, "microsoft/xclip-base-patch16", "main")
    model = XCLIPModel.from_pretrained(options.checkpoint, revision=options.revision, attn_implementation="eager").eval()
    if model.config.vision_config.num_frames != FRAMES:
        raise SystemExit(f"{options.checkpoint} reads {model.config.vision_config.num_frames} frames, expected {FRAMES}")
    half = VideoHalf(model).eval()
    torch.manual_seed(0)
    example = torch.randn(2, FRAMES, 3, 224, 224)
    path = options.folder / "onnx" / "model.onnx"
    with torch.no_grad():
        torch.onnx.export(half, (example,), str(path), input_names=["pixel_values"], output_names=["video_embeds"], dynamic_axes={"pixel_values": {0: "n"}, "video_embeds": {0: "n"}}, opset_version=17)
        other = torch.randn(3, FRAMES, 3, 224, 224)
        check(path, {"pixel_values": other.numpy()}, {"video_embeds": half(other).numpy()}, 1e-4)
    write_manifest(options.folder, ID)


if __name__ == "__main__":
    main()
