
static int moves(const cw_envelope *e) {
    return e->state == CW_STATE_BLENDING || e->state == CW_STATE_RUNNING;
}

static int sends(const cw_envelope *e) {
    return e->state == CW_STATE_ARMED || e->state == CW_STATE_HOLD || moves(e);
}

/* Whether an event has a place now: a transition, or nothing to change. */
static int may_take(const cw_envelope *e, int event) {
    if (transitions[e->state][event] == REFUSED) {
        return 0;
    }
    if (e->reason != CW_FAULT_NONE && (event == EVENT_CLEAR || event == EVENT_DISARM)) {
        return 0;
    }
    return 1;
}

/* Change the state; 1 where it changed or a reason was latched. */
static int take(cw_envelope *e, int event, cw_fault fault) {
    const cw_envelope_state state = e->state;
    const cw_fault reason = e->reason;
    if (!may_take(e, event) || transitions[e->state][event] == IGNORED) {
        return 0;
    }
    if ((event == EVENT_STOP || event == EVENT_CONTROLLER_STOP) && e->reason == CW_FAULT_NONE) {
        e->reason = fault;
    }
    if (event == EVENT_RESET) {
        e->reason = CW_FAULT_NONE;
    }
    e->state = (cw_envelope_state)transitions[e->state][event];
    return e->state != state || e->reason != reason;
}

static void note(cw_envelope *e, cw_fault fault) {
    e->newest = fault;
    e->notes++;
}

static void forget_interventions(cw_envelope *e) {
    e->filled = 0;
    e->next = 0;
    for (int stage = 0; stage < CW_STAGES; stage++) {
        e->counts[stage] = 0;
    }
}

/* A cycle has passed in which these stages intervened. */
static void count_interventions(cw_envelope *e, uint32_t stages) {
    const int full = e->filled == e->window;
    const uint32_t oldest = full ? e->recent[e->next] : 0;
    for (int stage = 0; stage < CW_STAGES; stage++) {
        const int32_t now = (int32_t)(stages >> stage & 1u), then = (int32_t)(oldest >> stage & 1u);
        e->interventions[stage] += (uint32_t)now;
        e->counts[stage] += now - then;
    }
    e->recent[e->next] = (uint16_t)stages;
    e->next = e->next + 1 == e->window ? 0 : e->next + 1;
    e->filled += !full;
}

static int intervenes_too_often(const cw_envelope *e) {
    int found = 0;
    for (int stage = 0; stage < CW_STAGES; stage++) {
        found = found || e->counts[stage] > LARGEST_FRACTION * e->window;
    }
    return found && e->filled == e->window;
}

/* Why a measured robot cannot be moved. */
static cw_envelope_answer unfit(const cw_envelope_measured *measured) {
    cw_envelope_answer answer = CW_ENVELOPE_OK;
    if (!all_real(measured->joints_rad, 6) || !all_real(measured->tool, 6)) {
        return CW_ENVELOPE_REFUSED_READING;
    }
    for (int i = 0; i < 6; i++) {
        if (measured->joints_rad[i] < joint_low[i] || measured->joints_rad[i] > joint_high[i]) {
            answer = CW_ENVELOPE_REFUSED_JOINT;
        }
    }
    return answer;
}

/* 0 for none stated, else the stricter one; looser ones and nonsense give a negative number. */
static double tightened(double stated, double declared) {
    if (stated == 0.0) {
        return declared;
    }
    return is_real(stated) && stated > 0.0 && stated <= declared ? stated : -1.0;
}

static int place_fits(const cw_envelope_place *place) {
    int fits = is_real(place->cycle_s) && place->cycle_s >= CW_ENVELOPE_SHORTEST_CYCLE_S &&
               place->cycle_s <= LONGEST_CYCLE_S && is_real(place->lag_s) && place->lag_s >= 0.0 &&
               all_real(place->origin_m, 3) && all_real(place->low_m, 3) && all_real(place->high_m, 3) &&
               place->planes >= 0 && place->planes <= CW_ENVELOPE_PLANES &&
               (place->has_box || CW_ENVELOPE_BOXES > 0);
    for (int plane = 0; plane < CW_ENVELOPE_PLANES; plane++) {
        const double *normal = place->plane_normal[plane];
        const int used = plane < place->planes;
        fits = fits && (!used || (all_real(normal, 3) && fabs(length_of(normal) - 1.0) <= 1e-6 &&
                                  is_real(place->plane_offset_m[plane])));
    }
    return fits;
}

