#ifndef CW_ENVELOPE_H
#define CW_ENVELOPE_H

#include "cw.h"

#ifdef __cplusplus
extern "C" {
#endif

@sizes@

/* What the envelope may do now. */
typedef enum {
@states@
} cw_envelope_state;

/* What can be wrong, with its stage and what follows. */
typedef enum {
    CW_FAULT_NONE = 0,
@faults@
} cw_fault;

/* Stages that intervene, in their order. */
typedef enum {
@stages@
} cw_stage;

/* What is said to a request. After a refusal nothing has changed. */
typedef enum {
    CW_ENVELOPE_OK = 0,
    /* It has no place in the present state, or a stop is latched. */
    CW_ENVELOPE_REFUSED_STATE = 1,
    /* The setpoints do not stand still. */
    CW_ENVELOPE_REFUSED_MOTION = 2,
    /* The controller reports a stop. */
    CW_ENVELOPE_REFUSED_CONTROLLER = 3,
    /* A measured number is not finite. */
    CW_ENVELOPE_REFUSED_READING = 4,
    /* A joint is outside of its limits. */
    CW_ENVELOPE_REFUSED_JOINT = 5,
    /* The tool is outside of its fences. */
    CW_ENVELOPE_REFUSED_FENCE = 6,
    /* A number of the place cannot be: not finite, looser than declared, boxes without common space, or no
     * workspace at all. */
    CW_ENVELOPE_REFUSED_PLACE = 7
} cw_envelope_answer;

/* Where the envelope works; zero whatever is not used. Places and turns are in the robot's base frame. */
typedef struct {
    /* The controller's cycle [s], CW_ENVELOPE_SHORTEST_CYCLE_S or longer. */
    double cycle_s;
    /* From a setpoint to its motion [s]. */
    double lag_s;
    /* The nominal fixture [m], axes parallel to those of the base. */
    double origin_m[3];
    /* 1 where the cell states a box for the tool, which holds beside those of the bundle. */
    int32_t has_box;
    double low_m[3];
    double high_m[3];
    /* Half-spaces that the tool stays in: normal * point >= offset; the normals have length 1. */
    int32_t planes;
    double plane_normal[CW_ENVELOPE_PLANES][3];
    double plane_offset_m[CW_ENVELOPE_PLANES];
    /* Stricter limits; 0 for the declared ones. */
    double tool_speed_m_s;
    double force_n;
    double torque_n_m;
} cw_envelope_place;

/* What the controller reports of one cycle. */
typedef struct {
    /* The controller's clock [s]. */
    double time_s;
    double joints_rad[6];
    /* Pose of the tool: place [m] and rotation vector [rad]. */
    double tool[6];
    /* 1 where the robot feels a wrench, [N] and [N m] in the tool frame, not tared. */
    int32_t has_wrench;
    double wrench[6];
} cw_envelope_measured;

/* The fastest stop of one coordinate, from a state on. */
typedef struct {
    double sign, rise_s, hold_s, fall_s;
    double position, velocity, acceleration;
} cw_envelope_stop;

/* Coordinates of poses: a place, and the turn from a reference orientation. */
typedef struct {
    double reference[9];
    double turn[3];
} cw_envelope_turns;

typedef struct {
    cw_envelope_state state;
    /* Of the latched stop. */
    cw_fault reason;
    /* Noted last, and how many changes have been noted. */
    cw_fault newest;
    uint32_t notes;
    /* By stage. */
    uint32_t interventions[CW_STAGES];
    /* Bit n: stage n intervened in the last cycle. */
    uint32_t stages;
    /* Fraction of the policy's authority, 0 to 1. */
    double blend;

    /* What follows is the envelope's own. */
    cw_envelope_place place;
    double low[6], high[6];
    double plane_offset_m[CW_ENVELOPE_PLANES];
    double tool_speed_m_s, force_n, torque_n_m;
    double position[6], velocity[6], acceleration[6];
    cw_envelope_stop stops[6];
    int32_t stopping;
    double stopping_s;
    cw_envelope_turns turns, from_hold;
    double held[6], shaped[6], slewed[6], before[6], hold[6];
    double tare[6];
    int32_t has_tare, controller_stops, called;
    double called_s, heard_s, clock_s, well_s, held_s;
    uint32_t holds;
    uint16_t recent[CW_ENVELOPE_WINDOW];
    int32_t window, filled, next;
    int32_t counts[CW_STAGES];
    uint8_t seen[CW_ENVELOPE_SEEN];
    double since_s[CW_ENVELOPE_VIEWS];
    uint8_t known[CW_ENVELOPE_VIEWS];
} cw_envelope;

/* Set up, disarmed, at a place. */
cw_envelope_answer cw_envelope_init(cw_envelope *envelope, const cw_envelope_place *place);

/* Take over the robot where it stands; it will be held there. */
cw_envelope_answer cw_envelope_arm(cw_envelope *envelope, double now_s, const cw_envelope_measured *measured);
/* Let the policy move the robot, with an authority that grows from zero. */
cw_envelope_answer cw_envelope_start(cw_envelope *envelope, double now_s);
/* The work is done: slow down, and hold. */
cw_envelope_answer cw_envelope_finish(cw_envelope *envelope, double now_s);
/* Give the robot up. */
cw_envelope_answer cw_envelope_disarm(cw_envelope *envelope, double now_s);
/* A person has seen the reason of a stop. */
cw_envelope_answer cw_envelope_reset(cw_envelope *envelope, double now_s);
/* Something is wrong, as a guard or the driver found it. */
void cw_envelope_fault(cw_envelope *envelope, double now_s, cw_fault fault);

/* One cycle of the controller. Returns 1 where `setpoint`, a pose of the tool, is to be sent, and 0 where nothing
 * may be sent.
 *
 * `now_s` is a monotonic clock of this computer, `measured` the newest state or a null pointer where none came,
 * `target` the pose that the policy wants now or a null pointer, `stopped` 1 where the controller reports a stop. */
int32_t cw_envelope_cycle(cw_envelope *envelope, double now_s, const cw_envelope_measured *measured,
                          const double *target, int32_t stopped, double setpoint[6]);

/* What is wrong with an observation before a policy may see it; its group and element, or its view, in `place`.
 * `age_s` is the age of the oldest source. */
cw_fault cw_envelope_look(cw_envelope *envelope, double now_s, const cw_observation *observation,
                          double age_s, int32_t place[2]);
/* Forget the pictures, as for the next part. */
void cw_envelope_forget(cw_envelope *envelope);
/* What is wrong with a decision before it may be acted on; `late_s` is how long ago it was asked for. */
cw_fault cw_envelope_judge(cw_status status, const cw_action *action, double late_s);

/* What a fault means, in words. */
extern const char *const cw_fault_meanings[CW_FAULTS];

/* Golden sequences, in cw_envelope_selftest.c, which a program that does not call it may leave out. */
typedef enum {
    CW_ENVELOPE_SELFTEST_PASSED = 0,
    /* A state, a reason or a setpoint differs from the recorded one. */
    CW_ENVELOPE_SELFTEST_DIFFERS = 1,
    /* A setpoint is outside of its limits. */
    CW_ENVELOPE_SELFTEST_OUTSIDE = 2
} cw_envelope_selftest_status;

typedef struct {
    /* The row of the sequence that differs first, or -1. */
    int32_t row;
    /* Rows that were played, and their cycles. */
    int32_t rows;
    int32_t cycles;
    /* Largest difference of a setpoint at the end of a row, [m] or [rad]. */
    double largest_error;
    /* Largest velocity, acceleration and jerk of the setpoints, as fractions of their limits. */
    double largest_rates[3];
} cw_envelope_selftest_result;

cw_envelope_selftest_status cw_envelope_selftest(cw_envelope_selftest_result *result);

#ifdef __cplusplus
}
#endif
#endif
