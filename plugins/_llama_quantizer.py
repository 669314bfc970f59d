"""Drives llama.cpp's quantizer: its settings, its progress, its refusals."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from plugins._imatrix import Floats
from plugins._llama_log import LlamaLog
from plugins._llama_types import constant
from workbench.plugin import JobContext, MissingExtraError, Model, ParameterError, WorkbenchError

_MIB = 1 << 20
#: `enum llama_model_kv_override_type`: a whole number.
_WHOLE_NUMBER = 0
#: `[   3/ 272] NAME - […], type = f16, size = 1.69 MiB -> 0.84 MiB (q8_0)`, as a dry run writes it.
_PLANNED = re.compile(r"^\[\s*\d+/\s*\d+\]\s+(\S+) .*->\s*[\d.]+ MiB \((\w+)\)")


class LlamaQuantizer:
    """One call of `llama_model_quantize`; set what differs from its defaults in `native`, then `run`.

    Args:
        type: The file type, for example `Q4_K_M`.

    Raises:
        MissingExtraError: llama-cpp-python is not installed.
    """

    def __init__(self, type: str) -> None:
        try:
            import llama_cpp
        except ImportError as error:
            raise MissingExtraError("llama.cpp (llama-cpp-python)", "llama") from error
        self._llama: Any = llama_cpp
        self.native: Any = llama_cpp.llama_model_quantize_default_params()
        self.native.ftype = getattr(llama_cpp, constant(type))
        # The struct holds plain pointers: what they point to must live until the call has returned.
        self._alive: list[object] = []

    def tensor_type(self, parameter: str, name: str) -> int:
        """llama.cpp's number of a tensor type, for example `Q8_0`.

        Raises:
            ParameterError: There is none of that name; it names `parameter`.
        """
        for known in dir(self._llama):
            if known.upper() == f"GGML_TYPE_{name.strip().upper()}" and known != "GGML_TYPE_COUNT":
                return int(getattr(self._llama, known))
        names = ", ".join(sorted(each[10:] for each in dir(self._llama) if each.startswith("GGML_TYPE_")))
        raise ParameterError(parameter, f"llama.cpp has no tensor type “{name}”.", remedy=f"It has: {names}.")

    def set_overrides(self, overrides: Mapping[str, str]) -> None:
        """Another type for tensors whose name a regular expression is found in; the first that is counts."""
        if not overrides:
            return
        struct = self._llama.llama_model_tensor_override
        # The array ends with an entry that has no pattern.
        array = (struct * (len(overrides) + 1))()
        for entry, (pattern, name) in zip(array, overrides.items(), strict=False):
            entry.pattern = pattern.encode()
            entry.type = self.tensor_type("overrides", name)
        self.native.tt_overrides = ctypes.cast(array, ctypes.POINTER(struct))
        self._alive.append(array)

    def set_imatrix(self, matrix: Mapping[str, Floats]) -> None:
        """How much each input column of each tensor matters."""
        struct = self._llama.llama_model_imatrix_data
        array = (struct * (len(matrix) + 1))()
        for entry, (name, values) in zip(array, matrix.items(), strict=False):
            entry.name = name.encode()
            entry.data = values.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
            entry.size = values.size
        self.native.imatrix = ctypes.cast(array, ctypes.POINTER(struct))
        self._alive += [array, matrix]

    def set_number(self, key: str, value: int) -> None:
        """Write another whole number under a key of the result's header."""
        struct = self._llama.llama_model_kv_override
        # The array ends with an entry that has no key.
        array = (struct * 2)()
        array[0].tag, array[0].key, array[0].value.val_i64 = _WHOLE_NUMBER, key.encode(), value
        self.native.kv_overrides = ctypes.cast(array, ctypes.POINTER(struct))
        self._alive.append(array)

    def planned_types(self, model: Model) -> dict[str, str]:
        """The type that each tensor would get, by name; those that would stay as they are, are left out.

        Raises:
            WorkbenchError: llama.cpp refuses.
        """
        lines: list[str] = []
        self.native.dry_run = True
        try:
            with LlamaLog(self._llama, lambda *_: None, keep=lines) as log:
                if self._call(model, Path("unused")):
                    raise _failure(model, log)
        finally:
            self.native.dry_run = False
        found = (_PLANNED.match(line) for line in lines)
        return {match[1]: match[2].upper() for match in found if match}

    def run(self, job: JobContext, model: Model, target: Path) -> None:
        """Quantize a model into a file, or into its parts beside it, with progress for every tensor.

        Raises:
            WorkbenchError: llama.cpp refuses.
        """
        self.native.nthread = job.threads
        last = [0]

        def on_tensor(number: int, total: int, name: str, mib_before: float) -> None:
            # llama.cpp tells a tensor when it begins with it: the ones before are done.
            job.throughput(mib_before * _MIB, unit="B")
            job.progress(number - 1, total, unit="tensors", label=name)
            last[0] = total

        with LlamaLog(self._llama, on_tensor) as log:
            failed = job.run_native(lambda: self._call(model, target))
        if failed or not any(target.parent.glob("*.gguf")):
            raise _failure(model, log)
        for line in list(log.lines)[-2:]:
            job.log(line.partition(": ")[2] or line)
        job.progress(last[0], last[0], unit="tensors", label="Written")

    def _call(self, model: Model, target: Path) -> int:
        source = str(model.path).encode()
        return int(self._llama.llama_model_quantize(source, str(target).encode(), ctypes.byref(self.native)))


def _failure(model: Model, log: LlamaLog) -> WorkbenchError:
    said = [line for line in log.errors if "failed to quantize" in line] or list(log.errors)
    reason = said[-1].rpartition("failed to quantize: ")[2].strip() if said else "it gave no reason"
    return WorkbenchError(
        f"llama.cpp could not quantize {model.path.name}: {reason}.",
        remedy="The details hold its last words; another type or no overrides may work.",
        details="\n".join(log.lines),
    )
