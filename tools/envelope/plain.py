"""The envelope in C, compiled here and called from Python: for adversaries, tests and the benchmark."""

from __future__ import annotations

import ctypes
import itertools
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellwright_policies import zoo
from cellwright_runtime.bundle.policy import POLICY, Bundle
from cellwright_runtime.bundle.safety import Bound, Safety, WorkspaceBox
from cellwright_runtime.codegen.c_envelope import PLANES, Envelope
from cellwright_runtime.codegen.c_header import header
from cellwright_runtime.codegen.c_source import Source
from cellwright_runtime.codegen.compiled import FLAGS, run_compiler
from cellwright_runtime.codegen.figures import figures
from cellwright_runtime.codegen.interface import interface_of
from cellwright_runtime.codegen.lowering import program_of
from cellwright_runtime.envelope.declared import limits_of
from cellwright_runtime.envelope.faults import Fault, Stage
from cellwright_runtime.envelope.limits import Limits
from cellwright_runtime.envelope.states import State
from cellwright_runtime.graph.bounds import known_values
from tools.envelope import setpoints, workplace
from tools.envelope.adversaries import POLICIES
from tools.envelope.setpoints import Count

Array = NDArray[np.float64]

_BRIDGE = """\
#include "policy_envelope.c"

static policy_envelope envelope;
static policy_envelope_place place;

int set_up(double cycle_s, double lag_s, const double *origin_m, const double *box, int planes,
           const double *normals, const double *offsets_m, const double *stricter) {
    static const policy_envelope_place nowhere;
    place = nowhere;
    place.cycle_s = cycle_s;
    place.lag_s = lag_s;
    place.has_box = box != 0;
    for (int i = 0; i < 3; i++) {
        place.origin_m[i] = origin_m[i];
        place.low_m[i] = box ? box[i] : 0.0;
        place.high_m[i] = box ? box[3 + i] : 0.0;
    }
    place.planes = planes;
    for (int i = 0; i < POLICY_ENVELOPE_PLANES; i++) {
        for (int k = 0; k < 3; k++) place.plane_normal[i][k] = normals[3 * i + k];
        place.plane_offset_m[i] = offsets_m[i];
    }
    place.tool_speed_m_s = stricter[0];
    place.force_n = stricter[1];
    place.torque_n_m = stricter[2];
    return policy_envelope_init(&envelope, &place);
}

static policy_envelope_measured measured_of(double time_s, const double *joints, const double *tool,
                                            const double *wrench) {
    policy_envelope_measured m;
    m.time_s = time_s;
    m.has_wrench = wrench != 0;
    for (int i = 0; i < 6; i++) {
        m.joints_rad[i] = joints[i];
        m.tool[i] = tool[i];
        m.wrench[i] = wrench ? wrench[i] : 0.0;
    }
    return m;
}

int arm(double now_s, double time_s, const double *joints, const double *tool, const double *wrench) {
    const policy_envelope_measured m = measured_of(time_s, joints, tool, wrench);
    return policy_envelope_arm(&envelope, now_s, &m);
}

int ask(int what, double now_s, int number) {
    switch (what) {
    case 0: return policy_envelope_start(&envelope, now_s);
    case 1: return policy_envelope_finish(&envelope, now_s);
    case 2: return policy_envelope_disarm(&envelope, now_s);
    case 3: return policy_envelope_reset(&envelope, now_s);
    default: policy_envelope_fault(&envelope, now_s, (policy_fault)number); return 0;
    }
}

int cycle(double now_s, int heard, double time_s, const double *joints, const double *tool,
          const double *wrench, const double *target, int stopped, double *setpoint) {
    const policy_envelope_measured m = measured_of(time_s, joints, tool, wrench);
    return policy_envelope_cycle(&envelope, now_s, heard ? &m : 0, target, stopped, setpoint);
}

/* So many cycles of a robot that follows at once; how many setpoints were sent. */
int drive(double now_s, const double *joints, const double *tool, const double *targets, int cycles,
          double *sent) {
    policy_envelope_measured m = measured_of(now_s, joints, tool, (const double[6]){0});
    int count = 0;
    for (int n = 0; n < cycles; n++) {
        now_s += place.cycle_s;
        m.time_s = now_s;
        if (policy_envelope_cycle(&envelope, now_s, &m, targets + 6 * n, 0, sent + 6 * n)) count++;
        for (int i = 0; i < 6; i++) m.tool[i] = sent[6 * n + i];
    }
    return count;
}

void said(int *out, unsigned *interventions, double *numbers) {
    out[0] = envelope.state;
    out[1] = envelope.reason;
    out[2] = envelope.newest;
    out[3] = (int)envelope.notes;
    out[4] = (int)envelope.stages;
    for (int i = 0; i < POLICY_STAGES; i++) interventions[i] = envelope.interventions[i];
    numbers[0] = envelope.blend;
    for (int i = 0; i < 6; i++) {
        numbers[1 + i] = envelope.before[i];
        numbers[7 + i] = envelope.position[i];
        numbers[13 + i] = envelope.velocity[i];
    }
}

int look(double now_s, const policy_observation *observation, double age_s, int32_t *where) {
    return policy_envelope_look(&envelope, now_s, observation, age_s, where);
}

void forget(void) { policy_envelope_forget(&envelope); }

int judge(int status, const float *preclip, const float *action, double late_s) {
    policy_action a = {{0}, {0}, {0}, 0, 0, 0};
    for (int i = 0; i < POLICY_ACTIONS; i++) {
        a.action_preclip[i] = preclip[i];
        a.action[i] = action[i];
    }
    return policy_envelope_judge((policy_status)status, &a, late_s);
}

int bytes(void) { return (int)sizeof(policy_envelope); }
"""


