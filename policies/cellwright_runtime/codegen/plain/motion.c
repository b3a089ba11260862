
/* Jerk-limited motion. Each coordinate has a stop in closed form: brake with all of the jerk up to all of the
 * acceleration, hold it, take it back. A cycle is taken only where the stop that would begin after it keeps every
 * limit; otherwise the stop that was found for the state before goes on. So at any moment a stop is known. */
typedef struct {
    double position, velocity, acceleration;
} motion_state;

/* The velocity that is left once the acceleration has been taken back. */
static double after(double velocity, double acceleration, double jerk) {
    return velocity + acceleration * fabs(acceleration) / (2.0 * jerk);
}

static cw_envelope_stop stop_of(motion_state state, double most, double jerk) {
    cw_envelope_stop stop;
    stop.sign = after(state.velocity, state.acceleration, jerk) > 0.0 ? -1.0 : 1.0;
    const double v = stop.sign * state.velocity, a = stop.sign * state.acceleration;
    double peak = sqrt(most_of(0.5 * a * a - jerk * v, 0.0));
    stop.hold_s = 0.0;
    if (peak > most) {
        stop.hold_s = (peak * peak - most * most) / (jerk * most);
        peak = most;
    }
    stop.rise_s = most_of(peak - a, 0.0) / jerk;
    stop.fall_s = peak / jerk;
    stop.position = state.position;
    stop.velocity = state.velocity;
    stop.acceleration = state.acceleration;
    return stop;
}

static double duration_of(const cw_envelope_stop *stop) { return stop->rise_s + stop->hold_s + stop->fall_s; }

/* A state after a constant jerk. */
static motion_state moved(motion_state state, double jerk, double t) {
    motion_state next;
    next.position =
        state.position + t * (state.velocity + t * (0.5 * state.acceleration + t * jerk / 6.0));
    next.velocity = state.velocity + t * (state.acceleration + 0.5 * t * jerk);
    next.acceleration = state.acceleration + t * jerk;
    return next;
}

/* How far the stop of a state leads. */
static double stopping(double velocity, double acceleration, double most, double jerk) {
    motion_state state = {0.0, velocity, acceleration};
    const cw_envelope_stop stop = stop_of(state, most, jerk);
    double v = stop.sign * velocity, a = stop.sign * acceleration;
    double way = stop.rise_s * (v + stop.rise_s * (0.5 * a + stop.rise_s * jerk / 6.0));
    v += stop.rise_s * (a + 0.5 * stop.rise_s * jerk);
    a += stop.rise_s * jerk;
    way += stop.hold_s * (v + 0.5 * stop.hold_s * a);
    v += stop.hold_s * a;
    way += stop.fall_s * (v + stop.fall_s * (0.5 * a - stop.fall_s * jerk / 6.0));
    return stop.sign * way;
}

/* Where a stop is after so long. */
static motion_state along(const cw_envelope_stop *stop, double jerk, double seconds) {
    const double jerks[3] = {jerk, 0.0, -jerk};
    const double lengths_s[3] = {stop->rise_s, stop->hold_s, stop->fall_s};
    motion_state state = {stop->position, stop->velocity, stop->acceleration};
    for (int part = 0; part < 3; part++) {
        state = moved(state, stop->sign * jerks[part], least_of(most_of(seconds, 0.0), lengths_s[part]));
        seconds -= lengths_s[part];
    }
    return state;
}

/* Least and greatest position of a stop from its begin to its end. */
static void swept(const cw_envelope_stop *stop, double jerk, double *low, double *high) {
    const double end = along(stop, jerk, duration_of(stop)).position;
    const double v = stop->sign * stop->velocity, a = stop->sign * stop->acceleration;
    *low = least_of(stop->position, end);
    *high = most_of(stop->position, end);
    if (v > 0.0 && a < 0.0) { /* it goes on for a moment before it turns round */
        const double turn_s = (-a - sqrt(most_of(a * a - 2.0 * jerk * v, 0.0))) / jerk;
        const motion_state begin = {stop->position, stop->velocity, stop->acceleration};
        const double there = moved(begin, stop->sign * jerk, least_of(turn_s, stop->rise_s)).position;
        *low = least_of(*low, there);
        *high = most_of(*high, there);
    }
}

