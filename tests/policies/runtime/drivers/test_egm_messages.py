"""Our encoder of EGM against the protobuf messages of ABBRobotEGM, which nobody here wrote."""

import ast
import contextlib
import json
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cellwright_runtime.drivers import egm_messages as egm
from tests.processes import Process

DOUBLES = st.floats(allow_nan=False, allow_infinity=False)
NUMBERS = st.integers(0, 2**32 - 1)
JOINTS = st.fixed_dictionaries({"joints": st.lists(DOUBLES, max_size=7)})
XYZ = st.fixed_dictionaries(dict.fromkeys("xyz", DOUBLES))
POSE = st.fixed_dictionaries(
    {"pos": XYZ, "orient": st.fixed_dictionaries({f"u{n}": DOUBLES for n in range(4)})}
)
CLOCK = st.fixed_dictionaries({"sec": st.integers(0, 2**64 - 1), "usec": NUMBERS})
PLACE = st.fixed_dictionaries(
    {}, optional={"joints": JOINTS, "cartesian": POSE, "externalJoints": JOINTS, "time": CLOCK}
)
HEADER = st.fixed_dictionaries({"seqno": NUMBERS, "tm": NUMBERS, "mtype": st.integers(0, 4)})
STATE = st.fixed_dictionaries({"state": st.integers(0, 2)})
MESSAGES = {
    "EgmRobot": st.fixed_dictionaries(
        {"header": HEADER},
        optional={
            "feedBack": PLACE,
            "planned": PLACE,
            "motorState": STATE,
            "mciState": STATE,
            "mciConvergenceMet": st.booleans(),
            "rapidExecState": STATE,
            "measuredForce": st.fixed_dictionaries(
                {"fcActive": st.booleans(), "force": st.lists(DOUBLES, max_size=6)}
            ),
            "utilizationRate": DOUBLES,
            "moveIndex": NUMBERS,
        },
    ),
    "EgmSensor": st.fixed_dictionaries({"header": HEADER}, optional={"planned": PLACE}),
    "EgmSensorPathCorr": st.fixed_dictionaries(
        {"header": HEADER, "pathCorr": st.fixed_dictionaries({"pos": XYZ, "age": NUMBERS})}
    ),
}
SETTINGS = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module")
def protobuf() -> Iterator[Process]:
    """The library, in a process of its own: it registers its messages for all of a process."""
    process = Process(
        "from ABBRobotEGM._egm_protobuf import egm_pb2\n"
        "from google.protobuf import json_format\n"
        "import json\n"
        "def made(name, text):\n"
        "    return json_format.Parse(text, getattr(egm_pb2, name)())\n"
    )
    yield process
    process.close()


@pytest.mark.parametrize("name", MESSAGES)
@SETTINGS
@given(data=st.data())
def test_bytes_are_those_of_the_library(name: str, protobuf: Process, data: st.DataObject) -> None:
    message = data.draw(MESSAGES[name])
    theirs = protobuf.ask(f"made({name!r}, {json.dumps(message)!r}).SerializeToString()")
    assert egm.encode(name, message) == theirs
    assert egm.encode(name, egm.decode(name, theirs)) == theirs


def test_what_we_do_not_know_is_skipped(protobuf: Process) -> None:
    theirs = protobuf.ask(
        "egm_pb2.EgmRobot(header={'seqno': 3}, RAPIDfromRobot={'digVal': True, 'dnum': [1.0]}, "
        "testSignals={'signals': [1.0]}, torqueRef={'joints': [2.0]}, moveIndex=9).SerializeToString()"
    )
    assert egm.decode("EgmRobot", theirs) == {"header": {"seqno": 3}, "moveIndex": 9}


@given(st.binary(max_size=200))
def test_nothing_but_a_message_error_comes_of_any_bytes(data: bytes) -> None:
    for name in MESSAGES:
        with contextlib.suppress(egm.MessageError):
            assert isinstance(egm.decode(name, data), dict)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"\x0a" + b"\x80" * 12, "a number without an end"),
        (b"\x0a\x05\x08", "a field longer than its message"),
        (b"\x0b", "a field of type 3"),
        (b"\x08\x01", "field 1 of EgmRobot has another type"),
        (b"\x51" + ast.literal_eval(r"b'\x00\x00\x00\x00\x00\x00\xf8\x7f'"), "a double that is not finite"),
        (bytes(5000), "5000 bytes, more than 4096"),
    ],
)
def test_bytes_that_are_no_message_are_refused(data: bytes, told: str) -> None:
    with pytest.raises(egm.MessageError, match=told):
        egm.decode("EgmRobot", data)