class Said(NamedTuple):
    """What the envelope in C says of itself."""

    state: State
    reason: Fault | None
    newest: Fault | None
    notes: int
    stages: frozenset[Stage]
    interventions: dict[Stage, int]
    blend: float
    wanted: Array
    """Coordinates (6,) of the target after the fences."""
    position: Array
    velocity: Array


class PlainEnvelope:
    """One envelope in C. A library holds one; compile again for another."""

    def __init__(self, bundle: Bundle, safety: Safety, directory: Path, flags: Sequence[str] = FLAGS) -> None:
        """Compile it in `directory`; raises `CompilerError` where that is not possible."""
        program = program_of(bundle.model, known_values(bundle.model, POLICY), POLICY)
        interface = interface_of(bundle, program, "policy")
        source = Source(interface, program)
        found = figures(
            program.kernels,
            operators=len(bundle.model.operators),
            ram_bytes=source.ram_bytes,
            constants=source.constants,
        )
        envelope = Envelope(interface, safety)
        (directory / "policy.h").write_text(header(interface, found))
        (directory / "policy_envelope.h").write_text(envelope.header())
        (directory / "policy_envelope.c").write_text(envelope.source())
        (directory / "bridge.c").write_text(_BRIDGE)
        library = directory / "bridge.so"
        run_compiler([*flags, "-shared", "-fPIC", "-o", library, directory / "bridge.c", "-lm"])
        self._library = ctypes.CDLL(str(library))

    def set_up(
        self,
        *,
        cycle_s: float,
        lag_s: float = 0.0,
        origin_m: Sequence[float] = (0.0, 0.0, 0.0),
        box_m: Sequence[float] | None = None,
        planes: Sequence[tuple[Sequence[float], float]] = (),
        stricter: Sequence[float] = (0.0, 0.0, 0.0),
    ) -> int:
        """`box_m` is low and high (6,); `stricter` are tool speed, force and torque. Returns the answer."""
        normals, offsets = np.zeros((PLANES, 3)), np.zeros(PLANES)
        for number, (normal, offset_m) in enumerate(planes):
            normals[number], offsets[number] = normal, offset_m
        return int(
            self._library.set_up(
                ctypes.c_double(cycle_s),
                ctypes.c_double(lag_s),
                _six(origin_m),
                None if box_m is None else _six(box_m),
                len(planes),
                _six(normals.ravel()),
                _six(offsets),
                _six(stricter),
            )
        )

    def arm(self, now_s: float, measured: Any) -> int:
        """Returns the answer, 0 for yes."""
        return int(
            self._library.arm(
                ctypes.c_double(now_s),
                ctypes.c_double(measured.time_s),
                _six(measured.joints_rad),
                _six(measured.tool),
                None if measured.wrench is None else _six(measured.wrench),
            )
        )

    def request(self, what: str, now_s: float, fault: Fault | None = None) -> int:
        """`start`, `finish`, `disarm`, `reset` or `fault`; returns the answer."""
        words = ("start", "finish", "disarm", "reset", "fault")
        number = 0 if fault is None else 1 + list(Fault).index(fault)
        return int(self._library.ask(words.index(what), ctypes.c_double(now_s), number))

    def cycle(
        self, now_s: float, measured: Any, target: Sequence[float] | None, *, stopped: bool = False
    ) -> Array | None:
        """As `Envelope.cycle`."""
        setpoint = (ctypes.c_double * 6)()
        heard = measured is not None
        nothing = (0.0,) * 6
        sent = self._library.cycle(
            ctypes.c_double(now_s),
            int(heard),
            ctypes.c_double(measured.time_s if heard else 0.0),
            _six(measured.joints_rad if heard else nothing),
            _six(measured.tool if heard else nothing),
            _six(measured.wrench) if heard and measured.wrench is not None else None,
            None if target is None else _six(target),
            int(stopped),
            setpoint,
        )
        return np.array(setpoint) if sent else None

    def drive(self, now_s: float, joints_rad: Array, tool: Array, targets: Array) -> Array:
        """Setpoints (n, 6) to a robot that follows at once, for targets (n, 6).

        Raises RuntimeError where one was not sent.
        """
        wanted = np.ascontiguousarray(targets, np.float64)
        sent = np.empty_like(wanted)
        count = self._library.drive(
            ctypes.c_double(now_s),
            _six(joints_rad),
            _six(tool),
            wanted.ctypes.data_as(ctypes.POINTER(ctypes.c_double)),
            len(wanted),
            sent.ctypes.data_as(ctypes.POINTER(ctypes.c_double)),
        )
        if count != len(wanted):
            raise RuntimeError(f"the envelope in C stopped: {self.said()}")
        return sent

    def said(self) -> Said:
        """What the envelope says of itself now."""
        out, counts, numbers = (ctypes.c_int * 5)(), (ctypes.c_uint * len(Stage))(), (ctypes.c_double * 19)()
        self._library.said(out, counts, numbers)
        faults = [None, *Fault]
        return Said(
            state=list(State)[out[0]],
            reason=faults[out[1]],
            newest=faults[out[2]],
            notes=out[3],
            stages=frozenset(stage for bit, stage in enumerate(Stage) if out[4] >> bit & 1),
            interventions=dict(zip(Stage, map(int, counts), strict=True)),
            blend=numbers[0],
            wanted=np.array(numbers[1:7]),
            position=np.array(numbers[7:13]),
            velocity=np.array(numbers[13:19]),
        )

    def look(self, now_s: float, packed: bytes, age_s: float) -> tuple[Fault | None, int, int]:
        """The first finding of an observation, as the structure of C has it, and its place."""
        where = (ctypes.c_int32 * 2)()
        found = self._library.look(ctypes.c_double(now_s), packed, ctypes.c_double(age_s), where)
        return [None, *Fault][found], where[0], where[1]

    def forget(self) -> None:
        """Forget the pictures."""
        self._library.forget()

    def judge(self, status: int, preclip: Array, action: Array, late_s: float) -> Fault | None:
        """What is wrong with a decision."""
        rows = [(ctypes.c_float * len(each))(*map(float, each)) for each in (preclip, action)]
        return [None, *Fault][self._library.judge(status, *rows, ctypes.c_double(late_s))]

    @property
    def ram_bytes(self) -> int:
        """Size of the structure."""
        return int(self._library.bytes())


