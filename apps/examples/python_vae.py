"""Fits a VAE to points on a noisy spiral in Python, and uses it as a transformer and as a generator.

Install the package with `pip install .`. Prints:
  the validation loss fell: True
  codes: (1000, 1), draws: (5, 3)
  a point of the spiral is more likely than its mirror image: True
"""

import numpy as np

import gpuvae

generator = np.random.default_rng(0)
t = generator.uniform(0, 6, 1000)
points = np.stack([t * np.cos(t), t * np.sin(t), t], axis=1) + 0.1 * generator.normal(size=(1000, 3))

losses = []
vae = gpuvae.VAE(latent=1, hidden=(64, 64), epochs=60, batch_size=50, learning_rate=3e-3, seed=0)
vae.fit(points[:900], validation=points[900:], callback=lambda epoch: losses.append(epoch["val_loss"]))
print("the validation loss fell:", losses[-1] < losses[0])
print(f"codes: {vae.transform(points).shape}, draws: {vae.sample(5).shape}")
mirrored = points * [1, 1, -1] + [0, 0, 6]
print("a point of the spiral is more likely than its mirror image:",
      vae.score(points, samples=50) > vae.score(mirrored, samples=50))
