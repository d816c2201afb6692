"""NIfTI files packed by hand from the standard."""

import struct

import numpy as np

CODES = {"u1": 2, "i2": 4, "i4": 8, "f4": 16, "f8": 64, "u2": 512}


def header(
    shape: tuple[int, ...],
    code: int = 4,
    *,
    order: str = "<",
    version: int = 1,
    tr: float = 2.0,
    units: int = 2 | 8,
    affine: np.ndarray | None = None,
    slope: float = 0.0,
    inter: float = 0.0,
    magic: bytes | None = None,
    offset: float | None = None,
) -> bytes:
    """Bytes before the voxels; `offset` as claimed, where it should be otherwise."""
    dims = [len(shape), *shape, *[1] * (7 - len(shape))]
    zooms = [1.0, 3.0, 3.0, 4.0, tr, 1.0, 1.0, 1.0]
    sform = np.eye(4) if affine is None else affine
    sform_code = 0 if affine is None else 1
    size, start = {1: (348, 352), 2: (540, 544)}[version]
    raw = bytearray(start)
    put = struct.pack_into
    if version == 1:
        put(order + "i", raw, 0, size)
        put(order + "8h", raw, 40, *dims)
        put(order + "hh", raw, 70, code, 8)
        put(order + "8f", raw, 76, *zooms)
        put(order + "fff", raw, 108, float(start if offset is None else offset), slope, inter)
        raw[123] = units
        put(order + "hh", raw, 252, 0, sform_code)
        put(order + "12f", raw, 280, *sform[:3].ravel())
        raw[344:348] = b"n+1\0" if magic is None else magic
    else:
        put(order + "i", raw, 0, size)
        raw[4:12] = b"n+2\0\r\n\x1a\n" if magic is None else magic
        put(order + "hh", raw, 12, code, 8)
        put(order + "8q", raw, 16, *dims)
        put(order + "8d", raw, 104, *zooms)
        put(order + "q", raw, 168, int(start if offset is None else offset))
        put(order + "dd", raw, 176, slope, inter)
        put(order + "ii", raw, 344, 0, sform_code)
        put(order + "12d", raw, 400, *sform[:3].ravel())
        put(order + "i", raw, 500, units)
    return bytes(raw)


def voxels(data: np.ndarray, order: str = "<") -> bytes:
    """The first axis runs fastest."""
    return data.astype(data.dtype.newbyteorder(order)).tobytes(order="F")


def nifti(data: np.ndarray, *, order: str = "<", version: int = 1, **settings: object) -> bytes:
    code = CODES[data.dtype.str[1:]]
    head = header(data.shape, code, order=order, version=version, **settings)  # type: ignore[arg-type]
    return head + voxels(data, order)
