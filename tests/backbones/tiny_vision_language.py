"""A LLaVA of two tiny blocks with random weights, as a folder in transformers' layout."""

import warnings

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    CLIPImageProcessor,
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)

WORDS = ["<pad>", "<s>", "</s>", "<unk>", "<image>", "what", "is", "it", "?", "yes", "no", "rust", "{", "}"]
_TOWER = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
_UNKNOWN = {"unk_token": "<unk>"}
TEMPLATE = (
    "{% for turn in messages %}{{ turn['role'] }} {% for part in turn['content'] %}"
    "{% if part['type'] == 'image' %}<image> {% else %}{{ part['text'] }} {% endif %}{% endfor %}{% endfor %}"
)


def tiny(folder, *, template=TEMPLATE):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        config = LlavaConfig(
            vision_config=CLIPVisionConfig(**_TOWER, image_size=32, patch_size=8),
            text_config=LlamaConfig(
                **_TOWER, vocab_size=16, max_position_embeddings=4096, pad_token_id=0, bos_token_id=1, eos_token_id=2
            ),
            image_token_index=4,
            vision_feature_layer=-1,
        )
        LlavaForConditionalGeneration(config).save_pretrained(folder)
    words = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, **_UNKNOWN))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    marks = {**_UNKNOWN, "pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>"}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, additional_special_tokens=["<image>"], **marks)
    with warnings.catch_warnings(action="ignore"):
        pixels = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
        LlavaProcessor(
            pixels,
            tokenizer,
            patch_size=8,
            vision_feature_select_strategy="default",
            num_additional_image_tokens=1,
            chat_template=template,
        ).save_pretrained(folder)
    return folder
