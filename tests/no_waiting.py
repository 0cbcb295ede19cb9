"""Whether a program that ran on a GPU would wait for it, found out on the CPU."""

from torch.utils._python_dispatch import TorchDispatchMode


class NoWaiting(TorchDispatchMode):
    """Fails where a program on a GPU would wait for it: values that Python sees, unknown sizes."""

    WAITING = ("_local_scalar_dense", "nonzero", "masked_select", "is_nonzero", "unique")

    def __torch_dispatch__(self, function, types, arguments=(), options=None):
        name = function.name()
        assert not any(word in name for word in self.WAITING), name
        options = options or {}
        assert not ("_to_copy" in name and "device" in options and options["device"]), name
        return function(*arguments, **options)