def _six(values: Any) -> Any:
    numbers = [float(each) for each in values]
    return (ctypes.c_double * len(numbers))(*numbers)


def safety_of(limits: Limits) -> Safety:
    """A safety.json that declares `limits`, at the base, for the policy of `workplace.SPEC`."""
    told = "assumption: for this proof"

    def bound(*values: float) -> Bound:
        return Bound(value=tuple(map(float, values)), source=told)

    declared = workplace.safety(workplace.SPEC)
    tool, joints = limits.tool, limits.joints
    return replace(
        declared,
        joints=replace(
            declared.joints,
            position_low_rad=bound(*joints.low),
            position_high_rad=bound(*joints.high),
            position_margin_rad=bound(limits.joint_margin_rad),
            velocity_rad_s=bound(*joints.velocity),
            acceleration_rad_s2=bound(*joints.acceleration),
            jerk_rad_s3=bound(*joints.jerk),
            rate_margin=None,
        ),
        tool=replace(
            declared.tool,
            speed_m_s=bound(limits.tool_speed_m_s),
            turning_speed_rad_s=bound(tool.velocity[3]),
            acceleration_m_s2=bound(tool.acceleration[0]),
            turning_acceleration_rad_s2=bound(tool.acceleration[3]),
            jerk_m_s3=bound(tool.jerk[0]),
            turning_jerk_rad_s3=bound(tool.jerk[3]),
            force_n=None if limits.force_n is None else bound(limits.force_n),
            torque_n_m=None if limits.torque_n_m is None else bound(limits.torque_n_m),
        ),
        interventions=replace(
            declared.interventions,
            largest_fraction=bound(limits.fraction),
            window_s=bound(limits.window_s),
        ),
        workspace=(
            WorkspaceBox(
                name="all",
                frame="base",
                low_m=bound(*tool.low[:3]),
                high_m=bound(*tool.high[:3]),
                turn_rad=bound(tool.high[3]),
            ),
        ),
    )


