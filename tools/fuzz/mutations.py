"""Ways to damage a file: anywhere, or with lengths and checksums corrected so that readers get further."""

import io
import random
import re
import struct
import zipfile
from collections.abc import Callable, Sequence

import onnx

Mutation = Callable[[bytes, random.Random], bytes]

_BYTES = (0x00, 0x01, 0x7F, 0x80, 0xFF)
_WORDS = (0, 1, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 10**12, 2**63 - 1, 2**63, 2**64 - 1)
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?|true|false|null|[\[\]{}:,]')
_TOKENS = (
    b"NaN", b"-Infinity", b"1e999", b"-0.0", b"0", b"1.0", b"9223372036854775808", b"1" + b"0" * 400, b"null",
    b"true", b'"\\ud800"', b'"\\u0000"', b'"\xff"', b'"\\u001b[31m"', b'""', b"[]", b"{}", b"[[]]",
    b'{"a":1,"a":2}', b"[" * 40, b"[" * 5000, b",", b":", b"]", b"}", b'"text"', b"-1", b"1e400", b"[0]",
)  # fmt: skip


def blind(data: bytes, rng: random.Random) -> bytes:
    """One to four changes anywhere."""
    changed = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at, length = rng.randrange(len(changed) + 1), rng.choice((1, 2, 4, 8, rng.randint(1, 64)))
        match rng.randrange(8):
            case 0 if at < len(changed):
                changed[at] ^= 1 << rng.randrange(8)
            case 1:
                changed[at : at + 1] = bytes([rng.choice(_BYTES)])
            case 2:
                changed[at : at + 8] = struct.pack("<Q", rng.choice(_WORDS))
            case 3:
                changed[at : at + 4] = struct.pack("<I", rng.choice(_WORDS) % 2**32)
            case 4:
                del changed[at : at + length]
            case 5:
                changed[at:at] = changed[at : at + length]
            case 6:
                other = rng.randrange(len(changed) + 1)
                changed[at : at + length] = changed[other : other + length]
            case _:
                changed[at:at] = rng.randbytes(length)
    return bytes(changed) if rng.random() < 0.95 else bytes(changed[: rng.randrange(len(changed) + 1)])


def json_tokens(data: bytes, rng: random.Random) -> bytes:
    """One to three tokens dropped, doubled, or replaced by a token of the same or of another kind."""
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        tokens = [match.span() for match in _TOKEN.finditer(data)]
        if not tokens:
            return data
        begin, end = rng.choice(tokens)
        other = data[slice(*rng.choice(tokens))]
        like = b"%d" % rng.randint(0, 9) if data[begin : begin + 1].isdigit() else other
        new = rng.choice((like, like, rng.choice(_TOKENS), b"", other, 2 * data[begin:end]))
        data = data[:begin] + new + data[end:]
    return data


def npz_member(data: bytes, rng: random.Random) -> bytes:
    """One array damaged, renamed or doubled, and all packed again, so that sizes and checksums are right."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    index = rng.randrange(len(members))
    name, content = members[index]
    match rng.randrange(4):
        case 0:
            header = content[:128]
            changed = blind(header, rng) if rng.random() < 0.5 else _header_number(header, rng)
            members[index] = (name, changed + content[128:])
        case 1:
            members[index] = (name, blind(content, rng))
        case 2:
            members[index] = (rng.choice((name[:-4], f"x{name}", "observation.x.npy", "ä.npy")), content)
        case _:
            members.insert(index, (f"y{name}", content))
            del members[rng.randrange(len(members))]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", rng.choice((zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED))) as archive:
        for each, content in members:
            archive.writestr(each, content)
    return buffer.getvalue()


def _header_number(header: bytes, rng: random.Random) -> bytes:
    numbers = list(re.finditer(rb"\d+", header))
    if not numbers:
        return header
    chosen = rng.choice(numbers)
    return header[: chosen.start()] + str(rng.choice(_WORDS)).encode() + header[chosen.end() :]


def safetensors_header(data: bytes, rng: random.Random) -> bytes:
    """The header of a safetensors file damaged, with its length corrected."""
    length = int.from_bytes(data[:8], "little")
    header = json_tokens(data[8 : 8 + length], rng)
    return struct.pack("<Q", len(header)) + header + data[8 + length :]


def safetensors_body(data: bytes, rng: random.Random) -> bytes:
    """One bit flipped in the numbers after the header of a safetensors file."""
    begin = 8 + int.from_bytes(data[:8], "little")
    at = rng.randrange(begin, len(data))
    return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]


def graph_field(data: bytes, rng: random.Random) -> bytes:
    """One to three fields of an ONNX graph changed, and the graph serialised again."""
    model = onnx.load_model_from_string(data)
    for _ in range(rng.randint(1, 3)):
        _change_graph(model.graph, rng)
    return bytes(model.SerializeToString())


def _change_graph(graph: onnx.GraphProto, rng: random.Random) -> None:
    node, tensor = rng.choice(graph.node), rng.choice(graph.initializer)
    number = rng.choice((*_WORDS[:9], -1, -2, 3, 7, rng.randint(-9, 99)))
    match rng.randrange(8):
        case 0:
            node.op_type = rng.choice(graph.node).op_type
        case 1 if node.input:
            node.input[rng.randrange(len(node.input))] = rng.choice(
                (*rng.choice(graph.node).output, tensor.name, "")
            )
        case 2 if node.attribute:
            attribute = rng.choice(node.attribute)
            attribute.i = number
            if attribute.ints:
                attribute.ClearField("i")
                attribute.ints[rng.randrange(len(attribute.ints))] = number
        case 3 if tensor.dims:
            tensor.dims[rng.randrange(len(tensor.dims))] = number
        case 4 if tensor.raw_data:
            tensor.raw_data = blind(tensor.raw_data[:64], rng)[:64] + tensor.raw_data[64:]
        case 5:
            graph.node.insert(rng.randrange(len(graph.node) + 1), node)
        case 6:
            graph.node.remove(node)
        case _:
            value = rng.choice((*graph.input, *graph.output))
            rng.choice(value.type.tensor_type.shape.dim).dim_value = number


def chosen(mutations: Sequence[Mutation]) -> Mutation:
    """A mutation that draws one of `mutations` for each file."""

    def mutation(data: bytes, rng: random.Random) -> bytes:
        return rng.choice(mutations)(data, rng)

    return mutation
