"""Writes small VAEs of PyTorch with their outputs, for tests/vae/weights_test.cpp: pytorch_weights.py FOLDER.

pytorch.safetensors is a state dictionary with a head for the means and a head for the log variances, and
pytorch_joint.safetensors one whose joint head computes the log variances first, with weights in bf16. Tensors whose
names begin with "test." are inputs and outputs. pytorch_types.safetensors has the same numbers in several types.
"""

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

FEATURES, HIDDEN, LATENT, ROWS = 6, (5, 4), 2, 3


class SplitHeads(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(FEATURES, HIDDEN[0])
        self.fc2 = nn.Linear(HIDDEN[0], HIDDEN[1])
        self.fc_mean = nn.Linear(HIDDEN[1], LATENT)
        self.fc_logvar = nn.Linear(HIDDEN[1], LATENT)
        self.fc3 = nn.Linear(LATENT, HIDDEN[1])
        self.fc4 = nn.Linear(HIDDEN[1], FEATURES)

    def forward(self, x, epsilon):
        h = torch.relu(self.fc2(torch.relu(self.fc1(x))))
        mean, logvar = self.fc_mean(h), self.fc_logvar(h)
        z = mean + epsilon * torch.exp(logvar / 2)
        return {"mean": mean, "logvar": logvar, "z": z, "decoded": torch.sigmoid(self.fc4(torch.relu(self.fc3(z))))}


class JointHead(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(FEATURES, HIDDEN[0]), nn.Tanh())
        self.head = nn.Linear(HIDDEN[0], 2 * LATENT)
        self.decoder = nn.Sequential(nn.Linear(LATENT, HIDDEN[0]), nn.Tanh(), nn.Linear(HIDDEN[0], FEATURES))

    def forward(self, x, epsilon):
        logvar, mean = self.head(self.encoder(x)).chunk(2, dim=1)
        z = mean + epsilon * torch.exp(logvar / 2)
        return {"mean": mean, "logvar": logvar, "z": z, "decoded": torch.sigmoid(self.decoder(z))}


def save(model, path, dtype=torch.float32):
    x, epsilon = torch.rand(ROWS, FEATURES), torch.randn(ROWS, LATENT)
    with torch.no_grad():
        outputs = model(x, epsilon)
    tensors = {name: value.to(dtype) for name, value in model.state_dict().items()}
    tensors.update({"test.x": x, "test.epsilon": epsilon})
    tensors.update({f"test.{name}": value.contiguous() for name, value in outputs.items()})
    save_file(tensors, path)


def main():
    folder = Path(sys.argv[1])
    torch.manual_seed(1)
    save(SplitHeads(), folder / "pytorch.safetensors")
    joint = JointHead()
    for p in joint.parameters():  # weights that bf16 holds exactly
        p.data = p.data.to(torch.bfloat16).to(torch.float32)
    save(joint, folder / "pytorch_joint.safetensors", torch.bfloat16)
    values = torch.tensor([[1.0, -2.5, 3.140625], [65504.0, 5.9604645e-08, -0.0]])
    save_file({"f16": values.half(), "bf16": values.bfloat16(), "f32": values, "f64": values.double(),
               "i64": torch.tensor([0, -3, 2**40]), "i16": torch.tensor([0, -3, 300], dtype=torch.int16),
               "bool": torch.tensor([True, False])}, folder / "pytorch_types.safetensors")


main()