def attack(count_to: int, seed: int, *, before: Count | None = None) -> Iterator[Count]:
    """As `setpoints.attack`, for the envelope in C and an interface that takes poses."""
    count = before or Count()
    begin = time.perf_counter() - count.seconds
    asked = setpoints.limits()
    safety = safety_of(asked)
    limits = limits_of(safety, planes=asked.planes)
    planes = [(plane.normal, plane.offset_m) for plane in limits.planes]
    reach = np.array([*setpoints.REACH_M, *(setpoints.TURN_RAD,) * 3])
    state = setpoints.state_at_home()
    with tempfile.TemporaryDirectory() as scratch:
        plain = PlainEnvelope(Bundle.load(zoo.path("peg-insertion")), safety, Path(scratch))
        while count.setpoints < count_to:
            rng = np.random.default_rng([seed, sum(count.runs.values())])
            name = list(POLICIES)[int(rng.integers(len(POLICIES)))]
            targets = np.array(
                list(itertools.islice(POLICIES[name](rng, setpoints.HOME, reach), setpoints.CHUNK))
            )
            if plain.set_up(cycle_s=setpoints.PERIOD_S, planes=planes) or plain.arm(0.0, state):
                raise RuntimeError("the envelope in C refuses its place, or the robot")
            plain.request("start", 0.0)
            sent = plain.drive(0.0, state.joints_rad, state.tool, targets)
            standing = np.repeat(state.tool[None], setpoints.BEFORE, axis=0)
            setpoints.check("pose", np.vstack([standing, sent]), limits, count)
            count.setpoints += len(sent)
            count.interventions += sum(plain.said().interventions.values())
            count.runs[name] = count.runs.get(name, 0) + 1
            count.seconds = time.perf_counter() - begin
            yield count
