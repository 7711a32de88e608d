"""RMSProp as TensorFlow has it, and a running mean of a network's weights."""

import torch


class RmsProp(torch.optim.Optimizer):
    r"""RMSProp with momentum (Tieleman and Hinton, 2012), as TensorFlow 1 computes it.

    .. math:: s \leftarrow d s + (1 - d) g^2, \quad
              m \leftarrow \mu m + \eta g / \sqrt{s + \epsilon}, \quad w \leftarrow w - m

    The mean square :math:`s` starts at one and :math:`\epsilon` stands below the root; torch's own
    starts at zero and adds it after the root, which makes other steps of the large :math:`\epsilon`
    that Inception is trained with.

    Parameters
    ----------
    parameters : iterable of Tensor
    lr, momentum, decay, epsilon : float
        :math:`\eta, \mu, d, \epsilon`.
    """

    def __init__(self, parameters, lr, momentum=0.9, decay=0.9, epsilon=0.1):
        defaults = {"lr": lr, "momentum": momentum, "decay": decay, "epsilon": epsilon}
        super().__init__(parameters, defaults)

    @torch.no_grad()
    def step(self, closure=None):
        """Take one step; `closure` is not called."""
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    self._step(weight, group)

    def _step(self, weight, group):
        slots = self.state[weight]
        if not slots:
            slots["square"] = torch.ones_like(weight)
            slots["step"] = torch.zeros_like(weight)
        gradient, square = weight.grad, slots["square"]
        square.mul_(group["decay"]).addcmul_(gradient, gradient, value=1 - group["decay"])
        root = square.add(group["epsilon"]).sqrt_()
        slots["step"].mul_(group["momentum"]).addcdiv_(gradient, root, value=group["lr"])
        weight.sub_(slots["step"])


class RunningMean:
    """Exponential running mean of a network's weights and normalisations.

    The memory grows from nothing to `memory` as TensorFlow's does, (1 + t) / (10 + t) after t
    steps, so that the first weights, which are random, are forgotten.

    Parameters
    ----------
    network : nn.Module
    memory : float
        Share of the old mean that a step keeps, 0 to below 1.
    """

    def __init__(self, network, memory):
        self.network, self.memory, self.steps = network, memory, 0
        self.mean = {name: tensor.clone() for name, tensor in network.state_dict().items()}

    @torch.no_grad()
    def update(self):
        """Take the network's present weights into the mean."""
        self.steps += 1
        keep = min(self.memory, (1 + self.steps) / (10 + self.steps))
        for name, tensor in self.network.state_dict().items():
            if tensor.is_floating_point():
                self.mean[name].lerp_(tensor, 1 - keep)
            else:
                self.mean[name].copy_(tensor)
