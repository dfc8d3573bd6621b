import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy.special import expit

from featx.networks.backpropagation import ACTIVATIONS, FeedForwardNetwork

TORCH = {"sigmoid": torch.sigmoid, "tanh": torch.tanh, "relu": torch.relu}
SIZES = [[2, 3, 3, 1], [5, 1], [4, 6, 5, 3, 2]]


def case(sizes, activation, examples=7):
    rng = np.random.default_rng(1)
    network = FeedForwardNetwork(sizes, activation, random_state=2)
    for beta in network.biases:
        beta += rng.normal(size=beta.shape)
    x = rng.normal(size=(sizes[0], examples))
    return network, x, rng.integers(0, 2, (sizes[-1], examples)).astype(float)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("sizes", SIZES)
def test_gradients_are_those_of_torch(sizes, activation):
    network, x, y = case(sizes, activation)
    parameters = [torch.tensor(p, requires_grad=True) for p in (*network.weights, *network.biases)]
    weights, biases = parameters[: len(network.weights)], parameters[len(network.weights) :]
    v = torch.tensor(x)
    for i, (w, beta) in enumerate(zip(weights, biases, strict=True)):
        v_bar = w @ v + beta
        v = TORCH[activation](v_bar) if i < len(weights) - 1 else torch.sigmoid(v_bar)
    loss = torch.nn.functional.binary_cross_entropy(v, torch.tensor(y), reduction="sum")
    loss.backward()
    by_weights, by_biases = network.gradients(x, y)
    assert_allclose(network.loss(x, y), loss.item(), rtol=1e-12)
    for actual, expected in zip([*by_weights, *by_biases], parameters, strict=True):
        assert_allclose(actual, expected.grad.numpy(), rtol=0, atol=1e-10)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gradients_are_finite_differences(activation):
    network, x, y = case([3, 4, 2], activation)
    for arrays, gradients in zip(
        (network.weights, network.biases), network.gradients(x, y), strict=True
    ):
        for array, gradient in zip(arrays, gradients, strict=True):
            for place in np.ndindex(array.shape):
                kept, h = array[place], 1e-6
                array[place] = kept + h
                above = network.loss(x, y)
                array[place] = kept - h
                below = network.loss(x, y)
                array[place] = kept
                assert_allclose(gradient[place], (above - below) / (2 * h), rtol=1e-5, atol=1e-7)


def test_one_example_by_hand():
    # a, b -> c, d -> z, edge by edge as in the derivation.
    network, x, y = case([2, 2, 1], "sigmoid", examples=1)
    (w0, w1), (b0, b1) = network.weights, network.biases
    a, b = x[:, 0]
    c_bar = w0[0, 0] * a + w0[0, 1] * b + b0[0, 0]
    d_bar = w0[1, 0] * a + w0[1, 1] * b + b0[1, 0]
    c, d = expit(c_bar), expit(d_bar)
    z_bar = w1[0, 0] * c + w1[0, 1] * d + b1[0, 0]
    z = expit(z_bar)
    by_z = -y[0, 0] / z + (1 - y[0, 0]) / (1 - z)
    by_z_bar = by_z * z * (1 - z)
    by_c_bar = by_z_bar * w1[0, 0] * c * (1 - c)
    by_d_bar = by_z_bar * w1[0, 1] * d * (1 - d)
    by_weights, by_biases = network.gradients(x, y)
    assert_allclose(by_weights[1], [[by_z_bar * c, by_z_bar * d]], rtol=1e-12)
    expected = [[by_c_bar * a, by_c_bar * b], [by_d_bar * a, by_d_bar * b]]
    assert_allclose(by_weights[0], expected, rtol=1e-12)
    assert_allclose(by_biases[0], [[by_c_bar], [by_d_bar]], rtol=1e-12)
    assert_allclose(by_biases[1], [[by_z_bar]], rtol=1e-12)


def test_a_batch_is_the_sum_of_its_examples():
    network, x, y = case([3, 4, 2], "tanh")
    singles = [network.gradients(x[:, [i]], y[:, [i]]) for i in range(x.shape[1])]
    for part, gradients in enumerate(network.gradients(x, y)):
        for i, gradient in enumerate(gradients):
            expected = sum(single[part][i] for single in singles)
            assert_allclose(gradient, expected, rtol=1e-12, atol=1e-14)


def test_a_step_of_descent_is_the_mean_gradient():
    network, x, y = case([3, 4, 1], "relu")
    weights, biases = [w.copy() for w in network.weights], [b.copy() for b in network.biases]
    by_weights, by_biases = network.gradients(x, y)
    losses = network.fit(x, y, learning_rate=0.1, batch_size=7, epochs=1)
    for after, before, gradient in zip(network.weights, weights, by_weights, strict=True):
        assert_allclose(after, before - 0.1 * gradient / 7, rtol=1e-12, atol=1e-14)
    for after, before, gradient in zip(network.biases, biases, by_biases, strict=True):
        assert_allclose(after, before - 0.1 * gradient / 7, rtol=1e-12, atol=1e-14)
    assert losses == [network.loss(x, y) / 7]


def test_descent_learns_rings_and_repeats_itself():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 400))
    y = (np.hypot(*x) > 1.2).astype(float)[np.newaxis]
    fitted = []
    for _ in range(2):
        network = FeedForwardNetwork([2, 8, 8, 1], "relu", random_state=3)
        fitted.append(network.fit(x, y, learning_rate=0.3, batch_size=20, epochs=60))
    assert fitted[0] == fitted[1]
    assert np.mean((network.forward(x)[1][-1] > 0.5) == y) > 0.95


def test_loss_of_sure_answers_is_finite():
    network, _, _ = case([1, 1], "sigmoid")
    network.weights[0][:] = 1000
    network.biases[0][:] = 0
    assert_allclose(network.loss(np.array([[1.0]]), np.array([[0.0]])), 1000)
    assert network.loss(np.array([[1.0]]), np.array([[1.0]])) == 0