cw_envelope_answer cw_envelope_init(cw_envelope *e, const cw_envelope_place *place) {
    static const cw_envelope nothing;
    const double speed_m_s = tightened(place->tool_speed_m_s, TOOL_SPEED_M_S);
    const double force_n = tightened(place->force_n, FORCE_N);
    const double torque_n_m = tightened(place->torque_n_m, TORQUE_N_M);
    double low[3], high[3];
    if (!place_fits(place) || speed_m_s < 0.0 || force_n < 0.0 || torque_n_m < 0.0) {
        return CW_ENVELOPE_REFUSED_PLACE;
    }
    for (int i = 0; i < 3; i++) {
        low[i] = place->has_box ? place->low_m[i] : -UNBOUNDED_M;
        high[i] = place->has_box ? place->high_m[i] : UNBOUNDED_M;
        for (int box = 0; box < CW_ENVELOPE_BOXES; box++) {
            const double at = box_at_fixture[box] ? place->origin_m[i] : 0.0;
            low[i] = most_of(low[i], box_low_m[box][i] + at);
            high[i] = least_of(high[i], box_high_m[box][i] + at);
        }
        low[i] += WORKSPACE_MARGIN_M;
        high[i] -= WORKSPACE_MARGIN_M;
        if (!(low[i] < high[i])) {
            return CW_ENVELOPE_REFUSED_PLACE;
        }
    }
    *e = nothing;
    e->place = *place;
    e->tool_speed_m_s = speed_m_s;
    e->force_n = force_n;
    e->torque_n_m = torque_n_m;
    for (int i = 0; i < 3; i++) {
        e->low[i] = low[i];
        e->high[i] = high[i];
        e->low[3 + i] = -MOST_TURN_RAD;
        e->high[3 + i] = MOST_TURN_RAD;
    }
    for (int plane = 0; plane < CW_ENVELOPE_PLANES; plane++) {
        e->plane_offset_m[plane] = place->plane_offset_m[plane] + WORKSPACE_MARGIN_M;
    }
    e->window = (int32_t)floor(WINDOW_S / place->cycle_s + 0.5);
    e->window = e->window < 1 ? 1 : e->window > CW_ENVELOPE_WINDOW ? CW_ENVELOPE_WINDOW : e->window;
    return CW_ENVELOPE_OK;
}

cw_envelope_answer cw_envelope_arm(cw_envelope *e, double now_s, const cw_envelope_measured *measured) {
    double start[6];
    int inside = 1;
    if (!may_take(e, EVENT_ARM)) {
        return CW_ENVELOPE_REFUSED_STATE;
    }
    if (e->controller_stops) {
        return CW_ENVELOPE_REFUSED_CONTROLLER;
    }
    const cw_envelope_answer answer = unfit(measured);
    if (answer != CW_ENVELOPE_OK) {
        return answer;
    }
    turns_from(&e->turns, measured->tool);
    coordinates_of(&e->turns, measured->tool, start);
    for (int i = 0; i < 6; i++) {
        inside = inside && start[i] >= e->low[i] && start[i] <= e->high[i];
    }
    if (!inside) {
        return CW_ENVELOPE_REFUSED_FENCE;
    }
    take(e, EVENT_ARM, CW_FAULT_NONE);
    rest_at(e, start);
    e->has_tare = measured->has_wrench;
    for (int i = 0; i < 6; i++) {
        e->tare[i] = measured->wrench[i];
    }
    e->heard_s = now_s;
    e->clock_s = measured->time_s;
    e->called_s = now_s;
    e->called = 1;
    e->blend = 0.0;
    e->holds = 0;
    note(e, CW_FAULT_NONE);
    return CW_ENVELOPE_OK;
}

/* A request that changes the state at once. */
static cw_envelope_answer request(cw_envelope *e, int event, int standing) {
    if (standing && !at_rest(e)) {
        return CW_ENVELOPE_REFUSED_MOTION;
    }
    if (!may_take(e, event)) {
        return CW_ENVELOPE_REFUSED_STATE;
    }
    take(e, event, CW_FAULT_NONE);
    note(e, CW_FAULT_NONE);
    return CW_ENVELOPE_OK;
}

cw_envelope_answer cw_envelope_start(cw_envelope *e, double now_s) {
    const cw_envelope_answer answer = request(e, EVENT_START, 1);
    (void)now_s;
    if (answer == CW_ENVELOPE_OK) {
        begin_blending(e);
        forget_interventions(e);
    }
    return answer;
}

cw_envelope_answer cw_envelope_finish(cw_envelope *e, double now_s) {
    (void)now_s;
    return request(e, EVENT_FINISH, 0);
}

cw_envelope_answer cw_envelope_disarm(cw_envelope *e, double now_s) {
    (void)now_s;
    return request(e, EVENT_DISARM, 1);
}

cw_envelope_answer cw_envelope_reset(cw_envelope *e, double now_s) {
    (void)now_s;
    return e->controller_stops ? CW_ENVELOPE_REFUSED_CONTROLLER : request(e, EVENT_RESET, 0);
}

void cw_envelope_fault(cw_envelope *e, double now_s, cw_fault fault) {
    const int moving = moves(e);
    if (fault == CW_FAULT_NONE) {
        return;
    }
    if ((int)fault < 0 || (int)fault >= CW_FAULTS) { /* whatever it was meant to say */
        fault = CW_FAULT_SEND;
    }
    e->interventions[fault_stage[fault]]++;
    e->well_s = now_s;
    if (take(e, fault_event[fault], fault)) {
        if (moving) {
            e->held_s = now_s;
            e->holds++;
        }
        note(e, fault);
    }
}
