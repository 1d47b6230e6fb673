"""What libraries say to their makers is not shown; what they warn of is."""

from __future__ import annotations

import os
import warnings

import numpy as np
import pytest

from training.quiet import trial, without_notes

NOTES = (
    b"WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\n",
    b"I0000 00:00:1795960992.301516   21587 cudart_stub.cc:31] Could not find cuda drivers on your machine.\n",
    b"2026-01-01 00:00:00.123456: I tensorflow/core/platform/cpu_feature_guard.cc:210] optimized for this CPU.\n",
)
WARNINGS = (
    b"W0000 00:00:1795960992.301516   21587 gpu_device.cc:2342] Cannot dlopen some GPU libraries.\n",
    b"2026-01-01 00:00:00.123456: E external/local_xla/xla/stream_executor/cuda/cuda_fft.cc:467] failed\n",
    b"Illegal instruction\n",
)


def test_notes_of_compiled_code_are_left_out_and_warnings_come_through(capfd: pytest.CaptureFixture[str]) -> None:
    with without_notes():
        for line in (*NOTES, *WARNINGS):
            os.write(2, line)  # as compiled code does, past Python
    os.write(2, b"after\n")
    assert capfd.readouterr().err.encode() == b"".join(WARNINGS) + b"after\n"


def test_warnings_come_through_also_when_it_fails(capfd: pytest.CaptureFixture[str]) -> None:
    def fails() -> None:
        with without_notes():
            os.write(2, WARNINGS[0])
            raise ImportError

    with pytest.raises(ImportError):
        fails()
    assert capfd.readouterr().err.encode() == WARNINGS[0]


def test_what_numbers_warn_of_is_hidden_only_within_a_trial() -> None:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        with trial():
            np.log(np.zeros(1))
            warnings.warn("this passes", UserWarning, stacklevel=1)
        np.log(np.zeros(1))
    assert [str(each.message) for each in said] == ["this passes", "divide by zero encountered in log"]
