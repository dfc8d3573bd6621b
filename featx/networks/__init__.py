"""Neural networks: architectures, training, transfer learning and layer activations."""
