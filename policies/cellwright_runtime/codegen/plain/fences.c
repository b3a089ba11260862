
/* Whether two rows of coordinates differ by more than rounding. */
static int differ(const double one[6], const double other[6]) {
    int found = 0;
    for (int i = 0; i < 6; i++) {
        found = found || fabs(one[i] - other[i]) > CHANGED;
    }
    return found;
}

/* Cuts a pose to box and planes, no further on than the speed allows; gives its coordinates. */
static uint32_t shape_tool(cw_envelope *e, const double pose[6], double held[6]) {
    const double step_m = e->tool_speed_m_s * e->place.cycle_s;
    double asked[6];
    uint32_t stages = 0;
    coordinates_of(&e->turns, pose, asked);
    for (int i = 0; i < 6; i++) {
        held[i] = clamped(asked[i], e->low[i], e->high[i]);
    }
    for (int plane = 0; plane < CW_ENVELOPE_PLANES; plane++) {
        const double *normal = e->place.plane_normal[plane];
        const double missing_m =
            e->plane_offset_m[plane] - (normal[0] * held[0] + normal[1] * held[1] + normal[2] * held[2]);
        for (int i = 0; i < 3; i++) {
            held[i] = plane < e->place.planes && missing_m > 0.0 ? held[i] + missing_m * normal[i] : held[i];
        }
    }
    if (differ(asked, held)) {
        stages |= UINT32_C(1) << CW_STAGE_WORKSPACE;
    }
    const double far_m = distance_of(held, e->shaped);
    if (far_m > step_m + CHANGED) {
        const double fraction = step_m / far_m;
        for (int i = 0; i < 3; i++) {
            held[i] = e->shaped[i] + fraction * (held[i] - e->shaped[i]);
        }
        stages |= UINT32_C(1) << CW_STAGE_TOOL_SPEED;
    }
    for (int i = 0; i < 6; i++) {
        e->shaped[i] = held[i];
    }
    return stages;
}

/* Cuts jumps, so that one bad target moves the robot by one cycle's worth at most. */
static uint32_t slew(cw_envelope *e, double target[6]) {
    double held[6];
    for (int i = 0; i < 6; i++) {
        const double most = SLEW * rate_limit[i] * e->place.cycle_s;
        held[i] = e->slewed[i] + clamped(target[i] - e->slewed[i], -most, most);
    }
    const uint32_t stages = differ(held, target) ? UINT32_C(1) << CW_STAGE_SLEW : 0;
    for (int i = 0; i < 6; i++) {
        e->slewed[i] = held[i];
        target[i] = held[i];
    }
    return stages;
}

/* Coordinates of a target pose, cut to the fences, and the stages that cut. */
static uint32_t shape(cw_envelope *e, const double pose[6], double wanted[6]) {
    const uint32_t stages = shape_tool(e, pose, wanted);
    return stages | slew(e, wanted);
}

/* From rest where the robot is held, with no authority yet. */
static void begin_blending(cw_envelope *e) {
    double pose[6];
    e->blend = 0.0;
    pose_of(&e->turns, e->position, pose);
    coordinates_of(&e->turns, pose, e->shaped);
    for (int i = 0; i < 6; i++) {
        e->slewed[i] = e->position[i];
        e->before[i] = e->position[i];
    }
    turns_from(&e->from_hold, pose);
    coordinates_of(&e->from_hold, pose, e->hold);
}

/* The pose between where the robot was held and the target, at the present authority. */
static void blended(cw_envelope *e, const double target[6], double pose[6]) {
    double asked[6];
    if (e->blend >= 1.0) {
        for (int i = 0; i < 6; i++) {
            pose[i] = target[i];
        }
        return;
    }
    coordinates_of(&e->from_hold, target, asked);
    for (int i = 0; i < 6; i++) {
        asked[i] = e->hold[i] + e->blend * (asked[i] - e->hold[i]);
    }
    pose_of(&e->from_hold, asked, pose);
}
