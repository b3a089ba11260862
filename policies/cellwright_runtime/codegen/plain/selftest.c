#include "cw_envelope.h"

#include <math.h>

typedef struct {
    int32_t ask, value, broken, cycles;
    double way[6];
    int32_t refused, state, reason;
    uint32_t notes;
    double setpoint[6];
} row;

@sequence@

/* Differences of setpoints of [m] or [rad] that rounding explains. */
static const double tolerance = 1e-6;
/* Of the limits; rates are differences of setpoints over powers of the cycle. */
static const double rounding = 1e-4;

typedef struct {
    double now_s, time_s;
    double tool[6];
    /* The last places that were sent, the newest first. */
    double places[4][3];
    int standing;
} player;

static double larger_of(double x, double y) { return y <= x ? x : y; }

/* Rates of the tool's place, as fractions of their limits. */
static void rate(const player *p, double largest[3]) {
    double speed = 0.0;
    for (int i = 0; i < 3; i++) {
        const double a = p->places[0][i], b = p->places[1][i], c = p->places[2][i], d = p->places[3][i];
        const double velocity = (a - b) / cycle_s;
        speed += velocity * velocity;
        largest[0] = larger_of(largest[0], fabs(velocity) / velocity_limit[i]);
        largest[1] = larger_of(largest[1], fabs(a - 2.0 * b + c) / (cycle_s * cycle_s) / acceleration_limit[i]);
        largest[2] = larger_of(largest[2], fabs(a - 3.0 * b + 3.0 * c - d) / (cycle_s * cycle_s * cycle_s) /
                                               jerk_limit[i]);
    }
    largest[0] = larger_of(largest[0], sqrt(speed) / tool_speed_m_s);
}

static void remember(player *p, const double setpoint[6]) {
    for (int back = 3; back > 0; back--) {
        for (int i = 0; i < 3; i++) {
            p->places[back][i] = p->standing ? setpoint[i] : p->places[back - 1][i];
        }
    }
    for (int i = 0; i < 3; i++) {
        p->places[0][i] = setpoint[i];
    }
    for (int i = 0; i < 6; i++) {
        p->tool[i] = setpoint[i];
    }
    p->standing = 0;
}

static cw_envelope_measured seen(const player *p, int32_t broken) {
    cw_envelope_measured m;
    m.time_s = p->time_s;
    m.has_wrench = broken != BROKEN_NO_WRENCH;
    for (int i = 0; i < 6; i++) {
        m.joints_rad[i] = broken == BROKEN_JOINT_IS_NAN       ? joints_rad[i] * (double)NAN
                          : broken == BROKEN_JOINT_OUTSIDE ? joints_high_rad[i] + 0.1
                                                           : joints_rad[i];
        m.tool[i] = broken == BROKEN_TOOL_IS_NAN ? p->tool[i] * (double)NAN : p->tool[i];
        m.wrench[i] = broken == BROKEN_FORCE ? 1e4 : broken == BROKEN_WRENCH_IS_NAN ? (double)NAN : 0.0;
    }
    m.tool[0] += broken == BROKEN_TOOL_OUTSIDE ? 1.0 : 0.0;
    return m;
}

static int refused(cw_envelope *e, const player *p, const row *r) {
    const cw_envelope_measured measured = seen(p, r->broken);
    cw_envelope_answer answer = CW_ENVELOPE_OK;
    switch (r->ask) {
    case ASK_ARM:
        answer = cw_envelope_arm(e, p->now_s, &measured);
        break;
    case ASK_START:
        answer = cw_envelope_start(e, p->now_s);
        break;
    case ASK_FINISH:
        answer = cw_envelope_finish(e, p->now_s);
        break;
    case ASK_DISARM:
        answer = cw_envelope_disarm(e, p->now_s);
        break;
    case ASK_RESET:
        answer = cw_envelope_reset(e, p->now_s);
        break;
    case ASK_FAULT:
        cw_envelope_fault(e, p->now_s, (cw_fault)r->value);
        break;
    default:
        break;
    }
    return answer != CW_ENVELOPE_OK;
}

/* The cycles of a row. */
static void play(cw_envelope *e, player *p, const row *r, double largest[3]) {
    double target[6], setpoint[6];
    for (int i = 0; i < 6; i++) {
        target[i] = (start[i] + r->way[i]) * (r->broken == BROKEN_TARGET_IS_NAN ? (double)NAN : 1.0);
    }
    for (int32_t cycle = 0; cycle < r->cycles; cycle++) {
        p->now_s += cycle_s + (r->broken == BROKEN_STALL && cycle == 0 ? 1.0 : 0.0);
        if (r->broken != BROKEN_SAME) {
            p->time_s += cycle_s + (r->broken == BROKEN_CLOCK && cycle == 0 ? 10.0 : 0.0);
        }
        const cw_envelope_measured measured = seen(p, r->broken);
        p->standing = p->standing || (r->broken == BROKEN_STALL && cycle == 0);
        if (cw_envelope_cycle(e, p->now_s, r->broken == BROKEN_SILENT ? 0 : &measured,
                              r->broken == BROKEN_NO_TARGET ? 0 : target,
                              r->broken == BROKEN_CONTROLLER_STOPS, setpoint)) {
            remember(p, setpoint);
            rate(p, largest);
        } else {
            p->standing = 1;
        }
    }
}

cw_envelope_selftest_status cw_envelope_selftest(cw_envelope_selftest_result *result) {
    static cw_envelope envelope;
    static const cw_envelope_place nowhere;
    cw_envelope_place place = nowhere;
    player p;
    place.cycle_s = cycle_s;
    place.has_box = 1;
    for (int i = 0; i < 3; i++) {
        place.origin_m[i] = origin_m[i];
        place.low_m[i] = origin_m[i] - around_m;
        place.high_m[i] = origin_m[i] + around_m;
        result->largest_rates[i] = 0.0;
    }
    p.now_s = 10.0;
    p.time_s = 1.0;
    p.standing = 1;
    remember(&p, start);
    p.standing = 1;
    result->row = -1;
    result->rows = 0;
    result->cycles = 0;
    result->largest_error = 0.0;
    if (cw_envelope_init(&envelope, &place) != CW_ENVELOPE_OK) {
        return CW_ENVELOPE_SELFTEST_DIFFERS;
    }
    for (int index = 0; index < ROWS; index++) {
        const row *r = &sequence[index];
        int same = refused(&envelope, &p, r) == r->refused;
        play(&envelope, &p, r, result->largest_rates);
        same = same && (int32_t)envelope.state == r->state && (int32_t)envelope.reason == r->reason &&
               envelope.notes == r->notes;
        for (int i = 0; i < 6; i++) {
            const double error = fabs(p.tool[i] - r->setpoint[i]);
            result->largest_error = larger_of(result->largest_error, error);
            same = same && error <= tolerance;
        }
        result->row = same || result->row >= 0 ? result->row : index;
        result->rows++;
        result->cycles += r->cycles;
    }
    if (result->row >= 0) {
        return CW_ENVELOPE_SELFTEST_DIFFERS;
    }
    for (int i = 0; i < 3; i++) {
        if (!(result->largest_rates[i] <= 1.0 + rounding)) {
            return CW_ENVELOPE_SELFTEST_OUTSIDE;
        }
    }
    return CW_ENVELOPE_SELFTEST_PASSED;
}