static motion_state state_of(const cw_envelope *e, int axis) {
    motion_state state;
    state.position = e->position[axis];
    state.velocity = e->velocity[axis];
    state.acceleration = e->acceleration[axis];
    return state;
}

static int at_rest(const cw_envelope *e) {
    int rest = 1;
    for (int i = 0; i < 6; i++) {
        rest = rest && e->velocity[i] == 0.0 && e->acceleration[i] == 0.0;
    }
    return rest;
}

static void rest_at(cw_envelope *e, const double position[6]) {
    for (int i = 0; i < 6; i++) {
        e->position[i] = position[i];
        e->velocity[i] = 0.0;
        e->acceleration[i] = 0.0;
    }
    e->stopping = 0;
    e->stopping_s = 0.0;
}

/* What the jerk of a coordinate's next cycle is chosen by. */
typedef struct {
    motion_state state;
    double target, passing, most, low, high, acceleration, jerk, period_s;
} wish;

static int too_far(const wish *w, double with_jerk) {
    const motion_state now = moved(w->state, with_jerk, w->period_s);
    return after(now.velocity, now.acceleration, w->jerk) > w->most ||
           now.position + stopping(now.velocity - w->passing, now.acceleration, w->acceleration, w->jerk) >
               w->target ||
           now.position + stopping(now.velocity - 0.0, now.acceleration, w->acceleration, w->jerk) > w->high;
}

static int too_near(const wish *w, double with_jerk) {
    const motion_state now = moved(w->state, with_jerk, w->period_s);
    return after(now.velocity, now.acceleration, w->jerk) < -w->most ||
           now.position + stopping(now.velocity - 0.0, now.acceleration, w->acceleration, w->jerk) < w->low;
}

/* Where `beyond` begins to hold between `inside` and `outside`: the last place at which it does not. */
static double edge(int (*beyond)(const wish *, double), const wish *w, double inside, double outside) {
    if (!beyond(w, outside)) {
        return outside;
    }
    for (int i = 0; i < HALVINGS; i++) {
        const double middle = 0.5 * (inside + outside);
        if (beyond(w, middle)) {
            outside = middle;
        } else {
            inside = middle;
        }
    }
    return inside;
}

/* The largest jerk that is not too far, unless that is too near. */
static double jerk_of(const wish *w) {
    const double least = most_of(-w->jerk, (-w->acceleration - w->state.acceleration) / w->period_s);
    const double largest = least_of(w->jerk, (w->acceleration - w->state.acceleration) / w->period_s);
    const double chosen = edge(too_far, w, least, largest);
    return too_near(w, chosen) ? edge(too_near, w, largest, chosen) : chosen;
}

/* The target's velocity, and the most of each coordinate's, so that the tool keeps its speed: what the target's
 * own speed leaves is shared by how far each coordinate has to go. */
static void share(const cw_envelope *e, const double target[6], const double velocity[6], double passing[6],
                  double most[6]) {
    const double top = SHARED * e->tool_speed_m_s;
    double way[3];
    for (int i = 0; i < 6; i++) {
        most[i] = rate_limit[i];
        passing[i] = clamped(velocity[i], -most[i], most[i]);
    }
    double speed = length_of(passing);
    if (speed > top) {
        for (int i = 0; i < 3; i++) {
            passing[i] = passing[i] * top / speed;
        }
        speed = top;
    }
    for (int i = 0; i < 3; i++) {
        way[i] = fabs(target[i] - e->position[i]);
    }
    const double far = length_of(way);
    for (int i = 0; i < 3; i++) {
        const double part = far > 0.0 ? way[i] / far : 0.0;
        most[i] = least_of(most[i], fabs(passing[i]) + (top - speed) * part);
    }
}

