#!/usr/bin/env python3
"""BLIP's captioner as an encoder and a decoder with a cache, in the layout in which @huggingface/transformers runs a vision-encoder-decoder.

    python models/export/blip.py ~/flow-models

encoder_model         pixel_values float32 [n, 3, 384, 384] → last_hidden_state [n, tokens, hidden]
decoder_model_merged  input_ids int64 [n, t], encoder_hidden_states, past_key_values.{i}.key|value [n, heads, past, head]
                      → logits [n, t, vocabulary], present.{i}.key|value
The keys and values of the cross attention are computed at each step: they are a small part of it, and the cache stays one of a plain decoder.
"""
import torch
from transformers import BlipForConditionalGeneration, BlipProcessor

from common import arguments, check, write_json, write_manifest

ID = "blip-image-captioning-base"


class Encoder(torch.nn.Module):
    def __init__(self, model: BlipForConditionalGeneration):
        super().__init__()
        self.vision = model.vision_model

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        return self.vision(pixel_values=pixel_values, return_dict=True).last_hidden_state


class Decoder(torch.nn.Module):
    """Blip's layers keep (key, value) of the self attention first in their cache, those of the cross attention behind it."""

    def __init__(self, model: BlipForConditionalGeneration):
        super().__init__()
        self.decoder = model.text_decoder
        self.layers = model.config.text_config.num_hidden_layers

    def forward(self, input_ids: torch.Tensor, encoder_hidden_states: torch.Tensor, *past: torch.Tensor):
        cache = tuple((past[2 * i], past[2 * i + 1]) for i in range(self.layers))
        length = past[0].shape[2] + input_ids.shape[1]
        mask = torch.ones(input_ids.shape[0], length, dtype=torch.int64)
        out = self.decoder(input_ids=input_ids, attention_mask=mask, encoder_hidden_states=encoder_hidden_states, past_key_values=cache, use_cache=True, return_dict=True, is_decoder=True)
        present = [tensor for layer in out.past_key_values for tensor in layer[:2]]
        return (out.logits, *present)


def main() -> None:
    options = arguments(ID, "Salesforce/blip-image-captioning-base", "main")
    model = BlipForConditionalGeneration.from_pretrained(options.checkpoint, revision=options.revision).eval()
    processor = BlipProcessor.from_pretrained(options.checkpoint, revision=options.revision)
    text = model.config.text_config
    layers, heads, hidden = text.num_hidden_layers, text.num_attention_heads, text.hidden_size
    torch.manual_seed(0)

    encoder = Encoder(model).eval()
    size = model.config.vision_config.image_size
    pixels = torch.randn(1, 3, size, size)
    encoder_path = options.folder / "onnx" / "encoder_model.onnx"
    decoder = Decoder(model).eval()
    decoder_path = options.folder / "onnx" / "decoder_model_merged.onnx"
    caches = [f"{i}.{part}" for i in range(layers) for part in ("key", "value")]
    with torch.no_grad():
        torch.onnx.export(encoder, (pixels,), str(encoder_path), input_names=["pixel_values"], output_names=["last_hidden_state"], dynamic_axes={"pixel_values": {0: "batch_size"}, "last_hidden_state": {0: "batch_size"}}, opset_version=17)
        states = encoder(pixels)
        check(encoder_path, {"pixel_values": pixels.numpy()}, {"last_hidden_state": states.numpy()}, 1e-3)

        past = [torch.randn(1, heads, 3, hidden // heads) for _ in caches]
        ids = torch.tensor([[text.bos_token_id, 1037]])
        axes = {"input_ids": {0: "batch_size", 1: "sequence_length"}, "encoder_hidden_states": {0: "batch_size", 1: "encoder_sequence_length"}, "logits": {0: "batch_size", 1: "sequence_length"}}
        axes.update({f"past_key_values.{name}": {0: "batch_size", 2: "past_sequence_length"} for name in caches})
        axes.update({f"present.{name}": {0: "batch_size", 2: "total_sequence_length"} for name in caches})
        torch.onnx.export(
            decoder,
            (ids, states, *past),
            str(decoder_path),
            input_names=["input_ids", "encoder_hidden_states", *(f"past_key_values.{name}" for name in caches)],
            output_names=["logits", *(f"present.{name}" for name in caches)],
            dynamic_axes=axes,
            opset_version=17,
        )
        # An empty cache is how every caption begins; the trace was made with one of three.
        empty = [torch.zeros(1, heads, 0, hidden // heads) for _ in caches]
        for cache in (past, empty):
            feeds = {"input_ids": ids.numpy(), "encoder_hidden_states": states.numpy(), **{f"past_key_values.{name}": tensor.numpy() for name, tensor in zip(caches, cache)}}
            check(decoder_path, feeds, {"logits": decoder(ids, states, *cache)[0].numpy()}, 1e-2)

    ends = {"decoder_start_token_id": text.bos_token_id, "bos_token_id": text.bos_token_id, "eos_token_id": text.sep_token_id, "pad_token_id": text.pad_token_id}
    # The names n_head … are those of the decoder type whose cache is named past_key_values.{i}.key.
    write_json(options.folder / "config.json", {"model_type": "vision-encoder-decoder", "architectures": ["VisionEncoderDecoderModel"], "is_encoder_decoder": True, "encoder": {"model_type": "vit"}, "decoder": {"model_type": "gpt2", "n_layer": layers, "n_head": heads, "n_embd": hidden}, "vocab_size": text.vocab_size, **ends})
    write_json(options.folder / "generation_config.json", ends)
    processor.tokenizer.save_pretrained(options.folder)
    write_json(options.folder / "preprocessor_config.json", {**processor.image_processor.to_dict(), "image_processor_type": "ViTImageProcessor", "processor_class": None, "size": {"height": size, "width": size}})
    write_manifest(options.folder, ID)


if __name__ == "__main__":
    main()
