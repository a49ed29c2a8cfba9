"""Plans and recipes that lie, bomb or climb."""

GOOD = "request: which rows look wrong?\ndetector: {tool: memory-bank}\n"
BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12)
)

PLANS: dict[str, bytes] = {
    "empty": b"",
    "only a comment": b"# nothing\n",
    "a list": b"- a\n- b\n",
    "a word": b"detector",
    "not YAML": b"a: [1, 2\nb: }",
    "tabs": b"a:\n\t- b",
    "not UTF-8": b"request: caf\xe9\n",
    "binary": bytes(range(256)),
    "zero bytes": b"\0" * 100,
    "aliases that unfold to 31 billion words": BOMB.encode(),
    "an alias": b"request: &r hello\nassumptions: [*r]\n",
    "an alias to itself": b"detector: &d {tool: memory-bank, params: *d}\n",
    "merged keys": b"x: &x {tool: memory-bank}\ndetector: {<<: *x}\n",
    "deep brackets": b"a: " + b"[" * 5000 + b"]" * 5000,
    "deep braces": b"{a: " * 3000 + b"1" + b"}" * 3000,
    "a python object": b"request: !!python/object/apply:os.system ['touch pwned']\n",
    "an odd tag": b"seed: !!int ''\n",
    "another odd tag": b"seed: !!timestamp soon\n",
    "a megabyte": b"assumptions:\n" + b"- x\n" * 300_000,
    "a long number": b"seed: " + b"9" * 5000 + b"\n",
    "a date that is none": b"request: 2020-13-45\n",
    "unknown key": GOOD.encode() + b"colour: red\n",
    "unknown key of bidirectional text": GOOD.encode() + "‮key\x07: 1\n".encode(),
    "a number as a tool": b"detector: {tool: 3}\n",
    "unknown tool": b"detector: {tool: ../../etc/passwd}\n",
    "an encoder as detector": b"detector: {tool: table-encoder}\n",
    "another modality's tool": b"detector: {tool: bank-diffusion}\n",
    "params as a list": b"detector: {tool: memory-bank, params: [1, 2]}\n",
    "a nested param": b"detector: {tool: memory-bank, params: {size: {a: 1}}}\n",
    "a param out of range": b"detector: {tool: memory-bank, params: {neighbours: 100000000000000}}\n",
    "a param that is no number": b"detector: {tool: memory-bank, params: {size: .nan}}\n",
    "an infinite rate": b"target_far: .inf\n",
    "a negative seed": b"seed: -3\n",
    "another version": b"version: 9\n",
    "another modality": b"modality: image\n",
    "a key that is no text": b"? [1, 2]\n: 3\n",
    "the same method twice": GOOD.encode() + b"baselines: [{tool: memory-bank}]\n",
    "two documents": b"seed: 1\n---\nseed: 2\n",
}

SETTINGS: dict[str, str] = {
    "no value": "detector.tool",
    "no name": "=3",
    "only dots": "...=3",
    "unknown field": "speed=3",
    "below a value": "request.text=3",
    "broken YAML": "seed=[",
    "an alias": "seed=*a",
    "a tag": "seed=!!python/name:os.system x",
    "a long number": "seed=" + "9" * 5000,
    "deep": "seed=" + "[" * 3000,
    "not UTF-8": "request=caf\udce9",
}