/* Whether the tool is inside between `low` and `high`, and not too fast. */
static int tool_keeps(const cw_envelope *e, const double low[3], const double high[3], double speed_m_s) {
    int keeps = speed_m_s <= e->tool_speed_m_s;
    for (int i = 0; i < 3; i++) {
        keeps = keeps && low[i] >= e->low[i] && high[i] <= e->high[i];
    }
    for (int plane = 0; plane < CW_ENVELOPE_PLANES; plane++) {
        double worst = 0.0;
        for (int i = 0; i < 3; i++) {
            const double along_it = e->place.plane_normal[plane][i];
            worst += along_it * (along_it > 0.0 ? low[i] : high[i]);
        }
        keeps = keeps && (plane >= e->place.planes || worst >= e->plane_offset_m[plane]);
    }
    return keeps;
}

/* Largest speed of a cycle of constant jerk from one state to another. */
static double fastest_between(motion_state before, motion_state state, double seconds) {
    const double fastest = most_of(fabs(before.velocity), fabs(state.velocity));
    if (before.acceleration * state.acceleration < 0.0) {
        const double jerk = (state.acceleration - before.acceleration) / seconds;
        return most_of(fastest,
                       fabs(before.velocity - before.acceleration * before.acceleration / (2.0 * jerk)));
    }
    return fastest;
}

/* Go on to these states, if the stop from there keeps all limits. */
static int take_states(cw_envelope *e, const motion_state states[6]) {
    cw_envelope_stop stops[6];
    double low[6], high[6], speed[6];
    int keeps = 1;
    for (int i = 0; i < 6; i++) {
        stops[i] = stop_of(states[i], acceleration_limit[i], jerk_limit[i]);
        swept(&stops[i], jerk_limit[i], &low[i], &high[i]);
        const motion_state before = state_of(e, i);
        speed[i] = most_of(fastest_between(before, states[i], e->place.cycle_s),
                           fabs(after(states[i].velocity, states[i].acceleration, jerk_limit[i])));
        if (before.velocity * states[i].velocity < 0.0) { /* it turns round within the cycle */
            const double beyond = e->place.cycle_s * most_of(fabs(before.velocity), fabs(states[i].velocity));
            low[i] = least_of(low[i], before.position) - beyond;
            high[i] = most_of(high[i], before.position) + beyond;
        }
        keeps = keeps && low[i] >= e->low[i] && high[i] <= e->high[i] && speed[i] <= rate_limit[i];
    }
    if (!keeps || !tool_keeps(e, low, high, length_of(speed))) {
        return 0;
    }
    for (int i = 0; i < 6; i++) {
        e->position[i] = states[i].position;
        e->velocity[i] = states[i].velocity;
        e->acceleration[i] = states[i].acceleration;
        e->stops[i] = stops[i];
    }
    e->stopping = 1;
    e->stopping_s = 0.0;
    return 1;
}

/* One cycle of the stop that the present state has. */
static void brake(cw_envelope *e) {
    double longest_s = 0.0;
    if (!e->stopping) {
        return;
    }
    e->stopping_s += e->place.cycle_s;
    for (int i = 0; i < 6; i++) {
        const motion_state state = along(&e->stops[i], jerk_limit[i], e->stopping_s);
        e->position[i] = state.position;
        e->velocity[i] = state.velocity;
        e->acceleration[i] = state.acceleration;
        longest_s = most_of(longest_s, duration_of(&e->stops[i]));
    }
    if (e->stopping_s >= longest_s) {
        rest_at(e, e->position);
    }
}

/* One cycle towards a target that moves; 0 where the motion slows down instead. */
static int towards(cw_envelope *e, const double target[6], const double velocity[6]) {
    double passing[6], most[6];
    motion_state states[6];
    if (all_real(target, 6) && all_real(velocity, 6)) {
        share(e, target, velocity, passing, most);
        for (int i = 0; i < 6; i++) {
            wish w;
            w.state = state_of(e, i);
            w.target = target[i];
            w.passing = passing[i];
            w.most = most[i];
            w.low = e->low[i];
            w.high = e->high[i];
            w.acceleration = acceleration_limit[i];
            w.jerk = jerk_limit[i];
            w.period_s = e->place.cycle_s;
            states[i] = moved(w.state, jerk_of(&w), w.period_s);
        }
        if (take_states(e, states)) {
            return 1;
        }
    }
    brake(e);
    return 0;
}
