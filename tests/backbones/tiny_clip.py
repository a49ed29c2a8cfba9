"""CLIP and SigLIP models of two tiny blocks with random weights, as folders in transformers' layout."""

import json

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import CLIPConfig, CLIPModel, PreTrainedTokenizerFast, SiglipConfig, SiglipModel

WORDS = [
    "a",
    "photo",
    "of",
    "the",
    "damaged",
    "flawless",
    "perfect",
    "with",
    "without",
    "object",
    "screw",
    ".",
    "flaw",
    "defect",
]
_UNKNOWN = {"unk_token": "<unk>"}
_MARKS = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>"}
_TOWER = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
_TEXT = {**_TOWER, "vocab_size": 64, "max_position_embeddings": 24, "pad_token_id": 0, "bos_token_id": 1}
_VISION = {**_TOWER, "image_size": 32, "patch_size": 8}


def tiny(family, folder, *, trained=False):
    """Write the model into `folder`; `trained` gives its normalisations an offset, as training would."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        if family == "clip":
            model = CLIPModel(
                CLIPConfig(text_config={**_TEXT, "eos_token_id": 2}, vision_config=_VISION, projection_dim=12)
            )
        else:
            model = SiglipModel(SiglipConfig(text_config=_TEXT, vision_config=_VISION))
    if trained:
        for module in model.modules():
            if isinstance(module, torch.nn.LayerNorm):
                torch.nn.init.constant_(module.bias, 0.1)
    model.save_pretrained(folder)
    vocabulary = {"<pad>": 0, "<s>": 1, "</s>": 2, "<unk>": 3, **{word: 4 + i for i, word in enumerate(WORDS)}}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, **_UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **_UNKNOWN, **_MARKS).save_pretrained(folder)
    settings = {"image_mean": [0.4, 0.5, 0.6], "image_std": [0.2, 0.3, 0.4]}
    (folder / "preprocessor_config.json").write_text(json.dumps(settings), encoding="utf-8")
    return folder
