import numpy as np
import onnxruntime
import pytest
from onnxruntime.capi import onnxruntime_pybind11_state as state

from rtaffect.core.errors import InferenceError
from rtaffect.decode import session
from rtaffect.decode.session import CPU, CUDA, GraphRunner
from tests.tiny_bundle import tiny_encoder, tiny_head


@pytest.fixture
def head() -> GraphRunner:
    return GraphRunner(tiny_head(), name="head")


def test_the_graph_answers_what_its_equation_says(head: GraphRunner) -> None:
    slices = np.random.default_rng(0).normal(size=(1, 2, 3, 3)).astype(np.float32)
    got = head.run({"slices": slices}, ("arousal", "valence"))
    high = 1 / (1 + np.exp(-slices.mean()))
    np.testing.assert_allclose(got["valence"], [[1 - high, high]], rtol=1e-6)
    np.testing.assert_allclose(got["arousal"], [[high, 1 - high]], rtol=1e-6)


def test_only_the_outputs_asked_for_come_back(head: GraphRunner) -> None:
    got = head.run({"slices": np.zeros((1, 1, 3, 3), np.float32)}, ("valence",))
    assert list(got) == ["valence"]


def test_a_result_is_not_overwritten_by_the_next_run(head: GraphRunner) -> None:
    first = head.run({"slices": np.zeros((1, 1, 3, 3), np.float32)}, ("valence",))["valence"]
    kept = first.copy()
    head.run({"slices": np.full((1, 1, 3, 3), 3, np.float32)}, ("valence",))
    np.testing.assert_array_equal(first, kept)


def test_the_callers_array_may_change_after_the_run_and_have_any_layout(head: GraphRunner) -> None:
    slices = np.random.default_rng(1).normal(size=(3, 3, 2, 1)).astype(np.float32).T
    assert not slices.flags.c_contiguous
    got = head.run({"slices": slices}, ("valence",))["valence"]
    again = head.run({"slices": slices.copy()}, ("valence",))["valence"]
    np.testing.assert_array_equal(got, again)


def test_the_same_input_gives_the_same_bits() -> None:
    eeg = np.random.default_rng(2).normal(size=(1, 3, 32)).astype(np.float32)
    inputs = {
        "eeg": eeg,
        "face": np.zeros((1, 2, 8), np.float32),
        "face_mask": np.ones((1, 8), np.float32),
    }
    runners = [GraphRunner(tiny_encoder(32, 8), name="encoder") for _ in range(2)]
    results = [r.run(inputs, ("slice",))["slice"].tobytes() for r in runners for _ in range(3)]
    assert len(set(results)) == 1


@pytest.mark.parametrize("graph", [b"", b"not a graph", tiny_head()[:-20]])
def test_a_broken_graph_is_an_inference_error(graph: bytes) -> None:
    with pytest.raises(InferenceError, match="decoder x cannot be loaded"):
        GraphRunner(graph, name="decoder x")


@pytest.mark.parametrize(
    "inputs",
    [
        {},
        {"slices": np.zeros((1, 1, 4, 4), np.float32)},
        {"slices": np.zeros((3, 3), np.float32)},
        {"other": np.zeros((1, 1, 3, 3), np.float32)},
    ],
)
def test_a_wrong_input_is_an_inference_error(
    head: GraphRunner, inputs: dict[str, np.ndarray]
) -> None:
    with pytest.raises(InferenceError, match="head cannot run"):
        head.run(inputs, ("valence",))


def test_an_unknown_output_is_an_inference_error(head: GraphRunner) -> None:
    with pytest.raises(InferenceError):
        head.run({"slices": np.zeros((1, 1, 3, 3), np.float32)}, ("joy",))


@pytest.mark.parametrize(
    "kind", [k for k in vars(state).values() if isinstance(k, type) and issubclass(k, Exception)]
)
def test_every_exception_of_the_runtime_is_mapped(kind: type[Exception]) -> None:
    with pytest.raises(InferenceError, match="it: boom"), session._mapped("it"):
        raise kind("boom")


def test_an_unknown_provider_is_refused() -> None:
    with pytest.raises(InferenceError, match="auto, cpu, cuda"):
        GraphRunner(tiny_head(), name="head", provider="tpu")


def test_the_provider_in_use_is_reported() -> None:
    assert GraphRunner(tiny_head(), name="head", provider="cpu").provider == CPU


def test_without_a_gpu_auto_takes_the_cpu_in_silence(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(session, "_has_gpu", lambda: False)
    assert GraphRunner(tiny_head(), name="head", provider="auto").provider == CPU
    assert capfd.readouterr() == ("", "")


def test_without_a_gpu_cuda_is_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "_has_gpu", lambda: False)
    with pytest.raises(InferenceError, match=r"rtaffect\[gpu\]"):
        GraphRunner(tiny_head(), name="head", provider="cuda")


def test_with_a_gpu_cuda_is_asked_for_reproducible_arithmetic(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(session, "_has_gpu", lambda: True)
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CUDA, CPU])
    monkeypatch.setattr(onnxruntime, "preload_dlls", lambda: None, raising=False)
    (name, options), last = session._providers(onnxruntime, "auto")
    assert (name, last) == (CUDA, CPU)
    assert options == {"use_tf32": "0", "cudnn_conv_algo_search": "DEFAULT"}
    assert session._providers(onnxruntime, "cpu") == [CPU]
