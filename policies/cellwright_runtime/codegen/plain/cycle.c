
/* The force on the robot. */
static void feel(cw_envelope *e, double now_s, const cw_envelope_measured *measured) {
    double felt[6];
    if (!FEELS) {
        return;
    }
    if (!measured->has_wrench || !e->has_tare || !all_real(measured->wrench, 6)) {
        cw_envelope_fault(e, now_s, CW_FAULT_NO_FORCE);
        return;
    }
    for (int i = 0; i < 6; i++) {
        felt[i] = measured->wrench[i] - e->tare[i];
    }
    if (length_of(felt) > e->force_n) {
        cw_envelope_fault(e, now_s, CW_FAULT_FORCE);
    }
    if (length_of(felt + 3) > e->torque_n_m) {
        cw_envelope_fault(e, now_s, CW_FAULT_FORCE);
    }
}

/* Clock, silence, and the controller's own stops. */
static void watch(cw_envelope *e, double now_s, const cw_envelope_measured *measured, int32_t stopped) {
    const double late_s = e->called ? now_s - e->called_s : 0.0;
    e->called = 1;
    e->called_s = now_s;
    e->controller_stops = stopped;
    if (stopped) {
        cw_envelope_fault(e, now_s, CW_FAULT_CONTROLLER_STOP);
    }
    if (!sends(e)) {
        return;
    }
    if (!(late_s >= 0.0 && late_s <= most_of(LATE_CYCLES * e->place.cycle_s, SILENCE_S))) {
        /* The robot has stood at the last setpoint meanwhile; a ramp from the old speed would be a jerk. */
        rest_at(e, e->position);
        cw_envelope_fault(e, now_s, CW_FAULT_CLOCK);
    }
    if (measured) {
        const double ahead_s = measured->time_s - e->clock_s;
        if (!(ahead_s >= 0.0 && ahead_s <= SILENCE_S)) {
            cw_envelope_fault(e, now_s, CW_FAULT_CLOCK);
        }
        if (ahead_s != 0.0) { /* a state that comes again is no new one */
            e->heard_s = now_s;
            e->clock_s = measured->time_s;
        }
    }
    if (now_s - e->heard_s > SILENCE_S) {
        cw_envelope_fault(e, now_s, CW_FAULT_SILENT);
    }
}

/* The measured robot against fences and setpoints, and the force on it. */
static void compare(cw_envelope *e, double now_s, const cw_envelope_measured *measured) {
    const cw_envelope_answer answer = unfit(measured);
    double wanted[6], rows[9], measured_rows[9], fastest = 0.0;
    if (answer != CW_ENVELOPE_OK) {
        cw_envelope_fault(e, now_s, answer == CW_ENVELOPE_REFUSED_READING ? CW_FAULT_READING : CW_FAULT_OUTSIDE);
        return;
    }
    pose_of(&e->turns, e->position, wanted);
    rotation_rows(wanted + 3, rows);
    rotation_rows(measured->tool + 3, measured_rows);
    for (int i = 0; i < 6; i++) {
        fastest = most_of(fastest, fabs(e->velocity[i]));
    }
    /* Below a controller that answers late, the robot is behind by its speed times the lag. */
    if (distance_of(wanted, measured->tool) > TRACKING_M + e->place.lag_s * e->tool_speed_m_s ||
        angle_between(measured_rows, rows) > TRACKING_RAD + e->place.lag_s * fastest) {
        cw_envelope_fault(e, now_s, CW_FAULT_TRACKING);
    }
    feel(e, now_s, measured);
}

/* One cycle of motion as the policy wants it, as far as that is allowed. */
static void move(cw_envelope *e, double now_s, const double *target) {
    double pose[6], wanted[6], velocity[6];
    if (!target) {
        brake(e);
        return;
    }
    if (!all_real(target, 6)) {
        cw_envelope_fault(e, now_s, CW_FAULT_TARGET);
        brake(e);
        return;
    }
    e->blend = least_of(1.0, e->blend + e->place.cycle_s / BLEND_S);
    blended(e, target, pose);
    e->stages |= shape(e, pose, wanted);
    for (int i = 0; i < 6; i++) {
        velocity[i] = (wanted[i] - e->before[i]) / e->place.cycle_s;
        e->before[i] = wanted[i];
    }
    if (!towards(e, wanted, velocity)) {
        e->stages |= UINT32_C(1) << CW_STAGE_MOTION;
    }
    count_interventions(e, e->stages);
    if (e->state == CW_STATE_BLENDING && e->blend >= 1.0) {
        take(e, EVENT_BLENDED, CW_FAULT_NONE);
        note(e, CW_FAULT_NONE);
    }
    if (intervenes_too_often(e)) {
        cw_envelope_fault(e, now_s, CW_FAULT_INTERVENTIONS);
        forget_interventions(e);
    }
}

/* In HOLD: become STOPPED at rest, go on when all has been well for a while, or give up. */
static void wait_in_hold(cw_envelope *e, double now_s) {
    if (e->reason == CW_FAULT_NONE && now_s - e->held_s > HOLD_S) {
        cw_envelope_fault(e, now_s, CW_FAULT_HELD);
    }
    if (e->reason == CW_FAULT_NONE && e->holds > MOST_HOLDS) {
        cw_envelope_fault(e, now_s, CW_FAULT_HELD);
    }
    if (!at_rest(e)) {
        return;
    }
    if (e->reason != CW_FAULT_NONE) {
        take(e, EVENT_AT_REST, CW_FAULT_NONE);
        note(e, CW_FAULT_NONE);
    } else if (now_s - e->well_s >= DWELL_S) {
        take(e, EVENT_CLEAR, CW_FAULT_NONE);
        begin_blending(e);
        forget_interventions(e);
        note(e, CW_FAULT_NONE);
    }
}

int32_t cw_envelope_cycle(cw_envelope *e, double now_s, const cw_envelope_measured *measured,
                          const double *target, int32_t stopped, double setpoint[6]) {
    watch(e, now_s, measured, stopped);
    if (measured && sends(e)) {
        compare(e, now_s, measured);
    }
    e->stages = 0;
    if (moves(e)) {
        move(e, now_s, target);
    } else if (sends(e)) {
        brake(e);
        if (e->state == CW_STATE_HOLD) {
            wait_in_hold(e, now_s);
        }
    }
    if (!sends(e)) {
        return 0;
    }
    pose_of(&e->turns, e->position, setpoint);
    return 1;
}

void cw_envelope_forget(cw_envelope *e) {
    for (int view = 0; view < CW_ENVELOPE_VIEWS; view++) {
        e->known[view] = 0;
    }
}

cw_fault cw_envelope_judge(cw_status status, const cw_action *action, double late_s) {
    float largest = 0.0f;
    int real = 1;
    if (!(late_s <= INFERENCE_S)) {
        return CW_FAULT_LATE;
    }
    if (status == CW_REFUSED_OBSERVATION) {
        return CW_FAULT_NOT_FINITE;
    }
    for (int i = 0; i < CW_ACTIONS; i++) {
        const float asked = action->action_preclip[i] < 0.0f ? -action->action_preclip[i] : action->action_preclip[i];
        real = real && is_real((double)asked) && is_real((double)action->action[i]);
        largest = asked > largest ? asked : largest;
    }
    if (status == CW_REFUSED_ACTION || !real) {
        return CW_FAULT_NO_ACTION;
    }
    return (double)largest > MOST_PRECLIP ? CW_FAULT_PRECLIP : CW_FAULT_NONE;
}
